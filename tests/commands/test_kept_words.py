"""What `info` says of every kind of file is what it said, in words and in JSON (`tests.helpers.kept`)."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from landscape.cli import build_parser, main
from landscape.files.reports.curvature_file import write_curvature
from landscape.files.reports.curvature_run_file import write_curvature_run
from landscape.files.reports.frequencies_file import write_frequencies
from landscape.files.reports.predictions_file import write_predictions
from landscape.files.reports.robustness_file import write_robustness
from landscape.files.reports.similarity_file import write_similarity
from landscape.files.reports.walk_file import write_walk
from landscape.files.store import write_surface
from tests.helpers.attacks import filtered, robust
from tests.helpers.curvatures import curvature, curvature_run
from tests.helpers.kept import assert_kept, steady
from tests.helpers.mixed_reports import MADE
from tests.helpers.mixed_surfaces import mixed
from tests.helpers.plot_fixtures import (
    damaged_valley,
    half_finished_valley,
    interpolation,
    line_surface,
    noisy,
    patchy,
    repeated,
    valley,
)
from tests.helpers.population_results import populations
from tests.helpers.runs_on_planes import with_steps
from tests.helpers.similarities import similarity
from tests.helpers.walks import walks


def checkpoint(path: Path) -> None:
    """Write a few tensors of several types."""
    tensors = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.zeros(3, dtype=torch.float64)}
    torch.save({"state_dict": {**tensors, "bn.num_batches_tracked": torch.tensor(7)}, "epoch": 3}, path)


SURFACES = {
    "plane": valley, "damaged": damaged_valley, "unfinished": half_finished_valley, "patchy": patchy,
    "line": line_surface, "between": interpolation, "seeds": lambda: repeated(valley(9, 7), 3),
    "run": lambda: with_steps("adam"),
}  # fmt: skip
REPORTS = {
    "curvature": lambda path, report: write_curvature(path, {report.data: report}, {}),
    "curvature run": lambda path, run: write_curvature_run(path, {"train": run}, {}),
    "similarity": write_similarity,
    "predictions": write_predictions,
    "robustness": write_robustness,
    "frequencies": write_frequencies,
    "walk": write_walk,
}
WRITERS = {
    **{name: lambda path, made=made: write_surface(path, made()) for name, made in SURFACES.items()},
    "curvature": lambda path: write_curvature(path, {"train": curvature()}, {}),
    "curvature-run": lambda path: write_curvature_run(path, {"train": curvature_run()}, {}),
    "similarity": lambda path: write_similarity(path, similarity()),
    "predictions": lambda path: write_predictions(path, populations()),
    "robustness": lambda path: write_robustness(path, robust()),
    "frequencies": lambda path: write_frequencies(path, filtered(attacked=True)),
    "walk": lambda path: write_walk(path, walks()),
    "checkpoint": checkpoint,
}


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines that a command printed, without the blanks at their ends."""
    assert main(words) == 0
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def steady_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def all_said(file: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return what `info` says of a file, in JSON and in words."""
    (line,) = said(["info", "--json", file], capsys)
    return {**json.loads(line), "words": said(["info", file], capsys)}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.usefixtures("steady_words")
def test_info_says_what_it_said(name, capsys, pytestconfig):
    file = "net.pt" if name == "checkpoint" else "net.h5"
    WRITERS[name](Path(file))
    assert_kept(f"said/{name}", steady(all_said(file, capsys)), write=pytestconfig.getoption("keep"))


@pytest.mark.usefixtures("steady_words")
def test_a_comparison_says_what_it_said(tmp_path, capsys, pytestconfig):
    for seed in (0, 1):
        write_surface(tmp_path / f"{seed}.h5", noisy(9, seed))
    words = ["info", "--compare", "0.h5", "1.h5"]
    found = json.loads(said([*words, "--json"], capsys)[0]) | {"words": said(words, capsys)}
    assert_kept("said/comparison", steady(found), write=pytestconfig.getoption("keep"))


def test_every_option_is_what_it_was(pytestconfig):
    """Not as a terminal shows them, which each version of Python does in its own way."""
    commands: dict[str, argparse.ArgumentParser] = {}
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            commands = action.choices
    names = ("option_strings", "dest", "nargs", "metavar", "help")
    found = {
        f"{command} {each.dest}": [
            {name: getattr(each, name) for name in names},
            repr(each.default),
            list(map(str, each.choices or ())),
        ]
        for command, parser in commands.items()
        for each in parser._actions
    }
    found |= {f"{command} --help": [parser.description, parser.epilog] for command, parser in commands.items()}
    assert_kept("said/options", steady(found), write=pytestconfig.getoption("keep"))


@pytest.mark.parametrize("start", [400, 408, 416])
@pytest.mark.usefixtures("steady_words")
def test_info_says_of_mixed_surfaces_and_of_two_what_it_said(start, capsys, pytestconfig):
    found = {}
    for seed in range(start, start + 8):
        surface = mixed(seed)[0]
        write_surface("net.h5", surface)
        found |= {f"{seed}: {key}": each for key, each in all_said("net.h5", capsys).items()}
        twice = {name: 1.5 * each for name, each in surface.values.items() if name.endswith("loss")}
        write_surface("other.h5", replace(surface, values={**surface.values, **twice}, title="other"))
        code = main(["info", "--compare", "net.h5", "other.h5"])
        found[f"{seed}: compared"] = [code, *[line.rstrip() for line in "".join(capsys.readouterr()).splitlines()]]
        Path("net.h5").unlink(), Path("other.h5").unlink()
    assert_kept(f"mixed/said-{start}", steady(found), write=pytestconfig.getoption("keep"))


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.usefixtures("steady_words")
def test_info_says_of_mixed_reports_what_it_said(kind, capsys, pytestconfig):
    found = {}
    for seed in range(20, 25):
        REPORTS[kind]("net.h5", MADE[kind](Random(seed)))
        found |= {f"{seed}: {key}": each for key, each in all_said("net.h5", capsys).items()}
        Path("net.h5").unlink()
    assert_kept(f"mixed/said-{kind.replace(' ', '-')}", steady(found), write=pytestconfig.getoption("keep"))
