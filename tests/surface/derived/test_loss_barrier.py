"""The height of a line between two networks over its chord."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from landscape.surface.derived.loss_barrier import above_chord, barrier
from landscape.surface.grid import Axis
from landscape.surface.surface import Surface


def line(losses, first=0.0, last=1.0, **changes):
    values = np.asarray(losses, float)
    axis = Axis(np.linspace(first, last, len(values)), source="checkpoint")
    return Surface((axis,), {"a/loss": values}, np.ones(len(values), np.uint8), **changes)


def test_the_barrier_is_measured_from_the_chord_not_from_the_lower_end():
    assert barrier(line([1.0, 4.0, 3.0]), "a/loss") == (2.0, 0.5)
    assert barrier(line([1.0, 2.0, 3.0]), "a/loss") == (0.0, 0.0)
    assert barrier(line([3.0, 0.0, 1.0]), "a/loss") == (0.0, 0.0)


def test_points_beyond_both_networks_are_not_between_them():
    wide = line([99.0, 1.0, 4.0, 3.0, 99.0], -0.5, 1.5)
    assert barrier(wide, "a/loss") == (2.0, 0.5)
    x, values, chord = above_chord(wide, "a/loss")
    assert (x.tolist(), values.tolist(), chord.tolist()) == ([0.0, 0.5, 1.0], [1.0, 4.0, 3.0], [1.0, 2.0, 3.0])


def test_an_interpolated_point_is_no_measured_height():
    found = line([0.0, 5.0, 3.0, 1.0, 0.0])
    state = np.array([1, 2, 1, 1, 1], np.uint8)
    assert barrier(dataclasses.replace(found, state=state), "a/loss") == (3.0, 0.5)
    ends = dataclasses.replace(line([3.0, 0.0, 1.0]), state=np.array([2, 1, 2], np.uint8))
    assert barrier(ends, "a/loss") == (0.0, 0.0)  # the one that was measured lies below


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("fault", ["missing", "nan", "inf"])
def test_with_a_hole_anywhere_between_there_is_no_barrier(place, fault):
    found = line([1.0, 4.0, 3.0])
    if fault == "missing":
        found.state[place] = 0
    else:
        found["a/loss"][place] = float(fault)
    assert barrier(found, "a/loss") is None


def test_other_lines_and_planes_have_no_barrier():
    found = line([1.0, 4.0, 3.0])
    random = dataclasses.replace(found.axes[0], source="random")
    assert barrier(dataclasses.replace(found, axes=(random,)), "a/loss") is None
    assert barrier(line([1.0, 4.0, 3.0], 0.1), "a/loss") is None
    assert barrier(line([1.0, 4.0, 3.0], 0.0, 0.9), "a/loss") is None
    assert barrier(line([1.0, 3.0]), "a/loss") is None
    plane = Surface(found.axes * 2, {"a/loss": np.ones((3, 3))}, np.ones((3, 3), np.uint8))
    assert barrier(plane, "a/loss") is None
