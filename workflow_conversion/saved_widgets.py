"""Which widget each saved value of another pack's node belongs to, in all versions that files come from.

A file holds a node's values as a list in the order of its widgets, and names none. Widgets were added at the
end, so that a shorter list is an older version's; where one was put in between, the order before that stands
here too. A list that fits no order says nothing reliable. VideoHelperSuite saves names. Source: the node
definitions of the packs, now and in their history (Kosinkadink/ComfyUI-AnimateDiff-Evolved,
ComfyUI-VideoHelperSuite, ComfyUI-Advanced-ControlNet, FizzleDorf/ComfyUI_FizzNodes,
ArtVentureX/comfyui-animatediff).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

CHECKS = {
    "i": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "s": lambda value: isinstance(value, str),
    "b": lambda value: isinstance(value, bool),
    "?": lambda value: True,
}
"""i: a number, s: a text or a choice, b: on or off, ?: of no use."""
_WINDOW = "length:i stride:i overlap:i"
_HOLDS = "start_percent:i guarantee_steps:i"
_COMBINE = "frame_rate:i loop_count:i filename_prefix:s format:s pingpong:b save_image:b"
_LOAD_VIDEO = "video:s force_rate:i force_size:s frame_load_cap:i skip_first_frames:i select_every_nth:i"
_PICTURES = "image_load_cap:i skip_first_images:i select_every_nth:i preview:?"
_PW = "pw_a:i pw_b:i pw_c:i pw_d:i"
_SDXL = "width:i height:i crop_w:i crop_h:i target_width:i target_height:i text_g:s text_l:s"
_KSAMPLER = "seed:i control:? steps:i cfg:i sampler_name:s scheduler:s denoise:i"
_NOISE = "batch_offset:i noise_type:s seed_gen_override:s seed_offset:i"
_CONTEXT = " ".join(f"context_{part}" for part in _WINDOW.split())
_VIEW = " ".join(f"view_{part}" for part in _WINDOW.split())
_CUT = "context_length:i context_overlap:i"
_ATTN = ("pe", "attn", "attn_q", "attn_k", "attn_v", "attn_out_weight", "attn_out_bias", "other")


def _each(ending: str, names: tuple[str, ...]) -> str:
    return " ".join(f"{name}{ending}:i" for name in names)


_MASKED = "min_motion_scale:i max_motion_scale:i notice:?"
_MANUAL_PE = (
    "cap_initial_pe_length:i interpolate_pe_to_length:i initial_pe_idx_offset:i final_pe_idx_offset:i"
)

ORDERS: dict[str, tuple[str, ...]] = {
    # AnimateDiff-Evolved
    "ADE_AnimateDiffLoaderWithContext": (
        "model_name:s beta_schedule:s motion_scale:i apply_v2_models_properly:b notice:?",
    ),
    "ADE_AnimateDiffLoaderV1Advanced": (
        f"model_name:s unlimited_area_hack:b {_CONTEXT} context_schedule:s closed_loop:b beta_schedule:s"
        " notice:?",
    ),
    "AnimateDiffLoaderV1": ("model_name:s unlimited_area_hack:b beta_schedule:s notice:?",),
    "ADE_AnimateDiffLoaderGen1": ("model_name:s beta_schedule:s",),
    "ADE_LoadAnimateDiffModel": ("model_name:s",),
    "ADE_ApplyAnimateDiffModel": ("start_percent:i end_percent:i",),
    "ADE_ApplyAnimateDiffModelSimple": ("",),
    "ADE_UseEvolvedSampling": ("beta_schedule:s",),
    "ADE_AnimateDiffLoRALoader": ("name:s strength:i",),
    "ADE_AnimateDiffUniformContextOptions": (
        f"{_CONTEXT} context_schedule:s closed_loop:b fuse_method:s use_on_equal_length:b {_HOLDS} notice:?",
    ),
    "ADE_LoopedUniformContextOptions": (
        f"{_CONTEXT} closed_loop:b fuse_method:s use_on_equal_length:b {_HOLDS}",
    ),
    "ADE_StandardUniformContextOptions": (f"{_CONTEXT} fuse_method:s use_on_equal_length:b {_HOLDS}",),
    "ADE_StandardStaticContextOptions": (f"{_CUT} fuse_method:s use_on_equal_length:b {_HOLDS}",),
    "ADE_BatchedContextOptions": (f"context_length:i {_HOLDS}",),
    "ADE_ViewsOnlyContextOptions": (_HOLDS,),
    "ADE_StandardStaticViewOptions": ("view_length:i view_overlap:i fuse_method:s",),
    "ADE_StandardUniformViewOptions": (f"{_VIEW} fuse_method:s",),
    "ADE_LoopedUniformViewOptions": (f"{_VIEW} closed_loop:b fuse_method:s use_on_equal_length:b",),
    "ADE_AnimateDiffSamplingSettings": (
        "batch_offset:i noise_type:s seed_gen:s seed_offset:i seed_override:i adapt_denoise_steps:b notice:?",
        "batch_offset:i noise_type:s seed_gen:s seed_offset:i adapt_denoise_steps:b notice:?",
    ),
    "ADE_MultivalDynamic": ("float_val:i",),
    "ADE_MultivalFloat": ("float_val:i",),
    "ADE_MultivalDynamicFloatInput": ("float_val:i",),
    "ADE_MultivalDynamicFloats": ("floats:i",),
    "ADE_MultivalScaledMask": ("min_float_val:i max_float_val:i scaling:s",),
    "ADE_AnimateDiffKeyframe": ("start_percent:i inherit_missing:b guarantee_steps:i",),
    "ADE_CustomCFGSimple": ("cfg:i",),
    "ADE_CustomCFG": ("",),
    "ADE_CustomCFGKeyframeSimple": (f"cfg:i {_HOLDS}",),
    "ADE_CustomCFGKeyframe": (_HOLDS,),
    "ADE_SigmaSchedule": ("beta_schedule:s",),
    "ADE_IterationOptsDefault": ("iterations:i iter_batch_offset:i iter_seed_offset:i",),
    "ADE_IterationOptsFreeInit": (
        "iterations:i filter:s d_s:i d_t:i n_butterworth:i sigma_step:i apply_to_1st_iter:b init_type:s"
        " iter_batch_offset:i iter_seed_offset:i",
    ),
    "ADE_NoiseLayerAdd": (f"{_NOISE} noise_weight:i",),
    "ADE_NoiseLayerAddWeighted": (f"{_NOISE} noise_weight:i balance_multiplier:i",),
    "ADE_NoiseLayerReplace": (_NOISE,),
    "ADE_AnimateDiffSettings": ("",),
    "ADE_AdjustPESweetspotStretch": ("sweetspot:i new_sweetspot:i print_adjustment:b",),
    "ADE_AdjustPEFullStretch": ("pe_stretch:i print_adjustment:b",),
    "ADE_AdjustPEManual": (f"{_MANUAL_PE} print_adjustment:b",),
    "ADE_AdjustWeightAllAdd": ("all_ADD:i print_adjustment:b",),
    "ADE_AdjustWeightAllMult": ("all_MULT:i print_adjustment:b",),
    "ADE_AdjustWeightIndivAdd": (f"{_each('_ADD', ('pe', 'attn', 'other'))} print_adjustment:b",),
    "ADE_AdjustWeightIndivMult": (f"{_each('_MULT', ('pe', 'attn', 'other'))} print_adjustment:b",),
    "ADE_AdjustWeightIndivAttnAdd": (f"{_each('_ADD', _ATTN)} print_adjustment:b",),
    "ADE_AdjustWeightIndivAttnMult": (f"{_each('_MULT', _ATTN)} print_adjustment:b",),
    "ADE_AnimateDiffModelSettings_Release": (_MASKED,),
    "ADE_AnimateDiffModelSettingsSimple": (f"motion_pe_stretch:i {_MASKED}",),
    "ADE_AnimateDiffModelSettings": (
        f"{_each('_strength', ('pe', 'attn', 'other'))} motion_pe_stretch:i {_MANUAL_PE} {_MASKED}",
        f"{_each('_strength', ('pe', 'attn', 'other'))} {_MANUAL_PE} {_MASKED}",
    ),
    "ADE_AnimateDiffModelSettingsAdvancedAttnStrengths": (
        f"{_each('_strength', _ATTN)} motion_pe_stretch:i {_MANUAL_PE} {_MASKED}",
    ),
    "ADE_EmptyLatentImageLarge": ("width:i height:i batch_size:i",),
    "CheckpointLoaderSimpleWithNoiseSelect": (
        "ckpt_name:s beta_schedule:s use_custom_scale_factor:b scale_factor:i",
    ),
    "ADE_AnimateDiffCombine": (f"{_COMBINE} notice:?",),
    "ADE_AnimateDiffUnload": ("",),
    "ADE_PromptScheduling": ("prompts:s print_schedule:b max_length:i tensor_interp:s",),
    "ADE_PromptSchedulingLatents": ("prompts:s print_schedule:b tensor_interp:s",),
    "ADE_ValueScheduling": ("values:s print_schedule:b max_length:i",),
    "ADE_ValueSchedulingLatents": ("values:s print_schedule:b",),
    "ADE_FloatToFloats": ("",),
    # VideoHelperSuite, where a list is older than its names
    "VHS_VideoCombine": (f"{_COMBINE} crf:i save_metadata:b", f"{_COMBINE} notice:? more:?"),
    "VHS_LoadVideo": (
        f"{_LOAD_VIDEO} upload:? preview:?",
        f"{_LOAD_VIDEO.removesuffix(' select_every_nth:i')} upload:s preview:?",
    ),
    "VHS_LoadVideoPath": (f"{_LOAD_VIDEO} preview:?",),
    "VHS_LoadImages": (f"directory:s upload:? {_PICTURES}",),
    "VHS_LoadImagesPath": (f"directory:s {_PICTURES}",),
    "VHS_LoadAudioUpload": ("audio:s start_time:i duration:i upload:?", "audio:s start_time:i upload:?"),
    "VHS_LoadAudio": ("audio_file:s seek_seconds:i duration:i",),
    "VHS_VAEDecodeBatched": ("per_batch:i",),
    "VHS_VAEEncodeBatched": ("per_batch:i",),
    "VHS_SelectFilename": ("index:i",),
    "VHS_PruneOutputs": ("options:s",),
    **{f"VHS_Split{plural}": ("split_index:i",) for plural in ("Images", "Latents", "Masks")},
    **{f"VHS_Duplicate{plural}": ("multiply_by:i",) for plural in ("Images", "Latents", "Masks")},
    **{
        f"VHS_Merge{plural}": ("merge_strategy:s scale_method:s crop:s",)
        for plural in ("Images", "Latents", "Masks")
    },
    **{
        f"VHS_Select{plural}": ("indexes:s err_if_missing:b err_if_empty:b",)
        for plural in ("Images", "Latents", "Masks")
    },
    "VHS_SelectEveryNthImage": ("select_every_nth:i skip_first_images:i",),
    "VHS_SelectEveryNthLatent": ("select_every_nth:i skip_first_latents:i",),
    "VHS_SelectEveryNthMask": ("select_every_nth:i skip_first_masks:i",),
    # FizzNodes; pre_text and app_text were widgets until they became sockets
    "BatchPromptSchedule": (
        f"text:s max_frames:i print_output:b pre_text:s app_text:s start_frame:i end_frame:i {_PW}",
        f"text:s max_frames:i print_output:b pre_text:s app_text:s start_frame:i {_PW}",
        f"text:s max_frames:i print_output:b pre_text:s app_text:s {_PW}",
        f"text:s max_frames:i print_output:b start_frame:i end_frame:i {_PW}",
        f"text:s max_frames:i print_output:b start_frame:i {_PW}",
        f"text:s max_frames:i print_output:b {_PW}",
        f"text:s max_frames:i pre_text:s app_text:s {_PW}",
        f"text:s max_frames:i {_PW}",
    ),
    "BatchPromptScheduleLatentInput": (
        f"text:s print_output:b pre_text:s app_text:s start_frame:i end_frame:i {_PW}",
        f"text:s print_output:b pre_text:s app_text:s start_frame:i {_PW}",
        f"text:s print_output:b pre_text:s app_text:s {_PW}",
        f"text:s print_output:b start_frame:i end_frame:i {_PW}",
        f"text:s print_output:b start_frame:i {_PW}",
        f"text:s print_output:b {_PW}",
        f"text:s pre_text:s app_text:s {_PW}",
        f"text:s {_PW}",
    ),
    "BatchPromptScheduleEncodeSDXL": (
        f"{_SDXL} max_frames:i print_output:b pre_text_G:s app_text_G:s pre_text_L:s app_text_L:s {_PW}"
        " start_frame:i end_frame:i",
        f"{_SDXL} max_frames:i print_output:b {_PW} start_frame:i end_frame:i",
        f"{_SDXL} max_frames:i print_output:b start_frame:i end_frame:i",
        f"{_SDXL} max_frames:i pre_text_G:s app_text_G:s pre_text_L:s app_text_L:s {_PW}",
    ),
    "BatchPromptScheduleSDXLLatentInput": (
        f"{_SDXL} print_output:b pre_text_G:s app_text_G:s pre_text_L:s app_text_L:s {_PW}"
        " start_frame:i end_frame:i",
        f"{_SDXL} print_output:b {_PW} start_frame:i end_frame:i",
        f"{_SDXL} print_output:b start_frame:i end_frame:i",
    ),
    "PromptSchedule": (
        f"text:s max_frames:i current_frame:i print_output:b pre_text:s app_text:s {_PW}",
        f"text:s max_frames:i current_frame:i print_output:b {_PW}",
        f"text:s max_frames:i current_frame:i pre_text:s app_text:s {_PW}",
        f"text:s max_frames:i current_frame:i {_PW}",
        f"text:s max_frames:i print_output:b pre_text:s app_text:s {_PW}",
        f"text:s max_frames:i print_output:b {_PW}",
    ),
    "BatchValueSchedule": ("text:s max_frames:i print_output:b",),
    "BatchValueScheduleLatentInput": ("text:s print_output:b",),
    "ValueSchedule": (
        "text:s max_frames:i current_frame:i print_output:b",
        "text:s max_frames:i print_output:b",
    ),
    "ConcatStringSingle": ("string_a:s string_b:s",),
    # Advanced-ControlNet
    "ControlNetLoaderAdvanced": ("control_net_name:s",),
    "ACN_ControlNetLoaderAdvanced": ("cnet:s",),
    "DiffControlNetLoaderAdvanced": ("control_net_name:s",),
    "ACN_DiffControlNetLoaderAdvanced": ("cnet:s",),
    "ACN_AdvancedControlNetApply": ("strength:i start_percent:i end_percent:i notice:?",),
    "ACN_AdvancedControlNetApply_v2": ("strength:i start_percent:i end_percent:i",),
    "ACN_AdvancedControlNetApplySingle": ("strength:i start_percent:i end_percent:i notice:?",),
    "ACN_AdvancedControlNetApplySingle_v2": ("strength:i start_percent:i end_percent:i",),
    "TimestepKeyframe": (
        "start_percent:i strength:i null_latent_kf_strength:i inherit_missing:b guarantee_steps:i",
        "start_percent:i strength:i null_latent_kf_strength:i inherit_missing:b guarantee_usage:b",
    ),
    "LatentKeyframe": ("batch_index:i strength:i",),
    "LatentKeyframeTiming": (
        "batch_index_from:i batch_index_to_excl:i strength_from:i strength_to:i interpolation:s"
        " print_keyframes:b",
        "batch_index_from:i strength_from:i batch_index_to_excl:i strength_to:i interpolation:s revert:b",
    ),
    "LatentKeyframeGroup": ("index_strengths:s print_keyframes:b",),
    "ScaledSoftControlNetWeights": ("base_multiplier:i flip_weights:b uncond_multiplier:i",),
    "ACN_ScaledSoftControlNetWeights": ("base_multiplier:i uncond_multiplier:i",),
    "ACN_DefaultUniversalWeights": ("",),
    "ACN_SparseCtrlLoaderAdvanced": (
        "sparsectrl_name:s use_motion:b motion_strength:i motion_scale:i context_aware:s sparse_hint_mult:i"
        " sparse_nonhint_mult:i sparse_mask_mult:i",
    ),
    "ACN_SparseCtrlIndexMethodNode": ("indexes:s",),
    "ACN_SparseCtrlSpreadMethodNode": ("spread:s",),
    "ACN_SparseCtrlRGBPreprocessor": ("",),
    "LoadImagesFromDirectory": ("directory:s image_load_cap:i start_index:i",),
    # ArtVenture's AnimateDiff
    "AnimateDiffModuleLoader": ("model_name:s",),
    "AnimateDiffLoraLoader": ("lora_name:s alpha:i",),
    "AnimateDiffSlidingWindowOptions": (f"{_CONTEXT} context_schedule:s closed_loop:b",),
    "AnimateDiffSampler": (
        f"inject_method:s frame_number:i {_KSAMPLER}",
        f"inject_method:s frame_number:i {_KSAMPLER.replace(' control:?', '')}",
    ),
    "AnimateDiff.LoadVideo": (
        "video:s upload:? frame_start:i frame_limit:i preview:?",
        "video:s frame_start:i frame_limit:i upload:? preview:?",
    ),
    "AnimateDiffCombine": (
        "frame_rate:i loop_count:i save_image:b filename_prefix:s format:s pingpong:b preview:?",
        "frame_rate:i loop_count:i save_image:s filename_prefix:s",
    ),
}  # fmt: skip


ALIASES = {"LoadVideo": ("AnimateDiff.LoadVideo", "IMAGE", "frame_start")}
"""Types that two packs have: (name here of the other pack's, type of its first output, an input of it)."""


def own_name(kind: str, first_output: str, inputs: Container[str]) -> str:
    """The type of a node; another name where it is that of a pack that has the same names as ComfyUI."""
    other, output, name = ALIASES.get(kind, ("", "", ""))
    return other if other and (first_output == output or name in inputs) else kind


def named_values(kind: str, saved: Any) -> dict[str, Any] | None:
    """The values of a node by the names of its widgets; None where they cannot be told apart."""
    if isinstance(saved, dict):
        return dict(saved)
    if saved is None:
        saved = []
    if not isinstance(saved, list):
        return None
    orders = [[part.rsplit(":", 1) for part in order.split()] for order in ORDERS.get(kind, ("",))]
    for parts in sorted(orders, key=lambda parts: len(parts) != len(saved)):
        if any(value not in ("", None) for value in saved[len(parts) :]):  # a notice that a version showed
            continue
        pairs = list(zip(parts, saved, strict=False))
        if all(value is None or CHECKS[check](value) for (_, check), value in pairs):
            return {name: value for (name, _), value in pairs if value is not None}
    return None
