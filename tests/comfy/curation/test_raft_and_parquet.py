"""RAFT by torchvision's file as the measure of motion, and the Parquet table; both with what is installed."""

import shutil

import numpy as np
import pytest
import torch
from zoetrope.curation.export import COLUMNS
from zoetrope.curation.job import Job
from zoetrope.curation.measures.motion import raft_flow
from zoetrope.curation.rows import ERROR, read_rows
from zoetrope.curation.runner import Curation
from zoetrope.curation.settings import Captions, Clips, Export, Motion, Settings
from zoetrope.tests.places import ROOT

TRUTH = ROOT / "tests" / "data" / "curation"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """RAFT with random weights under torchvision's names, as its file is published."""
    from torchvision.models.optical_flow import raft_large

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("raft") / "raft_large_C_T_SKHT_V2-ff5fadd5.pth"
    torch.save(raft_large(weights=None).state_dict(), path)
    return path


def test_the_flow_is_what_torchvisions_network_gives(weights):
    from torchvision.models.optical_flow import raft_large

    network = raft_large(weights=None).eval()
    network.load_state_dict(torch.load(weights, weights_only=True))
    one, other = np.random.default_rng(0).integers(0, 255, (2, 128, 131, 3), np.uint8)
    padded = [np.pad(picture, ((0, 0), (0, 5), (0, 0)), mode="edge") for picture in (one, other)]
    tensors = [torch.from_numpy(picture).movedim(-1, 0)[None] / 127.5 - 1 for picture in padded]
    with torch.inference_mode():
        wanted = network(*tensors)[-1][0, :, :, :131]
    got = raft_flow(str(weights))(one, other)
    assert got.shape == (2, 128, 131)
    np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-4, atol=1e-3)


def curate(tmp_path, **sections):
    raw = tmp_path / "raw"
    raw.mkdir()
    shutil.copy(TRUTH / "vfr.mp4", raw / "\u732b.mp4")
    (raw / "\u732b.txt").write_text("a caf\u00e9", encoding="utf8")
    settings = Settings(clips=Clips(0.2, 0.0), **sections)
    return Curation(Job(raw, tmp_path / "set", settings)).run()


def test_motion_by_raft_is_a_score_of_clips(weights, tmp_path):
    motion = Motion("raft", pairs_per_second=0.5, side=128, weights=str(weights))
    finished = curate(tmp_path, motion=motion)
    rows = list(read_rows(tmp_path / "set" / "all.jsonl"))
    assert finished.counts.clips == len(rows) >= 1 and not any(ERROR in row for row in rows)
    assert all(row["motion"] > 0 and 0 <= row["moving"] <= 1 for row in rows)


def test_other_weights_in_rafts_file_are_refused(weights, tmp_path):
    other = tmp_path / weights.name
    torch.save({"feature_encoder.convnormrelu.0.weight": torch.zeros(3)}, other)
    with pytest.raises(ValueError, match="holds no weights of torchvision's raft_large"):
        raft_flow(str(other))
    other.write_bytes(b"not a pickle")
    with pytest.raises(ValueError, match="cannot be read as weights"):
        raft_flow(str(other))


def test_the_parquet_table_is_the_table_of_kept_clips(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    export = Export(formats=["pairs", "parquet"])
    finished = curate(tmp_path, motion=Motion("codec"), export=export, captions=Captions())
    kept = list(read_rows(finished.table))
    table = parquet.read_table(tmp_path / "set" / "clips.parquet")
    assert table.column_names == list(COLUMNS) and len(kept) == table.num_rows >= 1
    rows = table.to_pylist()
    assert rows == [{name: row.get(name) for name in COLUMNS} for row in kept]
    assert rows[0]["caption"] == "a caf\u00e9" and rows[0]["source"] == "\u732b.mp4"
    assert {str(field.type) for field in table.schema} == {"string", "int64", "double", "bool"}
    before = (tmp_path / "set" / "clips.parquet").read_bytes()
    Curation(Job(tmp_path / "raw", tmp_path / "set", Settings(
        clips=Clips(0.2, 0.0), motion=Motion("codec"), export=export))).run()  # fmt: skip
    assert (tmp_path / "set" / "clips.parquet").read_bytes() == before
