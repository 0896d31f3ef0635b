"""Subject consistency in VBench's form: cosines of DINO features to the frame before and to the first.

Source: Huang et al. 2023 (VBench, arXiv 2311.17982), who take DINO ViT-B/16.
"""

from __future__ import annotations

from .consistency import vbench_metric

METRIC = vbench_metric(
    "subject_consistency",
    "Subject consistency (VBench's form)",
    "subject_encoder",
    "subject_embeddings",
    "DINO ViT-B/16",
)
