"""Progress is shown where somebody watches, and nowhere else unless it is asked for."""

from __future__ import annotations

import io
import sys
import types

import pytest
import torch
from rich.progress import Progress
from torch import nn

import landscape


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def measure(classifier, images):
    def call(**settings):
        return landscape.evaluate(classifier, images, x="-1:1:3", **settings)

    return call


def test_python_is_silent_where_nobody_watches_unless_asked(measure, capsys):
    measure()
    assert capsys.readouterr().err == ""
    measure(progress=True)
    assert "evaluating: 3 of 3 points" in capsys.readouterr().err


def test_of_several_stages_each_is_told_and_ones_own_function_hears_them(capsys):
    def measure(progress):
        model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3))
        landscape.similarity(model, torch.randn(40, 6), batch_size=10, passes=2, progress=progress)
        return capsys.readouterr().err

    assert measure(None) == measure(False) == ""
    assert "layers: 8 of 8 batches" in (told := measure(True))
    assert told.count("of 1 networks") == told.count("components") <= 1
    heard = []
    assert measure(lambda *what: heard.append(what)) == ""
    assert heard[0] == ("components", 1, 1)
    assert heard[1:] == [("layers", done, 8) for done in range(1, 9)]


def test_a_terminal_sees_a_bar_even_within_ones_own_and_false_is_silence(measure, monkeypatch):
    monkeypatch.setattr(sys, "stderr", seen := Terminal())
    measure(progress=False)
    assert seen.getvalue() == ""
    measure()
    assert "evaluating" in seen.getvalue()
    assert "3/3" in seen.getvalue()
    with Progress() as bars:  # one display inside another was an error of Rich once
        bars.add_task("mine")
        measure()


def test_a_name_moves_no_cursor(monkeypatch, capsys):
    with landscape.parallel.progress.progress_bar("net\x1b[2J.pt") as tell:
        tell(0, 2)
        tell(2, 2)
    assert "\x1b" not in capsys.readouterr().err


def test_the_time_left_is_that_of_who_knows_better(monkeypatch, capsys):
    with landscape.parallel.progress.progress_bars() as show:
        show("study", "tasks", 0, 4)
        show("study", "tasks", 4, 4, 0.0)
        monkeypatch.setattr("landscape.parallel.progress.LINE_EVERY", 0.0)
        show("other", "tasks", 0, 4)
        show("other", "tasks", 1, 4, 7200.0)
    assert "2.0 h left" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stderr", seen := Terminal())
    with landscape.parallel.progress.progress_bars() as show:
        show("study", "tasks", 1, 4, 7200.0)
    assert "2:00:00" in seen.getvalue()


def test_the_rate_of_a_run_that_goes_on_is_that_of_what_it_did_itself(monkeypatch, capsys):
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr("landscape.parallel.progress.time", types.SimpleNamespace(monotonic=lambda: clock.now))
    with landscape.parallel.progress.progress_bar("evaluating") as tell:
        tell(60, 100)  # there already
        clock.now = 120.0
        tell(70, 100)
    assert capsys.readouterr().err == "evaluating: 70 of 100 points, 0.5 a second, 1.0 min left\n"


def test_of_several_things_each_has_lines_of_its_own_counted_from_its_own_start(monkeypatch, capsys):
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr("landscape.parallel.progress.time", types.SimpleNamespace(monotonic=lambda: clock.now))
    with landscape.parallel.progress.progress_bars() as show:
        for what, unit, done, now in (
            ("a", "points", 0, 0),
            ("b", "steps", 6, 10),
            ("b", "steps", 10, 12),
            ("a", "points", 10, 20),
        ):
            clock.now = float(now)
            show(what, unit, done, 10)
    assert capsys.readouterr().err.splitlines() == [
        "b: 10 of 10 steps, 2 a second",
        "a: 10 of 10 points, 0.5 a second",
    ]
