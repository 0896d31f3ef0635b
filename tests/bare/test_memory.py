"""What is free, in a container too: files as the kernel writes them, numbers counted by hand."""

import sys

import psutil
import pytest
from zoetrope.memory import check_memory, container_memory, free_memory

MIB = 2**20


def group(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(f"{text}\n")


def left(tmp_path, lines):
    (tmp_path / "cgroup").write_text("\n".join(lines) + "\n")
    return list(container_memory(tmp_path / "cgroup", tmp_path / "fs"))


def test_version_2(tmp_path):
    """A slice of 1000 MiB around a container of 700 MiB of which 300 are taken, 40 of those by files."""
    stat = f"anon {260 * MIB}\nfile {50 * MIB}\ninactive_file {30 * MIB}\nactive_file {10 * MIB}\nshmem 0"
    fs = tmp_path / "fs"
    group(fs / "a.slice" / "b", memory_max=700 * MIB, memory_current=300 * MIB, memory_stat=stat)
    group(
        fs / "a.slice",
        memory_max=1000 * MIB,
        memory_current=900 * MIB,
        memory_stat="inactive_file 0\nactive_file 0",
    )
    group(fs, memory_max="max", memory_current=0, memory_stat="anon 0")
    assert left(tmp_path, ["0::/a.slice/b"]) == [440 * MIB, 100 * MIB]


def test_version_2_in_a_container_that_sees_only_itself(tmp_path):
    group(tmp_path / "fs", memory_max=512 * MIB, memory_current=12 * MIB, memory_stat="inactive_file 0")
    assert left(tmp_path, ["0::/"]) == [500 * MIB]
    assert left(tmp_path, ["0::/docker/of/the/host"]) == [500 * MIB]


def test_version_1_beside_an_empty_version_2(tmp_path):
    fs = tmp_path / "fs"
    stat = f"cache 5\ninactive_file 1\ntotal_inactive_file {7 * MIB}\ntotal_active_file {3 * MIB}"
    group(fs / "memory" / "docker" / "x", **{
        "memory_limit_in_bytes": 64 * MIB, "memory_usage_in_bytes": 50 * MIB, "memory_stat": stat,
    })  # fmt: skip
    lines = ["9:name=systemd:/", "4:memory:/docker/x", "1:cpu,cpuacct:/docker/x", "0::/"]
    assert left(tmp_path, lines) == [24 * MIB]


def test_where_there_are_no_groups(tmp_path):
    assert list(container_memory(tmp_path / "none", tmp_path)) == []
    assert left(tmp_path, ["0::/"]) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/meminfo")
def test_free_memory_is_never_more_than_the_kernels_estimate():
    with open("/proc/meminfo") as lines:
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    assert 0 < free_memory() <= available + 512 * MIB
    assert free_memory() <= psutil.virtual_memory().total


def test_the_question():
    told = "3 frames of 2x1 need 1.50 GiB of memory and 1.50 GiB are free"
    assert check_memory(3 * 2**29, "3 frames of 2x1", "take fewer", free=lambda: 3 * 2**29) == told
    with pytest.raises(ValueError, match="need 1.50 GiB of memory and 0.00 GiB are free; take fewer"):
        check_memory(3 * 2**29, "3 frames of 2x1", "take fewer", free=lambda: -5)
    with pytest.raises(ValueError, match="all of it need .* are free; no"):
        check_memory(10**18, "all of it", "no")
