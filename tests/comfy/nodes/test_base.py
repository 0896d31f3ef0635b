"""The base class of the nodes, through ComfyUI's own machinery:
clones, async, lists, hidden inputs, and errors it can print.
"""

import asyncio
import inspect
import traceback

import comfy.model_management
import execution
import pytest
import torch
from comfy_api.internal import first_real_override
from comfy_api.latest import io
from zoetrope.nodes.animatediff import LoadMotionModule
from zoetrope.nodes.base import ZoetropeNode

BAD = b"bad\xff\n.ckpt".decode("utf8", "surrogateescape")


def schema(**options):
    return io.Schema(
        node_id="ZoetropeTest",
        inputs=[io.Int.Input("times", min=1, max=7)],
        outputs=[io.Int.Output()],
        **options,
    )


class Doubling(ZoetropeNode):
    @classmethod
    def define_schema(cls):
        return schema(hidden=[io.Hidden.unique_id])

    @classmethod
    def execute(cls, times, **more):
        return io.NodeOutput(2 * times, cls.hidden.unique_id)

    @classmethod
    def validate_inputs(cls, times):
        raise OSError(f"cannot open {BAD}")

    @classmethod
    def fingerprint_inputs(cls, **inputs):
        raise KeyError(BAD)


class Later(ZoetropeNode):
    @classmethod
    def define_schema(cls):
        return schema()

    @classmethod
    async def execute(cls, times):
        await asyncio.sleep(0)
        if times == 7:
            raise OSError(f"cannot open {BAD}")
        return io.NodeOutput(2 * times)


class Listed(ZoetropeNode):
    @classmethod
    def define_schema(cls):
        return schema(is_input_list=True)

    @classmethod
    def execute(cls, times):
        return io.NodeOutput(sum(times))


def run(node, function="EXECUTE_NORMALIZED", **inputs):
    """As execution.py runs a node: through a locked clone of its class."""

    async def whole():
        results = await execution._async_map_node_over_list("prompt", "7", node(), inputs, function, v3_data={
            "hidden_inputs": {io.Hidden.unique_id: "7"}, "dynamic_paths": {},
        })  # fmt: skip
        return await execution.resolve_map_node_over_list_results(results)

    node.GET_SCHEMA()
    return asyncio.run(whole())


def test_nodes_run_as_clones_async_and_with_lists():
    assert [result.args for result in run(Doubling, times=[1, 3])] == [(2, "7"), (6, "7")]
    assert [result.args for result in run(Later, "EXECUTE_NORMALIZED_ASYNC", times=[2])] == [(4,)]
    assert [result.args for result in run(Listed, times=[1, 3, 7])] == [(11,)]
    for node in (Doubling, Listed):
        with pytest.raises(ValueError, match="times=8 must be 1 to 7; lower it"):
            run(node, times=[1, 8])


def test_comfyui_sees_the_names_that_a_method_has():
    """It checks every input that validate_inputs does not name."""
    for node, names in ((LoadMotionModule, ["cls", "motion_module"]), (Doubling, ["cls", "times"])):
        spec = inspect.getfullargspec(first_real_override(node, "validate_inputs"))
        assert (spec.args, spec.varkw) == (names, None)
    assert (
        first_real_override(Later, "validate_inputs") is None
        and first_real_override(Later, "check_lazy_status") is None
    )
    assert Later.FUNCTION == "EXECUTE_NORMALIZED_ASYNC"
    with pytest.raises(TypeError, match="times"):
        Doubling.execute()


@pytest.mark.parametrize("call, kind", [
    (lambda: Doubling.validate_inputs(3), OSError), (lambda: Doubling.fingerprint_inputs(times=3), KeyError),
    (lambda: asyncio.run(Later.execute(7)), OSError),
])  # fmt: skip
def test_a_name_that_cannot_be_printed_is_an_escape(call, kind):
    with pytest.raises(kind) as error:
        call()
    whole = "".join(traceback.format_exception(error.value))
    assert "bad\\udcff" in whole and whole.encode("utf8")
    assert error.traceback[-1].frame.code.raw.co_name in ("validate_inputs", "fingerprint_inputs", "execute")


def raised_by(make):
    """What comes out of a node whose execute raises what `make` raises."""

    class Failing(ZoetropeNode):
        @classmethod
        def define_schema(cls):
            return schema()

        @classmethod
        def execute(cls, times):
            make()

    with pytest.raises(BaseException) as error:
        Failing.execute(1)
    return error.value


def chained(error, cause):
    def make():
        try:
            raise cause
        except Exception as inner:
            raise error from inner

    return make


class TwoTexts(ValueError):
    def __init__(self, one, two):
        super().__init__(one + two)


def test_only_what_cannot_be_printed_is_changed():
    fine, cause = ValueError("视频.ckpt is damaged"), OSError("really")
    assert raised_by(chained(fine, cause)) is fine and fine.__cause__ is cause
    stopped = comfy.model_management.InterruptProcessingException()
    assert raised_by(chained(stopped, cause)) is stopped and stopped.__cause__ is cause
    full = torch.OutOfMemoryError("no memory")
    assert raised_by(chained(full, OSError(BAD))) is full
    assert "\udcff" not in "".join(traceback.format_exception(full))
    noted = ValueError("fine")
    noted.add_note(BAD)
    assert str(raised_by(chained(noted, cause))) == "fine"
    for error, kind in (
        (TwoTexts(BAD, ""), ValueError),
        (UnicodeError(BAD), UnicodeError),
        (ArithmeticError(BAD), ArithmeticError),
    ):
        told = raised_by(chained(error, OSError(BAD)))
        assert type(told) is kind and "bad\\udcff" in str(told)
        assert "".join(traceback.format_exception(told)).encode("utf8")
