"""Where the loaders' files are published: links, and files that lie there as they were downloaded."""

import pytest
from zoetrope.host.files.published_files import (
    CAMERA_FILES,
    MOTION_FILES,
    MOTION_LORA_FILES,
    SPARSECTRL_FILES,
    VIDEO_MODEL_FILES,
    VIDEO_VAE_FILES,
    as_downloaded,
    download_hint,
    links,
    published,
    with_workflow_names,
)

TABLES = (CAMERA_FILES, MOTION_FILES, MOTION_LORA_FILES, SPARSECTRL_FILES, VIDEO_MODEL_FILES, VIDEO_VAE_FILES)


@pytest.mark.parametrize("files", TABLES)
def test_names_stand_once_and_are_files_that_the_editor_offers_to_download(files):
    """The editor's own rule: a page of Hugging Face, and a name with one of its endings;
    .bin gets a link without a button.
    """
    names = [file.name for file in files]
    assert len(set(names)) == len(names)
    for file in files:
        assert file.url.startswith("https://huggingface.co/") and "/resolve/main/" in file.url
        assert file.name.endswith((".safetensors", ".ckpt", ".pth", ".pt", ".bin"))
        assert len(file.sha256) in (0, 64)


def test_an_entry_says_what_a_workflow_has_to_say():
    """As the help page of Load Motion Module links the file."""
    entries = {entry["name"]: entry for entry in links(MOTION_FILES)["zoetrope_models"]}
    assert entries["v3_sd15_mm.ckpt"] == {
        "name": "v3_sd15_mm.ckpt",
        "url": "https://huggingface.co/guoyww/animatediff/resolve/main/v3_sd15_mm.ckpt",
        "directory": "animatediff_models",
    }
    assert entries["mm_sd_v15_v2.ckpt"]["hash_type"] == "SHA256"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("dynamicrafter_512.ckpt", "DynamiCrafter_512/model.ckpt"),
        ("dynamicrafter_512.ckpt", "video\\DynamiCrafter_512\\model.ckpt"),  # as Windows lists it
        ("dynamicrafter_512_interp.ckpt", "dynamicrafter_512_interp/model.ckpt"),
        ("videocrafter1_i2v_512.ckpt", "Image2Video-512/model.ckpt"),
        ("zeroscope_v2_XL.pth", "zeroscope_v2_XL/zs2_XL/text2video_pytorch_model.pth"),
        ("zeroscope_v2_XL.pth", "zeroscope_v2_XL/text2video_pytorch_model.pth"),
        ("show-1-sr1_unet.bin", "show-1-sr1/unet/diffusion_pytorch_model.bin"),
        ("show-1-sr1_unet.bin", "show-1-sr1/diffusion_pytorch_model.bin"),
    ],
)
def test_a_download_is_known_by_the_folder_it_lies_in(name, place):
    others = [
        "model.ckpt",
        "text2video_pytorch_model.pth",
        "elsewhere/model.ckpt",
        "elsewhere/diffusion_pytorch_model.bin",
    ]
    assert as_downloaded(name, [*others, place], VIDEO_MODEL_FILES) == place
    assert as_downloaded(name, others, VIDEO_MODEL_FILES) is None
    added = {*with_workflow_names([*others, place], VIDEO_MODEL_FILES)} - {*others, place}
    assert added == {name}


def test_a_file_under_its_own_name_is_listed_once():
    assert (
        with_workflow_names(["LaVie/lavie_base.pt", "svd.safetensors"], VIDEO_MODEL_FILES).count(
            "svd.safetensors"
        )
        == 1
    )


def test_the_hint_names_page_and_folder():
    hint = download_hint("videocrafter2_t2v_512.ckpt", VIDEO_MODEL_FILES)
    assert "https://huggingface.co/VideoCrafter/VideoCrafter2/resolve/main/model.ckpt" in hint
    assert "'model.ckpt'" in hint and "'VideoCrafter2'" in hint
    assert download_hint("somebody's.ckpt", VIDEO_MODEL_FILES) == ""
    assert published("sub/folder/mm_sd_v14.ckpt", MOTION_FILES).name == "mm_sd_v14.ckpt"
