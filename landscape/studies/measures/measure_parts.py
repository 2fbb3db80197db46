"""What the measures of studies share: which network and data they are of, tables, and how options reach them."""

from __future__ import annotations

import csv
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from landscape.errors import UsageError
from landscape.problem.data.datasets import Data
from landscape.studies.study import Context, TrainedNetwork
from landscape.studies.training.training_files import write_table
from landscape.surface.reports.matrix_spectrum import Spectrum

if TYPE_CHECKING:
    from torch import nn

Numbers = dict[str, float]

# What a measurement of several stages counts in.
_STEPS = 1000


def one_network(context: Context) -> TrainedNetwork:
    """Return the network of a measurement of each network; UsageError where it is given several."""
    if len(context.networks) != 1:
        raise UsageError(f'this is measured of one network at a time, per = "network"; got {len(context.networks)}')
    return context.networks[0]


def described(network: TrainedNetwork) -> dict[str, Any]:
    """Return what files say of where a network came from."""
    from landscape.problem.model import describe_model

    model = network.model()
    return {
        "checkpoint": str(network.checkpoint),
        "description": describe_model(model, network.recipe.network, dict(network.recipe.arguments)),
        "loss": network.recipe.loss,
    }


def stage(context: Context, number: int, of: int) -> Callable[[int, int], None]:
    """Return what tells the progress of one of several stages as that of the whole, which never goes back.

    Examples
    --------
    >>> from pathlib import Path
    >>> told = []
    >>> context = Context((), {}, {}, Path(), progress=lambda done, total: told.append((done, total)))
    >>> stage(context, 1, 2)(5, 10)
    >>> told
    [(750, 1000)]
    """
    share = _STEPS // of

    def tell(done: int, total: int) -> None:
        context.progress(share * number + share * done // max(total, 1), share * of)

    return tell


def chosen_data(context: Context, names: Sequence[str]) -> dict[str, Data]:
    """Return some of the data sets by name."""
    missing = [name for name in names if name not in context.data]
    if missing:
        raise UsageError(f"there is no data set {missing[0]!r}; there are {', '.join(context.data)}")
    return {name: context.data[name] for name in names}


def ends_of_spectrum(
    context: Context, model: nn.Module, data: Mapping[str, Data], *, samples: int | None, most: int, **how: Any
) -> Spectrum:
    """Return the greatest and the least eigenvalue of the Hessian, by few products: two probes of one step.

    ``most`` products at most; ``how`` as for `landscape.curvature.analysis.Settings`.
    """
    from landscape.curvature.analysis import measure_curvature

    how |= {"eigenvalues": 1, "most": most, "probes": 2, "steps": 1, "gauss_newton": False, "progress": False}
    loss = one_network(context).recipe.loss
    return measure_curvature(model, data, loss=loss, samples=samples, sample_seed=context.seed, **how).raw


def with_log10(numbers: Mapping[str, float], *names: str) -> Numbers:
    """Return numbers and the decimal logarithms of some; of what is not above 0 it is NaN."""
    found = dict(numbers)
    for name in names:
        value = numbers[name]
        found[f"log10_{name}"] = math.log10(value) if value > 0 and math.isfinite(value) else math.nan
    return found


def write_curve(context: Context, name: str, columns: Mapping[str, ArrayLike]) -> None:
    """Write columns of numbers, the first of which is x, for the report to draw."""
    rows = np.column_stack([np.asarray(each, dtype=np.float64) for each in columns.values()])
    write_table(context.folder / f"{name}.curve.csv", tuple(columns), rows.tolist())


def read_table(path: Any) -> dict[str, np.ndarray]:
    """Read what `landscape.studies.training.training_files.write_table` wrote."""
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    return {name: np.array([float(row[k]) for row in rows[1:]]) for k, name in enumerate(rows[0])}


def keywords(function: Callable[..., Numbers]) -> Callable[[Context], Numbers]:
    """Let a measure take its options from a measurement's arguments, and name those it does not have."""
    known = [name for name in inspect.signature(function).parameters if name != "context"]

    def measured(context: Context) -> Numbers:
        unknown = set(context.arguments) - set(known)
        if unknown:
            raise UsageError(
                f"the measure {function.__name__} has no argument {', '.join(sorted(unknown))}; "
                f"it has {', '.join(known) or 'none'}"
            )
        return function(context, **context.arguments)

    measured.__doc__, measured.__name__ = function.__doc__, function.__name__
    return measured
