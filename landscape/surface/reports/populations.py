"""What populations of networks predict, example by example: plain NumPy.

Networks of one group are draws of one recipe, of which only the seed differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import UsageError
from landscape.surface.grid import Floats


@dataclass(frozen=True, eq=False)
class Populations:
    """Predictions of several networks, in groups, for the same examples."""

    names: tuple[str, ...]  # of the networks
    groups: tuple[str, ...]  # of which group each one is
    probabilities: NDArray[Any]  # (networks, examples, classes), float32 or float16
    labels: NDArray[np.int64]  # (examples,): the true classes
    numbers: NDArray[np.int64]  # (examples,): of the samples in the data set
    done: NDArray[np.bool_]  # (networks,): whether a network was measured
    about: tuple[Mapping[str, Any], ...] = ()  # of each network: checkpoint, sha256, model
    images: NDArray[np.float32] | None = None  # (k, C, H, W), of the examples in `pictured`
    pictured: tuple[int, ...] = ()  # places of these among the examples
    problem: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    software: str = ""
    created: str = ""
    command: str = ""
    path: str = ""

    @property
    def complete(self) -> bool:
        """Whether every network was measured."""
        return bool(self.done.all())

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.probabilities.shape[2])

    @property
    def group_names(self) -> tuple[str, ...]:
        """Names of the groups in their order."""
        return tuple(dict.fromkeys(self.groups))

    def members(self, group: str) -> NDArray[np.int64]:
        """Return the numbers of a group's networks that were measured.

        Raises
        ------
        UsageError
            There is no such group, or none of its networks was measured.
        """
        found = np.array([k for k, name in enumerate(self.groups) if name == group and self.done[k]], dtype=np.int64)
        if not len(found):
            raise UsageError(f"there is no group {group!r} that was measured; there are {', '.join(self.group_names)}")
        return found

    @cached_property
    def answers(self) -> NDArray[np.int64]:
        """The class that each network says, shape (networks, examples)."""
        found: NDArray[np.int64] = self.probabilities.argmax(2)
        return found

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each network is right, shape (networks, examples)."""
        found: NDArray[np.bool_] = self.answers == self.labels
        return found

    def shares(self, group: str) -> Floats:
        """Return P(x), the share of a group's networks that get an example right, shape (examples,)."""
        found: Floats = self.correct[self.members(group)].mean(0, dtype=np.float64)
        return found


@dataclass(frozen=True)
class Excess:
    """How far two groups differ example by example, beyond what the draw of their networks explains."""

    observed: float  # variance over examples of P_A - P_B
    noise: float  # what p (1 - p) (1 / m_A + 1 / m_B) explains of it, without bias
    value: float  # observed - noise; may be below 0
    low: float  # ends of an interval of 95 %, over draws of examples and of networks
    high: float

    @property
    def is_found(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0


@dataclass(frozen=True)
class ClassDifference:
    """How accurate two groups are on one class."""

    label: int
    examples: int
    accuracy: tuple[float, float]  # of each group
    half_width: tuple[float, float]  # of an interval of 95 % over networks
    difference: float  # of the second group from the first
    low: float
    high: float
    p_value: float  # of Welch's test over networks, after Holm's correction for all classes


@dataclass(frozen=True)
class GreatestDifference:
    """The greatest difference of two groups' accuracies on a class, whichever class it is."""

    label: int  # where it is greatest
    value: float  # its size, 0 or more
    low: float  # ends of an interval of 95 % for the greatest size, which holds for all classes at once
    high: float


@dataclass(frozen=True)
class GroupSummary:
    """What one group of networks does."""

    name: str
    networks: int
    accuracy: float
    accuracy_half_width: float  # of an interval of 95 % over networks; NaN for one
    agreement: float  # share of examples for which two of its networks say the same, mean over pairs
    hellinger: float  # distance between two of its networks' distributions, mean over examples and pairs
    calibration_error: float  # expected, of 15 bins, mean over networks
    calibration_half_width: float
    null: Excess | None  # of two halves of the group: there is nothing to be found


@dataclass(frozen=True)
class Comparison:
    """Two groups against each other."""

    first: str
    second: str
    excess: Excess
    agreement: float  # between a network of each
    hellinger: float
    classes: tuple[ClassDifference, ...]
    examples: tuple[int, ...]  # places of those where the shares differ most, |P_A - P_B| descending
