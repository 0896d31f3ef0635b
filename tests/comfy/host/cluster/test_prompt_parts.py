"""Parts of prompts and what travels: without workers."""

import pytest
import torch
from comfy_execution.graph import DynamicPrompt
from zoetrope.host.cluster.prompt_part import Part, part_of
from zoetrope.host.cluster.seed_runs import SeedSettings, jobs_of
from zoetrope.host.cluster.shipping import Unshippable, receive, ship

NODES = {
    "1": {"class_type": "EmptyLatentImage", "inputs": {"width": 8, "height": 8, "batch_size": 1}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["9", 1], "text": "a {prompt}, still"}},
    "3": {"class_type": "KSampler", "inputs": {"latent_image": ["1", 0], "positive": ["2", 0], "seed": 5}},
    "4": {"class_type": "SaveLatent", "inputs": {"samples": ["3", 0]}},
    "9": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "none.safetensors"}},
}


def part():
    return Part(NODES, ("3", 0), ())


def test_a_part_holds_what_feeds_an_input_and_nothing_else(comfy_base):
    found = part_of(DynamicPrompt(NODES), "4", "samples", by_content=False)
    assert set(found.nodes) == {"1", "2", "3", "9"} and found.link == ("3", 0)
    with pytest.raises(ValueError, match="width has no wire"):
        part_of(DynamicPrompt(NODES), "1", "width", by_content=False)


def test_files_of_a_part_are_told_by_their_content(comfy_base):
    file = comfy_base / "input" / "some.txt"
    file.write_text("one", encoding="utf8")
    nodes = {"1": {"class_type": "LoadImage", "inputs": {"image": "some.txt"}},
             "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}}}  # fmt: skip
    (first,) = part_of(DynamicPrompt(nodes), "2", "images", by_content=True).files
    file.write_text("two", encoding="utf8")
    (second,) = part_of(DynamicPrompt(nodes), "2", "images", by_content=True).files
    assert (first.folder, first.name) == ("input", "some.txt") and first.content != second.content
    file.unlink()
    assert part_of(DynamicPrompt(nodes), "2", "images", by_content=True).files == ()


def test_every_seed_of_every_prompt_has_its_job():
    jobs = jobs_of(part(), SeedSettings("1-3, 11", "ball\n\n square "))
    seeds = [job.part.nodes["3"]["inputs"]["seed"] for job in jobs]
    assert seeds == [1, 2, 3, 11] * 2
    assert [job.part.nodes["2"]["inputs"]["text"] for job in jobs] == ["a ball, still"] * 4 + [
        "a square, still"
    ] * 4
    assert [job.label for job in jobs][3:5] == ["seed 11, ball", "seed 1, square"]
    assert NODES["3"]["inputs"]["seed"] == 5


@pytest.mark.parametrize(
    ("seeds", "prompts", "words"),
    [
        ("", "x", "no number and no range"), ("1-", "x", "no number and no range"),
        ("4-1", "x", "a range goes up"), (str(2**64), "x", "a seed is below"),
        ("0-9999999", "x", "more than 100000"), ("-1", "x", "no number"),
        ("1", "", "prompts is empty; write {prompt}"),
    ],
)  # fmt: skip
def test_bad_seeds_and_prompts_are_refused(seeds, prompts, words):
    with pytest.raises(ValueError, match=words):
        jobs_of(part(), SeedSettings(seeds, prompts))


def test_prompts_without_a_place_and_parts_without_a_seed_are_refused():
    nodes = {**NODES, "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "still"}}}
    with pytest.raises(ValueError, match="no text has a place for them"):
        jobs_of(Part(nodes, ("3", 0), ()), SeedSettings("1", "ball"))
    with pytest.raises(ValueError, match="no node in front of latent has a widget seed or noise_seed"):
        jobs_of(Part({"1": NODES["1"]}, ("1", 0), ()), SeedSettings("1"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool, torch.uint8])
def test_tensors_travel_with_every_bit(dtype):
    with torch.inference_mode():
        x = (torch.randn(3, 5, 7) * 9).to(dtype)
        sent = [x, x[1], x[:, 2], x.transpose(0, 2), x[0, 0, 0], x[:0], x[:1].expand(4, 5, 7)]
        came = receive(ship({"latents": sent, "same": x}))
    for one, other in zip(sent, came["latents"], strict=True):
        assert other.dtype == dtype and other.shape == one.shape and torch.equal(one, other)
    images = torch.rand(3, 5, 7, 2).movedim(-1, 1)  # as ComfyUI hands hints over: kernels round by strides
    assert receive(ship(images)).stride() == images.stride()
    nan = torch.tensor([float("nan"), float("inf"), -0.0])
    assert torch.equal(receive(ship(nan)).view(torch.int32), nan.view(torch.int32))


def test_networks_and_local_functions_do_not_travel():
    with pytest.raises(Unshippable, match="Linear"):
        ship({"cond": torch.nn.Linear(1, 1)})
    with pytest.raises(Unshippable):
        ship({"cond": lambda: 1})
