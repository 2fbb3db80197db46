"""Devices and threads for the processes of a host, on made-up hosts. Nothing here was run on a real GPU."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

import pytest
import torch

from landscape.engine import memory
from landscape.engine.control_groups import cpu_quota, memory_left
from landscape.engine.devices import local_device, physical_cores, threads_for, usable_cpus, why_unusable

EIGHT = frozenset(range(8))
PAIRS = {cpu: cpu % 4 for cpu in range(8)}  # four cores, each seen as two processors


@pytest.mark.parametrize(
    ("ranks", "devices", "expected"),
    [
        (4, 4, ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]),
        (4, 1, ["cuda:0"] * 4),  # the launcher shows each process a GPU of its own
        (5, 2, ["cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"]),
    ],
)
def test_a_rank_takes_the_gpu_of_its_number_on_its_host(ranks, devices, expected):
    assert [local_device("cuda", rank, devices) for rank in range(ranks)] == expected


def test_two_hosts_of_four_gpus_use_every_gpu_once():
    local_ranks = [rank % 4 for rank in range(8)]  # ranks 0 to 3 on the first host, 4 to 7 on the second
    assert [local_device("cuda", local, 4) for local in local_ranks] == [f"cuda:{number}" for number in range(4)] * 2


@pytest.mark.parametrize("name", ["cpu", "cuda:3", "mps"])
def test_a_device_asked_for_by_number_is_taken_as_it_is(name):
    assert local_device(name, 2, 4) == name


def test_without_a_device_of_the_kind_the_name_stays_for_torch_to_refuse():
    assert local_device("cuda", 0, 0) == "cuda"


@pytest.mark.parametrize(
    ("affinities", "cores", "quota", "expected"),
    [
        ([EIGHT], {}, None, [8]),
        ([EIGHT], PAIRS, None, [4]),  # a thread a core, not one a hyperthread
        ([EIGHT, EIGHT], {}, None, [4, 4]),
        ([EIGHT] * 3, {}, None, [2, 2, 2]),
        ([EIGHT] * 16, {}, None, [1] * 16),
        ([frozenset({0, 1}), frozenset({2, 3})], {}, None, [2, 2]),  # bound by the launcher
        ([frozenset({0, 4}), frozenset({1, 5})], PAIRS, None, [1, 1]),
        ([frozenset({4}), frozenset({5})], PAIRS, None, [1, 1]),  # the second threads of two cores
        ([EIGHT, EIGHT], {}, 3.0, [1, 1]),
        ([EIGHT], {}, 2.5, [2]),
        ([EIGHT], {}, 0.5, [1]),
        ([EIGHT, frozenset({0, 1})], {}, None, [7, 1]),  # the first has six cores to itself and two to share
    ],
)
def test_processes_share_the_cores_of_a_host(affinities, cores, quota, expected):
    assert [threads_for(rank, affinities, cores, quota) for rank in range(len(affinities))] == expected


def test_the_cores_of_this_machine_are_known():
    assert usable_cpus()
    assert len(usable_cpus()) <= (os.cpu_count() or 1)
    assert set(physical_cores().values()) <= set(physical_cores())


def test_hyperthreads_are_found_in_the_kernels_lists(tmp_path):
    for cpu, siblings in ((0, "0,2"), (1, "1,3"), (2, "0,2"), (3, "1,3"), (4, "4-5"), (5, "4-5")):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(siblings + "\n")
    (tmp_path / "cpufreq").mkdir()
    assert physical_cores(tmp_path) == {0: 0, 1: 1, 2: 0, 3: 1, 4: 4, 5: 4}
    assert physical_cores(tmp_path / "none") == {}


def test_a_control_groups_limit_counts_and_so_does_its_parents(tmp_path: Path):
    root, groups = tmp_path / "cgroup", tmp_path / "self"
    (root / "job" / "step").mkdir(parents=True)
    groups.write_text("0::/job/step\n")
    assert cpu_quota(root, groups) is None
    (root / "job" / "step" / "cpu.max").write_text("max 100000\n")
    assert cpu_quota(root, groups) is None
    (root / "job" / "cpu.max").write_text("250000 100000\n")
    assert cpu_quota(root, groups) == 2.5
    (root / "job" / "step" / "cpu.max").write_text("150000 100000\n")
    assert cpu_quota(root, groups) == 1.5


def test_the_older_kind_of_control_group_is_understood(tmp_path: Path):
    root, groups = tmp_path / "cgroup", tmp_path / "self"
    (root / "cpu" / "job").mkdir(parents=True)
    groups.write_text("12:memory:/job\n4:cpu,cpuacct:/job\n")
    (root / "cpu" / "job" / "cpu.cfs_quota_us").write_text("300000\n")
    (root / "cpu" / "job" / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu_quota(root, groups) == 3.0
    (root / "cpu" / "job" / "cpu.cfs_quota_us").write_text("-1\n")
    assert cpu_quota(root, groups) is None


def test_a_system_without_control_groups_has_no_limit(tmp_path: Path):
    assert cpu_quota(tmp_path, tmp_path / "none") is None
    assert memory_left(tmp_path, tmp_path / "none") is None


def test_memory_is_what_the_narrowest_control_group_leaves(tmp_path: Path):
    root, groups = tmp_path / "cgroup", tmp_path / "self"
    (root / "job" / "step").mkdir(parents=True)
    groups.write_text("0::/job/step\n")
    (root / "job" / "step" / "memory.max").write_text("max\n")
    (root / "job" / "step" / "memory.current").write_text("300\n")
    assert memory_left(root, groups) is None
    (root / "job" / "memory.max").write_text("1000\n")
    (root / "job" / "memory.current").write_text("700\n")
    assert memory_left(root, groups) == 300
    # What the kernel keeps of files that were read is given back when it is needed.
    (root / "job" / "memory.stat").write_text("anon 400\ninactive_file 250\n")
    assert memory_left(root, groups) == 550
    groups.write_text("7:memory:/job\n")
    (root / "memory" / "job").mkdir(parents=True)
    (root / "memory" / "job" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert memory_left(root, groups) is None
    (root / "memory" / "job" / "memory.limit_in_bytes").write_text("900\n")
    (root / "memory" / "job" / "memory.usage_in_bytes").write_text("950\n")
    assert memory_left(root, groups) == 0


def test_data_take_a_share_of_what_a_batch_job_may_have(monkeypatch):
    monkeypatch.setattr(memory, "memory_left", lambda: 1000)
    assert memory.resident_budget(torch.device("cpu"), 2) == 200


@pytest.mark.parametrize("name", ["xla", "hpu", "mkldnn", "mtia", "privateuseone", "meta", "vulkan"])
def test_a_device_torch_was_not_built_for_is_told_from_one_it_has(name):
    with warnings.catch_warnings(action="error"):
        reason = why_unusable(name)
    assert ": " in reason
    assert len(reason) < 200
    assert not why_unusable("cpu")


def test_what_is_free_on_a_machine_is_said_in_units_of_1024_bytes(monkeypatch: pytest.MonkeyPatch):
    said = "MemTotal: 9000000 kB\nMemFree: 7 kB\nMemAvailable:  1000 kB\n"
    monkeypatch.setattr(memory, "open", lambda path: io.StringIO(said), raising=False)
    assert memory._free_on_machine() == 1000 * 1024
