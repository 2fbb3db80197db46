"""What a small study finds, says, draws and reports is what it did (`tests.helpers.kept`)."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from landscape.plot.style.style import our_style

from landscape.cli import main
from tests.helpers import tiny_study
from tests.helpers.drawn import held_by
from tests.helpers.kept import assert_kept, steady

# Beside tests.helpers.kept: what the clock and the machine decide.
_CHANGES = {
    r"[0-9][0-9.,]*(?:e-?\d+)? ?(?:ms|s|min|minutes?|seconds?|hours?|h|KiB|MiB|GiB)\b": "…",
    r"-?\d[\d.]*e-(?:0[7-9]|1\d)": "0",
    r"(\d\.\d{6})\d{4,}": r"\1",
    r"(torch|numpy|Python) \d[\w.+]*": r"\1",
    r"(Machines</th><td>)[^<]*": r"\1",
    r'"seconds": [\d.]+': '"seconds": 0',
    r"(?s)<style>.*?</style>": "",
}

MORE = """
[hypotheses.rise]
statement = "A wide network rises more"
source = "a paper"
value = "line/rise"
expect = "wide > narrow"

[hypotheses.loss]
statement = "A wide network learns more"
value = "training/train_loss"
expect = "wide < narrow - 1"

[smoke]
"""


def settled(text: str, folder: Path) -> list[str]:
    """Return lines of a text without what changes."""
    text = text.replace(str(Path(tiny_study.__file__).resolve()), "code.py").replace(f"{folder}/", "")
    for pattern, put in _CHANGES.items():
        text = re.sub(pattern, put, text)
    return [line.rstrip() for line in text.splitlines()]


def ran(words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run a command, and return what it printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["landscape", *words])
        assert main(words) == 0
    return settled(capsys.readouterr().out, folder)


def test_a_study_finds_says_and_draws_what_it_did(tmp_path, monkeypatch, capsys, pytestconfig):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    place = Path(tiny_study.__file__).resolve()
    line = f'measure = "{place}:line"'
    tiny_study.write(tmp_path, plane=(line, f'{line}\narguments = {{ y = "-1:1:3" }}'), more=("[smoke]", MORE))
    figures = {}

    def save(figure, path, **how):
        Path(path).write_bytes(b"a picture")
        with our_style():
            figure.draw_without_rendering()
            figures[Path(path).name] = held_by(figure)

    words = ["study", "tiny.toml", "-o", "out", "--executor", "here"]
    found = {"before": ran([*words, "--dry-run"], tmp_path, capsys)}
    found["commands"] = ran([*words, "--commands", "--ranks", "2"], tmp_path, capsys)
    monkeypatch.setattr("landscape.plot.saving.save", save)
    found["said"] = ran(words, tmp_path, capsys)
    found["after"] = ran([*words, "--dry-run"], tmp_path, capsys)
    for name in ("results.csv", "index.html"):
        found[name] = settled((tmp_path / "out" / name).read_text(), tmp_path)
    found["results"] = json.loads("\n".join(settled((tmp_path / "out" / "results.json").read_text(), tmp_path)))
    keep = pytestconfig.getoption("keep")
    assert_kept("said/study", steady(found), write=keep)
    assert_kept("drawn/study", {name: each for name, each in figures.items() if name.endswith(".png")}, write=keep)


def test_the_studies_that_ship_are_listed_as_they_were(tmp_path, capsys, pytestconfig):
    assert_kept(
        "said/studies", {"list": ran(["study", "--list"], tmp_path, capsys)}, write=pytestconfig.getoption("keep")
    )
