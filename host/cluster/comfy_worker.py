"""The object of a worker: a ComfyUI without a server, which runs parts of prompts and windows of runs."""

from __future__ import annotations

from .comfy_start import start


class ComfyWorker:
    """settings: of `comfy_start.start`. by_content: whether files are compared by content."""

    def __init__(self, settings: dict, by_content: bool) -> None:
        start(**settings)
        from .prompt_part import PartRunner
        from .served_run import RunThread

        self.parts, self.by_content = PartRunner(), by_content
        self.run, self.run_id, self.trouble = None, None, None
        self.thread = RunThread()

    def cancel(self) -> None:
        import comfy.model_management

        comfy.model_management.interrupt_current_processing(True)

    def begin(self, run_id: str, data: bytes) -> None:
        """Begins a run of windows; one that is open ends. What goes wrong is told by `windows`, too."""
        self._go_on()
        self.end()
        self.run_id, self.trouble = run_id, None
        try:
            self.run = self._begun(data)
        except BaseException as error:
            self.trouble = error
            raise

    def _begun(self, data: bytes):
        from .control_nets import received_controls
        from .served_run import ServedRun
        from .shipping import receive

        model_part, control_parts, controls, inputs = receive(data)
        model, *wired = self.parts.outputs([model_part, *control_parts], self.by_content)
        return ServedRun(model, receive(inputs, received_controls(controls, wired)), self.thread)

    def windows(self, run_id: str, data: bytes) -> bytes:
        """The results of a WindowRequest, for each window one tensor for each kind."""
        from .shipping import receive, ship

        self._go_on()
        if run_id == self.run_id and self.trouble is not None:
            raise self.trouble
        if run_id != self.run_id or self.run is None:
            raise RuntimeError("another run has begun on this worker")
        return ship(self.run.windows(receive(data)))

    def end(self) -> None:
        """Ends the open run. Its MODEL is kept for the next one."""
        run, self.run, self.run_id = self.run, None, None
        if run is not None:
            run.end()

    def latents(self, data: bytes) -> bytes:
        """The LATENT of a part of a prompt."""
        from .shipping import receive, ship

        self._go_on()
        self.end()
        (latent,) = self.parts.outputs([receive(data)], self.by_content)
        return ship(latent)

    def _go_on(self) -> None:
        import comfy.model_management

        comfy.model_management.interrupt_current_processing(False)
