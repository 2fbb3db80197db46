"""A part of a surface is that of everything it holds at a point, whoever takes it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from landscape.plot.page.records import frames_of
from landscape.plot.style.panels import panels_of
from landscape.plot.style.strips import as_line

from landscape.surface.grid import Axis
from landscape.surface.surface import Surface


def surface(*lengths: int, repeat: bool = False) -> Surface:
    """Return a surface whose arrays differ at every point, and from each other."""
    axes = [Axis(np.arange(number) - number // 2.0, "xyz"[place]) for place, number in enumerate(lengths)]
    if repeat:
        axes[-1] = replace(axes[-1], kind="repeat")
    shape = tuple(reversed(lengths))
    points = np.arange(np.prod(shape)).reshape(shape)
    groups: dict[str, Any] = {
        group: {"train" if group in ("counts", "anchored") else "train/loss": points + 1000 * (k + 1)}
        for k, group in enumerate(("values", "stderr", "paired_stderr", "counts", "anchored", "tails"))
    }
    return Surface(tuple(axes), state=(points % 2 + 1).astype(np.uint8), **groups)


def held(found: Surface) -> dict[str, Any]:
    """Return all arrays over the grid."""
    arrays = {"state": found.state}
    for each in fields(found):
        value = getattr(found, each.name)
        if isinstance(value, dict):
            arrays |= {f"{each.name} {name}": array for name, array in value.items() if isinstance(array, np.ndarray)}
    return arrays


WHOLE = surface(4, 3, 2)
PARTS = {
    "a repetition": (surface(4, 3, 2, repeat=True), lambda whole: whole.repeat(1), np.s_[1]),
    "some points": (WHOLE, lambda whole: whole.select(*(np.arange(2) for _ in range(3))), np.s_[:2, :2, :2]),
    "a slice on the page": (WHOLE, lambda whole: frames_of(whole)[0][1], np.s_[1]),
    "a slice in a picture": (WHOLE, lambda whole: panels_of([whole], None)[0][1].surface, np.s_[1]),
    "a strip along x": (surface(4, 1), as_line, np.s_[0, :]),
    "a strip along y": (surface(1, 4), as_line, np.s_[:, 0]),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_of_all_that_the_whole_holds(name):
    whole, take, index = PARTS[name]
    part = held(take(whole))
    assert len(held(whole)) == 7
    assert part.keys() == held(whole).keys()
    for key, array in held(whole).items():
        np.testing.assert_array_equal(part[key], array[index], err_msg=key)
