"""Training by a configuration file: what is made, and what is said of a file that makes no sense."""

import folder_paths
import pytest
import torch
from safetensors.torch import load_file, save_file
from zoetrope.demo import train_by_config
from zoetrope.demo.files import FOLDER
from zoetrope.demo.train_by_config import Config, WorldClips, read_config
from zoetrope.host.injection.motion_models import motion_module_from_file
from zoetrope.motion_modules.animatediff.motion_lora import read_motion_lora
from zoetrope.tests.networks.encoders import openclip_text, small_vae
from zoetrope.tests.networks.modelscope import tiny_modelscope
from zoetrope.tests.places import ROOT
from zoetrope.video_io.encode import encode_h264

MODELS = f"""
[models]
checkpoint = "{FOLDER}/zoetrope_tiny_sd.safetensors"
"""
MODULE = f'motion_module = "{FOLDER}/zoetrope_tiny_mm.safetensors"\n'
CLIPS = '[clips]\ncount = 2\nnum_frames = 4\ncamera = "pan right"\n'
RECIPE = "[recipe]\nsteps = 2\nlearning_rate = 0.01\n"


@pytest.fixture
def written(tmp_path, monkeypatch):
    (tmp_path / "output").mkdir()
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path / "output"))

    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf8")
        return path

    return write


def trained(path, capsys):
    """The tensors of the file that a configuration makes, by the program's own main."""
    assert train_by_config.main([str(path)]) == 0, capsys.readouterr().err
    saved, picture = capsys.readouterr().out.splitlines()[-2:]
    assert picture.endswith(".loss.png") and (path.parent / "output") in type(path)(picture).parents
    return saved


def test_a_motion_lora_is_made(written, capsys):
    saved = trained(
        written('what = "MotionLoRA"\nrank = 2\nrun_name = "x"\n' + MODELS + MODULE + CLIPS + RECIPE), capsys
    )
    changes = read_motion_lora(load_file(saved))
    assert changes and all(change.up.shape[1] == 2 for change in changes)
    assert (written("").parent / "output" / "training" / "x" / "state.pt").exists()


def test_new_layers_and_loras_are_made_of_a_folder_of_videos(written, capsys, tmp_path):
    frames = [torch.full((64, 64, 3), 0.1 * n) for n in range(4)]
    (tmp_path / "videos").mkdir()
    encode_h264(frames, str(tmp_path / "videos" / "a.mp4"), 8.0)
    clips = '[clips]\nfolder = "videos"\nnum_frames = 4\nframe_rate = 0\nwidth = 64\nheight = 64\n'
    head = 'what = "temporal layers"\noutput = "layers"\n'
    saved = trained(written(head + MODELS + 'method = "SimDA"\n' + clips + RECIPE), capsys)
    module = motion_module_from_file(saved)
    assert module.method.name == "SimDA" and not module.is_untrained
    head = 'what = "video LoRA"\nlayers = "spatial"\nrank = 2\n'
    lora = load_file(trained(written(head + MODELS + clips + RECIPE), capsys))
    assert all(key.startswith("diffusion_model.") for key in lora) and any(v.any() for v in lora.values())


def test_a_lora_of_a_video_network_is_made_with_a_vae_and_a_text_encoder_of_their_own(
    written, capsys, tmp_path
):
    torch.save(tiny_modelscope(), tmp_path / "network.pth")
    save_file(small_vae(), tmp_path / "vae.safetensors")
    torch.save(openclip_text(), tmp_path / "text.bin")
    models = '[models]\ncheckpoint = "network.pth"\nvae = "vae.safetensors"\ntext_encoder = "text.bin"\n'
    head = 'what = "video LoRA"\nlayers = "temporal"\nrank = 2\n'
    lora = load_file(trained(written(head + models + CLIPS + RECIPE), capsys))
    assert lora and any(value.any() for key, value in lora.items() if ".lora_up." in key)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda tensors: tensors.popitem(), "lacks"),
        (lambda tensors: tensors.clear() or tensors.update(a=torch.zeros(2)), "no image checkpoint either"),
    ],
    ids=["damaged", "neither"],
)
def test_a_damaged_video_network_is_said_to_be_one(damage, sentence, written, capsys, tmp_path):
    tensors = dict(tiny_modelscope())
    damage(tensors)
    torch.save(tensors, tmp_path / "network.pth")
    head = 'what = "video LoRA"\n[models]\ncheckpoint = "network.pth"\n'
    assert train_by_config.main([str(written(head + CLIPS + RECIPE))]) == 1
    error = capsys.readouterr().err
    assert "network.pth" in error and sentence in error


def test_the_example_is_one(tmp_path):
    config = read_config(ROOT / "docs" / "train_pan.toml")
    assert isinstance(config, Config) and config.clips == WorldClips("still", "pan right", 12, 16)
    for name in (config.models.checkpoint, config.models.motion_module):
        assert train_by_config.find_file(name, ROOT / "docs", "checkpoints")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("what =", "is no TOML file"),
        ("", "models lacks 'checkpoint'; add it"),
        (MODELS, "head lacks 'what'"),
        ('what = "a LoRA"' + MODELS, "what='a LoRA' must be one of MotionLoRA, temporal layers, video LoRA"),
        ('what = "MotionLoRA"\nranks = 3' + MODELS, "has 'ranks', which is not known"),
        ('what = "MotionLoRA"\nrank = "3"' + MODELS, "rank=3 must be of type int"),
        ('what = "MotionLoRA"\nrecipe = 3' + MODELS, "'recipe' must be a section"),
        ('what = "MotionLoRA"' + MODELS + "[recipe]\nsteps = 0", "steps=0 must be 1 or larger"),
        ('what = "MotionLoRA"' + MODELS + '[clips]\ncamera = "roll"', "camera='roll' must be one of fixed"),
        ('what = "MotionLoRA"' + MODELS + '[clips]\nfolder = "gone"', "gone' is no folder"),
        ('what = "MotionLoRA"\n[models]\ncheckpoint = "gone"', "'gone' is neither a file"),
        ('what = "MotionLoRA"' + MODELS + CLIPS, "method='' must be one of"),
        ('what = "MotionLoRA"\nlayers = "x"' + MODELS + MODULE + CLIPS, "layers='x' must be one of"),
    ],
)
def test_files_that_make_no_sense_are_refused(text, sentence, written, capsys):
    assert train_by_config.main([str(written(text))]) == 1
    assert sentence in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    assert train_by_config.main([str(tmp_path / "gone.toml")]) == 1
    assert "gone.toml' is missing" in capsys.readouterr().err
