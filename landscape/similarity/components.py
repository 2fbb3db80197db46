r"""The first principal components of each layer over all samples, in a few passes and memory that is bounded.

Block power iteration on the covariance C of a layer's features, which is never formed: a pass gives C V for a few
directions V, by Rayleigh-Ritz their best combination, and how far that is from an eigenvector. The start is the first
batch's own components. The share is the first eigenvalue over the trace of C; its error follows from how each sample
contributes to both (the derivative of an eigenvalue is :math:`v^\top dC\, v`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.problem.batches import batch_size_of
from landscape.similarity.grams import Reference, Tap, centred_features
from landscape.surface.grid import Floats

# Directions beside those that are wanted: they make the others converge faster.
SPARE = 2
# Passes over the samples at most, and the residual below which there is no need for another.
PASSES, RESIDUAL = 4, 0.05


@dataclass(frozen=True)
class Components:
    """Of each layer of one network, by row."""

    share: Floats  # (layers,): of the variance, which the first component has; NaN where there is none
    stderr: Floats  # (layers,)
    residual: Floats  # (layers,): |C v - l v| / l
    scores: NDArray[np.float32]  # (layers, samples, components): of scaled features, in the samples' order


class _Layer:
    """What is added up for one layer."""

    def __init__(self, features: Tensor, wanted: int) -> None:
        centred = features.float()
        values, vectors = torch.linalg.eigh((centred @ centred.T).double())
        number = min(wanted + SPARE, len(values) - 1, centred.shape[1])
        start = centred.T @ (vectors[:, -number:].flip(1) / values[-number:].flip(0).clamp(min=1e-30).sqrt()).float()
        self.directions = torch.linalg.qr(start).Q
        self.mean = torch.zeros(centred.shape[1], device=features.device)
        self.scores: list[Tensor] = []
        self.squares: list[Tensor] = []
        self.clear()

    def clear(self) -> None:
        """Start a pass."""
        self.sum = torch.zeros_like(self.mean)
        self.image = torch.zeros_like(self.directions)
        self.scores, self.squares = [], []

    def add(self, features: Tensor, room: Tensor) -> None:
        """Add a batch; ``room`` is memory of the features' shape."""
        shifted = torch.sub(features, self.mean, out=room)
        scores = shifted @ self.directions
        self.image.addmm_(shifted.T, scores)
        self.sum += shifted.sum(0)
        self.scores.append(scores)
        self.squares.append(torch.linalg.vector_norm(shifted, dim=1).double().square())

    def finish(self, wanted: int) -> tuple[float, float, float, Tensor]:
        """End a pass; return share, its error, the residual and the scores, and turn the directions for the next."""
        scores, squares = torch.cat(self.scores).double(), torch.cat(self.squares)
        number = len(scores)
        offset = self.sum / number
        moved = offset @ self.directions
        image = (self.image / number - offset[:, None] * moved[None, :]).double()
        values, turn = torch.linalg.eigh(self.directions.double().T @ image)
        values, turn = values.flip(0), turn.flip(1)
        scores = (scores - moved.double()) @ turn
        total = float(squares.mean() - offset.double().square().sum())
        first = float(values[0])
        if total <= 0 or first <= 0:
            return math.nan, math.nan, math.nan, torch.zeros(number, wanted)
        share = first / total
        residual = float((image @ turn[:, 0] - first * (self.directions.double() @ turn[:, 0])).norm()) / first
        influence = (scores[:, 0].square() - first - share * (squares - total)) / total
        error = float(influence.square().sum().sqrt()) / number
        self.directions = torch.linalg.qr(image.float()).Q
        self.mean = self.mean + offset
        kept = torch.zeros(number, wanted)
        kept[:, : scores.shape[1]] = scores[:, :wanted].float().cpu()
        return share, error, residual, kept


def principal_components(
    tap: Tap,
    reference: Sequence[Reference],
    batches: Callable[[], Iterable[Any]],
    *,
    wanted: int = 1,
    budget: int = 1 << 30,
) -> Components:
    """Find the first components of each layer over all samples.

    Parameters
    ----------
    tap : Tap
        Of one network.
    reference : sequence of Reference
    batches : callable
        Gives all samples in their order, in batches on the network's device, as often as it is called.
    wanted : int
        How many components' scores are returned.
    budget : int
        Bytes that directions may take; layers that need more are looked at a part at a time.
    """
    found: dict[int, tuple[float, float, float, Tensor]] = {}
    samples = 0
    for rows in _parts(reference, wanted, budget):
        layers: dict[int, _Layer] = {}
        broken: set[int] = set()
        # The first pass is centred on the first batch, the others on the mean: two are the least.
        for number in range(PASSES):
            samples = _pass(tap, reference, batches(), rows, layers, broken, wanted)
            for row, layer in layers.items():
                found[row] = layer.finish(wanted)
                layer.clear()
            if number and all(not found[row][2] > RESIDUAL for row in layers):
                break
        for row in broken | (set(rows) - set(layers)):
            found[row] = (math.nan, math.nan, math.nan, torch.zeros(samples, wanted))
    parts = [found[row] for row in range(len(reference))]
    return Components(
        np.array([each[0] for each in parts]),
        np.array([each[1] for each in parts]),
        np.array([each[2] for each in parts]),
        np.stack([each[3].numpy() for each in parts]),
    )


def _pass(
    tap: Tap,
    reference: Sequence[Reference],
    batches: Iterable[Any],
    rows: Sequence[int],
    layers: dict[int, _Layer],
    broken: set[int],
    wanted: int,
) -> int:
    chosen, samples = set(rows), 0

    def take(row: int, features: Tensor) -> None:
        # As the network gave them, not centred over the batch: each batch has another mean.
        if row not in chosen or row in broken:
            return
        if features.shape[1] != reference[row].features:
            broken.add(row)  # so many tokens in this batch, so many in that: there is no common space
            layers.pop(row, None)
            return
        scaled = features if reference[row].scale == 1 else features * reference[row].scale
        scaled = scaled.float()
        if row not in layers:
            centred = centred_features(scaled)
            if not bool(centred.any()):
                broken.add(row)
                return
            layers[row] = _Layer(centred, wanted)
            layers[row].mean = scaled.mean(0).float()
        layers[row].add(scaled, tap.room(scaled))

    def failed(row: int, sample: int) -> None:
        broken.add(row)
        layers.pop(row, None)

    for batch in batches:
        samples += batch_size_of(batch)
        tap.run(batch, take, failed, centred=False)
    return samples


def _parts(reference: Sequence[Reference], wanted: int, budget: int) -> Iterable[list[int]]:
    part: list[int] = []
    taken = 0
    for row, known in enumerate(reference):
        needs = 4 * known.features * (3 * (wanted + SPARE) + 3)
        if part and taken + needs > budget:
            yield part
            part, taken = [], 0
        part.append(row)
        taken += needs
    yield part


def cosines(scores: NDArray[np.float32]) -> Floats:
    """Return |cosine| between the layers' first scores over samples, shape (rows, rows); NaN without a component.

    Parameters
    ----------
    scores : ndarray, shape (rows, samples)
    """
    wide = scores.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    with np.errstate(invalid="ignore"):
        wide /= np.where(lengths > 0, lengths, np.nan)[:, None]
        found: Floats = np.abs(wide @ wide.T)
    return found
