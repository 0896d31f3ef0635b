"""The parts of the training that are not the networks: optimiser, fast norm, the autoencoder's fixed half."""

import torch
from zoetrope.demo import networks, optimiser, world
from zoetrope.demo.fast_norm import speed_up


def test_orthogonalise_makes_singular_values_alike():
    matrices = torch.randn(2, 11, 29)
    for stack in (matrices, matrices.transpose(1, 2)):
        values = torch.linalg.svdvals(optimiser.orthogonalise(stack))
        assert values.min() > 0.5 and values.max() < 1.4


def test_optimiser_finds_a_matrix_and_a_vector_and_resumes():
    def run(parameters, steps, state=None):
        best = optimiser.MasterOptimiser(parameters.items(), (), ema=0.9)
        if state:
            best.load_state_dict(state)
        for _ in range(steps):
            loss = (parameters["w"] - goal).square().mean() + (parameters["b"] - 2).square().mean()
            loss.backward()
            best.step(0.05, decay=0.0)
        return float(loss.detach()), best.state_dict()

    def fresh():
        return {"w": torch.nn.Parameter(torch.zeros(5, 7)), "b": torch.nn.Parameter(torch.zeros(3))}

    goal = torch.randn(5, 7)
    first = float(goal.square().mean() + 4)
    once, all_at_once = run(fresh(), 60)
    assert once < 0.2 * first
    _, half = run(fresh(), 30)
    _, resumed = run(fresh(), 30, half)
    torch.testing.assert_close(resumed["master"], all_at_once["master"])


def test_optimiser_goes_on_from_a_state_that_knows_some_of_the_weights():
    parameters = {"known": torch.nn.Parameter(torch.ones(3, 2)), "new": torch.nn.Parameter(torch.ones(4))}
    best = optimiser.MasterOptimiser(parameters.items(), (), ema=0.9)
    best.load_state_dict(
        {"master": {"known": torch.full((3, 2), 5.0)}, "average": {"known": torch.full((3, 2), 4.0)}}
    )
    assert bool((parameters["known"] == 5).all()) and bool((parameters["new"] == 1).all())
    (parameters["known"].sum() + parameters["new"].sum()).backward()
    best.step(0.01)
    assert bool((best.average["known"] < 5).all()) and bool((best.average["new"] < 1).all())


def test_fast_norm_is_group_norm():
    norm = torch.nn.GroupNorm(4, 8).double()
    torch.nn.init.normal_(norm.weight)
    x = torch.randn(2, 8, 3, 7, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn_like(x)
    want = norm(x)
    want_grads = torch.autograd.grad(want, (x, norm.weight, norm.bias), upstream)
    got = speed_up(norm)(x)
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        torch.autograd.grad(got, (x, norm.weight, norm.bias), upstream), want_grads, atol=1e-5, rtol=1e-5
    )


def test_latents_hold_the_colours():
    frames = world.render_clip(world.scene_from_seed(5), 2)
    latents = networks.encode(frames)
    assert latents.shape == (2, 4, world.SIZE // 8, world.SIZE // 8)
    corner = latents[:, :3, 0, 0] / networks.LATENT_SCALE + 0.5
    torch.testing.assert_close(corner, frames[:, :, 0, 0])


def test_decoder_has_the_places_of_taesd():
    keys = networks.Decoder().taesd_state()
    assert {k.split(".")[0] for k in keys} == {"1", "3", "7", "8", "12", "13", "17", "18", "19"}
    assert keys["19.weight"].shape[0] == 3
