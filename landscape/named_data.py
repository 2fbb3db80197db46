"""One data set or several by name: what `evaluate` is given becomes ``Data`` objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from landscape.datasets import Data, as_data
from landscape.errors import ProblemError

DEFAULT_NAME = "train"


def named_data(source: Any) -> dict[str, Data]:
    """Return data sets by name; one without a name is called "train".

    A mapping of names to data sets gives several. A mapping of tensors is one data set whose batches are mappings.
    """
    if isinstance(source, Mapping) and not _is_one(source):
        if not source:
            raise ProblemError("no data set was given")
        return {str(name): as_data(each, str(name)) for name, each in source.items()}
    return {DEFAULT_NAME: as_data(source, getattr(source, "name", "") or DEFAULT_NAME)}


def _is_one(source: Mapping[Any, Any]) -> bool:
    return bool(source) and all(isinstance(value, Tensor | np.ndarray) for value in source.values())
