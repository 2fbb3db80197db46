"""What a surface holds, and the parts of one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from landscape.surface.grid import Axis
from landscape.surface.surface import Surface, sampling_factor


def surface(*lengths: int, repeats: int = 0, done: object = None) -> Surface:
    """Return a surface whose every value tells where it belongs."""
    axes = tuple(Axis(np.arange(float(n)), str(n)) for n in lengths)
    axes += (Axis(np.arange(float(repeats)), kind="repeat"),) if repeats else ()
    shape = tuple(len(axis) for axis in reversed(axes))
    place = np.arange(float(np.prod(shape))).reshape(shape)
    state = np.ones(shape, np.uint8) if done is None else np.asarray(done, np.uint8)
    errors = {"a/loss": place / 10}
    return Surface(axes, {"a/loss": place}, state, errors, {"a/loss": place / 100}, {"a": place.astype(np.int64)})


def places(part: Surface) -> list[np.ndarray]:
    """Return the place that each array of a part says it is from."""
    return [part["a/loss"], part.stderr["a/loss"] * 10, part.paired_stderr["a/loss"] * 100, part.counts["a"]]


def test_a_surface_is_one_line_in_a_session():
    done = np.arange(12).reshape(3, 4) < 3
    said = repr(dataclasses.replace(surface(4, 3, done=done), path="net.h5"))
    assert said.startswith("<Surface 'net.h5', 4 x 3 points, 25% computed, of ")
    assert len(said) < 100


def test_a_part_takes_the_same_points_of_every_array():
    whole = surface(4, 3)
    part = whole.select(np.array([1, 3]), np.array([0, 2]))
    assert [axis.values.tolist() for axis in part.axes] == [[1.0, 3.0], [0.0, 2.0]]
    for array in places(part):
        np.testing.assert_allclose(array, [[1, 3], [9, 11]])
    np.testing.assert_array_equal(part.state, whole.state[::2, 1::2])


def test_a_repetition_is_a_surface_with_its_own_directions_and_cosines():
    whole = surface(2, repeats=3)
    recorded = {"repeats": [[{"length": 5.0 + k}] for k in range(3)], "cosines": [[[1.0]], [[0.5]], [[0.25]]]}
    axes = (whole.axes[0], dataclasses.replace(whole.axes[1], recipe=recorded))
    part = dataclasses.replace(whole, axes=axes).repeat(2)
    for array in places(part):
        np.testing.assert_allclose(array, [4, 5])
    assert part.axes[0].length == 7.0
    np.testing.assert_array_equal(part.cosines, [[0.25]])
    assert (whole.repeats, part.repeats) == (3, 1)
    assert part.repeat(0) is part
    with pytest.raises(IndexError):
        part.repeat(1)
    assert whole.repeat(1)["a/loss"].tolist() == [2, 3]  # nothing recorded: as the axes are


def test_the_finished_part_is_the_finest_whole_grid():
    state = np.zeros((3, 5))
    state[::2, ::2] = 1
    assert surface(5, 3, done=state).finished_part() is not None
    state[1, ::2] = 2  # the middle row, interpolated: level 1 of both axes is whole
    part = surface(5, 3, done=state).finished_part()
    assert part.shape == (3, 3)
    assert part.complete
    assert part["a/loss"][1].tolist() == [5, 7, 9]
    state[0, 0] = 0
    broken = surface(5, 3, done=state)
    assert broken.finished_part() is broken


def test_an_array_of_another_shape_than_the_grid_is_refused():
    whole = surface(4, 3)
    wrong = np.zeros((4, 3))
    for change in ({"values": {"a/loss": wrong}}, {"counts": {"a": wrong}}, {"stderr": {"a/loss": wrong}}):
        with pytest.raises(ValueError, match=r"\(4, 3\), the grid has \(3, 4\)"):
            dataclasses.replace(whole, **change)
    with pytest.raises(ValueError, match="state"):
        dataclasses.replace(whole, state=wrong.astype(np.uint8))


def test_the_error_of_n_of_all_samples_shrinks_as_there_are_fewer_left():
    part = dataclasses.replace(surface(4), problem={"data": {"a": {"size": 3}}})
    np.testing.assert_allclose(sampling_factor(part, "a/loss"), np.sqrt([1, 2 / 3, 1 / 3, 0]))
    for problem in ({}, {"data": {"a": {"size": 0}}}, {"data": {"a": 3}}, {"data": {"b": {"size": 3}}}):
        np.testing.assert_array_equal(sampling_factor(dataclasses.replace(part, problem=problem), "a/loss"), np.ones(4))


def test_a_name_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(KeyError, match="a/loss"):
        surface(2)["b/loss"]
