"""What becomes of each kind of node of another pack: types, values, wires, grades."""

import pytest
from zoetrope.tests.conversion_nodes import load_nodes
from zoetrope.tests.ui_workflows import (
    CHECKPOINT,
    LATENT,
    MODEL,
    by_type,
    node,
    sampler,
    source_of,
    values_of,
    workflow,
)
from zoetrope.workflow_conversion.checks import faults
from zoetrope.workflow_conversion.convert import convert

NODES = load_nodes()
OPTS = [("CONTEXT_OPTIONS", "CONTEXT_OPTIONS")]
LORA = [("MOTION_LORA", "MOTION_LORA")]
MULTIVAL = [("MULTIVAL", "MULTIVAL")]
SETTINGS = [("settings", "SAMPLE_SETTINGS")]
IMAGE = [("IMAGE", "IMAGE")]
VIDEO = [*IMAGE, ("frame_count", "INT"), ("audio", "AUDIO"), ("video_info", "VHS_VIDEOINFO")]
COMBINE = {"frame_rate": 8, "loop_count": 0, "filename_prefix": "a", "format": "video/h264-mp4", "crf": 20,
           "pix_fmt": "yuv420p", "pingpong": False, "save_output": True, "save_metadata": True}  # fmt: skip


def converted(nodes, free=True, **more):
    """(new workflow, {old type: remark}); everything that every conversion has to be is checked."""
    old = workflow(nodes, **more)
    made, report = convert(old, NODES)
    assert not report.trouble and faults(made, NODES) == []
    assert convert(made, NODES)[0] == made
    assert report.is_free == free, report.as_json()
    return made, {remark.type: remark for remark in report.remarks}


def one(made, kind):
    (raw,) = by_type(made, kind)
    return raw, values_of(raw, NODES)


def gen1(**inputs):
    values = inputs.pop("values", ["mm.ckpt", "autoselect"])
    return node("ADE_AnimateDiffLoaderGen1", {"model": ("MODEL", 1, 0)} | inputs, MODEL, values)


def with_loader(loader, **others):
    return {1: CHECKPOINT, 2: loader, 3: LATENT, 4: sampler((2, 0), (3, 0))} | {
        int(name.strip("n")): entry for name, entry in others.items()
    }


def test_gen1_with_windows_is_a_row_of_nodes_that_keeps_its_number():
    context = node("ADE_StandardStaticContextOptions", {}, OPTS, [12, 3, "relative", False, 0, 1])
    made, remarks = converted(with_loader(gen1(context_options=("CONTEXT_OPTIONS", 5, 0)), n5=context))
    apply, values = one(made, "ZoetropeApplyMotionModule")
    windows, window_values = one(made, "ZoetropeApplyContextWindows")
    assert source_of(made, apply, "motion_module") == ("ZoetropeLoadMotionModule", 0)
    assert source_of(made, apply, "model") == ("CheckpointLoaderSimple", 0)
    assert source_of(made, windows, "model") == ("ZoetropeApplyMotionModule", 0)
    assert source_of(made, by_type(made, "KSampler")[0], "model") == ("ZoetropeApplyContextWindows", 0)
    assert windows["id"] == 2
    assert (values["beta_schedule"], values["group_norm"]) == ("auto", "as AnimateDiff-Evolved")
    assert window_values["context_schedule"] == "standard_static (AnimateDiff-Evolved)"
    assert window_values["fuse_method"] == "relative (AnimateDiff-Evolved)"
    assert (window_values["context_length"], window_values["context_overlap"]) == (12, 3)
    assert {remark.grade for remark in remarks.values()} == {"equal"}


@pytest.mark.parametrize(
    ("stride", "schedule"), [(1, "looped_uniform"), (2, "looped_uniform (AnimateDiff-Evolved)")]
)
def test_old_context_options_are_flat_and_looped(stride, schedule):
    context = node("ADE_AnimateDiffUniformContextOptions", {}, OPTS, [16, stride, 4, "uniform", True])
    values = ["mm.ckpt", "sqrt_linear (AnimateDiff)", 1.2, False, ""]
    inputs = {"model": ("MODEL", 1, 0), "context_options": ("CONTEXT_OPTIONS", 5, 0)}
    loader = node("ADE_AnimateDiffLoaderWithContext", inputs, MODEL, values)
    made, _ = converted(with_loader(loader, n5=context))
    _, windows = one(made, "ZoetropeApplyContextWindows")
    _, apply = one(made, "ZoetropeApplyMotionModule")
    assert (windows["context_schedule"], windows["fuse_method"]) == (schedule, "flat")
    assert windows["closed_loop"] is True and windows["context_stride"] == stride
    assert apply["attention_scale"] == 1.2 and apply["strength"] == 1.0
    assert apply["group_norm"] == "as AnimateDiff-Evolved, old loaders"


@pytest.mark.parametrize("values", [["mm.ckpt", "lcm"], ["mm.ckpt", "lcm", 1.0, True]])
def test_values_that_old_versions_did_not_have_are_those_that_the_editor_fills_in(values):
    loader = node("ADE_AnimateDiffLoaderWithContext", {"model": ("MODEL", 1, 0)}, MODEL, values)
    _, apply = one(converted(with_loader(loader))[0], "ZoetropeApplyMotionModule")
    assert (apply["group_norm"], apply["beta_schedule"]) == ("as AnimateDiff-Evolved", "lcm")


def test_motion_loras_are_chained_in_their_order():
    first = node("ADE_AnimateDiffLoRALoader", {}, LORA, ["first.ckpt", 0.8])
    second = node(
        "ADE_AnimateDiffLoRALoader", {"prev_motion_lora": ("MOTION_LORA", 5, 0)}, LORA, ["second.ckpt", 1]
    )
    made, _ = converted(with_loader(gen1(motion_lora=("MOTION_LORA", 6, 0)), n5=first, n6=second))
    loras = {values_of(raw, NODES)["lora_name"]: raw for raw in by_type(made, "ZoetropeLoadMotionLora")}
    assert source_of(made, loras["first.ckpt"], "motion_module") == ("ZoetropeLoadMotionModule", 0)
    assert source_of(made, loras["second.ckpt"], "motion_module") == ("ZoetropeLoadMotionLora", 0)
    assert values_of(loras["first.ckpt"], NODES)["strength"] == 0.8


def gen2(**apply):
    module = [("MOTION_MODEL", "MOTION_MODEL_ADE")]
    inputs = {"motion_model": ("MOTION_MODEL_ADE", 5, 0)} | apply
    wires = {"model": ("MODEL", 1, 0), "m_models": ("M_MODELS", 6, 0)}
    return {
        1: CHECKPOINT,
        2: node("ADE_UseEvolvedSampling", wires, MODEL, ["lcm"]),
        3: LATENT,
        4: sampler((2, 0), (3, 0)),
        5: node("ADE_LoadAnimateDiffModel", {}, module, ["AnimateLCM.ckpt"]),
        6: node("ADE_ApplyAnimateDiffModel", inputs, [("M_MODELS", "M_MODELS")], [0.1, 0.9]),
    }  # fmt: skip


def test_gen2_trio_becomes_load_and_apply():
    made, _ = converted(gen2())
    _, apply = one(made, "ZoetropeApplyMotionModule")
    assert (apply["start_percent"], apply["end_percent"], apply["beta_schedule"]) == (0.1, 0.9, "lcm")
    assert len(made["nodes"]) == 5


def test_a_multival_of_one_number_is_a_number_and_another_is_vary_value():
    number = node("ADE_MultivalDynamic", {"mask_optional": ("MASK",)}, MULTIVAL, [1.15])
    mask = node("SolidMask", {}, [("MASK", "MASK")], [1, 64, 64])
    scaled = node("ADE_MultivalScaledMask", {"mask": ("MASK", 8, 0)}, MULTIVAL, [0.2, 1.3, "relative"])
    wires = {"scale_multival": ("MULTIVAL", 7, 0), "effect_multival": ("MULTIVAL", 9, 0)}
    made, _ = converted(gen2(**wires) | {7: number, 8: mask, 9: scaled})
    apply, values = one(made, "ZoetropeApplyMotionModule")
    vary, masked = one(made, "ZoetropeVaryValue")
    assert values["attention_scale"] == 1.15
    assert source_of(made, apply, "strength") == ("ZoetropeVaryValue", 0)
    assert source_of(made, vary, "mask") == ("SolidMask", 0)
    assert (masked["value"], masked["outside"], masked["stretch_mask"]) == (1.3, 0.2, True)


def test_key_frames_are_a_row_of_vary_values():
    keys = [("AD_KEYFRAMES", "AD_KEYFRAMES")]
    key = node("ADE_AnimateDiffKeyframe", {"effect_multival": ("MULTIVAL", 5, 0)}, keys, [0.5, True, 1])
    number = node("ADE_MultivalDynamic", {}, MULTIVAL, [0.4])
    made, _ = converted(with_loader(gen1(ad_keyframes=("AD_KEYFRAMES", 6, 0)), n5=number, n6=key))
    values = sorted(
        (values_of(raw, NODES) for raw in by_type(made, "ZoetropeVaryValue")),
        key=lambda v: v["start_percent"],
    )
    assert [(v["start_percent"], v["value"]) for v in values] == [(0.0, 1.0), (0.5, 0.4)]


def test_sample_settings_bring_noise_cfg_and_a_noise_schedule():
    cfg = node("ADE_CustomCFGSimple", {}, [("CUSTOM_CFG", "CUSTOM_CFG")], [4.5])
    sigma = node(
        "ADE_SigmaSchedule", {}, [("SIGMA_SCHEDULE", "SIGMA_SCHEDULE")], ["lcm avg(sqrt_linear,linear)"]
    )
    wires = {"custom_cfg": ("CUSTOM_CFG", 5, 0), "sigma_schedule": ("SIGMA_SCHEDULE", 6, 0)}
    settings = node(
        "ADE_AnimateDiffSamplingSettings", wires, SETTINGS, [0, "FreeNoise", "comfy", 0, 0, False, ""]
    )
    context = node("ADE_LoopedUniformContextOptions", {}, OPTS, [16, 1, 4, False, "pyramid", False, 0, 1])
    loader = gen1(sample_settings=("SAMPLE_SETTINGS", 7, 0), context_options=("CONTEXT_OPTIONS", 8, 0))
    made, remarks = converted(with_loader(loader, n5=cfg, n6=sigma, n7=settings, n8=context))
    assert one(made, "ZoetropeVaryGuidance")[1]["cfg"] == 4.5
    assert one(made, "ZoetropeApplyContextWindows")[1]["noise_type"] == "freenoise"
    assert one(made, "ZoetropeApplyMotionModule")[1]["beta_schedule"] == "lcm avg(sqrt_linear,linear)"
    assert {remark.grade for remark in remarks.values()} == {"equal"}


def test_another_seed_for_the_noise_is_said():
    settings = node("ADE_AnimateDiffSamplingSettings", {}, SETTINGS, [0, "default", "comfy", 1, False, ""])
    _, remarks = converted(with_loader(gen1(sample_settings=("SAMPLE_SETTINGS", 5, 0)), n5=settings))
    assert "as with another seed" in remarks["ADE_AnimateDiffLoaderGen1"].text


def test_module_settings_change_the_module_before_loras():
    stretch = node("ADE_AdjustPESweetspotStretch", {}, [("PE_ADJUST", "PE_ADJUST")], [16, 24, False])
    weights = node("ADE_AdjustWeightIndivMult", {}, [("WEIGHT_ADJUST", "WEIGHT_ADJUST")], [1, 0.9, 1, False])
    wires = {"pe_adjust": ("PE_ADJUST", 5, 0), "weight_adjust": ("WEIGHT_ADJUST", 6, 0)}
    settings = node("ADE_AnimateDiffSettings", wires, [("AD_SETTINGS", "AD_SETTINGS")])
    made, _ = converted(
        with_loader(gen1(ad_settings=("AD_SETTINGS", 7, 0)), n5=stretch, n6=weights, n7=settings)
    )
    _, table = one(made, "ZoetropeAdjustPositionTable")
    weight, changed = one(made, "ZoetropeAdjustWeights")
    assert (table["cap"], table["length"]) == (16, 24)
    assert (changed["group"], changed["multiply"]) == ("attention", 0.9)
    assert source_of(made, weight, "motion_module") == ("ZoetropeAdjustPositionTable", 0)


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [("noise_layers", "NOISE_LAYERS", "noise layers"), ("image_inject", "IMAGE_INJECT", "images in")],
)
def test_a_cone_is_taken_whole_or_not_at_all(name, kind, told):
    other = node("ADE_SomethingNew", {}, [(kind, kind)])
    settings = node(
        "ADE_AnimateDiffSamplingSettings", {name: (kind, 5, 0)}, SETTINGS, [0, "default", "comfy", 0]
    )
    nodes = with_loader(gen1(sample_settings=("SAMPLE_SETTINGS", 6, 0)), n5=other, n6=settings)
    made, remarks = converted(nodes, free=False)
    assert made == workflow(nodes)
    assert told in remarks["ADE_AnimateDiffLoaderGen1"].text
    assert {remark.grade for remark in remarks.values()} == {"left"}


def test_options_of_two_loaders_stay_until_both_are_converted():
    context = node("ADE_LoopedUniformContextOptions", {}, OPTS, [16, 1, 4, False])
    blocks = {"per_block": ("PER_BLOCK", 8, 0)}
    nodes = with_loader(gen1(context_options=("CONTEXT_OPTIONS", 5, 0)), n5=context) | {
        7: gen1(context_options=("CONTEXT_OPTIONS", 5, 0), **blocks),
        8: node("ADE_PerBlock_SD15_LowLevel", {}, [("PER_BLOCK", "PER_BLOCK")]),
    }
    made, remarks = converted(nodes, free=False)
    assert by_type(made, "ADE_LoopedUniformContextOptions") and by_type(made, "ZoetropeApplyContextWindows")
    assert remarks["ADE_LoopedUniformContextOptions"].grade == "left"


# VideoHelperSuite


def saving(values, **wires):
    images = {"images": ("IMAGE", 1, 0)} | wires
    return {1: node("LoadImage", {}, [*IMAGE, ("MASK", "MASK")], ["a.png", "image"]),
            2: node("VHS_VideoCombine", images, [("Filenames", "VHS_FILENAMES")], values)}  # fmt: skip


def test_video_combine_is_save_frames_with_its_values():
    old = COMBINE | {"pingpong": True, "save_output": False, "save_metadata": False, "trim_to_audio": True}
    made, remarks = converted(saving(old))
    raw, values = one(made, "ZoetropeSaveFrames")
    assert (raw["id"], raw["pos"]) == (2, [800.0, 100.0])
    assert (values["format"], values["crf"], values["pix_fmt"]) == ("H.264 (mp4)", 20, "yuv420p")
    assert values["ping_pong"] is True and values["trim_to_audio"] is True
    assert values["save_output"] is False and values["save_metadata"] is False
    assert remarks["VHS_VideoCombine"].grade == "equal"


@pytest.mark.parametrize(
    ("format", "loops", "wanted"),
    [("image/gif", 2, ("GIF", 3)), ("image/webp", 2, ("WebP", 2)), ("video/webm", 1, ("VP9 (webm)", 2))],
)
def test_repeats_become_plays(format, loops, wanted):
    _, values = one(
        converted(saving(COMBINE | {"format": format, "loop_count": loops}))[0], "ZoetropeSaveFrames"
    )
    assert (values["format"], values["loop_count"]) == wanted


def test_a_format_of_ones_own_is_h264_and_said():
    made, remarks = converted(saving(COMBINE | {"format": "video/mine", "crf": 0}))
    assert one(made, "ZoetropeSaveFrames")[1]["crf"] == 1
    told = remarks["VHS_VideoCombine"]
    assert told.grade == "differs" and "video/mine" in told.text and "crf 0 is 1" in told.text


@pytest.mark.parametrize(
    ("format", "wanted"),
    [("nvenc_h264", "H.264 (mp4)"), ("nvenc_hevc", "H.265 (mp4)"), ("nvenc_av1", "AV1 (mp4)")],
)
def test_encoders_of_graphics_cards_stay_on_the_card(format, wanted):
    made, remarks = converted(saving(COMBINE | {"format": f"video/{format}-mp4", "bitrate": 10}))
    _, values = one(made, "ZoetropeSaveFrames")
    assert (values["format"], values["hardware_encoder"]) == (wanted, True)
    assert "bit rate" in remarks["VHS_VideoCombine"].text
    assert one(converted(saving(COMBINE))[0], "ZoetropeSaveFrames")[1]["hardware_encoder"] is False


def test_values_of_older_versions_are_lists():
    made, _ = converted(saving([8, 0, "a/b", "video/h264-mp4", False, False, 22, False]))
    _, values = one(made, "ZoetropeSaveFrames")
    assert (values["filename_prefix"], values["crf"], values["save_output"]) == ("a/b", 22, False)


def test_a_whole_number_for_the_rate_is_converted_and_a_primitive_changes_its_type():
    rate = {"frame_rate": ("INT", 3, 0, "widget")}
    integer = node("SomethingWithNumbers", {}, [("INT", "INT")])
    made, _ = converted(saving(COMBINE, **rate) | {3: integer})
    assert source_of(made, by_type(made, "ZoetropeSaveFrames")[0], "fps") == ("ComfyNumberConvert", 0)
    primitive = node("PrimitiveNode", {}, [("INT", "INT")], [16, "fixed"])
    made, _ = converted(saving(COMBINE, **rate) | {3: primitive})
    assert source_of(made, by_type(made, "ZoetropeSaveFrames")[0], "fps") == ("PrimitiveNode", 0)
    assert by_type(made, "PrimitiveNode")[0]["outputs"][0]["type"] == "FLOAT"


def test_latents_are_decoded_where_a_vae_is_wired():
    wires = {"images": ("LATENT", 2, 0), "vae": ("VAE", 1, 2)}
    combine = node("VHS_VideoCombine", wires, [("Filenames", "VHS_FILENAMES")], COMBINE)
    nodes = {1: CHECKPOINT, 2: LATENT, 3: combine}
    made, _ = converted(nodes)
    assert source_of(made, by_type(made, "ZoetropeSaveFrames")[0], "images") == ("VAEDecode", 0)


def test_names_of_files_are_a_path_and_pruning_goes():
    files = {"filenames": ("VHS_FILENAMES", 2, 0)}
    nodes = saving(COMBINE) | {
        3: node("VHS_PruneOutputs", files, [], ["Intermediate"]),
        4: node("VHS_SelectFilename", files, [("Filename", "STRING")], [-1]),
        5: node("ShowText", {"text": ("STRING", 4, 0)}),
    }
    made, _ = converted(nodes)
    assert source_of(made, by_type(made, "ShowText")[0], "text") == ("ZoetropeSaveFrames", 1)
    assert not by_type(made, "VHS_PruneOutputs")


def loading(values, **more):
    return {
        1: node("VHS_LoadVideo", {}, VIDEO, values),
        2: node("PreviewImage", {"images": ("IMAGE", 1, 0)}),
    } | {int(name.strip("n")): entry for name, entry in more.items()}


NAMED = {"video": "a b.mp4", "force_rate": 12, "custom_width": 0, "custom_height": 0, "frame_load_cap": 9,
         "skip_first_frames": 2, "select_every_nth": 3, "format": "AnimateDiff"}  # fmt: skip


def test_load_video_is_load_video_and_video_to_frames():
    info = node(
        "VHS_VideoInfo", {"video_info": ("VHS_VIDEOINFO", 1, 3)}, [(str(i), "INT") for i in range(10)]
    )
    user = node("Uses", {"a": ("FLOAT", 3, 5), "b": ("INT", 3, 8), "c": ("INT", 1, 1), "d": ("INT", 3, 3)})
    made, remarks = converted(loading(NAMED, n3=info, n4=user))
    frames, values = [r for r in by_type(made, "ZoetropeTakeFrames") if r["id"] == 1], None
    values = values_of(frames[0], NODES)
    assert (values["force_rate"], values["skip_first_frames"], values["select_every_nth"]) == (12, 2, 3)
    assert (values["frame_cap"], values["multiple_of"], values["resize"]) == (9, 8, "keep ratio")
    assert one(made, "LoadVideo")[0]["widgets_values"] == ["a b.mp4", "image"]
    uses = by_type(made, "Uses")[0]
    assert [source_of(made, uses, name) for name in "abcd"] == [
        ("ZoetropeTakeFrames", slot) for slot in (3, 7, 4, 7)
    ]
    assert remarks["VHS_LoadVideo"].grade == "equal"


@pytest.mark.parametrize(
    ("force_size", "wanted"),
    [("Disabled", (0, 0, "keep ratio")), ("Custom Height", (0, 40, "keep ratio")),
     ("256x?", (256, 0, "keep ratio")),
     ("Custom", (30, 40, "crop")), ("64x32", (64, 32, "crop"))],
)  # fmt: skip
def test_sizes_of_old_versions(force_size, wanted):
    old = {k: v for k, v in NAMED.items() if k != "format"} | {
        "force_size": force_size, "custom_width": 30, "custom_height": 40,
    }  # fmt: skip
    _, values = one(converted(loading(old))[0], "ZoetropeTakeFrames")
    assert (values["width"], values["height"], values["resize"]) == wanted


@pytest.mark.parametrize(
    ("path", "file", "is_said"),
    [("input/sub/a.mp4", "sub/a.mp4", False), ("https://x.y/a.mp4", "a.mp4", True)],
)
def test_a_path_is_a_file_of_the_input_folder(path, file, is_said):
    nodes = loading(NAMED | {"video": path})
    nodes[1]["kind"] = "VHS_LoadVideoPath"
    made, remarks = converted(nodes)
    assert one(made, "LoadVideo")[0]["widgets_values"][0] == file
    assert ("put a.mp4 there" in remarks["VHS_LoadVideoPath"].text) == is_said


@pytest.mark.parametrize(
    ("path", "folder"),
    [("C:\\my clips\\a.mp4", "C:\\my clips"), ('"/clips/a.mp4"', "/clips"), ("../a.mp4", "..")],
)
def test_a_path_elsewhere_stays_and_its_folder_is_asked_for(path, folder):
    nodes = loading(NAMED | {"video": path})
    nodes[1]["kind"] = "VHS_LoadVideoPath"
    made, remarks = converted(nodes)
    assert one(made, "ZoetropeLoadVideoFromPath")[1]["path"] == path.strip('"')
    told = remarks["VHS_LoadVideoPath"]
    assert (told.grade, told.steps) == ("equal", 1) and told.text.endswith(f"allowed_folders.txt: {folder}")
    (note,) = by_type(made, "Note")
    assert folder in note["widgets_values"][0]


def test_a_wired_path_stays_wired():
    nodes = loading(NAMED) | {9: node("MakesAPath", {}, [("STRING", "STRING")])}
    nodes[1] |= {"kind": "VHS_LoadVideoPath", "inputs": {"video": ("STRING", 9, 0, "widget")}}
    made, _ = converted(nodes)
    loader, _ = one(made, "ZoetropeLoadVideoFromPath")
    assert source_of(made, loader, "path") == ("MakesAPath", 0)
    pictures = node(
        "VHS_LoadImagesPath", {"directory": ("STRING", 9, 0, "widget")}, IMAGE, {"image_load_cap": 3}
    )
    made, _ = converted({1: pictures, 2: node("Uses", {"a": ("IMAGE", 1, 0)}), 9: nodes[9]})
    loader, values = one(made, "ZoetropeLoadFrames")
    assert source_of(made, loader, "path") == ("MakesAPath", 0) and values["frame_cap"] == 3


def test_the_first_loaders_of_videos_had_no_sound():
    info = node("VHS_VideoInfo", {"video_info": ("VHS_VIDEO_INFO", 1, 2)}, [("fps", "FLOAT")], {})
    outputs = [*IMAGE, ("frame_count", "INT"), ("video_info", "VHS_VIDEO_INFO")]
    nodes = {1: node("VHS_LoadVideo", {}, outputs, NAMED), 2: info, 3: node("Uses", {"a": ("FLOAT", 2, 0)})}
    made, _ = converted(nodes)
    assert source_of(made, by_type(made, "Uses")[0], "a") == ("ZoetropeTakeFrames", 9)


def test_frame_tools_keep_their_numbers():
    images = {"images": ("IMAGE", 1, 0)}
    every = {"select_every_nth": 3, "skip_first_images": 2}
    kinds = [*IMAGE, ("A_count", "INT"), ("B", "IMAGE"), ("B_count", "INT")]
    nodes = {
        1: node("LoadImage", {}, [*IMAGE, ("MASK", "MASK")], ["a.png", "image"]),
        2: node("VHS_SplitImages", images, kinds, {"split_index": 5}),
        3: node("VHS_SelectEveryNthImage", images, [*IMAGE, ("count", "INT")], every),
        4: node("Uses", {"a": ("IMAGE", 2, 2), "b": ("INT", 2, 1), "c": ("IMAGE", 3, 0)}),
    }  # fmt: skip
    made, _ = converted(nodes)
    uses = by_type(made, "Uses")[0]
    assert source_of(made, uses, "a") == ("ZoetropeSplitFrames", 1)
    assert source_of(made, uses, "b") == ("ZoetropeSplitFrames", 2)
    assert one(made, "ZoetropeSelectFrames")[1]["selection"] == "2::3"


def test_sound_is_cut_where_it_was():
    audio = node(
        "VHS_LoadAudioUpload", {}, [("audio", "AUDIO")], {"audio": "a.mp3", "start_time": 3, "duration": 0}
    )
    nodes = {1: audio, 2: node("SaveAudio", {"audio": ("AUDIO", 1, 0)}, [], ["audio"])}
    _, values = one(converted(nodes)[0], "TrimAudioDuration")
    assert values["start_index"] == 3 and values["duration"] >= 360000


def test_sound_whose_length_is_asked_for_says_it():
    sound = [("audio", "AUDIO"), ("duration", "FLOAT")]
    audio = node("VHS_LoadAudioUpload", {}, sound, {"audio": "a.mp3", "start_time": 3, "duration": 4})
    nodes = {1: audio, 2: node("Uses", {"a": ("AUDIO", 1, 0), "b": ("FLOAT", 1, 1)})}
    made, _ = converted(nodes)
    _, values = one(made, "ZoetropeLoadAudioFromPath")
    assert values == {"path": "a.mp3", "start_seconds": 3, "duration_seconds": 4}
    assert source_of(made, by_type(made, "Uses")[0], "b") == ("ZoetropeLoadAudioFromPath", 1)
    elsewhere = node("VHS_LoadAudio", {}, sound, {"audio_file": "/m/a.mp3", "seek_seconds": 1, "duration": 0})
    made, remarks = converted({1: elsewhere, 2: node("Uses", {"a": ("AUDIO", 1, 0)})})
    assert one(made, "ZoetropeLoadAudioFromPath")[1]["path"] == "/m/a.mp3"
    assert remarks["VHS_LoadAudio"].steps == 1


# FizzNodes and Advanced-ControlNet


def test_prompts_over_frames_take_their_length_from_the_sampler():
    text = '"0": "a", "8": "b"'
    values = [text, 555, True, "pre", "0", 0, 0, 0, 0, 0]
    conds = [("POS", "CONDITIONING"), ("NEG", "CONDITIONING")]
    prompts = node("BatchPromptSchedule", {"clip": ("CLIP", 1, 1)}, conds, values)
    nodes = {
        1: CHECKPOINT,
        2: prompts,
        3: LATENT,
        4: sampler((1, 0), (3, 0), positive=(2, 0), negative=(2, 1)),
    }
    made, remarks = converted(nodes)
    raw, told = one(made, "ZoetropeSchedulePrompts")
    assert (told["read_as"], told["text"], told["pre_text"], told["app_text"]) == (
        "FizzNodes",
        text,
        "pre",
        "0",
    )
    assert source_of(made, raw, "latent") == ("EmptyLatentImage", 0)
    assert remarks["BatchPromptSchedule"].grade == "equal"


def control(loader=None, **apply):
    conds = [("positive", "CONDITIONING"), ("negative", "CONDITIONING"), ("model_opt", "MODEL")]
    image = node("LoadImage", {}, [*IMAGE, ("MASK", "MASK")], ["a.png", "image"])
    inputs = {name: ("CONDITIONING", 2, 0) for name in ("positive", "negative")}
    inputs |= {
        "control_net": ("CONTROL_NET", 3, 0),
        "image": ("IMAGE", 4, 0),
        "model_optional": ("MODEL", 1, 0),
    }
    inputs |= apply
    return {
        1: CHECKPOINT,
        2: node("CLIPTextEncode", {"clip": ("CLIP", 1, 1)}, [("CONDITIONING", "CONDITIONING")], ["x"]),
        3: loader or node("ControlNetLoaderAdvanced", {}, [("CONTROL_NET", "CONTROL_NET")], ["c.pth"]),
        4: image,
        5: node("ACN_AdvancedControlNetApply", inputs, conds, [0.7, 0.1, 0.9]),
        6: LATENT,
        7: sampler((5, 2), (6, 0), positive=(5, 0), negative=(5, 1)),
    }


def test_a_controlnet_is_core_s():
    made, remarks = converted(control())
    raw, values = one(made, "ControlNetApplyAdvanced")
    assert (values["strength"], values["start_percent"], values["end_percent"]) == (0.7, 0.1, 0.9)
    assert source_of(made, raw, "control_net") == ("ControlNetLoader", 0)
    assert source_of(made, by_type(made, "KSampler")[0], "model") == ("CheckpointLoaderSimple", 0)
    assert {remark.grade for remark in remarks.values()} == {"equal"}


def test_soft_weights_and_masks_are_controlnet_over_time():
    kinds = [("CN_WEIGHTS", "CONTROL_NET_WEIGHTS"), ("TK_SHORTCUT", "TIMESTEP_KEYFRAME")]
    soft = node("ScaledSoftControlNetWeights", {}, kinds, [0.8, True, 0.5])
    loader = node("ControlNetLoaderAdvanced", {"timestep_keyframe": ("TIMESTEP_KEYFRAME", 8, 1)},
                  [("CONTROL_NET", "CONTROL_NET")], ["c.pth"])  # fmt: skip
    made, _ = converted(control(loader, mask_optional=("MASK", 4, 1)) | {8: soft})
    found = [values_of(raw, NODES) for raw in by_type(made, "ZoetropeControlNetOverTime")]
    assert [
        (v["soft_weights"], v["flip_weights"], v["negative_strength"]) for v in found if v["flip_weights"]
    ] == [(0.8, True, 0.5)]
    assert len(found) == 2 and one(made, "ZoetropeVaryValue")[1]["outside"] == 0


def test_strengths_of_frames_are_a_list_of_the_video_s_length():
    frame = node("LatentKeyframe", {}, [("LATENT_KF", "LATENT_KEYFRAME")], [2, 0.6])
    key = node("TimestepKeyframe", {"latent_keyframe": ("LATENT_KEYFRAME", 8, 0)},
               [("TIMESTEP_KF", "TIMESTEP_KEYFRAME")], [0.0, 1.0, 0.25, True, 1])  # fmt: skip
    made, _ = converted(control(timestep_kf=("TIMESTEP_KEYFRAME", 9, 0)) | {8: frame, 9: key})
    raw, values = one(made, "ZoetropeScheduleValues")
    assert values["text"] == "0: (0.25), 1: (0.25), 2: (0.6), 3: (0.25)"
    assert source_of(made, raw, "num_frames") == ("ZoetropeCountFrames", 0)


def test_artventure_s_sampler_is_ours_around_ksampler():
    values = ["default", 16, 5, "fixed", 20, 7.5, "euler", "normal", 1]
    module = node("AnimateDiffModuleLoader", {}, [("MOTION_MODULE", "MOTION_MODULE")], ["mm.ckpt"])
    nodes = {1: CHECKPOINT, 2: module, 3: LATENT, 4: node("AnimateDiffSampler", {
        "motion_module": ("MOTION_MODULE", 2, 0), "model": ("MODEL", 1, 0), "latent_image": ("LATENT", 3, 0),
    }, [("LATENT", "LATENT")], values)}  # fmt: skip
    made, _ = converted(nodes)
    raw, told = one(made, "KSampler")
    assert raw["id"] == 4 and raw["widgets_values"][:3] == [5, "fixed", 20]
    assert source_of(made, raw, "model") == ("ZoetropeApplyContextWindows", 0)


def test_numbers_of_fizznodes_go_into_prompts_and_multivals():
    numbers = node(
        "BatchValueSchedule", {}, [("FLOAT", "FLOAT"), ("INT", "INT")], ["0: (0), 15: (1)", 16, False]
    )
    inputs = {"clip": ("CLIP", 1, 1), "pw_a": ("FLOAT", 8, 0)}
    prompts = node("BatchPromptSchedule", inputs, [("POS", "CONDITIONING"), ("NEG", "CONDITIONING")],
                   ['"0": "(a:`pw_a`)"', 16, False, 0, 0])  # fmt: skip
    multival = node("ADE_MultivalDynamicFloatInput", {"float_val": ("FLOAT", 8, 0)}, MULTIVAL)
    nodes = gen2(effect_multival=("MULTIVAL", 9, 0)) | {8: numbers, 9: multival, 10: prompts}
    nodes[4] = sampler((2, 0), (3, 0), positive=(10, 0), negative=(10, 1))
    made, _ = converted(nodes)
    assert source_of(made, one(made, "ZoetropeSchedulePrompts")[0], "pw_a") == ("ZoetropeScheduleValues", 0)
    assert source_of(made, one(made, "ZoetropeVaryValue")[0], "value") == ("ZoetropeScheduleValues", 0)


def test_a_wired_motion_scale_and_file_name_stay_wired():
    number = node("SomeFloat", {}, [("FLOAT", "FLOAT")], [1.3])
    name = node("PrimitiveNode", {}, [("COMBO", "COMBO")], ["mm.ckpt", "fixed"])
    inputs = {
        "model": ("MODEL", 1, 0),
        "motion_scale": ("FLOAT", 5, 0, "widget"),
        "model_name": ("COMBO", 6, 0, "widget"),
    }
    loader = node("ADE_AnimateDiffLoaderWithContext", inputs, MODEL, ["mm.ckpt", "autoselect", 1, True])
    made, _ = converted(with_loader(loader, n5=number, n6=name))
    assert source_of(made, one(made, "ZoetropeVaryValue")[0], "value") == ("SomeFloat", 0)
    assert source_of(made, one(made, "ZoetropeLoadMotionModule")[0], "motion_module") == ("PrimitiveNode", 0)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("0, 2=0.5", "0: (1), 1: (0), 2: (0.5), 3: (0)"), ("1:3=0.2", "0: (0), 1: (0.2), 2: (0.2), 3: (0)")],
)
def test_groups_of_latent_key_frames(text, wanted):
    group = node("LatentKeyframeGroup", {}, [("LATENT_KF", "LATENT_KEYFRAME")], [text, False])
    made, _ = converted(control(latent_kf_override=("LATENT_KEYFRAME", 8, 0)) | {8: group})
    assert one(made, "ZoetropeScheduleValues")[1]["text"] == wanted


def test_the_prompt_of_one_frame_is_prompts_over_frames_of_that_frame():
    values = ['"0": "a", "8": "b"', 120, 8, False, "pre", "", 0, 0, 0, 0]
    conds = [("POS", "CONDITIONING"), ("NEG", "CONDITIONING")]
    prompt = node("PromptSchedule", {"clip": ("CLIP", 1, 1)}, conds, values)
    nodes = {
        1: CHECKPOINT,
        2: prompt,
        3: LATENT,
        4: sampler((1, 0), (3, 0), positive=(2, 0), negative=(2, 1)),
    }
    made, remarks = converted(nodes)
    _, told = one(made, "ZoetropeSchedulePrompts")
    assert (told["frame"], told["num_frames"], told["pre_text"]) == (8, 120, "pre")
    assert remarks["PromptSchedule"].grade == "equal"
    assert source_of(made, by_type(made, "KSampler")[0], "negative") == ("ZoetropeSchedulePrompts", 1)


def test_prompts_everywhere_brings_prompts_to_the_sampler_that_says_the_length():
    conds = [("POS", "CONDITIONING"), ("NEG", "CONDITIONING")]
    prompts = node(
        "BatchPromptSchedule", {"clip": ("CLIP", 1, 1)}, conds, ['"0": "a"', 120, False, 0, 0, 0, 0]
    )
    everywhere = node(
        "Prompts Everywhere", {"CONDITIONING": ("CONDITIONING", 2, 0), "#1": ("CONDITIONING", 2, 1)}
    )
    asleep = {"positive": ("CONDITIONING",), "negative": ("CONDITIONING",)}
    nodes = {1: CHECKPOINT, 2: prompts, 3: LATENT, 4: sampler((1, 0), (3, 0)), 5: everywhere}
    nodes[4]["inputs"] |= asleep
    made, _ = converted(nodes)
    raw, _ = one(made, "ZoetropeSchedulePrompts")
    assert source_of(made, raw, "latent") == ("EmptyLatentImage", 0)


def test_anything_everywhere_does_not_reach_widgets():
    everywhere = node("Anything Everywhere", {"anything": ("INT", 6, 0)})
    number = node("MakesANumber", {}, [("INT", "INT")])
    settings = node("ADE_AnimateDiffSamplingSettings", {}, SETTINGS, [0, "FreeNoise", "comfy", 0, 0, False])
    old = workflow(
        with_loader(gen1(sample_settings=("SAMPLE_SETTINGS", 5, 0)), n5=settings, n6=number, n7=everywhere)
    )
    raw = next(raw for raw in old["nodes"] if raw["id"] == 5)
    raw["inputs"].append(
        {"name": "seed_override", "type": "INT", "widget": {"name": "seed_override"}, "link": None}
    )
    _, report = convert(old, NODES)
    assert report.is_free and not any("seed" in remark.text for remark in report.remarks)


def timed(curve, **inputs):
    keys = [("LATENT_KEYFRAME", "LATENT_KEYFRAME")]
    frames = node("LatentKeyframeTiming", inputs, keys, [0, 5, 0.2, 1.0, curve, False])
    key = node("TimestepKeyframe", {"latent_keyframe": ("LATENT_KEYFRAME", 8, 0)},
               [("TIMESTEP_KEYFRAME", "TIMESTEP_KEYFRAME")], [0.0, 1.0, 0.0, True, 1])  # fmt: skip
    loader = node("ControlNetLoaderAdvanced", {"timestep_keyframe": ("TIMESTEP_KEYFRAME", 7, 0)},
                  [("CONTROL_NET", "CONTROL_NET")], ["cn.pth"])  # fmt: skip
    apply = node(
        "ControlNetApply", {"conditioning": ("CONDITIONING", 4, 0), "control_net": ("CONTROL_NET", 6, 0)},
        [("CONDITIONING", "CONDITIONING")], [1.0],
    )  # fmt: skip
    text = node("CLIPTextEncode", {"clip": ("CLIP", 1, 1)}, [("CONDITIONING", "CONDITIONING")], ["a"])
    return {1: CHECKPOINT, 3: LATENT, 4: text, 5: apply, 6: loader, 7: key, 8: frames,
            9: sampler((1, 0), (3, 0), positive=(5, 0))}  # fmt: skip


@pytest.mark.parametrize(
    ("curve", "wanted"),
    [("linear", [0.2, 0.4, 0.6, 0.8, 1]), ("ease-in", [0.2, 0.25, 0.4, 0.65, 1]),
     ("ease-out", [0.2, 0.55, 0.8, 0.95, 1]), ("ease-in-out", [0.2, 0.317157, 0.6, 0.882843, 1])],
)  # fmt: skip
def test_strengths_of_frames_follow_their_curve(curve, wanted):
    _, values = one(converted(timed(curve))[0], "ZoetropeScheduleValues")
    told = [float(part.split("(")[1].strip(")")) for part in values["text"].split(", ")]
    assert told[:5] == pytest.approx(wanted, abs=1e-6) and told[5] == 0


@pytest.mark.parametrize("kind", ["PrimitiveNode", "Int Literal", "ImpactInt", "PrimitiveInt"])
def test_a_node_that_says_one_number_is_that_number(kind):
    number = node(kind, {}, [("INT", "INT")], [4])
    nodes = timed("linear", batch_index_to_excl=("INT", 2, 0, "widget")) | {2: number}
    _, values = one(converted(nodes)[0], "ZoetropeScheduleValues")
    assert values["text"].startswith("0: (0.2), 1: (0.466667), 2: (0.733333), 3: (1), 4: (0)")


def test_numbers_that_another_node_makes_stay_wired_where_an_input_takes_them():
    number = node("MakesANumber", {}, [("INT", "INT"), ("STRING", "STRING")])
    settings = node("ADE_AnimateDiffModelSettingsSimple", {"motion_pe_stretch": ("INT", 6, 0, "widget")},
                    [("MOTION_MODEL_SETTINGS", "MOTION_MODEL_SETTINGS")], [0, 1, 1])  # fmt: skip
    values = ["mm.ckpt", "sqrt_linear (AnimateDiff)", 1, True]
    loader = node(
        "ADE_AnimateDiffLoaderWithContext",
        {"model": ("MODEL", 1, 0), "motion_model_settings": ("MOTION_MODEL_SETTINGS", 5, 0)}, MODEL, values,
    )  # fmt: skip
    made, _ = converted(with_loader(loader, n5=settings, n6=number))
    raw, _ = one(made, "ZoetropeAdjustPositionTable")
    assert source_of(made, raw, "stretch") == ("MakesANumber", 0)
    index = node("ACN_SparseCtrlIndexMethodNode", {"indexes": ("STRING", 6, 1, "widget")},
                 [("SPARSE_METHOD", "SPARSE_METHOD")], ["0"])  # fmt: skip
    sparse = node("ACN_SparseCtrlLoaderAdvanced", {"sparse_method": ("SPARSE_METHOD", 2, 0)},
                  [("CONTROL_NET", "CONTROL_NET")], ["s.ckpt", True, 1, 1, "off", 1, 1, 1])  # fmt: skip
    made, _ = converted({1: sparse, 2: index, 3: node("Uses", {"a": ("CONTROL_NET", 1, 0)}), 6: number})
    raw, _ = one(made, "ZoetropePlaceSparseImages")
    assert source_of(made, raw, "frames") == ("MakesANumber", 1)


def test_notices_behind_the_values_of_a_list_are_passed_over():
    made, _ = converted(with_loader(gen1(values=["mm.ckpt", "autoselect", ""])))
    assert one(made, "ZoetropeLoadMotionModule")[1]["motion_module"] == "mm.ckpt"
    converted(with_loader(gen1(values=["mm.ckpt", "autoselect", 5])), free=False)


@pytest.mark.parametrize(
    ("base", "layers", "wanted"),
    [("empty", [("Add", "default", 1.0)], "default"), ("empty", [("Add", "FreeNoise", 1.0)], "freenoise"),
     ("default", [("Replace", "FreeNoise", None)], "freenoise"),
     ("FreeNoise", [("Add", "default", 0.0)], "freenoise"),
     ("empty", [("Add", "constant", 1.0), ("Replace", "FreeNoise", None)], "freenoise"),
     ("default", [("Add", "default", 1.0)], None), ("empty", [("Add", "default", 0.5)], None)],
)  # fmt: skip
def test_noise_layers_that_leave_one_noise_are_that_noise(base, layers, wanted):
    """In the order in which they are laid; sums of two noises are left."""
    nodes = {}
    for number, (kind, noise, weight) in enumerate(layers):
        before = {"prev_noise_layers": ("NOISE_LAYERS", 9 + number, 0)} if number else {}
        values = [0, noise, "use existing", 0] + ([] if weight is None else [weight])
        nodes[10 + number] = node(f"ADE_NoiseLayer{kind}", before, [("NOISE_LAYERS", "NOISE_LAYERS")], values)
    last = 9 + len(layers)
    settings = node("ADE_AnimateDiffSamplingSettings", {"noise_layers": ("NOISE_LAYERS", last, 0)}, SETTINGS,
                    [0, base, "comfy", 0, 0, False])  # fmt: skip
    context = node("ADE_StandardStaticContextOptions", {}, OPTS, [16, 4])
    wires = {"sample_settings": ("SAMPLE_SETTINGS", 5, 0), "context_options": ("CONTEXT_OPTIONS", 6, 0)}
    given = with_loader(gen1(**wires), n5=settings, n6=context) | nodes
    made, remarks = converted(given, free=wanted is not None)
    if wanted is None:
        assert "noise layers" in remarks["ADE_AnimateDiffLoaderGen1"].text
    else:
        assert one(made, "ZoetropeApplyContextWindows")[1]["noise_type"] == wanted
        assert {remark.grade for remark in remarks.values()} == {"equal"}
