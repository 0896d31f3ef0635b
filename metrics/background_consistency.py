"""Background consistency in VBench's form: cosines of CLIP features to the frame before and to the first.

Source: Huang et al. 2023 (VBench, arXiv 2311.17982), who take CLIP ViT-B/32.
"""

from __future__ import annotations

from .consistency import vbench_metric

METRIC = vbench_metric(
    "background_consistency",
    "Background consistency (VBench's form)",
    "image_encoder",
    "embeddings",
    "CLIP ViT-B/32",
)
