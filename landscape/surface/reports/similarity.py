"""How alike layers of networks are: matrices over all layers, each with its error. Plain NumPy.

Rows are the layers of all networks one after the other, each network's in the order of its forward pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.surface.grid import Floats

# Why a layer has no value, for captions and tables.
NO_VALUE = "without variance, different in one sample alone, not finite, or called as often as samples ask for"


@dataclass(frozen=True)
class NetworkLayers:
    """One network, and its layers in the order of the forward pass."""

    name: str
    layers: tuple[str, ...]  # as named_modules() names them; a module that is called twice comes twice
    calls: tuple[int, ...]  # which call of its module each layer is, from 1 on
    kinds: tuple[str, ...]  # the class of each one's module
    features: tuple[int, ...]  # numbers a sample
    group: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)  # checkpoint, sha256, model

    @property
    def labels(self) -> tuple[str, ...]:
        """Names that tell every layer from every other."""
        pairs = zip(self.layers, self.calls, strict=True)
        return tuple(f"{name} ({call})" if call > 1 else name for name, call in pairs)


@dataclass(frozen=True)
class Block:
    """A run of layers of one network that are all alike and unlike the others: the block structure [1]_.

    References
    ----------
    .. [1] Nguyen, Raghu, Kornblith, "Do Wide and Deep Networks Learn the Same Things?", ICLR 2021, Section 4.
    """

    first: int  # number of its first layer in the network
    last: int  # of its last one
    inside: float  # mean CKA of two different layers in it
    outside: float  # mean CKA of a layer in it and one that is not
    pc_share: float  # mean share of the first component in it; NaN where not measured
    pc_share_outside: float
    shared: Mapping[str, float] = field(default_factory=dict)  # other network -> mean CKA with its layers of the name

    @property
    def extent(self) -> int:
        """How many layers it has."""
        return self.last - self.first + 1

    @property
    def contrast(self) -> float:
        """How much more alike its layers are to each other than to the rest."""
        return self.inside - self.outside


@dataclass(frozen=True, eq=False)
class Similarity:
    """Similarity of all layers of all networks, over the same samples."""

    networks: tuple[NetworkLayers, ...]
    cka: Floats  # (rows, rows): never clamped; NaN in the row and column of a layer that has no value: `NO_VALUE`
    stderr: Floats  # (rows, rows): standard error from which samples were taken; NaN where there was one batch
    samples: int
    batches: int  # of one pass
    passes: int  # that were finished, and count
    kernel: str = "linear"
    pc_share: Floats = field(default_factory=lambda: np.zeros(0))  # (rows,), NaN where not measured
    pc_share_stderr: Floats = field(default_factory=lambda: np.zeros(0))
    pc_residual: Floats = field(default_factory=lambda: np.zeros(0))  # (rows,): |C v - l v| / l of the first component
    pc_cosine: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (rows, rows): of scores over the samples
    dominant: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((0, 0), np.int64)
    )  # (rows, m) sample numbers; -1 where none
    blocks: tuple[Block | None, ...] = ()  # one a network; None: it has none
    others: Mapping[str, Floats] = field(default_factory=dict)  # (rows, rows) each; see `OTHERS`
    images: NDArray[np.float32] | None = None  # (m, C, H, W): of the samples in `pictured`
    pictured: tuple[int, ...] = ()  # their numbers
    labels: tuple[int, ...] = ()  # their classes, where the data have some
    complete: bool = True
    done: str = ""  # of a run that was cut short: how much of it there is, in words
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    problem: Mapping[str, Any] = field(default_factory=dict)
    software: str = ""
    created: str = ""
    command: str = ""
    path: str = ""

    @property
    def starts(self) -> tuple[int, ...]:
        """The first row of each network, and the number of rows."""
        return tuple(np.cumsum([0, *(len(each.layers) for each in self.networks)]).tolist())

    def rows(self, network: int) -> slice:
        """Return which rows are a network's."""
        return slice(self.starts[network], self.starts[network + 1])

    def between(self, first: int, second: int, values: Floats | None = None) -> Floats:
        """Return the matrix of one network's layers by another's, of CKA by default."""
        matrix = self.cka if values is None else values
        return matrix[self.rows(first), self.rows(second)]

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the standard errors: an interval of 95 % is Student's t of so many times the error.

        Those of one pass. Further passes see the same samples: counted as freedom of their own they gave intervals that
        held in 90 to 97 % of 400 cases instead of 95 to 99 % (`python -m tests.benchmarks.similarity_coverage`).
        """
        return max(self.batches - 1, 0)


# What may stand in `Similarity.others`, and what a picture calls it.
OTHERS = {
    "without_components": "CKA without the first components",
    "without_components_stderr": "standard error of CKA without the first components",
    "without_dominant": "CKA without the dominant samples",
    "without_dominant_stderr": "standard error of CKA without the dominant samples",
    "procrustes": "Procrustes distance",
    "procrustes_stderr": "standard error of the Procrustes distance",
}


def nearest_layers(found: Similarity, first: int, second: int) -> tuple[float, int]:
    """Return for which share of a network's layers the nearest one in another network is the one of the same name.

    Kornblith et al. (2019), Section 6.1, ask this of two seeds of one architecture.

    Returns
    -------
    share : float
        NaN where there are no layers of the same name that have variance.
    number : int
        Of layers that were compared.
    """
    matrix = found.between(first, second)
    theirs = {label: column for column, label in enumerate(found.networks[second].labels)}
    hits: list[bool] = []
    for row, label in enumerate(found.networks[first].labels):
        same = theirs.get(label)
        if same is not None and np.isfinite(matrix[row, same]):
            hits.append(int(np.nanargmax(matrix[row])) == same)
    return (float(np.mean(hits)) if hits else float("nan")), len(hits)
