"""Whole samplings on workers: one part of a prompt with many seeds and prompts, latents in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths

from ...cluster.processes import ProcessWorkers
from ...cluster.scheduler import Run, wait_for
from ...foreign_text import printable
from .comfy_start import settings_of_head
from .pools import PLACE, WorkerSettings, end_workers, in_use, workers_of
from .prompt_part import Part
from .shipping import receive, ship

SEED_WIDGETS = ("seed", "noise_seed")
PLACE_OF_PROMPT = "{prompt}"
MOST = 100_000


@dataclass(frozen=True)
class SeedSettings:
    """seeds: numbers and ranges, `1-4, 10`. prompts: one in each line; each is sampled with each seed."""

    seeds: str = "1-4"
    prompts: str = ""

    def __post_init__(self) -> None:
        self.all_seeds()

    def all_seeds(self) -> list[int]:
        """Raises ValueError for what is no number, and for too many."""
        found: list[int] = []
        for word in re.split(r"[,\s]+", self.seeds.strip()):
            match = re.fullmatch(r"(\d{1,20})(?:-(\d{1,20}))?", word)
            if match is None:
                raise ValueError(
                    f"seeds has '{printable(word)}', which is no number and no range; write them as 1-4, 10."
                )
            first, last = int(match[1]), int(match[2] or match[1])
            if last < first or last >= 2**64:
                raise ValueError(
                    f"seeds has {word}; a range goes up, and a seed is below {2**64}; write them as 1-4, 10."
                )
            if len(found) + last - first >= MOST:
                raise ValueError(f"seeds are more than {MOST}; make several runs of them.")
            found += range(first, last + 1)
        return found

    def all_prompts(self) -> list[str | None]:
        """[None] where there are none."""
        return [line.strip() for line in self.prompts.splitlines() if line.strip()] or [None]


@dataclass(frozen=True)
class Job:
    """One sampling."""

    part: Part
    label: str


def jobs_of(part: Part, settings: SeedSettings) -> list[Job]:
    """A job for each seed of each prompt: all seeds of the first prompt, then those of the second.

    Raises ValueError where the part has no widget for a seed or no place for a prompt.
    """
    prompts = settings.all_prompts()
    widgets = [value for node in part.nodes.values() for value in node["inputs"].items()]
    if not any(_is_seed(name, value) for name, value in widgets):
        raise ValueError(
            f"no node in front of latent has a widget {' or '.join(SEED_WIDGETS)}; wire a sampler's LATENT."
        )
    has_place = any(isinstance(value, str) and PLACE_OF_PROMPT in value for _, value in widgets)
    if has_place != (prompts != [None]):
        remedy = f"write {PLACE_OF_PROMPT} into the text of the node that takes them"
        what = "prompts are given, and no text has a place for them" if not has_place else "prompts is empty"
        raise ValueError(f"{what}; {remedy}, or {'empty prompts' if not has_place else 'fill prompts'}.")
    return [
        Job(_with(part, seed, prompt), f"seed {seed}" + (f", {prompt}" if prompt else ""))
        for prompt in prompts
        for seed in settings.all_seeds()
    ]


def _is_seed(name: str, value: object) -> bool:
    return name in SEED_WIDGETS and isinstance(value, int) and not isinstance(value, bool)


def _with(part: Part, seed: int, prompt: str | None) -> Part:
    def changed(name: str, value: object) -> object:
        if _is_seed(name, value):
            return seed
        if prompt is not None and isinstance(value, str):
            return value.replace(PLACE_OF_PROMPT, prompt)
        return value

    nodes = {
        key: {**node, "inputs": {name: changed(name, value) for name, value in node["inputs"].items()}}
        for key, node in part.nodes.items()
    }
    return replace(part, nodes=nodes)


def latents_of_jobs(jobs: list[Job], settings: WorkerSettings) -> Iterator[dict]:
    """The LATENT of each job, in their order. Raises ValueError where workers cannot be had, lack a file or a
    node, and WorkFailed where a job fails on two of them.
    """
    check = comfy.model_management.throw_exception_if_processing_interrupted
    last: list[ProcessWorkers] = []

    def here(job: Job) -> bytes:
        """The last resort: in a new process on this machine."""
        if not last:
            start = {"settings": settings_of_head(), "by_content": settings.by_content}
            logs = Path(folder_paths.get_temp_directory()) / "workers"
            last.append(ProcessWorkers(PLACE, start, [{}], logs))
        return wait_for(last[0].ready()[0].submit("latents", ship(job.part)), check)

    with in_use():
        try:
            workers = workers_of(settings).ready(check)
        except Exception:
            end_workers()  # the next run connects anew
            raise
        progress = comfy.utils.ProgressBar(len(jobs))
        run = Run(workers, jobs, lambda worker, job: worker.submit("latents", ship(job.part)), here, check)
        try:
            for result in run.results():
                progress.update(1)
                yield receive(result)
        finally:
            for pool in last:
                pool.end()
