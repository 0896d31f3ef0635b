"""ControlNets that know of frames: SparseCtrl, and strengths that change over a video."""
