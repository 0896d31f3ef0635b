"""ComfyUI-Zoetrope: makes Stable Diffusion checkpoints move, inside ComfyUI.

Every import happens inside `comfy_entrypoint`: pytest and
packaging tools import this file without ComfyUI being there.
"""

WEB_DIRECTORY = "./web"  # help pages, and extensions of the front end


async def comfy_entrypoint():
    """Called by ComfyUI (V3 API) once at start; returns the pack's extension."""
    import logging

    try:
        from .nodes import ZoetropeExtension

        return ZoetropeExtension()
    except Exception:
        # ComfyUI prints only the last line of what goes wrong here.
        logging.exception("ComfyUI-Zoetrope could not be loaded")
        raise
