"""More than one machine: workers here and on a Ray cluster, and one scheduler for both (no ComfyUI).

Nothing of Ray is imported before something connects.
"""
