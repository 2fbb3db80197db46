"""What is left of a study, counted in time and not in tasks."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from landscape.studies.tasks import costs
from landscape.studies.tasks.costs import UsualSeconds, estimate_costs


def task(name: str, training: str = "") -> Any:
    network = SimpleNamespace(recipe=SimpleNamespace(training=training))
    measured = None if name.startswith("train") else name
    return SimpleNamespace(
        name=name, variant=name.split("/")[1], folder=name, networks=(network,), measurement=measured
    )


def test_what_is_left_costs_what_was_timed_and_a_few_steps_of_training_once_a_variant(monkeypatch):
    """1 line of 20 s is done, 1 is left; training: 60 s and 3 GiB a small network, 600 s and 1 GiB a large one."""
    asked = []

    def estimated(each: Any) -> dict[str, float]:
        asked.append(each.name)
        return (
            {"seconds": 600.0, "bytes": 2.0**30} if each.variant == "large" else {"seconds": 60, "bytes": 3 * 2.0**30}
        )

    monkeypatch.setattr(costs, "_estimated", estimated)
    monkeypatch.setattr(costs, "_process_bytes", lambda: 2.0**29)
    names = ("train/small/0", "train/small/1", "train/large/0", "line/small/0", "line/small/1", "map/small/0")
    tasks = [task(name) for name in names]
    seconds = {"line/small/0": 20.0, "line/small/1": 500.0}  # the second failed after that long
    outcomes = {
        name: SimpleNamespace(state="done" if name == "line/small/0" else "failed", seconds=seconds.get(name, 0.0))
        for name in names
    }
    plan = SimpleNamespace(minutes=None)
    lines = estimate_costs(plan, tasks, outcomes, jobs=4)
    assert asked == ["train/small/0", "train/large/0"]
    assert lines == [
        "6 tasks, 1 of them done",
        "1 of the 5 that are left are of kinds that were not timed yet (map) and are in no figure below; --smoke shows "
        "what they are like",
        "the other 4 alone: 12.3 min of work, 3.1 min with 4 tasks at a time",
        "about 14.0 GiB of memory for 4 processes that train",
    ]
    # Training by a function of the user's own is not tried for a few steps.
    assert estimate_costs(plan, [task("train/small/0", "own.py:train")], outcomes)[1].startswith("1 of the 1 that are")


def test_the_time_left_is_that_of_tasks_of_the_same_kind_and_variant():
    done = [("train/small/0", 2.0), ("train/small/1", 4.0), ("train/large/0", 60.0), ("line/small/0", 1.0)]
    usual = UsualSeconds((task(name), seconds) for name, seconds in done)
    assert [usual.of(task(name)) for name in ("train/small/2", "train/large/1", "train/other/0")] == [3.0, 60.0, 22.0]
    assert usual.of(task("map/small/0")) is None
    left = [task(name) for name in ("train/small/2", "train/large/1", "line/large/0", "map/small/0")]
    # A kind that was never done counts as the mean of those that were; the longest task bounds what workers can save.
    assert usual.left(left, {}, 1) == pytest.approx(3 + 60 + 1 + (22 + 1) / 2)
    assert usual.left(left, {"train/large/1": 50.0, "train/small/2": 99.0}, 2) == 11.5
    assert usual.left(left, {}, 8) == 60.0
    assert usual.left(left[:1] * 3, {}, 2) == 4.5
    assert math.isnan(UsualSeconds([]).left(left, {}, 2))
    assert math.isnan(usual.left([], {}, 2))
