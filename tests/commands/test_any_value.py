"""Every option of every command, given values of every kind: exit 0 or one clear line, in bounded time and memory.

200 command lines in the usual suite. The long run: ``LANDSCAPE_COMMAND_LINES=10000 pytest
tests/commands/test_any_value.py``.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from torch import nn

from landscape.cli import main
from tests.helpers.command_lines import TooLong, command_lines, fault_in, make_inputs, time_limit

pytestmark = pytest.mark.usefixtures("coarse_pictures")

LINES = int(os.environ.get("LANDSCAPE_COMMAND_LINES", "200"))
AT_WORK = re.compile(r"\d of [\d,]+ \w+, [\d.,]+ a second, .* left$")
SECONDS = 20.0  # of the processor; most take a tenth of one
MEMORY = 600  # MiB more than before, over all of them: matplotlib and torch keep some of what they took


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Return a folder to run in, and one with the same content that stays as it is."""
    folder = tmp_path_factory.mktemp("words")
    kept, here = folder / "kept", os.getcwd()
    kept.mkdir()
    os.chdir(kept)
    make_inputs(kept)
    shutil.copytree(kept, folder / "here")
    yield folder / "here", kept
    os.chdir(here)


def restored(folder: Path, kept: Path) -> None:
    """Empty a folder and fill it again, where a command changed anything."""

    def content(place: Path) -> dict[str, tuple[int, int]]:
        found = (each for each in place.rglob("*") if "__pycache__" not in each.parts)
        return {str(each.relative_to(place)): (each.is_dir(), each.stat().st_size) for each in found}

    if not folder.exists() or content(folder) != content(kept):
        os.chdir(kept)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(kept, folder)


@pytest.fixture
def cheap_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the demo train small networks, in this process, and draw nothing: its pictures have tests of their own."""
    import landscape.commands.surfaces.demo as command
    from landscape.commands.surfaces.demo_page import Picture
    from landscape.demo import networks, run

    for name in run.NETWORKS:
        monkeypatch.setattr(networks, name, lambda **given: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))
    monkeypatch.setattr(run, "_cores", lambda: 1)
    monkeypatch.setattr(command, "MOST_EPOCHS", 20)  # thousands are a long job that says so, not a hang
    picture = Picture("line", "line.png", "line-tall.png", "line.pdf")
    monkeypatch.setattr(command, "_draw", lambda *given: [picture])


def outcome(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command; return what is wrong with how it ended."""
    torch.set_num_threads(1)
    capsys.readouterr()
    try:
        with time_limit(SECONDS):
            code = main(words)
    except TooLong as error:
        # Thousands of points or epochs that were asked for are no hang where it says how long they take.
        said = capsys.readouterr().err.splitlines()
        return "" if said and AT_WORK.search(said[-1]) else f"{error}: {said}"
    out, err = capsys.readouterr()
    event(f"{words[0]} {code}")
    fault = fault_in(code, out, err, most=len(words) if words[0] == "info" else 1)
    return f"{fault}: {err}" if fault else ""


@settings(max_examples=LINES, derandomize=True, suppress_health_check=list(HealthCheck))
@given(words=command_lines())
def test_any_value_of_any_option_works_or_is_refused_in_one_line(place, cheap_demo, capsys, words):
    folder, kept = place
    restored(folder, kept)
    os.chdir(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert not outcome(words, capsys)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert more < MEMORY * 1024, f"{more} kB"
