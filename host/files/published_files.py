"""Where the files that the loaders take are published, and under which name.

Three things use the table. A loader's list carries its entries to the editor, which offers to download what a
workflow names and is not there (web/model_links.js). A file whose download has another name than workflows
give it (`model.ckpt` is many different files) is also found as it came, in a folder with the name of its
repository. Messages about a missing file say so. Source: the repositories' pages as docs/ and help pages
link them; hashes as several public programs list them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HUGGING_FACE = "https://huggingface.co/"


@dataclass(frozen=True)
class PublishedFile:
    """A file `path` in the repository `repository` ("owner/name"), which workflows name `name`."""

    name: str
    folder: str  # below models/
    repository: str
    path: str = ""  # in the repository; empty: as `name`
    sha256: str = ""  # empty: not known

    @property
    def url(self) -> str:
        return f"{HUGGING_FACE}{self.repository}/resolve/main/{self.path or self.name}"

    @property
    def published_name(self) -> str:
        return (self.path or self.name).rsplit("/", 1)[-1]

    @property
    def home(self) -> str:
        """The folder in which the download is known for what it is: the repository's name."""
        return self.repository.split("/")[1]

    def is_at(self, place: str) -> bool:
        """Whether a listed file, a path below a model folder, is this one as it was downloaded."""
        *folders, name = place.replace("\\", "/").lower().split("/")
        return name == self.published_name.lower() and self.home.lower() in folders

    def as_link(self) -> dict[str, str]:
        """What a node's `properties.models` of a workflow says about it."""
        link = {"name": self.name, "url": self.url, "directory": self.folder}
        return link | ({"hash": self.sha256, "hash_type": "SHA256"} if self.sha256 else {})


def _motion(name: str, repository: str = "guoyww/animatediff", sha256: str = "") -> PublishedFile:
    return PublishedFile(name, "animatediff_models", repository, sha256=sha256)


def _video(name: str, repository: str, path: str = "") -> PublishedFile:
    return PublishedFile(name, "diffusion_models", repository, path)


CAMERA_MOVES = (
    "PanLeft",
    "PanRight",
    "TiltUp",
    "TiltDown",
    "ZoomIn",
    "ZoomOut",
    "RollingClockwise",
    "RollingAnticlockwise",
)
MODELSCOPE = "ali-vilab/modelscope-damo-text-to-video-synthesis"
SVD = "stabilityai/stable-video-diffusion-img2vid"
MOTION_FILES = (
    _motion("mm_sd_v14.ckpt", sha256="aa7fd8a200a89031edd84487e2a757c5315460eca528fa70d4b3885c399bffd5"),
    _motion("mm_sd_v15.ckpt", sha256="cf16ea656cb16124990c8e2c70a29c793f9841f3a2223073fac8bd89ebd9b69a"),
    _motion("mm_sd_v15_v2.ckpt", sha256="69ed0f5fef82b110aca51bcab73b21104242bc65d6ab4b8b2a2a94d31cad1bf0"),
    _motion("v3_sd15_mm.ckpt"),
    _motion("mm_sdxl_v10_beta.ckpt"),
    _motion("AnimateLCM_sd15_t2v.ckpt", "wangfuyun/AnimateLCM"),
    _motion("AnimateLCM_sd15_i2v.ckpt", "wangfuyun/AnimateLCM-I2V"),
    _motion("hsxl_temporal_layers.safetensors", "hotshotco/Hotshot-XL"),
    _motion("temporaldiff-v1-animatediff.ckpt", "CiaraRowles/TemporalDiff"),
    _motion("temporaldiff-v1-animatediff.safetensors", "CiaraRowles/TemporalDiff"),
    _motion("mm-Stabilized_mid.pth", "manshoety/AD_Stabilized_Motion"),
    _motion("mm-Stabilized_high.pth", "manshoety/AD_Stabilized_Motion"),
)
CAMERA_FILES = (
    _motion("CameraCtrl_pruned.safetensors", "Kosinkadink/CameraCtrl"),
    _motion("CameraCtrl.ckpt", "hehao13/CameraCtrl"),
)
MOTION_LORA_FILES = tuple(
    PublishedFile(f"v2_lora_{move}.ckpt", "animatediff_motion_lora", "guoyww/animatediff")
    for move in CAMERA_MOVES
)
SPARSECTRL_FILES = tuple(
    PublishedFile(f"v3_sd15_sparsectrl_{kind}.ckpt", "controlnet", "guoyww/animatediff")
    for kind in ("rgb", "scribble")
)
VIDEO_MODEL_FILES = (
    _video("text2video_pytorch_model.pth", MODELSCOPE),
    _video("zeroscope_v2_576w.pth", "cerspense/zeroscope_v2_576w", "zs2_576w/text2video_pytorch_model.pth"),
    _video("zeroscope_v2_XL.pth", "cerspense/zeroscope_v2_XL", "zs2_XL/text2video_pytorch_model.pth"),
    _video("videocrafter1_t2v_512.ckpt", "VideoCrafter/Text2Video-512", "model.ckpt"),
    _video("videocrafter1_t2v_1024.ckpt", "VideoCrafter/Text2Video-1024", "model.ckpt"),
    _video("videocrafter1_i2v_512.ckpt", "VideoCrafter/Image2Video-512", "model.ckpt"),
    _video("videocrafter2_t2v_512.ckpt", "VideoCrafter/VideoCrafter2", "model.ckpt"),
    _video("dynamicrafter_256.ckpt", "Doubiiu/DynamiCrafter", "model.ckpt"),
    _video("dynamicrafter_512.ckpt", "Doubiiu/DynamiCrafter_512", "model.ckpt"),
    _video("dynamicrafter_512_interp.ckpt", "Doubiiu/DynamiCrafter_512_Interp", "model.ckpt"),
    _video("dynamicrafter_1024.ckpt", "Doubiiu/DynamiCrafter_1024", "model.ckpt"),
    _video("lavie_base.pt", "YaohuiW/LaVie"),
    _video("lavie_interpolation.pt", "YaohuiW/LaVie"),
    _video("lavie_vsr.pt", "YaohuiW/LaVie"),
    *(
        _video(f"show-1-{stage}_unet.bin", f"showlab/show-1-{stage}", "unet/diffusion_pytorch_model.bin")
        for stage in ("base", "interpolation", "sr1", "sr2")
    ),
    _video("svd.safetensors", SVD),
    _video("svd_image_decoder.safetensors", SVD),
    _video("svd_xt.safetensors", f"{SVD}-xt"),
    _video("svd_xt_image_decoder.safetensors", f"{SVD}-xt"),
    _video("svd_xt_1_1.safetensors", f"{SVD}-xt-1-1"),
    _video("sv3d_u.safetensors", "stabilityai/sv3d"),
    _video("sv3d_p.safetensors", "stabilityai/sv3d"),
)
VIDEO_VAE_FILES = (PublishedFile("VQGAN_autoencoder.pth", "vae", MODELSCOPE),)


def links(files: Iterable[PublishedFile]) -> dict[str, list[dict[str, str]]]:
    """What a loader's list carries to the editor, for `extra_dict` of its input."""
    return {"zoetrope_models": [file.as_link() for file in files]}


def published(name: str, files: Iterable[PublishedFile]) -> PublishedFile | None:
    """The entry that workflows call so, wherever in a folder."""
    return next((file for file in files if file.name == name.replace("\\", "/").rsplit("/", 1)[-1]), None)


def as_downloaded(name: str, listed: Iterable[str], files: Iterable[PublishedFile]) -> str | None:
    """The listed file that is, under its published name and in its folder,
    what workflows call `name`; None without one.
    """
    entry = published(name, files)
    return next((place for place in listed if entry.is_at(place)), None) if entry else None


def with_workflow_names(listed: list[str], files: Iterable[PublishedFile]) -> list[str]:
    """The listed files, and the names that workflows have for those that lie there as they were
    downloaded.
    """
    more = {file.name for file in files if any(file.is_at(place) for place in listed)}
    return sorted({*listed, *more})


def download_hint(name: str, files: Iterable[PublishedFile]) -> str:
    """A sentence that says where a missing file is published; empty for one that is not in the table."""
    entry = published(name, files)
    if entry is None:
        return ""
    if entry.published_name == entry.name:
        return f" It is published at {entry.url}."
    return (
        f" It is published at {entry.url} as '{entry.published_name}': save it as '{entry.name}', or put it"
        f" as it is into a folder '{entry.home}' in there."
    )
