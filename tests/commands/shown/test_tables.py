"""Tables and the lines at a run's end say what the surface holds, in the units that they name."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from landscape.cli import main
from landscape.commands.surfaces.summary import describe_result
from landscape.files.store import write_surface
from landscape.surface.grid import visiting_order
from landscape.surface.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED
from tests.helpers.plot_fixtures import valley


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
