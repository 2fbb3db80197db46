"""What is left of a study, counted in time and not in tasks."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from landscape.studies.tasks.costs import UsualSeconds


def task(name: str) -> Any:
    return SimpleNamespace(name=name, variant=name.split("/")[1], folder=name)


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
