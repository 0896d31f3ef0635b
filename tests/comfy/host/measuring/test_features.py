"""Features through ComfyUI's models: images, texts with their projection, flow, networks of files."""

import comfy.clip_vision
import comfy.sd
import pytest
import torch
from zoetrope.demo import play
from zoetrope.host.files.model_files import register_model_folders
from zoetrope.host.measuring import features
from zoetrope.host.measuring.measure import Instruments, measure_clip
from zoetrope.host.measuring.networks import (
    check_kind,
    load_metric_network,
    metric_network_from_file,
    missing_network_message,
)
from zoetrope.tests.gold_weights import fill, gold_tensor
from zoetrope.tests.networks.encoders import TINY_VISION
from zoetrope.tests.rounding import assert_same

HEIGHT, WIDTH = 37, 53


@pytest.fixture(scope="module")
def vision():
    made = comfy.clip_vision.ClipVisionModel(TINY_VISION)
    fill(made.model.float())
    return made


@pytest.fixture
def clip():
    """The demo's text encoder with a text projection of its own."""
    made = play.load_family().clip
    projection = made.cond_stage_model.clip_l.transformer.text_projection
    with torch.no_grad():
        projection.weight = torch.nn.Parameter(gold_tensor("projection", projection.weight.shape), False)
    return made


def frames(count=11, seed=0):
    return torch.rand(count, HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(seed))


def head_file(path, **change):
    tensors = {"weight": gold_tensor("weight", (1, 768)), "bias": torch.zeros(1)} | change
    torch.save(tensors, path)
    return path


def test_frames_are_encoded_in_chunks_as_at_once(vision):
    encoder = features.image_encoder(vision)
    wanted = vision.encode_image(frames()).image_embeds
    assert_same(encoder(torch.cat((frames(), torch.rand(11, HEIGHT, WIDTH, 1)), -1)), wanted)
    side = TINY_VISION["image_size"]
    assert encoder.resize == f"{side}x{side} from the middle, bicubic" and encoder.name.startswith(
        "CLIP ViT, "
    )


def test_a_text_is_projected_into_the_space_of_the_images(clip):
    text = "a red ball"
    plain = clip.encode_from_tokens(clip.tokenize(text), return_pooled=True)[1]
    weight = clip.cond_stage_model.clip_l.transformer.text_projection.weight
    assert_same(features.text_features(clip, text), (plain.float() @ weight.float().T)[0])
    again = clip.encode_from_tokens(clip.tokenize(text), return_pooled=True)[1]
    assert torch.equal(again, plain), "the CLIP encodes prompts as before"


@pytest.mark.parametrize("fault", ["zeros", "huge", "nan", "row"])
def test_a_clip_without_a_projection_is_refused(clip, fault):
    weight = clip.cond_stage_model.clip_l.transformer.text_projection.weight
    if fault == "row":
        weight[3] = 0
    else:
        weight.fill_({"zeros": 0.0, "huge": 1.0, "nan": torch.nan}[fault])
    if fault == "huge":
        weight[::2] = -1e20
    with pytest.raises(ValueError, match="this CLIP has no text projection.*take clip_l.safetensors"):
        features.text_features(clip, "a red ball")


def test_a_clip_of_another_network_is_told(clip, vision):
    with pytest.raises(ValueError, match="the image encoder has .* features and the text encoder"):
        measure_clip(frames(3), None, 0.0, "clip_score", Instruments(clip_vision=vision, clip=clip, text="a"))


def test_dino_is_asked_for(vision):
    with pytest.raises(ValueError, match="subject_vision must be a DINO network, this is a CLIP one"):
        measure_clip(frames(3), None, 0.0, "subject_consistency", Instruments(subject_vision=vision))


def test_dino_2_of_core_is_a_subject_encoder():
    config = {"model_type": "dinov2", "num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2,
              "layer_norm_eps": 1e-6, "use_swiglu_ffn": 0, "patch_size": 14, "image_size": 28}  # fmt: skip
    dino = comfy.clip_vision.ClipVisionModel(config)
    fill(dino.model.float())
    (score,) = measure_clip(frames(3), None, 0.0, "subject_consistency", Instruments(subject_vision=dino))
    assert 0 <= score.value <= 1 and score.protocol.network == "DINO ViT, 2 layers, patch 14"


def test_a_network_says_what_it_is_and_where_it_belongs(tmp_path):
    network = metric_network_from_file(str(head_file(tmp_path / "renamed.pt")))
    assert network.kind.name == "aesthetic head" and network(torch.zeros(2, 768)).tolist() == [0, 0]
    with pytest.raises(
        ValueError, match="i3d takes I3D .*'renamed.pt' is LAION .* Load Metric Network with i3d"
    ):
        check_kind(network, "i3d", "i3d")
    with pytest.raises(ValueError, match="inception takes Inception"):
        Instruments(inception=network)
    head = features.aesthetic_head(network)
    with pytest.raises(ValueError, match="take the 768 features of CLIP-L/14; this image encoder has 512"):
        head(torch.zeros(2, 512))


def test_files_that_are_something_else_are_refused(tmp_path):
    script = torch.jit.script(torch.nn.Linear(2, 2))
    torch.jit.save(script, str(tmp_path / "i3d_torchscript.pt"))
    with pytest.raises(
        ValueError, match="a TorchScript archive, which is a program; download the file of its"
    ):
        metric_network_from_file(str(tmp_path / "i3d_torchscript.pt"))
    torch.save({"hook": print, "weight": torch.zeros(1)}, tmp_path / "code.pth")
    with pytest.raises(ValueError, match="more than tensors and could run code"):
        metric_network_from_file(str(tmp_path / "code.pth"))
    head_file(tmp_path / "weights-inception-2015-12-05-6726825d.pth", bias=torch.zeros(2))
    with pytest.raises(ValueError, match=r"'bias' has shape \(2,\), LAION aesthetic head v1"):
        metric_network_from_file(str(tmp_path / "weights-inception-2015-12-05-6726825d.pth"))


def test_a_missing_file_says_folder_and_source(comfy_base):
    register_model_folders()
    told = missing_network_message("i3d_pretrained_400.pt")
    assert "'i3d_pretrained_400.pt' was not found" in told and "models/metrics" in told
    assert told.endswith("It comes from: i3d_pretrained_400.pt: github.com/songweige/TATS, tats/fvd.")
    assert "torch-fidelity" in missing_network_message("other.pth")
    with pytest.raises(ValueError, match="was not found"):
        load_metric_network("other.pth")
    assert missing_network_message(None) == ""


def test_what_is_asked_for_must_be_wired():
    def measure(metrics, count=3):
        return measure_clip(frames(count), None, 8.0, metrics, Instruments())

    with pytest.raises(
        ValueError, match="metrics: psnr needs another clip to compare with; wire reference, or leav"
    ):
        measure("psnr")
    with pytest.raises(ValueError, match="metrics: fid measures two sets; take Measure Set"):
        measure("fid")
    with pytest.raises(ValueError, match="clip_score needs a CLIP image encoder; wire clip_vision"):
        measure("clip_score")
    assert [score.metric for score in measure("")] == ["flicker", "warping_error", "dynamic_degree"]
    with pytest.raises(ValueError, match="nothing can be measured with what is wired"):
        measure("", 1)
