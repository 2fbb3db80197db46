"""What a forward pass is made on and what it gives: batches on the device, and a value a sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from landscape.surface.grid import Floats


@dataclass
class Chunk:
    """Samples of one data set, on the device in batches."""

    name: str
    start: int
    stop: int
    batches: list[Any]


@dataclass
class SampleValues:
    """One value a sample, for each (data set, metric)."""

    values: dict[tuple[str, str], Floats] = field(default_factory=dict)
    per_sample: dict[tuple[str, str], bool] = field(default_factory=dict)  # False: only batch means are known

    def joined(self, later: SampleValues) -> SampleValues:
        """Return these samples followed by others."""
        values = dict(self.values)
        for key, more in later.values.items():
            values[key] = np.concatenate([values[key], more]) if key in values else more
        known = {key: each and self.per_sample.get(key, True) for key, each in later.per_sample.items()}
        return SampleValues(values, {**self.per_sample, **known})

    def first_of(self, other: SampleValues) -> SampleValues:
        """Return as many of these samples as there are in another's, whose first they are."""
        return SampleValues({key: self.values[key][: len(each)] for key, each in other.values.items()})
