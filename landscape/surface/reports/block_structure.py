"""The block structure of a network as a number, by a rule that does not depend on who looks.

Nguyen et al. (2021, Section 4) see it in heat maps of large networks: many consecutive layers that are all alike and
unlike the rest. Neighbours are alike in any network and become less so with distance, so the rule asks for pairs
that are far apart. A run of layers is a block where

* nine of ten pairs of different layers in it have a CKA of `INSIDE` or more, and so has its first layer with its last;
* it has four tenths of the network's layers or more (`SHARE`; a stage of a small network has less), four at least;
* its layers are more alike to each other than to the layers outside by `CONTRAST` or more, on average.

Tried on networks for digits (docs/similarity.md): of two that were far too large for 90 images both have a block, of
118 and 66 of 147 layers with contrasts of 0.41 and 0.32; of two small ones on the same images, of twenty trained on all
of them and of a ResNet-20 at ten epochs none has. With a quarter of the layers and a contrast of 0.2 the first stage of
ten of those 22 small ones was called one. Before training a ResNet-20 has one as well: its layers pass on what they
get.

Of several runs the longest is the block, and of equally long ones the one that is more alike. No run: no block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.surface.grid import Floats
from landscape.surface.reports.similarity import Block, Similarity

INSIDE, ALIKE, SHARE, LEAST, CONTRAST = 0.8, 0.9, 0.4, 4, 0.3


def find_block(matrix: Floats, pc_share: Floats | None = None) -> Block | None:
    """Return the block of a network, None where it has none.

    Parameters
    ----------
    matrix : ndarray, shape (layers, layers)
        Its CKA; layers that are NaN are left out.
    pc_share : ndarray, shape (layers,), optional
        Share of the first principal component of each layer.

    Returns
    -------
    Block or None
        ``first`` and ``last`` count all layers, also those left out.
    """
    kept = np.flatnonzero(np.isfinite(np.diagonal(matrix)))
    inner = matrix[np.ix_(kept, kept)]
    number = len(kept)
    least = max(LEAST, int(np.ceil(SHARE * number)))
    high = _corners((inner >= INSIDE) & ~np.eye(number, dtype=bool))
    sums = _corners(np.where(np.eye(number, dtype=bool), 0.0, inner))
    best: tuple[int, float, int, int, float] | None = None
    for first, last in _ranges(number, least):
        extent = last - first + 1
        if best is not None and extent < best[0]:
            break
        pairs = extent * (extent - 1)
        if inner[first, last] < INSIDE or _square(high, first, last) < ALIKE * pairs:
            continue
        inside = _square(sums, first, last) / pairs
        across = float(inner[first : last + 1].sum() - inner[first : last + 1, first : last + 1].sum())
        outside = across / (extent * (number - extent))
        if inside - outside >= CONTRAST and (best is None or inside > best[1]):
            best = extent, inside, first, last, outside
    if best is None:
        return None
    _, inside, first, last, outside = best
    rows = kept[first : last + 1]
    shares = np.full(2, np.nan)
    if pc_share is not None and len(pc_share):
        others = np.setdiff1d(kept, rows)
        shares = np.array([float(pc_share[rows].mean()), float(pc_share[others].mean())])
    return Block(int(rows[0]), int(rows[-1]), float(inside), float(outside), float(shares[0]), float(shares[1]))


def _ranges(number: int, least: int) -> Iterator[tuple[int, int]]:
    """Yield runs of layers, the longest first; a run of all layers has no outside."""
    for extent in range(number - 1, least - 1, -1):
        for first in range(number - extent + 1):
            yield first, first + extent - 1


def _corners(values: NDArray[Any]) -> Floats:
    """Return sums of all rectangles from the corner, so that any square's sum is four look-ups."""
    return np.pad(np.cumsum(np.cumsum(values.astype(np.float64), 0), 1), ((1, 0), (1, 0)))


def _square(corners: Floats, first: int, last: int) -> float:
    end = last + 1
    return float(corners[end, end] - corners[first, end] - corners[end, first] + corners[first, first])


def blocks_of(found: Similarity) -> tuple[Block | None, ...]:
    """Return each network's block, with how much of it the others have: CKA between layers of the same names."""
    blocks: list[Block | None] = []
    for number, network in enumerate(found.networks):
        share = found.pc_share[found.rows(number)] if len(found.pc_share) else None
        block = find_block(found.between(number, number), share)
        if block is not None:
            rows = np.arange(block.first, block.last + 1)
            shared = {}
            for other, theirs in enumerate(found.networks):
                names = [network.labels[row] for row in rows]
                columns = np.array([theirs.labels.index(each) for each in names if each in theirs.labels], np.int64)
                if other != number and columns.size:
                    shared[theirs.name] = float(np.nanmean(found.between(number, other)[np.ix_(rows, columns)]))
            block = replace(block, shared=shared)
        blocks.append(block)
    return tuple(blocks)
