"""The networks of the tiny family:
a compact CLIP text encoder, a box-mean encoder, a narrow TAESD decoder, core's UNet.

Source: Radford et al. 2021, arXiv 2103.00020 (CLIP text model); Ollin Boer Bohan's TAESD
(github.com/madebyollin/taesd) for the autoencoder's layout; Rombach et al. 2022, arXiv 2112.10752 for the
UNet, which is ComfyUI's own class. Parameter names are those of the published files. Letters: N images, C
channels, H, W pixels, h = H/8, w = W/8, L tokens.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from . import world

LATENT_SCALE = 2.5  # latent = (box mean - 0.5) * LATENT_SCALE: near unit variance on the world's frames
SIDE_SCALE = 2.5  # the fourth channel: (left half - right half) of a box's luminance, times this
LUMA = (0.299, 0.587, 0.114)
START_TOKEN, END_TOKEN, TOKENS = 49406, 49407, 77
UNET, CLIP = "model.diffusion_model.", "cond_stage_model.transformer.text_model."
EMBEDDING = "embeddings.token_embedding.weight"
TEXT_WIDTH, TEXT_LAYERS, TEXT_HEADS = 64, 2, 4
UNET_WIDTH, UNET_MULT, UNET_HEADS = 64, (1, 1, 2, 1), 2
UNET_CONFIG = {
    "in_channels": 4,
    "model_channels": UNET_WIDTH,
    "num_res_blocks": [2] * 4,
    "channel_mult": UNET_MULT,
    "num_heads": UNET_HEADS,
    "num_head_channels": -1,
    "use_spatial_transformer": True,
    "transformer_depth": [1] * 6 + [0] * 2,
    "transformer_depth_output": [1] * 9 + [0] * 3,
    "transformer_depth_middle": 1,
    "context_dim": TEXT_WIDTH,
    "legacy": False,
}
DECODER_WIDTHS = (48, 40, 32, 16)  # channels at h, 2h, 4h, 8h


def encode(frames: torch.Tensor) -> torch.Tensor:
    """Latents (N, 4, h, w) of frames (N, 3, H, W) in 0..1:
    box means of 8x8 pixels and their left-right difference.
    """
    mean = F.avg_pool2d(frames, 8)
    luma = torch.tensor(LUMA, device=frames.device, dtype=frames.dtype).view(1, 3, 1, 1)
    halves = F.avg_pool2d((frames * luma).sum(1, keepdim=True), (8, 4))
    side = halves[..., 0::2] - halves[..., 1::2]
    return torch.cat([(mean - 0.5) * LATENT_SCALE, side * SIDE_SCALE], 1)


def encoder_state() -> dict[str, torch.Tensor]:
    """`encode` as the weights of a TAESD encoder, every zero block and zero channel left out."""
    halve = torch.zeros(3, 3)
    halve[1:, 1:] = 0.25
    keep = torch.zeros(3, 3, 3, 3)
    mean = torch.zeros(3, 3, 3, 3)
    for c in range(3):
        keep[c, c, 1, 1] = 1
        mean[c, c] = halve
    last = torch.zeros(5, 3, 3, 3)
    last[:3] = mean
    for c in range(3):
        last[3, c, 1:, 1] = 0.5 * LUMA[c]  # luminance of the left half of the box
        last[4, c, 1:, 2] = 0.5 * LUMA[c]  # and of the right half
    out = torch.zeros(4, 5, 3, 3)
    for c in range(3):
        out[c, c, 1, 1] = LATENT_SCALE
    out[3, 3, 1, 1], out[3, 4, 1, 1] = SIDE_SCALE, -SIDE_SCALE
    bias = torch.tensor([-0.5 * LATENT_SCALE] * 3 + [0.0])
    return {
        "0.weight": keep,
        "0.bias": torch.zeros(3),
        "2.weight": mean,
        "6.weight": mean.clone(),
        "10.weight": last,
        "14.weight": out,
        "14.bias": bias,
    }


def _conv(before: int, after: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1, bias=bias)


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Sequential(
            _conv(width, width), nn.ReLU(), _conv(width, width), nn.ReLU(), _conv(width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.conv(x))


class _Clamp(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x / 3) * 3


class Decoder(nn.Sequential):
    """TAESD's decoder with narrower layers: latents (N, 4, h, w) -> frames (N, 3, H, W), about 0..1.

    The second and third block of each resolution are left
    out: zero weights make them the identity on loading.
    """

    LAYOUT = (0, 1, 2, 3, 6, 7, 8, 11, 12, 13, 16, 17, 18, 19)  # each layer's index in the full TAESD decoder

    def __init__(self) -> None:
        a, b, c, d = DECODER_WIDTHS
        super().__init__(
            _Clamp(), _conv(4, a), nn.ReLU(),
            _Block(a), nn.Upsample(scale_factor=2), _conv(a, b, bias=False),
            _Block(b), nn.Upsample(scale_factor=2), _conv(b, c, bias=False),
            _Block(c), nn.Upsample(scale_factor=2), _conv(c, d, bias=False),
            _Block(d), _conv(d, 3),
        )  # fmt: skip

    def taesd_state(self) -> dict[str, torch.Tensor]:
        """The weights under TAESD's key names."""
        return {
            f"{self.LAYOUT[int(k.split('.')[0])]}.{k.split('.', 1)[1]}": v
            for k, v in self.state_dict().items()
        }


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, name, nn.Linear(TEXT_WIDTH, TEXT_WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            p(x).unflatten(-1, (TEXT_HEADS, -1)).transpose(1, 2)
            for p in (self.q_proj, self.k_proj, self.v_proj)
        )
        return self.out_proj(
            F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        )


class _TextLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(TEXT_WIDTH), nn.LayerNorm(TEXT_WIDTH)
        self.self_attn = _Attention()
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(TEXT_WIDTH, 2 * TEXT_WIDTH), "fc2": nn.Linear(2 * TEXT_WIDTH, TEXT_WIDTH)}
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        hidden = self.mlp["fc1"](self.layer_norm2(x))
        return x + self.mlp["fc2"](hidden * torch.sigmoid(1.702 * hidden))


class TextRows:
    """Rows of the compact embedding that stand for one caption's tokens,
    begun, ended and padded to 77 as CLIP's tokenizer does.
    """

    def __init__(self, token_ids: list[int]):
        self.row = {token: row for row, token in enumerate(token_ids)}

    def __call__(self, tokens: list[int]) -> list[int]:
        full = [START_TOKEN, *tokens[: TOKENS - 2], END_TOKEN]
        return [self.row.get(t, len(self.row)) for t in full + [END_TOKEN] * (TOKENS - len(full))]


class TextEncoder(nn.Module):
    """CLIP's text model with a vocabulary of the world's words; the last row stands for every other token.

    Core's own class adds in place and therefore cannot be trained; this one has its parameter names."""

    def __init__(self, token_ids: list[int]):
        super().__init__()
        self.token_ids = token_ids
        self.rows = TextRows(token_ids)
        self.embeddings = nn.ModuleDict({
            "token_embedding": nn.Embedding(len(token_ids) + 1, TEXT_WIDTH),
            "position_embedding": nn.Embedding(TOKENS, TEXT_WIDTH),
        })  # fmt: skip
        nn.init.normal_(self.embeddings["token_embedding"].weight, std=0.5)
        nn.init.normal_(self.embeddings["position_embedding"].weight, std=0.2)
        self.encoder = nn.ModuleDict({"layers": nn.ModuleList(_TextLayer() for _ in range(TEXT_LAYERS))})
        self.final_layer_norm = nn.LayerNorm(TEXT_WIDTH)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """rows (N, 77) of `rows` -> (N, 77, 64)."""
        x = self.embeddings["token_embedding"](rows) + self.embeddings["position_embedding"].weight
        for layer in self.encoder["layers"]:
            x = layer(x)
        return self.final_layer_norm(x)


def word_tokens() -> dict[str, list[int]]:
    """The CLIP tokens of every word of the world."""
    from comfy.sd1_clip import SD1Tokenizer

    tokenizer = SD1Tokenizer()
    ends = (START_TOKEN, END_TOKEN)
    return {
        w: [t for t, _ in tokenizer.tokenize_with_weights(w)["l"][0] if t not in ends] for w in world.words()
    }


def vocabulary(tokens: dict[str, list[int]]) -> list[int]:
    """All tokens of `word_tokens`, sorted, with start and end."""
    return sorted({t for each in tokens.values() for t in each} | {START_TOKEN, END_TOKEN})


def caption_tokens(text: str, tokens: dict[str, list[int]]) -> list[int]:
    """CLIP tokens of a caption of the world, without start and end."""
    return [t for word in text.replace(",", " ,").split() for t in tokens[word]]


def make_unet(dtype: torch.dtype = torch.float32) -> nn.Module:
    """ComfyUI's UNetModel in the layout of Stable Diffusion 1, freshly initialised;
    last layer of each branch zero.
    """
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    unet = UNetModel(
        **UNET_CONFIG,
        image_size=16,
        out_channels=4,
        dtype=torch.float32,
        operations=comfy.ops.disable_weight_init,
    )
    initialise(unet)
    return unet.to(dtype)


def initialise(network: nn.Module) -> None:
    """Fresh weights for a network made by core, whose layers leave theirs empty;
    the last layer of each branch zero.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            nn.Conv2d.reset_parameters(module)
        elif isinstance(module, nn.Linear):
            nn.Linear.reset_parameters(module)
        elif isinstance(module, nn.GroupNorm | nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        if name.endswith(("out_layers.3", "proj_out")) or name == "out.2":
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)


def make_controlnet(base: dict[str, torch.Tensor]) -> nn.Module:
    """Core's ControlNet for the tiny UNet, beginning as a copy of its encoder and without effect;
    `base` has "unet." keys.
    """
    import comfy.ops
    from comfy.cldm.cldm import ControlNet

    config = {k: v for k, v in UNET_CONFIG.items() if k != "transformer_depth_output"}
    controlnet = ControlNet(
        **config,
        image_size=16,
        hint_channels=3,
        dtype=torch.float32,
        operations=comfy.ops.disable_weight_init,
    )
    initialise(controlnet)
    known = {k.removeprefix("unet."): v for k, v in base.items() if k.startswith("unet.")}
    own = controlnet.state_dict()
    controlnet.load_state_dict(own | {k: v for k, v in known.items() if k in own})
    for name, parameter in controlnet.named_parameters():
        if name.startswith(("zero_convs", "middle_block_out", "input_hint_block.14")):
            nn.init.zeros_(parameter)
    return controlnet


def diffusers_names() -> tuple[dict, Callable[[dict], dict]]:
    """The UNet's configuration and core's function that names its weights as diffusers does."""
    import comfy.utils

    return dict(UNET_CONFIG), comfy.utils.unet_to_diffusers


def load_base(checkpoint: dict[str, torch.Tensor], text: TextEncoder, unet: nn.Module) -> None:
    """Put a checkpoint of the family into text encoder and UNet;
    words that it does not know begin as its unknown one, disturbed.
    """
    unet.load_state_dict(
        {k.removeprefix(UNET): v.float() for k, v in checkpoint.items() if k.startswith(UNET)}
    )
    state = {k.removeprefix(CLIP): v.float() for k, v in checkpoint.items() if k.startswith(CLIP)}
    rows = dict(zip(checkpoint["cond_stage_model.token_ids"].tolist(), state[EMBEDDING], strict=False))
    unknown = state[EMBEDDING][-1]
    own = text.embeddings["token_embedding"].weight.detach()
    state[EMBEDDING] = torch.stack(
        [*(rows.get(t, unknown + own[i]) for i, t in enumerate(text.token_ids)), unknown]
    )
    text.load_state_dict(state)


def width_of(block: nn.Module) -> int:
    """Channels that leave a residual or transformer block of the UNet."""
    last = [m for m in block.modules() if isinstance(m, nn.Conv2d | nn.Linear)][-1]
    return last.out_channels if isinstance(last, nn.Conv2d) else last.out_features


def plain_attention(
    _original, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int, *_, **__
) -> torch.Tensor:
    """Attention as two batched products, (N, L, C):
    on a CPU in bfloat16 twice as fast to train as the fused kernels.

    Rows as short as a clip's are normalised in float32, for which torch's kernel is ten times as fast.
    """
    n, length, channels = q.shape
    width = channels // heads
    q, k, v = (t.view(n, -1, heads, width).transpose(1, 2).reshape(n * heads, -1, width) for t in (q, k, v))
    scores = torch.bmm(q * width**-0.5, k.transpose(1, 2))
    weights = scores.float().softmax(-1).to(q.dtype) if scores.shape[-1] < 64 else scores.softmax(-1)
    return torch.bmm(weights, v).view(n, heads, length, width).transpose(1, 2).reshape(n, length, channels)


def export_checkpoint(unet: dict, text: dict, token_ids: list[int], decoder: dict) -> dict[str, torch.Tensor]:
    """A checkpoint with the key names of Stable Diffusion 1 in float16 from the three networks' weights."""
    half = {f"{UNET}{k}": v for k, v in unet.items()}
    half |= {f"{CLIP}{k}": v for k, v in text.items()}
    half |= {f"first_stage_model.taesd_encoder.{k}": v for k, v in encoder_state().items()}
    half |= {f"first_stage_model.taesd_decoder.{k}": v for k, v in decoder.items()}
    half["first_stage_model.vae_scale"] = torch.tensor(0.18215)
    half["first_stage_model.vae_shift"] = torch.tensor(0.0)
    state = {k: v.detach().to(torch.float16).contiguous() for k, v in half.items()}
    state["cond_stage_model.token_ids"] = torch.tensor(token_ids, dtype=torch.int32)
    return state
