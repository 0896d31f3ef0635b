"""Camera control of AnimateDiff's modules: CameraCtrl and MotionCtrl, and the poses that both read."""
