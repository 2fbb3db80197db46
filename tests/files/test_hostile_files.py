"""Well-formed files with absurd content: every reader and writer does its work or says why not, in one line.

160 files in the usual suite. The long run: ``LANDSCAPE_HOSTILE=5000 pytest tests/files/test_hostile_files.py``.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from pathlib import Path

import pytest
import torch

from landscape.cli import main
from landscape.errors import FormatError
from landscape.files.store import read_surface
from tests.helpers import jobs, tiny_problem
from tests.helpers.hostile import hostile_files

FILES = int(os.environ.get("LANDSCAPE_HOSTILE", "160"))
PROBLEM = ["--model", f"{jobs.PROBLEM}:net", "--data", f"train={jobs.PROBLEM}:data"]
# Surfaces of all kinds, and the words that go on with them.
KINDS = {
    "plane": ["evaluate", "net.pt", *PROBLEM, "--x=-1:1:5", "--y=-1:1:3", "--samples", "120"],
    "line": ["evaluate", "net.pt", *PROBLEM, "--x=0:1:5", "--directions", "run/2.pt"],
    "repeats": ["evaluate", "net.pt", *PROBLEM, "--x=-1:1:5", "--repeats", "2", "--tolerance", "0.02"],
    "run": ["trajectory", "run", *PROBLEM, "--points", "4"],
}
QUICK = [
    ["info", "{file}"],
    ["info", "--json", "{file}"],
    ["export", "{file}", "-o", "out.csv", "--overwrite"],
    ["export", "{file}", "-o", "out.npz", "--overwrite"],
    ["export", "{file}", "-o", "out.h5", "--format", "original", "--overwrite"],
]
# Of these one in ten files meets one: they take a second.
SLOW = [
    *(
        ["plot", "{file}", "-o", "out.png", "--dpi", "40", *more]
        for more in ([], ["--kind", "surface"], ["--kind", "steps"])
    ),
    ["view", "{file}", "-o", "out.html"],
    ["export", "{file}", "-o", "out.vtp", "--overwrite"],
    ["evaluate", "net.pt", *PROBLEM, "--x=-1:1:2", "--directions", "{file}", "-o", "more.h5", "--overwrite"],
    ["trajectory", "run", *PROBLEM, "--onto", "{file}", "-o", "onto.h5", "--overwrite"],
    ["resume"],
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a surface of each kind, unfinished where the words to finish it ask for more samples."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "run").mkdir()
    for number, name in enumerate(("net.pt", "run/1.pt", "run/2.pt", "run/3.pt")):
        torch.manual_seed(number)
        torch.save(tiny_problem.net().state_dict(), folder / name)
    here = os.getcwd()
    os.chdir(folder)
    try:
        for kind, words in KINDS.items():
            fewer = ["--samples", "100"] if kind == "plane" else []
            assert main([*words, *fewer, "-o", f"{kind}.h5"]) == 0
    finally:
        os.chdir(here)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_every_command_does_its_work_or_says_why_not(place, monkeypatch, capsys, kind):
    monkeypatch.chdir(place)
    chance = random.Random(kind)
    path = place / "hostile.h5"
    data = (place / f"{kind}.h5").read_bytes()
    read = 0
    for number, (copy, said) in enumerate(hostile_files(data, FILES // len(KINDS), seed=FILES)):
        path.write_bytes(copy)
        words = chance.choice(SLOW if number % 10 == 0 else QUICK)
        words = [*KINDS[kind], "-o", "{file}"] if words == ["resume"] else words
        words = [str(path) if word == "{file}" else word for word in words]
        began = time.monotonic()
        code = main(words)
        out, err = capsys.readouterr()
        what = f"{' '.join(words)} after {said} of seed {FILES}, file {number}: {err}"
        assert code in (0, 1, 2), what
        assert "shows where" not in err, what  # how an error that nobody foresaw ends
        assert (code != 0) == (err.count("landscape: error:") == 1), what
        assert all(line.isprintable() for text in (out, err) for line in text.split("\n")), what
        assert time.monotonic() - began < 60, what
        read += code == 0
    assert 0 < read < FILES // len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_read_holds_together(place, kind):
    """Other files, of which nothing is asked but that repetitions and finished parts can be taken."""
    data, path, read = (place / f"{kind}.h5").read_bytes(), place / "read.h5", 0
    for copy, _ in hostile_files(data, FILES // len(KINDS), seed=FILES + 1):
        path.write_bytes(copy)
        with contextlib.suppress(FormatError):
            surface = read_surface(path)
            assert all(surface.repeat(k).finished_part().shape for k in range(surface.repeats))
            read += 1
    assert read
