"""Latents decoded a chunk at a time are the frames of one decode, for image VAEs, SVD's decoder and video
VAEs, in both directions.
"""

import pytest
import torch
from zoetrope.host.media.latent_stream import ChunkRequest, LatentStream, looks_at_neighbours
from zoetrope.tests.comfy.host.media.small_vaes import image_vae, svd_vae, wan_vae
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.rounding import assert_same
from zoetrope.video_io.frame_size import Size


@pytest.fixture(autouse=True)
def as_comfyui_runs_nodes():
    with torch.inference_mode():
        yield


def decoded(vae, samples, backward=False, **wanted):
    return torch.stack(
        [frame for frame, _ in LatentStream(vae, samples, ChunkRequest(**wanted)).frames(backward)]
    )


@pytest.mark.parametrize("chunk", [1, 3, 7, 50])
def test_frames_one_by_one_are_those_of_one_decode(chunk):
    vae, samples = image_vae(), gold_input("samples", (7, 4, 5, 3))
    stream = LatentStream(vae, samples, ChunkRequest(chunk))
    assert (stream.count, stream.size) == (7, Size(24, 40))
    assert_same(decoded(vae, samples, chunk_frames=chunk), vae.decode(samples))


def test_no_more_than_a_chunk_is_decoded_ahead(monkeypatch):
    vae, seen = image_vae(), []
    decode = vae.decode
    monkeypatch.setattr(vae, "decode", lambda latents: seen.append(len(latents)) or decode(latents))
    frames = LatentStream(vae, gold_input("samples", (7, 4, 5, 3)), ChunkRequest(3)).frames()
    for expected in ([3], [3], [3], [3, 3], [3, 3], [3, 3], [3, 3, 1]):
        next(frames)
        assert seen == expected


def test_svd_frames_look_at_their_neighbours_across_chunks():
    vae, samples = svd_vae(), gold_input("samples", (12, 4, 3, 2))
    assert looks_at_neighbours(vae) and not looks_at_neighbours(image_vae())
    whole = vae.decode(samples)
    alone = (decoded(vae, samples, chunk_frames=4, chunk_overlap=0) - whole).abs().amax((1, 2, 3))
    around = (decoded(vae, samples, chunk_frames=4, chunk_overlap=4) - whole).abs().amax((1, 2, 3))
    assert alone[3:5].min() > 0.02
    assert around.mean() < 0.7 * alone.mean()  # drawn weights look much further than trained ones
    assert_same(decoded(vae, samples, chunk_frames=4, chunk_overlap=12), whole)


def test_video_vaes_get_latents_around_a_chunk():
    vae, samples = wan_vae(), gold_input("samples", (1, 16, 7, 3, 2))
    whole = vae.decode(samples)[0]
    stream = LatentStream(vae, samples, ChunkRequest(2))
    assert (stream.count, stream.size, len(whole)) == (25, Size(16, 24), 25)
    assert_same(decoded(vae, samples, chunk_frames=2, chunk_overlap=7), whole)
    alone, around = (
        (decoded(vae, samples, chunk_frames=2, chunk_overlap=o) - whole).abs().mean((1, 2, 3)) for o in (0, 3)
    )
    assert alone[5:].max() > 0.01
    assert around.mean() < 0.7 * alone.mean()


@pytest.mark.parametrize(
    ("vae", "shape"),
    [
        (image_vae, (7, 4, 5, 3)),
        (svd_vae, (7, 4, 3, 2)),
        (wan_vae, (1, 16, 5, 2, 2)),
        (wan_vae, (2, 16, 3, 2, 2)),
    ],
)
def test_backward_is_the_same_from_the_end(vae, shape):
    samples = gold_input("samples", shape)
    forward = decoded(vae(), samples, chunk_frames=3, chunk_overlap=3)
    torch.testing.assert_close(
        decoded(vae(), samples, True, chunk_frames=3, chunk_overlap=3), forward.flip(0)
    )


def test_several_videos_follow_each_other():
    vae, samples = wan_vae(), gold_input("samples", (2, 16, 3, 2, 2))
    expected = torch.cat([vae.decode(samples[i : i + 1])[0] for i in range(2)])
    assert_same(decoded(vae, samples, chunk_frames=3), expected)


def test_an_image_vae_takes_the_frames_of_video_latents():
    vae, samples = image_vae(), gold_input("samples", (1, 4, 5, 3, 2))
    assert_same(decoded(vae, samples, chunk_frames=2), vae.decode(samples[0].movedim(1, 0)))


def test_tiles():
    vae, samples = image_vae(), gold_input("samples", (2, 4, 17, 19))
    assert_same(decoded(vae, samples, tile_size=64), vae.decode_tiled(samples, tile_x=8, tile_y=8, overlap=1))
    assert not torch.equal(decoded(vae, samples, tile_size=64), vae.decode(samples))


@pytest.mark.parametrize(
    ("vae", "shape"), [(image_vae, (2, 16, 5, 3)), (wan_vae, (7, 16, 5, 3)), (wan_vae, (1, 4, 2, 5, 3))]
)
def test_latents_of_another_model_are_refused(vae, shape):
    with pytest.raises(ValueError, match="do not fit this VAE, .*load the VAE of the model"):
        LatentStream(vae(), torch.zeros(shape), ChunkRequest())


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"chunk_frames": 0}, "chunk_frames=0"),
        ({"chunk_overlap": -1}, "chunk_overlap=-1"),
        ({"tile_size": 9}, "tile_size=9"),
    ],
)
def test_impossible_chunks_are_refused(wanted, message):
    with pytest.raises(ValueError, match=message):
        ChunkRequest(**wanted)
