"""Files with flipped, cut and inserted bytes: an error of ours or the right data, and never a crash, a hang or memory.

`LANDSCAPE_MUTATIONS=2000 pytest tests/files/test_damaged_files.py` is the long run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import time
from pathlib import Path

import numpy as np
import pytest

from landscape.errors import FormatError
from landscape.files import sandbox
from landscape.files.li2018 import OriginalDirections, load_original
from landscape.files.store import read_directions, read_surface, write_surface
from landscape.surface.surface import Surface
from tests.helpers.comparisons import assert_same
from tests.helpers.fork_server import ForkServer
from tests.helpers.li2018_files import write_directions, write_like_the_tool
from tests.helpers.mutations import MUTATIONS, mutations
from tests.helpers.plot_fixtures import valley


def peak_memory() -> int:
    """Return the most memory this process has had so far, in kB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_a_damaged_file_of_ours_is_an_error_or_exactly_right(tmp_path):
    path = tmp_path / "net.h5"
    surface = dataclasses.replace(valley(), command="landscape evaluate net.pt")
    directions = [{"w": np.arange(50.0)}, {"w": -np.arange(50.0)}]
    write_surface(path, surface, directions=directions)
    data, before = path.read_bytes(), peak_memory()
    refused = 0
    for number, copy in enumerate(mutations(data)):
        path.write_bytes(copy)
        try:
            assert_same(read_surface(path), surface)
            for stored, one in zip(read_directions(path), directions, strict=True):
                np.testing.assert_array_equal(stored["w"], one["w"])
        except FormatError:
            refused += 1
        assert path.read_bytes() == copy, number
    assert refused > 0.9 * MUTATIONS
    assert peak_memory() - before < 500_000


@pytest.mark.parametrize("kind", ["surface", "directions"])
def test_a_damaged_file_of_the_2018_tool_is_an_error_or_whole_arrays(tmp_path, monkeypatch, kind):
    path = tmp_path / "file.h5"
    if kind == "surface":
        write_like_the_tool(path, np.linspace(-1, 1, 7), np.linspace(0, 1, 4))
    else:
        write_directions(path)
    data, before = path.read_bytes(), peak_memory()
    server = ForkServer()
    monkeypatch.setattr(sandbox, "_run", server.run)
    monkeypatch.setattr(sandbox, "COMPUTING", 2.0)
    read = 0
    try:
        for number, copy in enumerate(mutations(data, seed=1)):
            path.write_bytes(copy)
            began = time.monotonic()
            try:
                found = load_original(path)
            except FormatError:
                pass
            else:
                read += 1
                if isinstance(found, Surface):
                    assert all(array.shape == found.shape for array in found.values.values())
                else:
                    assert isinstance(found, OriginalDirections)
                    assert all(isinstance(tensor, np.ndarray) for axis in found.tensors for tensor in axis)
            # Two seconds of computing are what a file that hangs HDF5 gets; another process may have the cores.
            assert time.monotonic() - began < 60, number
    finally:
        server.close()
    assert 0 < read < MUTATIONS
    assert peak_memory() - before < 500_000


@pytest.mark.parametrize("kind", ["surface", "directions"])
def test_damaged_files_go_through_the_real_child_as_well(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file.h5"
    if kind == "surface":
        write_like_the_tool(path, [-1.0, 0.0, 1.0])
    else:
        write_directions(path)
    for copy in mutations(path.read_bytes(), max(6, MUTATIONS // 50), seed=2):
        path.write_bytes(copy)
        with contextlib.suppress(FormatError):
            assert isinstance(load_original(path), Surface | OriginalDirections)
