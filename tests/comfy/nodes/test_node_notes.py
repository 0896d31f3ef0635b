"""Texts under nodes, as the editor gets them over ComfyUI's websocket while a prompt runs."""

import asyncio
import struct

import aiohttp
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import graph

TEXT = 3  # ComfyUI's BinaryEventTypes.TEXT


def texts_of(server, prompt) -> dict[str, str]:
    """{node: text} of a prompt that is run to its end by a client of its own."""

    async def run():
        found = {}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{server.url}/ws?clientId=reader") as socket,
        ):
            answer = await session.post(
                f"{server.url}/prompt", json={"prompt": prompt, "client_id": "reader"}
            )
            assert answer.status == 200, await answer.text()
            async for message in socket:
                if message.type == aiohttp.WSMsgType.BINARY:
                    kind, length = struct.unpack(">II", message.data[:8])
                    if kind == TEXT:
                        found[message.data[8 : 8 + length].decode()] = message.data[8 + length :].decode()
                elif message.json()["type"] in ("execution_success", "execution_error"):
                    assert message.json()["type"] == "execution_success", message.json()
                    return found

    return asyncio.run(asyncio.wait_for(run(), timeout=300))


def test_odd_settings_are_said_under_the_node_that_has_them(comfy_server):
    prompt = graph(frames=1, beta_schedule="use existing")
    lora = {"motion_module": ["2", 0], "lora_name": "zoetrope_tiny_lora_ZoomIn.safetensors", "strength": 1.0}
    prompt["3"] = {"class_type": "ZoetropeLoadMotionLora", "inputs": lora}
    prompt["4"]["inputs"]["motion_module"] = ["3", 0]
    found = texts_of(comfy_server, prompt)
    assert set(found) == {"3", "4"}
    assert "was made for v2 and 'zoetrope_tiny_mm.safetensors' is v3" in found["3"]
    assert "sees one frame at a time" in found["4"]
    assert found["3"] in comfy_server.log_text() and found["4"] in comfy_server.log_text()


def test_a_schedule_that_a_node_behind_takes_away_is_said_under_apply_motion_module(comfy_server):
    inputs = {"model": ["4", 0], "sampling": "eps", "sigma_max": 120.0, "sigma_min": 0.002}
    found = texts_of(
        comfy_server, graph(extra={"class_type": "ModelSamplingContinuousEDM", "inputs": inputs})
    )
    assert set(found) == {"4"} and "has replaced the noise schedule" in found["4"]
    inputs = {"model": ["4", 0], "sampling": "lcm", "zsnr": False}
    assert (
        texts_of(comfy_server, graph(extra={"class_type": "ModelSamplingDiscrete", "inputs": inputs})) == {}
    )
