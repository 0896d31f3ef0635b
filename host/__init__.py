"""The only place that touches ComfyUI's internals: everything that a ComfyUI update can break."""
