"""Which planes a volume and its seeds become, with the numbers of each."""

from __future__ import annotations

import dataclasses

import numpy as np
from landscape.plot.style.panels import MOST_PANELS, panels_of

from landscape.surface.grid import Axis
from landscape.surface.surface import Surface
from tests.helpers.plot_fixtures import random_axis, surface_of

# The checkpoint lies in the slice number 7, which is not the middle one.
HEIGHTS = np.linspace(-0.7, 2.3, 31).round(1)


def volume() -> Surface:
    """Return a volume whose values say in which slice they stand; its fields are cut with them."""
    x, y = np.linspace(-1, 1, 4), np.linspace(-1, 2, 3)
    loss = np.arange(31.0)[:, None, None] + np.arange(12.0).reshape(3, 4) / 100
    axes = (random_axis(x, 0), random_axis(y, 1), random_axis(HEIGHTS, 2))
    made = surface_of({"train/loss": loss}, *axes, cosines=np.array([[1, 0.1, 0.2], [0.1, 1, 0.3], [0.2, 0.3, 1]]))
    fields = {name: {"train/loss": loss * factor} for name, factor in (("stderr", 2), ("paired_stderr", 3))}
    return dataclasses.replace(made, **fields, counts={"train": loss.astype(np.int64)})


def test_of_many_slices_that_of_the_checkpoint_takes_the_place_of_its_nearest() -> None:
    panels, notes = panels_of([volume()], ["net"])
    # Every fourth, rounded to even, and 7 in the place of 8.
    numbers = [0, 4, 7, 11, 15, 19, 22, 26, 30]
    assert len(numbers) == MOST_PANELS
    assert [panel.title for panel in panels] == [f"net, γ = {HEIGHTS[k]:g}".replace("-", "−") for k in numbers]
    assert notes == ["Shown are 9 of 31 slices."]
    for number, panel in zip(numbers, panels, strict=True):
        plane = np.arange(12.0).reshape(3, 4) / 100 + number
        np.testing.assert_array_equal(panel.surface["train/loss"], plane)
        np.testing.assert_array_equal(panel.surface.stderr["train/loss"], 2 * plane)
        np.testing.assert_array_equal(panel.surface.paired_stderr["train/loss"], 3 * plane)
        assert (panel.surface.counts["train"] == number).all()
        np.testing.assert_array_equal(panel.surface.cosines, [[1, 0.1], [0.1, 1]])
        # The checkpoint and its values are in one of them alone.
        assert bool(panel.surface.origin.get("elsewhere")) == (number != 7)
    x, y, z = volume().axes
    beside = dataclasses.replace(volume(), axes=(x, y, dataclasses.replace(z, values=z.values + 0.02)))
    assert all(panel.surface.origin.get("elsewhere") for panel in panels_of([beside])[0])


def test_of_volumes_of_several_seeds_the_slice_of_the_checkpoint_is_shown() -> None:
    one = volume()
    seeds = [{"recipe": {"seed": 3 + k}} for k in range(2)]
    axis = Axis(np.arange(2.0), "seed", "repeat", {"repeats": [[each] * 3 for each in seeds]}, kind="repeat")
    values = {"train/loss": np.stack([one["train/loss"], 100 + one["train/loss"]])}
    state = np.stack([one.state] * 2)
    axes = tuple(dataclasses.replace(each, recipe={}) for each in one.axes)
    panels, notes = panels_of([Surface((*axes, axis), values, state, title="net")])
    assert [panel.title for panel in panels] == ["net, seed 3, γ = 0", "net, seed 4, γ = 0"]
    assert [panel.surface["train/loss"][0, 0] for panel in panels] == [7, 107]
    assert notes == ["Of each volume the slice nearest to γ = 0 is shown."]
