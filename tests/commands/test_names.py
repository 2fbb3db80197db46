"""Names of files that would steer a terminal, or are no UTF-8, are written and spoken of, escaped."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from landscape.cli import main
from landscape.files.store import read_surface
from tests.helpers import jobs, tiny_problem

NAMES = [b"\x1b[2J\x07evil", b"caf\xe9\xff", "\u202egnp".encode()]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_takes_any_name_and_prints_it_escaped(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    stem = os.fsdecode(name)
    folder = Path(f"{stem}-run")
    folder.mkdir()
    tiny_problem.save(Path(f"{stem}.pt"))
    problem = ["--model", f"{jobs.PROBLEM}:net", "--data", f"train={jobs.PROBLEM}:data"]
    for words in (
        ["evaluate", f"{stem}.pt", *problem, "--x=-1:1:3", "--y=-1:1:2", "-o", f"{stem}.h5"],
        ["info", f"{stem}.h5"],
        ["info", f"{stem}.pt"],
        ["plot", f"{stem}.h5"],
        ["view", f"{stem}.h5"],
        ["export", f"{stem}.h5", "-o", f"{stem}.csv"],
        ["export", f"{stem}.h5", "-o", f"{stem}.npz"],
        ["export", f"{stem}.h5", "-o", f"{stem}-old.h5", "--format", "original"],
    ):
        assert main(words) == 0, capsys.readouterr().err
    assert read_surface(f"{stem}.h5").complete
    Path(f"{stem}.txt").write_text("no surface")
    for words in (
        ["plot", f"{stem}.txt"],
        ["info", f"missing-{stem}"],
        ["export", f"{stem}.h5", "-o", f"{stem}.csv"],
        ["evaluate", f"{stem}.txt", *problem],
        ["trajectory", str(folder), *problem],
        ["evaluate", f"{stem}.pt", *problem, "-o", f"{stem}.txt"],
    ):
        assert main(words) in (1, 2)
    out, err = capsys.readouterr()
    for text in (out, err):
        assert all(line.isprintable() for line in text.split("\n"))
        text.encode()  # a lone surrogate would not go
    assert stem.encode("unicode_escape").decode()[:4] in out + err
    shutil.rmtree(folder)


@pytest.mark.parametrize("command", ["evaluate", "plot", "view", "export"])
def test_an_empty_name_for_the_output_is_misuse(tmp_path, capsys, command):
    checkpoint = tiny_problem.save(tmp_path / "net.pt")
    problem = ["--model", f"{jobs.PROBLEM}:net", "--data", f"train={jobs.PROBLEM}:data"]
    assert main([command, str(checkpoint), *(problem if command == "evaluate" else []), "-o", ""]) == 2
    assert "-o names no file" in capsys.readouterr().err
