"""The plane through three networks with orthonormal axes, as Garipov et al. draw it [1]_.

The first axis leads from theta* to the second network, the next at right angles to it towards the third; both have
length 1, so that coordinates are Euclidean distances and angles in the picture are those in weight space.

References
----------
.. [1] Garipov et al., "Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs", NeurIPS 2018, appendix A.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.directions.construct import Direction, Plane, checkpoint_plane
from landscape.errors import DirectionError
from landscape.problem.chunks import inner_products
from landscape.surface.grid import Floats

if TYPE_CHECKING:
    from landscape.problem.checkpoints.checkpoint import Checkpoint

# The sine of the angle between a network and those before it below which they are on a line, but for rounding.
ON_A_LINE = 1e-4


def orthonormal_plane(
    model: nn.Module,
    checkpoints: Sequence[Checkpoint | str | Path],
    *,
    move: str | None = None,
    include: str | None = None,
    exclude: str | None = None,
    key: str | None = None,
    trust: bool = False,
) -> Plane:
    """Return the plane through the model's weights and other checkpoints, with axes of length 1 at right angles.

    The first axis leads to the first of the checkpoints, so that it lies at (distance, 0).

    Parameters
    ----------
    model, checkpoints, move, include, exclude, key, trust
        See `landscape.checkpoint_plane`, whose plane it is, on other axes.

    Returns
    -------
    Plane
        Each direction's recipe names all networks and where they lie: ``networks`` with ``path``, ``key``, ``sha256``,
        ``differs``, and ``at``, its coordinates.

    Raises
    ------
    DirectionError
        The networks lie on one line, or one of them twice; or as `landscape.checkpoint_plane`.
    CheckpointError
        A checkpoint cannot be read or does not fit.

    Examples
    --------
    >>> plane = orthonormal_plane(model, ["b.pt", "c.pt"])                    # doctest: +SKIP
    >>> network_coordinates(plane)                                            # doctest: +SKIP
    array([[12.3,  0. ],
           [ 5.1, 10.9]])
    """
    plane = checkpoint_plane(model, checkpoints, move=move, include=include, exclude=exclude, key=key, trust=trust)
    return _orthonormalized(plane)


def _orthonormalized(plane: Plane) -> Plane:
    """Return the plane of directions towards networks on orthonormal axes, by Gram and Schmidt."""
    towards = [dict(direction.tensors) for direction in plane.directions]
    made: list[dict[str, Tensor]] = []
    for tree in towards:
        whole = float(inner_products([tree])[0, 0]) ** 0.5
        rest = tree
        for _ in range(2):  # the second time takes away what rounding left of the first
            rest = _combined(rest, [(-float(inner_products([rest, each])[1, 0]), each) for each in made])
        length = float(inner_products([rest])[0, 0]) ** 0.5
        if length <= ON_A_LINE * whole:
            raise DirectionError(
                f"the checkpoint and {' and '.join(d.label.removeprefix('towards ') for d in plane.directions)} lie on "
                "one line, so that there is no plane through them; draw a line"
            )
        made.append(_combined({name: torch.zeros_like(tensor) for name, tensor in rest.items()}, [(1 / length, rest)]))
        del rest
    at = inner_products([*towards, *made])[: len(towards), len(towards) :]
    del towards
    networks = [
        {
            **{key: direction.recipe.get(key) for key in ("path", "key", "sha256", "differs")},
            # Beyond its own axis a network has no coordinate but rounding.
            "at": [float(value) if axis <= number else 0.0 for axis, value in enumerate(at[number])],
        }
        for number, direction in enumerate(plane.directions)
    ]
    shared = {"source": "networks", "move": plane.move, "include": plane.include, "exclude": plane.exclude}
    words = ["", ", at right angles"]
    directions = [
        Direction.of(tree, {**shared, "axis": axis, "networks": networks}, f"distance {old.label}{words[min(axis, 1)]}")
        for axis, (tree, old) in enumerate(zip(made, plane.directions, strict=True))
    ]
    return Plane.of(directions, plane.move, plane.include, plane.exclude)


def network_sources(recipe: Mapping[str, Any]) -> list[str]:
    """Return the networks that a recipe names, as ``FILE`` or ``FILE:KEY``, in the order of the axes."""
    return [f"{each['path']}:{each['key']}" if each.get("key") else str(each["path"]) for each in recipe["networks"]]


def network_coordinates(plane: Plane) -> Floats:
    """Return where the networks lie that a plane of orthonormal axes leads through, shape (networks, axes)."""
    return np.array([each["at"] for each in plane.directions[0].recipe["networks"]], dtype=np.float64)


def _combined(tree: Mapping[str, Tensor], parts: list[tuple[float, Mapping[str, Tensor]]]) -> dict[str, Tensor]:
    """Add multiples of trees to one, summed in float64: the digest of a direction must not depend on rounding."""
    found = {}
    for name, tensor in tree.items():
        wide = torch.complex128 if tensor.is_complex() else torch.float64
        total = tensor.detach().to(wide)
        for factor, part in parts:
            total = total + factor * part[name].to(wide)
        found[name] = total.to(tensor.dtype)
    return found
