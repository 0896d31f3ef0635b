"""Sets of clips: folders with odd files, wired clips, means, pairs, and what is refused before work
starts.
"""

import os

import folder_paths
import pytest
import torch
from PIL import Image
from zoetrope.host.measuring import sets
from zoetrope.host.measuring.measure import Instruments
from zoetrope.host.measuring.networks import MetricNetwork
from zoetrope.host.measuring.sets import measure_sets
from zoetrope.host.measuring.video_sets import (
    SetSettings,
    list_sets,
    missing_set_message,
    set_below,
    set_of_clips,
    set_of_folder,
    set_state,
)
from zoetrope.metrics.networks.files import KINDS
from zoetrope.video_io.encode import encode_h264

HEIGHT, WIDTH = 32, 48
ALL = SetSettings(num_frames=0)


@pytest.fixture
def root(tmp_path, monkeypatch):
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(folder_paths, f"{name}_directory", str(tmp_path / name))
    return tmp_path


def frames(count, seed=0):
    return torch.rand(count, HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(seed))


def write(path, count, fps=8.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    encode_h264(list(frames(count, len(path.name))), str(path), fps)


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((frames(1)[0] * 255).byte().numpy()).save(path)


class Stand:
    """A network that keeps means: what is tested is which frames it gets, and how results are added up."""

    patcher = None

    def __init__(self, kind):
        self.kind, self.name, self.seen = KINDS[kind], f"{kind}.pth", []

    def __call__(self, values):
        self.seen.append(tuple(values.shape))
        if self.kind.name == "i3d":
            return values.mean((1, 2))[..., :2, :].flatten(1)
        rows = values.mean((1, 2))
        return rows, rows


def wired(counts, num_frames=0, seed=0):
    clips = [frames(count, seed + n) for n, count in enumerate(counts)]
    return set_of_clips(clips, SetSettings(num_frames), 0, 8.0)


def by_name(scores):
    return {(score.metric, score.of): score for score in scores}


def test_a_folder_gives_its_videos_in_order_and_says_what_it_leaves_out(root):
    folder = root / "input" / "a cat's 视频"
    write(folder / "b10.mp4", 5)
    write(folder / "b9.mp4", 7, fps=12.0)
    picture(folder / "cover.png")
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.mp4").write_bytes(b"")
    video_set, told = set_of_folder("a cat's 视频", SetSettings(num_frames=4))
    clips = list(video_set.clips())
    assert [clip.name for clip in clips] == ["'b9.mp4'", "'b10.mp4'"] and [c.fps for c in clips] == [
        12.0,
        8.0,
    ]
    assert all(clip.frames.shape == (4, HEIGHT, WIDTH, 3) for clip in clips)
    assert told == "2 videos; 1 pictures beside them are not measured" and len(video_set) == 2
    with pytest.raises(ValueError, match="'b10.mp4' has 5 frames, fewer than num_frames=6; lower num_frames"):
        list(set_of_folder("a cat's 视频", SetSettings(num_frames=6))[0].clips())


def test_pictures_are_clips_of_one_frame(root):
    for number in range(3):
        picture(root / "output" / "made" / f"{number}.png")
    video_set, told = set_of_folder("made [output]", SetSettings(num_frames=16))
    assert told == "3 pictures" and [len(clip.frames) for clip in video_set.clips()] == [1, 1, 1]
    inception = Stand("inception")
    scores = measure_sets(video_set, video_set, "", Instruments(inception=inception))
    assert {score.metric for score in scores} == {"fid", "inception_score"}
    assert inception.seen == [(3, HEIGHT, WIDTH, 3)] * 2, "pictures come together"


def test_frames_of_other_sizes_are_not_mixed():
    inception = Stand("inception")
    clips = [frames(3), frames(2), frames(2)[:, :16], frames(9)]
    (score,) = measure_sets(
        set_of_clips(clips, ALL, 0, 0.0), None, "inception_score", Instruments(inception=inception)
    )
    assert [shape[:2] for shape in inception.seen] == [(5, HEIGHT), (2, 16), (8, HEIGHT), (1, HEIGHT)]
    assert score.protocol.n == (16,) and "2 to 9 frames of each" in str(score.protocol)


def test_folders_are_listed_and_watched(root):
    write(root / "input" / "real" / "deep" / "a.mp4", 2)
    picture(root / "output" / "made" / "1.png")
    (root / "input" / "empty").mkdir()
    assert list_sets() == ["real/deep", "made [output]"]
    assert missing_set_message("real/deep") == missing_set_message(None) == ""
    for wrong in ("nowhere", "../output/made", "made", "real/deep/a.mp4", ""):
        assert "is no folder of ComfyUI's input folder" in missing_set_message(wrong) or wrong == ""
    before = set_state("real/deep")
    write(root / "input" / "real" / "deep" / "b.mp4", 3)
    assert set_state("real/deep") != before and set_state(None) == ""
    with pytest.raises(ValueError, match="'empty' has neither videos nor pictures"):
        set_of_folder("empty", ALL)


def test_damage_is_told_with_the_name(root):
    write(root / "input" / "x" / "a.mp4", 3)
    (root / "input" / "x" / "b\n.mp4").write_bytes(b"not a video")
    with pytest.raises(ValueError, match=r"^'b\\n.mp4' cannot be read as a video"):
        list(set_of_folder("x", SetSettings(2))[0].clips())


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_closed_folder_is_told(root):
    (root / "input" / "x").mkdir(mode=0)
    with pytest.raises(ValueError, match="the folder 'x' cannot be read"):
        set_below(root / "input" / "x", ALL)


def test_a_batch_of_several_videos_is_cut():
    video_set = set_of_clips([frames(6), frames(3)], ALL, 3, 8.0)
    assert [len(clip.frames) for clip in video_set.clips()] == [3, 3, 3]
    with pytest.raises(
        ValueError, match="clip 1 has 5 frames, no whole number of videos of frames_per_video=3"
    ):
        set_of_clips([frames(5)], ALL, 3, 0.0)


def test_means_over_clips_and_distances_of_sets():
    a, b = wired([9, 9, 9]), wired([9, 9], seed=10)
    stands = {"inception": Stand("inception"), "i3d": Stand("i3d")}
    scores = by_name(measure_sets(a, b, "fvd, fid, inception_score, flicker", Instruments(**stands)))
    both = {(name, of) for name in ("inception_score", "flicker") for of in "ab"}
    assert set(scores) == {("fvd", "a, b"), ("fid", "a, b")} | both
    fvd, fid, steady = scores["fvd", "a, b"], scores["fid", "a, b"], scores["flicker", "a"]
    assert fvd.protocol.n == (3, 2) and fid.protocol.n == (27, 18) and steady.protocol.n == (3,)
    assert "9 frames of each" in str(fvd.protocol) and fvd.protocol.fps == 8.0 and len(fvd.warnings) == 2
    assert steady.spread is not None and "9 frames of each clip" in str(steady.protocol)
    assert stands["i3d"].seen == [(1, 9, HEIGHT, WIDTH, 3)] * 5
    assert [shape[0] for shape in stands["inception"].seen] == [8, 1] * 5
    same = by_name(measure_sets(a, a, "fid", Instruments(**stands)))
    assert same["fid", "a, b"].value == pytest.approx(0, abs=1e-12)


def test_pairs_go_in_order():
    a = wired([3, 4])
    (score,) = measure_sets(a, a, "ssim", Instruments())
    assert (score.value, score.of, score.protocol.n) == (1.0, "a, b", (2,))
    with pytest.raises(
        ValueError, match="ssim compares the clips of both sets in their order; set a has 2, set b 1"
    ):
        measure_sets(a, wired([3]), "ssim", Instruments())
    with pytest.raises(
        ValueError, match="clip 2 of the wired clips and clip 2 .*: ssim compares frame by frame"
    ):
        measure_sets(a, wired([3, 5]), "ssim", Instruments())
    names = {score.metric for score in measure_sets(a, a, "", Instruments())}
    assert names == {"flicker"}, "clips of two sets are pairs only where that is asked for"
    names = {score.metric for score in measure_sets(wired([3]), wired([3]), "", Instruments())}
    assert names == {"flicker", "psnr", "ssim"}, "or where each set has one"


def test_what_cannot_be_compared_is_refused_before_any_work():
    i3d = Stand("i3d")
    with pytest.raises(ValueError, match="fvd needs at least 2 videos in each set, set b has 1; add more"):
        measure_sets(wired([9, 9]), wired([9]), "fvd", Instruments(i3d=i3d))
    with pytest.raises(ValueError, match="metrics: fvd measures two sets; wire set b too"):
        measure_sets(wired([9, 9]), None, "fvd", Instruments(i3d=i3d))
    with pytest.raises(ValueError, match="metrics: fvd needs the I3D network of FVD; wire i3d"):
        measure_sets(wired([9, 9]), wired([9, 9]), "fvd", Instruments())
    assert i3d.seen == []
    with pytest.raises(ValueError, match="in set a clip 1 .* has 9 frames and clip 2 .* 10: set num_frames"):
        measure_sets(wired([9, 10]), wired([9, 9]), "fvd", Instruments(i3d=i3d))


def test_a_frame_that_is_not_finite_is_named():
    bad = frames(9)
    bad[4, 0, 0, 0] = torch.inf
    video_set = set_of_clips([frames(9), bad], ALL, 0, 0.0)
    with pytest.raises(ValueError, match="clip 2 of the wired clips: frame 4 of the clip holds numbers"):
        measure_sets(video_set, video_set, "fvd", Instruments(i3d=Stand("i3d")))


def test_a_cancelled_run_ends_between_clips(monkeypatch):
    class Cancelled(Exception):
        pass

    def stop():
        raise Cancelled

    monkeypatch.setattr("zoetrope.host.measuring.video_sets.stop", stop)
    with pytest.raises(Cancelled):
        measure_sets(wired([3]), None, "flicker", Instruments())


def test_warnings_of_many_clips_are_cut():
    clips = [
        sets.Score("flicker", 1.0, sets.Clip(frames(2)).protocol(), warnings=(f"{n}.",)) for n in range(9)
    ]
    assert sets.mean_score("flicker", clips, "a").warnings[-1] == "5 more warnings of single clips."
    assert MetricNetwork.__doc__


def test_clips_of_several_rates_are_told():
    rates = [sets.Score("x", 1.0, sets.Clip(frames(2)).protocol(fps=fps)) for fps in (8.0, 12.0)]
    assert str(sets.mean_score("x", rates, "a").protocol).startswith(
        "2 frames of each clip, at several frame"
    )
    with pytest.raises(ValueError, match="nothing can be measured with what is wired"):
        measure_sets(wired([1]), wired([1, 1]), "", Instruments())
