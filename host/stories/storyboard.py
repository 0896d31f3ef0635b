"""Storyboard: a script as prompts over frames, start pictures and a drawing."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...frame_tools.batches import check_frames
from ...frame_tools.scene_cards import Card, draw_cards
from ...motion_modules.camera.moves import MOVES
from ...storyboards.scenes import CUT, HOLD, Scene, Storyboard
from ...storyboards.script import read_script
from ..node_notes import current_node, say


@dataclass(frozen=True)
class Told:
    """A storyboard and what other nodes need of it.

    start_frames: the frames of the start pictures, for *Place Sparse Images*. start_pictures: (P, H, W, C),
    in that order, None where no scene has one. drawing: (1, H, W, 3).
    """

    storyboard: Storyboard
    start_frames: str
    start_pictures: torch.Tensor | None
    drawing: torch.Tensor


def tell(script: str, fps: float, pictures: torch.Tensor | None = None) -> Told:
    """What the scenes of a script are. pictures: (P, H, W, C), which scenes name by numbers from 1 on.

    Raises ValueError with line and column for a script that cannot be read, and for pictures that are not
    there. What was mended is said under the node.
    """
    board = read_script(script, fps)
    if board.remarks:
        say("The script was mended: " + "; ".join(board.remarks) + ".", current_node())
    places = board.start_pictures()
    _check_pictures(board, pictures)
    chosen = pictures[[number - 1 for _, number in places]] if places else None
    return Told(board, ",".join(str(frame) for frame, _ in places), chosen, drawn(board, pictures))


def _check_pictures(board: Storyboard, pictures: torch.Tensor | None) -> None:
    count = 0 if pictures is None else len(pictures)
    if pictures is not None:
        check_frames(pictures, "pictures")
    for number, scene in enumerate(board.scenes):
        if scene.picture is not None and scene.picture > count:
            raise ValueError(
                f"scene {number + 1} starts with picture {scene.picture}, and {count} pictures are wired;"
                " wire more, or take 'start picture' out of the script."
            )


def drawn(board: Storyboard, pictures: torch.Tensor | None = None) -> torch.Tensor:
    """A card for each scene and a bar of time: (1, H, W, 3)."""
    starts = board.starts()
    cards = [
        _card(number, scene, start, board.fps, number == len(starts) - 1, pictures)
        for number, (scene, start) in enumerate(zip(board.scenes, starts, strict=True))
    ]
    seconds = board.num_joined / board.fps
    title = f"{len(cards)} scenes, {board.num_joined} frames at {board.fps:g} fps, {seconds:.1f} s"
    sampled = f" ({board.num_frames} are sampled)" if board.num_frames != board.num_joined else ""
    return draw_cards(cards, title + sampled)


def _card(
    number: int, scene: Scene, start: int, fps: float, is_last: bool, pictures: torch.Tensor | None
) -> Card:
    move, after = MOVES[scene.camera], scene.transition
    turn = -1 if move.distance else 1  # in an orbit the camera goes where it does not look
    end = start + scene.num_frames - 1
    return Card(
        heading=f"{number + 1}: frames {start} to {end}, {scene.num_frames / fps:.1f} s",
        prompt=scene.prompt,
        camera=scene.camera if scene.camera == HOLD else f"{scene.camera} x {scene.speed:g}",
        length=scene.num_frames,
        arrow=(move.shift[0] + turn * move.turn[1], move.shift[1] - move.turn[0]),
        depth=move.shift[2],
        next="" if is_last else after.kind if after.kind == CUT else f"{after.kind} {after.frames}",
        picture=None if scene.picture is None or pictures is None else pictures[scene.picture - 1, ..., :3],
    )
