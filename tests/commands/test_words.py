"""What the end of a run and a dry run say: numbers with the right unit, errors of what was measured."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from landscape.commands.dry_run import describe_cost
from landscape.commands.shown.facts import surface_facts
from landscape.commands.surfaces.summary import describe_paths, describe_result
from landscape.commands.words import number_of_bytes
from landscape.evaluation.runner import Cost
from landscape.parallel.progress import duration
from landscape.surface.surface import INTERPOLATED, NOT_COMPUTED, Trajectory
from tests.helpers.plot_fixtures import valley

COST = {
    "points": 77,
    "total_points": 121,
    "samples": {"train": 1000, "test": 20},
    "seconds": 90.0,
    "seconds_per_point": 1.25,
    "data_bytes": 3 * 2**20,
    "weight_bytes": 2048,
    "copies_bytes": 0,
    "drawn": False,
    "resident": True,
    "ranks": 1,
}


@pytest.mark.parametrize(
    ("change", "said", "not_said"),
    [
        (
            {},
            ["77 to do of 121", "train 1,000, test 20 at each", "about 1.5 min in one process", "2 KiB", "3 MiB"],
            "most",
        ),
        ({"ranks": 8}, ["in 8 processes (1.25 s a point)", "activations, in each process"], "one process"),
        ({"at_most": True}, ["at most 77", "at most train", "at most 1.5 min"], "about"),
        ({"resident": False}, ["read in parts that fit"], "kept on the device"),
        ({"drawn": True}, ["drawn at each point"], "theta* and directions"),
        ({"copies_bytes": 5 * 1024}, ["5 KiB for fused layers"], "5.1"),
    ],
    ids=str,
)
def test_a_dry_run_says_each_part_of_the_cost(change, said, not_said):
    text = describe_cost(Cost(**{**COST, **change}))
    for words in said:
        assert words in text
    assert not_said not in text
    assert text.replace("s a point)", "s a point), after a start of about 3.5 s") == describe_cost(
        Cost(**{**COST, **change}), 3.5
    )


def test_times_and_sizes_are_in_units_of_a_person():
    hour, day = 3600.0, 86400.0
    assert [duration(each) for each in (0.123, 59.0, 60.0, 3599.0, 2 * hour, 47.9 * hour, 2 * day, 729 * day)] == [
        "0.12 s", "59 s", "1.0 min", "60.0 min", "2.0 h", "47.9 h", "2.0 days", "729.0 days"
    ]  # fmt: skip
    assert [duration(each * day) for each in (731, 365.25 * 1234)] == ["2 years", "1,234 years"]
    assert [number_of_bytes(each) for each in (1000, 1024, 1.5 * 2**30)] == ["1e+03 B", "1 KiB", "1.5 GiB"]
    assert [number_of_bytes(each, 1000) for each in (999, 12_000, 2.5e9)] == ["999 bytes", "12 kB", "2.5 GB"]


def test_a_result_is_of_measured_finite_points_and_counts_the_others():
    surface = valley(7, 5)
    loss, state = surface["train/loss"].copy(), surface.state.copy()
    loss[0, 1], loss[1, 2], loss[2, 3] = np.inf, np.nan, 99.0
    state[1, 2], state[2, 3] = NOT_COMPUTED, INTERPOLATED
    values = {**surface.values, "train/loss": loss}
    said = describe_result(dataclasses.replace(surface, values=values, state=state)).splitlines()
    measured = loss[(state == 1) & np.isfinite(loss)]
    assert said[0] == (
        f"train/loss: 0.41 at theta*, {measured.min():.4g} to {measured.max():.4g} over 33 measured points, "
        "1 not finite"
    )
    accuracy = surface["train/accuracy"][state == 1]
    assert said[1].startswith(f"train/accuracy: 85.00 % at theta*, {100 * accuracy.min():.2f} % to ")
    assert "cosine between the directions 0.0123; length of x 3.5, y 3.5" in said
    assert any(line.startswith("interpolated 1 of 35 points") for line in said)
    assert said[-1] == "wrote net.h5 (not complete)"
    state[1, 2] = INTERPOLATED  # every point has a value: only what some of them lack makes the file unfinished
    counts = {"train": np.where(state == 1, np.arange(35).reshape(5, 7) + 700, 9)}
    how = {"state": state, "counts": counts, "quality": {"unfinished": 3, "standard_error": {"target": 0.02}}}
    assert describe_result(dataclasses.replace(surface, **how)).splitlines()[-2:] == [
        "700 to 734 samples a point, for a standard error of 2 % of loss + eps",
        "wrote net.h5 (not complete)",
    ]


def test_an_error_in_info_is_the_median_of_finite_points_and_smaller_for_a_part_of_all_samples():
    surface = valley(7, 5)
    state = surface.state.copy()
    state[0, 0] = NOT_COMPUTED
    stderr = np.arange(1.0, 36.0).reshape(5, 7)
    stderr[0, 0], stderr[0, 1] = 1e9, np.nan
    size = surface.problem["data"]["train"]["size"]
    facts = surface_facts(
        dataclasses.replace(
            surface, state=state, stderr={"train/loss": stderr}, paired_stderr={"train/loss": stderr / 10}
        )
    )["values"]["train/loss"]
    factor = np.sqrt(1 - 1000 / size)
    assert facts["stderr"] == {"median": pytest.approx(19 * factor), "max": pytest.approx(35 * factor)}
    assert facts["paired_stderr"]["median"] == pytest.approx(1.9 * factor)


def test_a_run_is_told_by_its_farthest_step_and_its_greatest_difference():
    surface = valley(7, 5)
    run = Trajectory(
        np.array([[3.0, 0.0], [0.0, 2.0], [0.0, 0.0]]),
        np.array([4.0, 1.0, 0.0]),
        np.array([2.0, 0.5, 0.1]),
        np.array([0, 10, 20]),
        {
            "explained_variance": [0.6, 0.25, 0.15],
            "unit": "epoch",
            "loss_name": "train/loss",
            "plane_values": {"train/loss": [1.5, 0.4, np.nan]},
        },
    )
    axes = tuple(dataclasses.replace(axis, source="pca", length=1.0) for axis in surface.axes)
    said = describe_paths(dataclasses.replace(surface, axes=axes, cosines=np.eye(2), trajectories={"sgd": run}))
    assert "60.0 % + 25.0 %" in said
    assert "15.0 % lie outside" in said
    assert "sgd: 3 records, epoch 0 to 20, up to 5 from theta*" in said
    assert "by up to 4 (epoch 0, 80 % of its way from theta*), median 1" in said
    assert "0.3 from the plane's below them; at most 0.5 (epoch 0: 2, the plane 1.5)" in said
