"""A drawn plane against all directions: its own small Hessian by products, and by the values of its surface.

Two routes to one number, which share neither code nor derivative: products with the directions at theta*, and a fit to
the losses that a surface holds around it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import combinations_with_replacement

import numpy as np
from torch import Tensor

from landscape.curvature.products import Product
from landscape.directions.construct import Plane
from landscape.errors import UsageError
from landscape.surface.grid import Floats
from landscape.surface.reports.curvature import SliceCurvature
from landscape.surface.reports.matrix_spectrum import Spectrum
from landscape.surface.statistics import spread
from landscape.surface.surface import COMPUTED, Surface

# A direction is as long as random filter-normalised ones where its length in their units is within so much of theirs.
_ALIKE = 0.01
# Nearest points that are fitted, by number of axes: of degree 4, and of degree 2 for the error of the fit.
_NEAREST = {1: (7, 3), 2: (25, 9)}


def slice_curvature(
    multiply: Callable[[Tensor], Product],
    flatten: Callable[[Mapping[str, Tensor]], Tensor],
    plane: Plane,
    error_of: Callable[[Floats], float],
    normalised: Spectrum,
    scale: Tensor,
    surface: Surface | None,
    data: str,
) -> SliceCurvature:
    """Return the Hessian of the loss in a plane's own coordinates, and what the surface and other directions say of it.

    Parameters
    ----------
    multiply : callable
        The Hessian's product with a vector of shape (n,).
    flatten : callable
        Makes a vector of shape (n,) of a direction's tensors.
    plane : Plane
        One direction or two.
    error_of : callable
        The standard error of a mean over batches, from each batch's own.
    normalised : Spectrum
        Of D H D, whose probes are random filter-normalised directions.
    scale : Tensor, shape (n,)
        The diagonal of D.
    surface : Surface, optional
        Measured on the plane.
    data : str
        The data set that the products are of.

    Raises
    ------
    UsageError
        The plane has more than two directions.
    """
    if len(plane) > 2:
        raise UsageError(f"a slice of {len(plane)} directions cannot be compared; give a line's or a plane's surface")
    vectors = [flatten(direction.tensors) for direction in plane.directions]
    size = len(vectors)
    matrix, errors = np.zeros((size, size)), np.full((size, size), math.nan)
    for i, j in combinations_with_replacement(range(size), 2):
        # By polarisation: 4 u' H v = (u + v)' H (u + v) - (u - v)' H (u - v), whose batches' spread is known, too.
        parts = (
            [(1.0, multiply(vectors[i]))]
            if i == j
            else [
                (0.25, multiply(vectors[i] + vectors[j])),
                (-0.25, multiply(vectors[i] - vectors[j])),
            ]
        )
        batches = sum((factor * part.forms.cpu().numpy() for factor, part in parts), np.zeros(1))
        pairs = [vectors[i]] if i == j else [vectors[i] + vectors[j], vectors[i] - vectors[j]]
        forms = [factor * float(v @ part.vector.double()) for v, (factor, part) in zip(pairs, parts, strict=True)]
        matrix[i, j] = matrix[j, i] = sum(forms)
        errors[i, j] = errors[j, i] = error_of(batches)
    fitted, fitted_error = (np.full((size, size), math.nan),) * 2
    if surface is not None:
        fitted, fitted_error = fitted_curvature(surface, f"{data}/loss")
    moved = scale > 0
    lengths = [float((v[moved] / scale[moved]).square().sum()) / normalised.size for v in vectors]
    alike = [abs(each - 1) < _ALIKE and not bool(v[~moved].any()) for each, v in zip(lengths, vectors, strict=True)]
    return SliceCurvature(
        tuple(direction.label for direction in plane.directions),
        matrix,
        errors,
        fitted,
        fitted_error,
        tuple(_rank(matrix[k, k], normalised.forms) if alike[k] else math.nan for k in range(size)),
    )


def fitted_curvature(surface: Surface, name: str) -> tuple[Floats, Floats]:
    """Return the second derivatives of a surface at theta* by a fit to its nearest values, and the error of the fit.

    Parameters
    ----------
    surface : Surface
        A line or a plane.
    name : str
        The values, ``"train/loss"``.

    Returns
    -------
    tuple of ndarray, shape (axes, axes)
        Of a polynomial of degree 4 through the nearest 7 points of a line or 25 of a plane; the error is its difference
        to one of degree 2 through the nearest 3 or 9. NaN where there are too few points, or theta* is not among them.
    """
    number = len(surface.directions)
    nothing = np.full((number, number), math.nan)
    if number not in _NEAREST or surface.repeats > 1 or name not in surface.values:
        return nothing, nothing
    values = [np.asarray(axis.values) for axis in surface.directions]
    units = [float(np.diff(each).min(initial=np.inf)) for each in values]
    points = np.stack([each.ravel() for each in np.meshgrid(*values)], axis=1)
    losses = np.asarray(surface[name]).ravel()
    known = (np.asarray(surface.state).ravel() == COMPUTED) & np.isfinite(losses)
    distance = np.abs(points / np.array(units)).max(1)
    order = np.flatnonzero(known)[np.argsort(distance[known], kind="stable")]
    most, least = _NEAREST[number]
    # All around theta*, or a polynomial would be continued to where it was not fitted.
    if len(order) < most or distance[order[0]] > 0.5 or distance[order[most - 1]] > 3.5:
        return nothing, nothing
    wide = _second_derivatives(points[order[:most]], losses[order[:most]], 4)
    return wide, np.abs(wide - _second_derivatives(points[order[:least]], losses[order[:least]], 2))


def _second_derivatives(points: Floats, losses: Floats, degree: int) -> Floats:
    """Return those at 0 of the polynomial of a degree that fits best."""
    number = points.shape[1]
    unit = np.abs(points).max(0)
    powers = [power for power in np.ndindex(*[degree + 1] * number) if sum(power) <= degree]
    terms = np.stack([np.prod((points / unit) ** np.array(power), axis=1) for power in powers], axis=1)
    found = dict(zip(powers, np.linalg.lstsq(terms, losses, rcond=None)[0], strict=True))
    result = np.zeros((number, number))
    for i, j in np.ndindex(number, number):
        power = [0] * number
        power[i] += 1
        power[j] += 1
        result[i, j] = found[tuple(power)] * (2 if i == j else 1) / (unit[i] * unit[j])
    return result


def _rank(value: float, forms: Floats) -> float:
    """Return which part of random directions shows less, by the normal law of the probes' mean and spread."""
    deviation = spread(forms)
    if not deviation > 0:
        return math.nan
    return 0.5 * (1 + math.erf((value - float(forms.mean())) / deviation / math.sqrt(2)))
