"""Data sets of a few numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import (
    Dataset,
)

X = torch.arange(30.0).reshape(10, 3)


Y = torch.arange(10)


class Samples(Dataset[Any]):
    """Has an index, as most data sets do."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        if not 0 <= number < 10:
            raise IndexError(number)
        return X[number], int(Y[number])
