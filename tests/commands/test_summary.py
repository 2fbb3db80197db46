"""What is said at the end of an evaluation."""

from __future__ import annotations

import dataclasses

from landscape.commands.surfaces.summary import describe_networks
from tests.helpers.plot_fixtures import valley


def test_networks_are_placed_and_those_beyond_the_grid_on_either_axis_are_named():
    surface = valley(5, 4)  # from -1 to 1.2 and from -0.8 to 0.9
    assert describe_networks(surface) == ""
    places = {"b": (0.5, 0.25), "right": (1.3, 0.0), "below": (0.0, -0.9), "corner": (-1.0, 0.9)}
    networks = [{"path": f"runs/{name}.pt", "at": list(at)} for name, at in places.items()]
    axes = [
        dataclasses.replace(axis, source="networks", recipe={"source": "networks", "networks": networks})
        for axis in surface.axes
    ]
    assert describe_networks(dataclasses.replace(surface, axes=tuple(axes))) == (
        "networks, in distances from theta* at (0, 0): b.pt at (0.5, 0.25), right.pt at (1.3, 0), "
        "below.pt at (0, -0.9), "
        "corner.pt at (-1, 0.9); beyond the grid: right.pt, below.pt"
    )
