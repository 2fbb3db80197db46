"""Which other networks lie on a surface, and where: those that its directions lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from landscape.surface.surface import Surface


def networks_on(surface: Surface) -> list[tuple[str, tuple[float, ...]]]:
    """Return the name and the coordinates of each network that is on a surface as a whole, theta* not among them.

    A network that differs from what is at its place, because some tensors were left behind, is not there.

    Examples
    --------
    >>> networks_on(surface)                                                  # doctest: +SKIP
    [('b.pt', (1.0, 0.0)), ('c.pt', (0.0, 1.0))]
    """
    axes = surface.directions
    found = []
    for number, axis in enumerate(axes):
        if axis.reaches_checkpoint:
            at = tuple(float(other == number) for other in range(len(axes)))
            found.append((_name(axis.recipe, str(axis.recipe.get("path") or "")), at))
    for each in listed_networks(axes[0].recipe):
        if len(each.get("at", ())) == len(axes) and not each.get("differs"):
            found.append((_name(each, str(each.get("path") or "")), tuple(map(float, each["at"]))))
    return found


def listed_networks(recipe: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the networks through which a plane of orthonormal axes was laid, as its recipe has them."""
    return recipe.get("networks") or () if recipe.get("source") == "networks" else ()


def _name(entry: Mapping[str, Any], path: str) -> str:
    return f"{Path(path).name}:{entry['key']}" if entry.get("key") else Path(path).name or "another network"
