"""How good a video is, as numbers: scores of a clip, of a pair of clips and of two sets, without ComfyUI.

One file for each score, which ends in `METRIC = ...`; metrics.METRICS lists them (metrics/metrics.py).
"""
