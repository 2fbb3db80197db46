"""What is measured of similarity, and how exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landscape.arguments import require_numbers
from landscape.errors import UsageError
from landscape.similarity.grams import KERNELS
from landscape.similarity.layers import TOKENS


@dataclass(frozen=True)
class Settings:
    """What is measured, and how exactly."""

    layers: str | None = None  # a regular expression, or "blocks"
    samples: int | None = None
    sample_seed: int = 0
    batch_size: int = 256
    passes: int = 4
    kernel: str = "linear"
    rbf_width: float = 1.0  # in median distances of the reference batch
    tokens: str = "flatten"
    components: bool = True  # whether the first principal components are looked for
    without_components: int = 0  # also CKA without so many
    without_dominant: int = 0  # also CKA without so many dominant samples of each network
    procrustes: int = 0  # also the Procrustes distance, on so many batches of the first pass

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        require_numbers(self)
        least = {"passes": 1, "without_components": 0, "without_dominant": 0, "sample_seed": 0, "procrustes": 0}
        for name, number in least.items():
            if getattr(self, name) < number:
                raise UsageError(f"{name} is {getattr(self, name)}, it has to be {number} at least")
        for name, known in (("kernel", KERNELS), ("tokens", TOKENS)):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} is {getattr(self, name)!r}, it has to be one of {', '.join(known)}")
        if not 0 < self.rbf_width < np.inf:
            raise UsageError(f"rbf_width is {self.rbf_width:g}, it has to be above 0")
        if self.kernel == "rbf" and self.without_components:
            raise UsageError("components are taken out of features, which an RBF kernel has none of: use kernel linear")
        if (self.without_components or self.without_dominant) and not self.components:
            raise UsageError("what is left without components or dominant samples needs components")
