"""Files that nobody vouches for are read in a child process; whatever becomes of it, an error of ours comes out."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from landscape.errors import FormatError
from landscape.files import sandbox, sandbox_child
from landscape.files.li2018 import load_original
from landscape.files.store import read_surface
from tests.helpers.li2018_files import write_like_the_tool


def child_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> Path:
    """Let the child be another program, and return a file to be read by it."""
    (tmp_path / "child.py").write_text(f"import json, os, sys, time\n{code}\n")
    monkeypatch.setattr(sandbox, "_CHILD", tmp_path / "child.py")
    write_like_the_tool(tmp_path / "s.h5", [0.0, 1.0])
    return tmp_path / "s.h5"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("os.kill(os.getpid(), 11)", "signal 11"),
        ("sys.exit(3)", "exit code 3"),
        ("pass", "gave nothing"),
        ("print('{}')", "nonsense"),
        ("print('[' * 100000)", "nonsense"),
        ("print(json.dumps({'arrays': [['x', '<f8', [10**12]]], 'members': []}))", "longer than the data"),
        ("print(json.dumps({'arrays': [['x', '<f8', [-1]]], 'members': []}))", "longer than the data"),
        ("print(json.dumps({'arrays': [['x', '|O8', [1]]], 'members': []})); print('x' * 99)", "nonsense"),
        ("print(json.dumps({'error': 'is \\x1b[2J'}))", r"is \\x1b\[2J"),
    ],
)
def test_whatever_the_child_does_ends_in_an_error_of_ours(tmp_path, monkeypatch, code, words):
    with pytest.raises(FormatError, match=words):
        load_original(child_that(tmp_path, monkeypatch, code))


def test_a_child_that_hangs_or_talks_without_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "CLOCK", 1.0)
    with pytest.raises(FormatError, match="signal 9"):
        load_original(child_that(tmp_path, monkeypatch, "time.sleep(60)"))
    monkeypatch.setattr(sandbox, "CLOCK", 20.0)
    with pytest.raises(FormatError, match="damaged"):
        load_original(child_that(tmp_path, monkeypatch, "while True: os.write(1, bytes(10**6))"))


def test_the_child_has_limits(tmp_path, monkeypatch):
    code = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("child", {str(sandbox._CHILD)!r})
child = importlib.util.module_from_spec(spec); spec.loader.exec_module(child)
child.limit(50 << 20, 1)
said = []
for name, attempt in (("memory", lambda: bytearray(10**9)), ("files", lambda: open("/etc/hosts"))):
    try:
        attempt()
    except (MemoryError, OSError):
        said.append(name)
os.write(1, json.dumps({{"error": " ".join(said)}}).encode() + b"\\n")
"""
    with pytest.raises(FormatError, match="memory files"):
        load_original(child_that(tmp_path, monkeypatch, code))
    with pytest.raises(FormatError, match="signal"):  # one second of computing is all it gets
        load_original(child_that(tmp_path, monkeypatch, code.split("said")[0] + "while True: pass"))


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Return what a file of so many megabytes is read with: words, settings, and seconds on the clock."""

    def read(megabytes: int) -> tuple[list[str], dict[str, Any], float]:
        with (tmp_path / "any.h5").open("wb") as file:
            file.truncate(megabytes << 20)
        said: list[Any] = []
        child = SimpleNamespace(
            stdout=io.BytesIO(b'{"arrays": [], "members": ["a"]}\n'), kill=lambda: None, wait=lambda: 0
        )
        clock = SimpleNamespace(start=lambda: said.append("started"), cancel=lambda: None)
        with monkeypatch.context() as patch:
            patch.setattr(sandbox.subprocess, "Popen", lambda words, **how: said.append((words, how)) or child)
            patch.setattr(sandbox.threading, "Timer", lambda seconds, end: said.append(seconds) or clock)
            with (tmp_path / "any.h5").open("rb") as file:
                assert sandbox.read_hdf5("any.h5", file, ["loss", "x/*"]) == ({}, ["a"])
        (words, how), seconds, begun = said
        assert begun == "started"
        return words, how["env"], seconds

    return read


def test_a_child_has_time_and_memory_for_a_large_file_that_is_compressed(started):
    (*_, small), _, least = started(0)
    (*_, large), _, most = started(500)
    small, large = json.loads(small), json.loads(large)
    assert small["wanted"] == large["wanted"] == ["loss", "x/*"]
    assert small["payload"] >= 64 << 20
    assert large["payload"] - small["payload"] == 1000 << 20  # twice what is in the file
    for task in (small, large):
        assert task["memory"] == task["payload"] + sandbox.MEMORY
        assert task["most"] == sandbox.MEMBERS >= 10_000
    assert large["seconds"] - small["seconds"] == 10
    assert (least, most) == (sandbox.CLOCK, sandbox.CLOCK + 50)


def test_a_child_takes_nothing_from_its_surroundings(started, monkeypatch):
    monkeypatch.setenv("HDF5_PLUGIN_PRELOAD", "/tmp")
    words, environment, _ = started(0)
    assert words[1] == "-I"
    assert environment["HDF5_PLUGIN_PRELOAD"] == "::"


def test_the_child_starts_without_torch_and_without_what_python_was_told_by_others(tmp_path, monkeypatch):
    (tmp_path / "h5py.py").write_text("raise SystemExit('the wrong h5py')")
    write_like_the_tool(tmp_path / "s.h5", [0.0, 1.0])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert read_surface("s.h5").complete
    source = sandbox._CHILD.read_text()
    assert "torch" not in source
    assert "from landscape" not in source


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")
def test_links_are_not_followed(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.arange(3.0)
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["train_loss"] = np.zeros((2, 2))
        file["group/own"] = np.ones(2)
        for name in ("xcoordinates", "group/soft"):
            file[name] = h5py.SoftLink("/train_loss")
        for name in ("ycoordinates", "group/external"):
            file[name] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/secret")
        file["linked"] = h5py.SoftLink("/group")
        wanted = ["train_loss", "xcoordinates", "ycoordinates", "group/*", "linked/*"]
        found = [name for name, _ in sandbox_child.wanted_datasets(file, wanted, 10)]
    assert found == ["train_loss", "group/own"]


def test_reading_leaves_no_open_files_behind(tmp_path):
    write_like_the_tool(tmp_path / "s.h5", [0.0, 1.0])
    read_surface(tmp_path / "s.h5")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        read_surface(tmp_path / "s.h5")
    assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize(
    ("shape", "chunks", "storage", "file", "right"),
    [
        ((3, 4), None, 96, 500, True),
        ((3, 4), None, 95, 500, False),  # contiguous: every byte is there
        ((3, 4), None, 96, 95, False),  # the storage is a claim, too
        ((3, 4), None, 0, 500, False),  # never written
        ((1032, 4), (4, 4), 32, 500, True),  # compressed as well as can be
        ((1033, 4), (4, 4), 32, 500, False),
        ((0, 4), None, 0, 500, True),
    ],
)
def test_a_shape_is_believed_as_far_as_there_are_bytes_for_it(shape, chunks, storage, file, right):
    dataset = SimpleNamespace(
        is_virtual=False, external=None, dtype=np.dtype("f8"), shape=shape, chunks=chunks,
        id=SimpleNamespace(get_storage_size=lambda: storage),
        file=SimpleNamespace(id=SimpleNamespace(get_filesize=lambda: file)),
    )  # fmt: skip
    if right:
        assert sandbox_child.check("a", dataset) == 8 * shape[0] * 4
        return
    with pytest.raises(sandbox_child.Refused, match="has no data for 'a'"):
        sandbox_child.check("a", dataset)
    dataset.is_virtual = True
    with pytest.raises(sandbox_child.Refused, match="in another file"):
        sandbox_child.check("a", dataset)


def test_all_numbers_of_a_file_together_are_no_more_than_there_is_room_for(monkeypatch):
    with h5py.File(io.BytesIO(), "w") as file:
        for name in "abc":
            file[name] = np.zeros(8)
        for wanted, right in (("ab", True), ("abc", False), ("aa", True)):
            out = io.BytesIO()
            monkeypatch.setattr(sandbox_child, "open", lambda *_, **__: contextlib.nullcontext(), raising=False)
            monkeypatch.setattr(sandbox_child.sys, "stdout", SimpleNamespace(buffer=out))
            task = {"most": 9, "wanted": list(wanted), "payload": 128}
            sandbox_child.reply(SimpleNamespace(File=lambda *_: file), task)
            monkeypatch.undo()
            said, _, numbers = out.getvalue().partition(b"\n")
            assert len(numbers) == (128 if right else 0)
            assert right == ("error" not in json.loads(said))
            assert right or "MB of numbers" in json.loads(said)["error"]
