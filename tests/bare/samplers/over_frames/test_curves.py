"""Rules for every curve between keys, loops, and what prompts and values make of them."""

import pytest
from zoetrope import memory
from zoetrope.samplers.over_frames.curves import CURVES, EVOLVED, Key, between_keys
from zoetrope.samplers.over_frames.prompts import FIZZNODES, PromptSettings, prompt_plan
from zoetrope.samplers.over_frames.values import VALUE_CURVES, ValueSettings, schedule_values

F = 13
every_curve = pytest.mark.parametrize("curve", CURVES)


def weights(keys, curve="linear", loop=False, num_frames=F):
    """For each frame {key: weight}."""
    places = between_keys([Key(*key) for key in keys], num_frames, curve, loop)
    return [{p.before: 1 - p.weight} | ({p.after: p.weight} if p.weight else {}) for p in places]


@every_curve
@pytest.mark.parametrize("loop", [False, True])
def test_each_key_has_its_frame_for_itself_and_no_other_takes_part(curve, loop):
    told = weights([(2,), (5,), (11,)], curve, loop)
    assert [told[frame] for frame in (2, 5, 11)] == [{0: 1}, {1: 1}, {2: 1}]
    assert all(sum(frame.values()) == pytest.approx(1) for frame in told)
    assert all(set(told[frame]) <= {1, 2} for frame in range(5, 12))
    assert all(0 <= weight <= 1 for frame in told for weight in frame.values())


@every_curve
def test_before_the_first_key_and_after_the_last_there_is_only_that_one(curve):
    told = weights([(2,), (5,)], curve)
    assert told[:3] == [{0: 1}] * 3
    assert told[5:] == [{1: 1}] * 8


@every_curve
def test_a_loop_goes_on_from_the_last_key_to_the_first(curve):
    """Turned by any number of frames it is the same: no frame is a seam."""
    told = weights([(0,), (4,), (10,)], curve, loop=True)
    turned = weights([(1,), (5,), (11,)], curve, loop=True)
    assert turned[1:] + turned[:1] == told
    at_end = weights([(0,), (4,), (10,)], curve)[-1]
    assert (told[-1] == at_end) == (curve == "hold")


def test_curves_by_hand():
    def of_next(curve, **more):
        return [round(frame.get(1, 0), 6) for frame in weights([(0,), (4,)], curve, num_frames=5, **more)]

    assert of_next("linear") == [0, 0.25, 0.5, 0.75, 1]
    assert of_next("ease") == [0, 0.15625, 0.5, 0.84375, 1]
    assert of_next("hold") == [0, 0, 0, 0, 1]
    assert of_next(EVOLVED) == [0, 0.25, 0.625, 0.90625, 1]
    assert [frame.get(0, 0) for frame in weights([(1,), (3,)], loop=True, num_frames=5)] == [
        pytest.approx(2 / 3), 1, 0.5, 0, pytest.approx(1 / 3)]  # fmt: skip


def test_a_key_that_holds_does_not_blend_into_the_next():
    assert weights([(0, True), (2,), (4,)], num_frames=5) == [
        {0: 1},
        {0: 1},
        {1: 1},
        {1: 0.5, 2: 0.5},
        {2: 1},
    ]


@pytest.mark.parametrize("loop", [False, True])
def test_one_key_is_all_of_the_video(loop):
    assert weights([(3,)], loop=loop) == [{0: 1}] * F


def test_a_loop_refuses_keys_behind_its_end():
    with pytest.raises(ValueError, match="text, line 1, column 18: frame 13 is behind the end of the loop"):
        prompt_plan(PromptSettings('"0": "a", "13": "b"', num_frames=F, loop=True))
    with pytest.raises(ValueError, match="frame 13 is behind the end of the loop, whose last frame is 12"):
        schedule_values(ValueSettings("0: 1, max_f: 2", F, loop=True))


@pytest.mark.parametrize("curve", VALUE_CURVES)
def test_values_go_the_way_of_the_weights(curve):
    values = schedule_values(ValueSettings("0: 2, 4: 10", 5, curve))
    told = weights([(0,), (4,)], curve, num_frames=5)
    assert values == pytest.approx([2 * frame.get(0, 0) + 10 * frame.get(1, 0) for frame in told])
    assert schedule_values(ValueSettings("1: 0, 3: 6", 5, loop=True)) == pytest.approx([2, 0, 3, 6, 4])


def test_an_expression_is_in_force_up_to_the_next_key_and_a_number_goes_towards_it():
    assert schedule_values(ValueSettings("0:(t*2), 3:(1), 5:(t)", 7)) == [0, 2, 4, 1, 3, 5, 6]


def test_max_f_is_the_number_of_frames_or_as_fizznodes_the_last_one():
    assert schedule_values(ValueSettings("0:(max_f)", 3)) == [3, 3, 3]
    assert schedule_values(ValueSettings("0:(max_f)", 3, read_as=FIZZNODES)) == [2, 2, 2]


def test_texts_around_and_negative_parts_of_all_three():
    settings = PromptSettings(
        '"0": "a --neg x", "2": "b"', "pre `t` --neg u,", "app`pw_a` --neg `t`", 3, pw_a=(0.5, 1, 0.0000001)
    )
    plan = prompt_plan(settings)
    assert [(mix.text, mix.next_text, mix.weight) for mix in plan.positive] == [
        ("pre 0 a app0.5", "pre 0 b app0.5", 0),
        ("pre 1 a app1", "pre 1 b app1", 0.5),
        ("pre 2 b app0", "pre 2 b app0", 0),
    ]
    assert [mix.text for mix in plan.negative] == ["u, x 0", "u, x 1", "u, 2"]
    assert plan.weights == [(0, "a --neg x", [1, 0.5, 0]), (2, "b", [0, 0.5, 1])]
    with pytest.raises(ValueError, match="app_text, line 1, column 3: this backtick has no partner"):
        prompt_plan(PromptSettings('"0": "a"', app_text="a `t"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"curve": "round"}, "curve='round' must be one of linear, ease, hold"),
        ({"read_as": "Deforum"}, "read_as='Deforum' must be one of Zoetrope, FizzNodes"),
        ({"num_frames": 0}, "num_frames=0 must be at least 1"),
        ({"pw_b": (1.0, 2.0)}, "pw_b holds 2 numbers for 16 frames; wire one for each frame"),
    ],
)
def test_bad_settings_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        PromptSettings('"0": "a"', **changes)


def test_memory_is_asked_before_the_weights_of_thousands_of_prompts(monkeypatch):
    text = ",".join(f'{frame}: "a"' for frame in range(1000))
    monkeypatch.setattr(memory, "free_memory", lambda: 1 << 20)
    with pytest.raises(ValueError, match="weights of 1000 prompts over 65536 frames need .* write fewer"):
        prompt_plan(PromptSettings(text, num_frames=65536))


def test_pooled_outputs_are_mixed_or_whole_as_the_peers_take_them():
    def pooled(**settings):
        plan = prompt_plan(PromptSettings('"0": "a", "2": "b"', num_frames=3, **settings))
        return [mix.pooled_weight for mix in plan.positive]

    assert pooled() == [0, 0.5, 0]
    assert pooled(curve=EVOLVED) == [0, 1, 0]
    assert pooled(read_as=FIZZNODES) == [1, 1, 1]
