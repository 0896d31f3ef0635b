"""What the nodes of workers do: the parts of the prompt are taken out, the runs are set up."""

from __future__ import annotations

from collections.abc import Mapping

from . import comfy_start
from .pools import WorkerSettings
from .prompt_part import part_of
from .seed_runs import SeedSettings, jobs_of, latents_of_jobs
from .window_workers import WindowWorkers, run_windows_on_workers


def windows_on_workers(model, control_nets: Mapping[str, object], settings: WorkerSettings, prompt, node_id):
    """The MODEL whose windows workers evaluate. control_nets: by the names of their inputs. prompt: core's
    DynamicPrompt, in which the node has node_id.

    Raises ValueError as `run_windows_on_workers` does.
    """
    if comfy_start.is_worker:  # a worker has no workers
        return model
    parts = [part_of(prompt, node_id, name, settings.by_content) for name in ("model", *control_nets)]
    workers = WindowWorkers(settings, parts[0], tuple(parts[1:]), tuple(control_nets.values()))
    return run_windows_on_workers(model, workers)


def seeds_on_workers(
    seeds: SeedSettings, settings: WorkerSettings, prompt, node_id
) -> tuple[list[dict], list[str]]:
    """The LATENTs and labels of all runs of what feeds `latent`.

    Raises ValueError as `jobs_of` and `latents_of_jobs` do, and in a worker, where a run would start others.
    """
    if comfy_start.is_worker:
        raise ValueError("Run Seeds on Workers cannot be in front of another node of workers; take it out.")
    jobs = jobs_of(part_of(prompt, node_id, "latent", settings.by_content), seeds)
    return list(latents_of_jobs(jobs, settings)), [job.label for job in jobs]
