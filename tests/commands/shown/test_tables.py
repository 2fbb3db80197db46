"""Tables and the lines at a run's end say what the surface holds, in the units that they name."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import stats

from landscape.cli import main
from landscape.commands.printed import captured, print_table, show
from landscape.commands.reports.frequencies_tables import frequencies_facts, print_frequencies
from landscape.commands.reports.robustness_tables import print_robustness, robustness_facts
from landscape.commands.reports.walk_tables import print_walk, walk_facts
from landscape.commands.surfaces.summary import describe_result
from landscape.files.store import write_surface
from landscape.surface.grid import visiting_order
from landscape.surface.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED
from tests.helpers.attacks import filtered, robust
from tests.helpers.plot_fixtures import valley
from tests.helpers.walks import walks


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    """Write a surface and return what `landscape info` prints of it at 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(surface: Any) -> str:
        write_surface(tmp_path / "net.h5", surface)
        assert main(["info", str(tmp_path / "net.h5")]) == 0
        return capsys.readouterr().out

    return run


def row_of(said: str, name: str) -> list[str]:
    """Return the words of a row in the table of values."""
    return next(line for line in said.splitlines() if line.split()[:1] == [name]).split()


def test_accuracies_are_in_percent(told):
    surface = valley()
    accuracy = surface["train/accuracy"]
    row = row_of(told(surface), "train/accuracy")
    assert f"{100 * accuracy.min():.4g}" in row
    assert f"{100 * accuracy.max():.4g}" in row
    assert row.count("%") >= 2


def test_points_that_lack_samples_leave_a_surface_unfinished(told):
    surface = dataclasses.replace(valley(), quality={"unfinished": 12})
    assert "complete" not in told(surface).splitlines()[0]
    assert "12 points lack samples" in told(surface).splitlines()[0]


def test_a_coarser_grid_is_told_as_the_whole_one_is_across_then_up(told):
    surface = valley(31, 5)
    state = np.full(surface.shape, NOT_COMPUTED, np.uint8)
    state.flat[visiting_order(surface.axes)[: state.size // 2]] = COMPUTED
    values = {name: np.where(state == COMPUTED, array, np.nan) for name, array in surface.values.items()}
    surface = dataclasses.replace(surface, values=values, state=state)
    rows, columns = surface.finished_part().shape
    assert rows != columns
    assert f"a coarser grid of {columns} x {rows}" in told(surface)


def test_the_error_in_the_table_is_of_the_difference_to_theta(told):
    surface = valley()
    errors = {name: np.full(surface.shape, value) for name, value in (("train/loss", 0.25), ("train/accuracy", 0.25))}
    paired = {name: np.full(surface.shape, 0.125) for name in errors}
    problem = {"data": {"train": {"size": 1000, "samples": 100}}}
    counts = {"train": np.full(surface.shape, 100)}
    both = dataclasses.replace(surface, stderr=errors, paired_stderr=paired, problem=problem, counts=counts)
    alone = dataclasses.replace(both, paired_stderr={})
    factor = np.sqrt(0.9)  # of a finite population
    assert f"{0.125 * factor:.4g}" in row_of(told(both), "train/loss")
    assert f"{0.25 * factor:.4g}" in row_of(told(alone), "train/loss")


def test_the_range_at_the_end_of_a_run_is_of_points_that_were_measured():
    surface = valley()
    state, loss = surface.state.copy(), surface["train/loss"].copy()
    state[0, 0], loss[0, 0] = INTERPOLATED, -50.0
    changed = dataclasses.replace(surface, state=state, values={**surface.values, "train/loss": loss})
    line = next(each for each in describe_result(changed).splitlines() if each.startswith("train/loss:"))
    assert "-50" not in line
    assert f"over {surface.state.size - 1} measured points" in line


@pytest.mark.parametrize("columns", [100, 80, 60, 40, 20])
def test_of_a_table_wider_than_a_terminal_nothing_is_cut(columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    heads = ["step", "rate", "loss", "relative change", "smoothness", "mean CKA of same layers"]
    rows = [[f"a_network_of_a_long_name.layer{k}", f"{k}.1234e-07", "0.000811", "5.126e-07", "± 12.345 %", "no layer"]
            for k in range(3)]  # fmt: skip
    with captured() as console:
        print_table(console, heads, rows)
    lines = capsys.readouterr().out.split("\n")
    for row in rows:
        for cell in row[1:]:
            assert any(line.endswith(cell) or f"{cell}  " in line for line in lines), cell
    assert all(word in "\n".join(lines) for head in heads for word in head.split())
    assert max(map(len, lines)) <= max(columns, 1 + (20 + 2) + (10 + 2))
    # The first column stands before each part of the table.
    parts = sum(line.startswith("  step") for line in lines)
    assert parts == {100: 1, 80: 1, 60: 2, 40: 5, 20: 5}[columns]


def test_a_table_of_a_walk_shows_every_digit_at_eighty_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    number = {"loss": 0.2345678, "span": 1.234e-05, "gradient": 0.04126, "change": 0.001735, "relative_change": 0.02041,
              "smoothness": 5.126e-07}  # fmt: skip
    walk = {"data": "train", "run": "run", "unit": "epoch", "steps": [0, 1], "rates": [0.04915] * 2, "multiples": [1.0]}
    walk |= {"without_rate": 0, "not_known": 0}
    facts = {"kind": "walk", "walk": walk | {name: [each] * 2 for name, each in number.items()}, "created": "",
             "software": "", "problem": {}, "settings": {"samples": 8}, "notes": [], "command": ""}  # fmt: skip
    show(print_walk, facts)
    out = capsys.readouterr().out
    for text in ("0.04915", "0.2346", "1.234e-05", "0.04126", "0.001735", "0.02041", "5.126e-07", "smoothness"):
        assert f"{text} " in out or f"{text}\n" in out, text


def test_a_table_of_many_steps_shows_some_from_first_to_last_and_says_so(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    found = walks()
    many = {name: np.resize(getattr(found, name), (30, *getattr(found, name).shape[1:])) for name in
            ("rates", "losses", "gradients", "changes")}  # fmt: skip
    many["rates"][4] = np.nan
    show(print_walk, walk_facts(dataclasses.replace(found, steps=np.arange(30), **many)))
    out = " ".join(capsys.readouterr().out.split())
    assert "steps 24 of 30, --json has each" in out
    assert "epoch rate loss span" in out
    assert " 0 0.1 1 " in out
    assert " 29 0.1 0.3679 " in out
    assert "not walked 1 step without a learning rate above 0" in out
    assert "not known of 7 walks: a loss or a gradient is not finite" in out


def test_shares_have_the_ends_of_their_intervals_and_attacks_the_words_of_their_checks(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    show(print_robustness, robustness_facts(robust()))
    out = " ".join(capsys.readouterr().out.split())
    low, high = (100 * each for each in stats.binomtest(2, 3).proportion_ci(0.95, "wilson"))
    assert f"no attack 66.7 % ({low:.1f} to {high:.1f})" in out
    none = 100 * stats.binomtest(0, 3).proportion_ci(0.95, "wilson").high
    assert f"0.1 66.7 % ({low:.1f} to {high:.1f}) 66.7 % 66.7 %" in out
    assert f"0.2 0.0 % (0.0 to {none:.1f}) 66.7 % 0.0 %" in out
    show(print_frequencies, frequencies_facts(filtered()))
    out = " ".join(capsys.readouterr().out.split())
    assert f"unfiltered 66.7 % ({low:.1f} to {high:.1f})" in out
    assert "0 0.0 % 0.0 % 100.0 % 1 50.0 % 100.0 % 100.0 %" in out  # cut-off, energy, low, high
    assert f"intervals of 95 %, {none / 2:.1f} points to either side at most" in out
    assert "whole change" not in out
    found = filtered(attacked=True)
    facts = frequencies_facts(found)
    show(print_frequencies, facts)
    out = " ".join(capsys.readouterr().out.split())
    left, most = (100 * each for each in stats.binomtest(1, 3).proportion_ci(0.95, "wilson"))
    assert f"whole change 33.3 % ({left:.1f} to {most:.1f}), PGD at 0.1" in out
    assert "1 50.0 % 100.0 % 100.0 % 66.7 % 33.3 %" in out
    assert out.count("half way") == 2, "of images only"
    assert facts["frequencies"]["attacked"]["accuracy"] == pytest.approx(1 / 3)
    for kind, said in facts["frequencies"]["filtered"].items():
        loss, error = found.mean_loss(kind)
        np.testing.assert_allclose([said["accuracy"], said["loss"]], [found.accuracy(kind), loss])
        np.testing.assert_allclose(said["loss_stderr"], error)
        np.testing.assert_allclose(said["interval"], found.interval(kind))
        assert said["half_way"] == found.half_way(kind)
