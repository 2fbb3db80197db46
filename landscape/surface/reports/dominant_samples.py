"""Dominant samples: those with the largest scores on a layer's first principal component, compared between layers.

Nguyen et al. [1]_ find that a few samples make up the first component of the layers of a block, and that two seeds
have different ones. Whether two layers share more than chance gives follows from the hypergeometric distribution: of
two sets of m of n samples drawn at random m^2/n are in both on average.

References
----------
.. [1] Nguyen, Raghu, Kornblith, "On the Origins of the Block Structure Phenomenon in Neural Network Representations",
   TMLR 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.surface.grid import Floats
from landscape.surface.reports.similarity import Similarity


@dataclass(frozen=True)
class Overlap:
    """How many dominant samples layers of the same name in two networks have in common."""

    mean: float  # of the layers: share of a layer's dominant samples that are the other one's, too
    chance: float  # what two sets drawn at random have in common on average
    layers: int  # that were compared
    above: int  # of them, those that share more than chance gives in 1 of 20 cases after Holm's correction


def overlaps(dominant: NDArray[np.int64]) -> Floats:
    """Return which share of each layer's dominant samples are another's too, shape (rows, rows).

    Parameters
    ----------
    dominant : ndarray, shape (rows, m)
        Numbers of samples; a layer without a component has -1.
    """
    rows, kept = dominant.shape
    numbers, places = np.unique(dominant, return_inverse=True)
    member = np.zeros((rows, len(numbers)))
    member[np.repeat(np.arange(rows), kept), places.ravel()] = 1.0
    found: Floats = member @ member.T / kept
    without = (dominant < 0).any(1)
    found[without] = found[:, without] = np.nan
    return found


def overlap_of(found: Similarity, first: int, second: int) -> Overlap | None:
    """Compare dominant samples of two networks, layer by layer of the same name; None where nothing can be compared."""
    if not found.dominant.size:
        return None
    shared = found.between(first, second, overlaps(found.dominant))
    theirs = {label: column for column, label in enumerate(found.networks[second].labels)}
    pairs = [(row, theirs[each]) for row, each in enumerate(found.networks[first].labels) if each in theirs]
    values = np.array([shared[pair] for pair in pairs])
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    from scipy import stats  # takes a second to load

    kept = found.dominant.shape[1]
    tail = stats.hypergeom.sf(np.rint(values * kept) - 1, found.samples, kept, kept)
    order = np.sort(tail)
    # Holm: the smallest against 0.05 / m, the next one against 0.05 / (m - 1), until one is above.
    low = order * np.arange(len(order), 0, -1) < 0.05
    above = int(len(low) if low.all() else np.argmin(low))
    return Overlap(float(values.mean()), kept / found.samples, len(values), above)


def most_dominant(scores: NDArray[np.float32], shares: Floats, number: int) -> NDArray[np.int64]:
    """Return the places of the samples that dominate a network: first components of all its layers taken together.

    A sample counts by the part of a component's sum of squares that is its own, averaged over layers by the share of
    the variance that their first component has.

    Parameters
    ----------
    scores : ndarray, shape (layers, samples)
        On the first component.
    shares : ndarray, shape (layers,)
        NaN for a layer without one, which does not count.
    number : int
        How many samples.
    """
    squares = scores.astype(np.float64) ** 2
    total = squares.sum(1)
    known = (total > 0) & np.isfinite(shares)
    part = (shares[known] / total[known]) @ squares[known]
    return np.argsort(-part, kind="stable")[:number].astype(np.int64)
