"""A workflow names a cluster only where the person who runs ComfyUI has written its address down."""

import pytest
from zoetrope.host.cluster import allowed_clusters
from zoetrope.host.cluster.allowed_clusters import FILE, address_message
from zoetrope.host.cluster.pools import WorkerSettings
from zoetrope.host.files.owner_settings import settings_file

ADDRESS = "10.0.0.1:6379"


@pytest.fixture
def allow(comfy_base):
    def write(data):
        settings_file(FILE).parent.mkdir(parents=True, exist_ok=True)
        settings_file(FILE).write_bytes(data)

    yield write
    settings_file(FILE).unlink(missing_ok=True)


@pytest.mark.parametrize("address", [ADDRESS, "ray://10.0.0.1:10001", "localhost:6379", "LOCAL", "a\nb:1"])
def test_no_other_machine_is_asked_at_first(comfy_base, address):
    with pytest.raises(ValueError, match="is not a cluster that may be used.*allowed_clusters.txt"):
        WorkerSettings("Ray", 2, address)


@pytest.mark.parametrize("address", ["local", " auto ", "", None])
def test_this_machine_is_allowed(comfy_base, address):
    assert address_message(address) == ""


def test_processes_need_no_address(comfy_base):
    assert WorkerSettings("processes", 2, ADDRESS).workers == 2


def test_what_is_written_down_is_allowed_as_it_stands_there(allow):
    allow(f"# ours\r\n  {ADDRESS} \r\n\r\n#ray://10.0.0.1:10001".encode("utf-8-sig"))
    assert WorkerSettings("Ray", 2, f" {ADDRESS}").address.strip() == ADDRESS
    assert all(map(address_message, ("ray://10.0.0.1:10001", "10.0.0.1:63790", "0.0.0.1:6379", "# ours")))


def test_a_file_that_is_no_text_allows_nothing(allow):
    allow(b"\xff\xfe\x00" + ADDRESS.encode())
    assert "cannot be read" in address_message(ADDRESS)
    assert address_message(allowed_clusters.LOCAL) == ""
