"""One data set or several by name: what `evaluate` is given becomes ``Data`` objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from landscape.errors import ProblemError
from landscape.problem.data.datasets import Data, as_data
from landscape.problem.data.samples import LoaderBatches
from landscape.problem.losses.losses import Loss

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


def in_units_of(
    sets: Mapping[str, Data], loss: Loss, batch_size: int | None, default: int
) -> tuple[dict[str, Data], int | None]:
    """Return data sets as a loss has to see them, and the batch size for that.

    A loss that gets the network and a whole batch may compare its samples: pairs, triplets, negatives in the batch.
    Where a data set comes in batches of the user's own making, such a loss gets these, and a batch is what is counted
    (`landscape.problem.data.samples.LoaderBatches`); data sets beside it then follow in batches of their loader's size,
    or of ``batch_size``, or ``default``.
    """
    if loss.own is None or not any(each.has_own_batches for each in sets.values()):
        return dict(sets), batch_size
    return {name: LoaderBatches(each, batch_size or default) for name, each in sets.items()}, 1


def _is_one(source: Mapping[Any, Any]) -> bool:
    return bool(source) and all(isinstance(value, Tensor | np.ndarray) for value in source.values())
