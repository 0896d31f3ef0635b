"""Votes over HTTP: the routes of the page, and the nodes that read them, in a running ComfyUI."""

import io
import json
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import pytest
from PIL import Image
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy.nodes.metrics.test_metric_nodes import node
from zoetrope.tests.comfy.nodes.test_paths import EVIL

KEPT = ("keep25", "keep50", "keep100")


@pytest.fixture(scope="module")
def server(comfy_server):
    """A server with three folders of six clips each."""
    for kept in KEPT:
        folder = comfy_server.base / "output" / "subsets" / kept
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(6):
            (folder / f"{number}.mp4").write_bytes(b"x")
    return comfy_server


@pytest.fixture
def name(server):
    """Votes of which the file is gone after the test."""
    yield "people"
    (server.base / "output" / "votes" / "people.jsonl").unlink(missing_ok=True)


def ask(server, path="", body=None):
    """(status, answer) of a route of the page."""
    try:
        return 200, server.request(f"/api/zoetrope/votes{path}", body)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def begin(server, name):
    candidates = [f"subsets/{kept} [output]" for kept in KEPT]
    return ask(server, f"/{name}/begin", {"candidates": candidates, "seed": 3})


def judge(server, name, winner_of):
    """Judges all pairs; winner_of: (round, left, right) -> winner."""
    _, state = ask(server, f"/{name}")
    while state["pair"]:
        pair = {key: state["pair"][key] for key in ("file", "left", "right")}
        winner = winner_of(state["done"], pair["left"], pair["right"])
        status, state = ask(server, f"/{name}/vote", {**pair, "winner": winner})
        assert status == 200, state
    return state


def mostly_keep50(done, left, right):
    """keep50 wins three of four times, a tie stands between the others."""
    if "keep50" not in left + right:
        return "tie"
    return (
        ("left" if "keep50" in left else "right") if done % 4 else ("right" if "keep50" in left else "left")
    )


def test_votes_become_ratings_and_a_threshold(server, name):
    assert set(ask(server)[1]["folders"]) >= {f"subsets/{kept} [output]" for kept in KEPT}
    status, state = begin(server, name)
    assert status == 200 and state["total"] == 18 and state["pair"]["clips"][0]["type"] == "output"
    end = judge(server, name, mostly_keep50)
    assert (end["done"], end["votes"], end["pair"]) == (18, 18, None)
    found = ask(server, f"/{name}/ratings")[1]
    assert [row["candidate"] for row in found["ratings"]] == end["candidates"] and found["counted"] == 18
    graph = {
        "rate": node("ZoetropeRateCandidates", votes=name, elo_k=4.0, width=800),
        "choose": node(
            "ZoetropeChooseThreshold", ratings=["rate", 2], between_equals="highest rating", shares=""
        ),
        "show": node("PreviewImage", images=["rate", 0]),
        "number": node("PreviewAny", source=["choose", 0]),
    }
    outputs = server.prompt(graph)["outputs"]
    first, best, *_ = outputs["rate"]["text"][0].split("\n")
    assert first.startswith("18 votes;") and best.startswith("subsets/keep50 [output]: Bradley-Terry 1")
    assert outputs["number"]["text"] == ["50.0"]
    assert outputs["choose"]["text"][0].startswith("50 % (subsets/keep50 [output])")
    (file,) = outputs["show"]["images"]
    picture = np.asarray(Image.open(io.BytesIO(server.view(file))).convert("RGB"))
    assert picture.shape[1] == 800 and picture.std() > 10
    ask(server, f"/{name}/back", {})
    assert server.prompt(graph)["outputs"]["rate"]["text"][0].startswith("17 votes;"), "the file has changed"


def test_a_vote_outlives_the_server_that_took_it(server, name):
    begin(server, name)
    _, state = ask(server, f"/{name}")
    pair = {key: state["pair"][key] for key in ("file", "left", "right")}
    ask(server, f"/{name}/vote", {**pair, "winner": "tie"})
    file = server.base / "output" / "votes" / f"{name}.jsonl"
    with file.open("ab") as torn:
        torn.write(b'{"file": "2.mp4", "le')
    assert ask(server, f"/{name}")[1]["votes"] == 1
    status, state = ask(server, f"/{name}/vote", {**pair, "winner": "left"})
    assert status == 409 and "judged already" in state["error"]
    assert judge(server, name, mostly_keep50)["votes"] == 18


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/nothing", None, 400, "'nothing' was not found in output/votes"),
        ("/nothing/ratings", None, 400, "'nothing' was not found"),
        ("/x/begin", {"candidates": ["../models", "subsets/keep25 [output]"]}, 400, "is no folder below"),
        ("/x/begin", {"candidates": "ab"}, 400, "candidates must be a list of folders"),
        ("/x/begin", {"candidates": [], "seed": 1.5}, 400, "seed must be a whole number"),
        ("/x/begin", {"candidates": []}, 400, "0 folders give no pair"),
        ("/x/begin", [1], 400, "the body must be a JSON object"),
        ("/x/vote", {"file": 1}, 400, "file must be a text"),
        ("/..%2Fx/begin", {"candidates": []}, 400, "must be a single name"),
    ],
)  # fmt: skip
def test_what_a_route_does_not_take_is_told(server, path, body, status, told):
    found, answer = ask(server, path, body)
    assert found == status and told in answer["error"]
    assert not (server.base / "output" / "votes" / "x.jsonl").exists()


@pytest.mark.parametrize("evil", EVIL)
def test_no_route_tells_of_what_lies_elsewhere(server, evil):
    quoted = urllib.parse.quote(evil, safe="")
    for path in (f"/{quoted}", f"/{quoted}/ratings"):
        status, answer = ask(server, path)
        assert status == 400 and set(answer) == {"error"}
    status, answer = ask(server, "/x/begin", {"candidates": [evil, "subsets/keep25 [output]"]})
    assert status == 400 and "is no folder below" in answer["error"]


def test_a_form_of_another_site_is_refused(server, name):
    begin(server, name)
    body = json.dumps({}).encode()
    headers = {"Content-Type": "text/plain"}
    request = urllib.request.Request(f"{server.url}/zoetrope/votes/{name}/back", body, headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        server._open(request)
    assert refused.value.code == 400 and b"application/json" in refused.value.read()


@pytest.mark.parametrize("evil", [*EVIL, "nothing"])
def test_the_node_takes_no_other_file(server, evil):
    graph = {"rate": node("ZoetropeRateCandidates", votes=evil, elo_k=4.0, width=800)}
    with pytest.raises(ComfyError) as refused:
        server.prompt(graph)
    (told,) = refused.value.details["node_errors"]["rate"]["errors"]
    assert told["type"] in ("custom_validation_failed", "value_not_in_list")


@pytest.mark.parametrize(
    ("winner", "shares", "told"),
    [("skip", "", "there is no vote that counts yet"), ("left", "25, 50", "shares has 2 numbers for 3")],
)
def test_what_cannot_be_rated_or_chosen_is_told(server, name, winner, shares, told):
    begin(server, name)
    judge(server, name, lambda *_: winner)
    graph = {
        "rate": node("ZoetropeRateCandidates", votes=name, elo_k=4.0, width=800),
        "choose": node(
            "ZoetropeChooseThreshold", ratings=["rate", 2], between_equals="most data", shares=shares
        ),
    }
    with pytest.raises(ComfyError) as refused:
        server.prompt(graph)
    assert told in refused.value.details["exception_message"]
