"""One point of weight space with all that its second derivatives take: samples, leaves, filters and their scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.curvature.differentiable import differentiable, require_real
from landscape.curvature.products import Products, joined
from landscape.curvature.rows import Room
from landscape.curvature.sampled_loss import LARGEST_BATCH, SampledLoss
from landscape.curvature.scales import normalising_scale
from landscape.curvature.shared_errors import handing_on, telling, told
from landscape.directions.displacement import untouched
from landscape.directions.filters import Filters, filters_of
from landscape.engine.memory import resident_budget
from landscape.errors import EvaluationError, UsageError
from landscape.parallel.serial import Comm
from landscape.problem.batches import to_device
from landscape.problem.data.datasets import choose
from landscape.problem.data.samples import Data
from landscape.problem.losses.losses import Loss, resolve_loss
from landscape.problem.named_data import in_units_of, named_data
from landscape.problem.params import digest, moved_tensors
from landscape.problem.stale_values import forget_computed, require_fresh
from landscape.surface.grid import Floats
from landscape.surface.recipes import IGNORES

# Of what memory may be used: for graphs, for the basis of eigenvectors, the rest for what a product needs meanwhile.
GRAPH_SHARE, BASIS_SHARE = 0.6, 0.25
# How far a sample's loss may be from that on rank 0, relative to it and to their mean, and how many may be farther:
# processors may round half precision apart, and other data or weights differ by far more.
SAME_EVERYWHERE, BEYOND = 0.02, 0.01


# Samples on which it is seen whether each weight has an effect.
FEW = 8


@dataclass(frozen=True, eq=False)
class Point:
    """The weights that a network holds, while it computes with leaves in their place."""

    data: str
    sampled: SampledLoss
    values: Floats  # (samples,): losses
    leaves: Mapping[str, Tensor]
    tensors: Mapping[str, Tensor]  # live, of the same names
    filters: Mapping[str, Filters]
    scale: Mapping[str, Tensor]  # the diagonal of D; 0 for tensors of fewer than two dimensions
    budget: int  # bytes that may be used
    comm: Comm  # the processes that make products together

    def products(self, kind: str = "hessian") -> Products:
        """Return products with the Hessian or the Gauss-Newton matrix, of which graphs are kept as memory allows."""
        budget = int(GRAPH_SHARE * self.budget)
        return Products(self.sampled, self.leaves, budget=budget, kind=kind, comm=self.comm)

    def assist(self) -> Any:
        """Make this process's part of each product that rank 0 asks for; return what it hands out at the end.

        Raises
        ------
        LandscapeError
            What was raised on rank 0, under which the same processes may measure again, or by this process's own part;
            that is a `ClusterError` on all others, after which they may not.
        """
        products: Products | None = None
        failed: Exception | None = None
        while True:
            asked: tuple[str, Any] = self.comm.broadcast(("", None))
            kind, value = asked
            if kind == "end":
                return value
            if kind == "error":
                raise failed or told(value)
            if kind == "failed":  # another rank than 0
                if failed is not None:
                    with self.comm.together():
                        raise failed
                self.comm.add(np.zeros(1))
                continue
            part = np.zeros(len(value)), np.zeros(len(self.sampled))
            try:
                if products is None or products.kind != kind:
                    products = None  # lets go of its graphs
                    products = self.products(kind)
                total, forms = products.summed(torch.from_numpy(value).to(products.device))
                part = total.cpu().numpy(), forms.cpu().numpy()
            except Exception as error:  # rank 0 waits for the sum
                failed = error
            joined(self.comm, *part, failed=failed is not None)

    def room(self, products: Products) -> Room:
        """Return where vectors go that are as long as a product."""
        like = torch.empty((), dtype=products.dtype, device=products.device)
        return Room(int(BASIS_SHARE * self.budget / (products.size * 8)), like, products.size)

    def flat_scale(self) -> Tensor:
        """Return the diagonal of D as a vector of shape (n,), float64."""
        return torch.cat([self.scale[name].reshape(-1) for name in self.leaves])


@contextmanager
def at_weights(
    model: nn.Module,
    data: Any,
    *,
    loss: str | Callable[..., Any] | Loss = "cross_entropy",
    samples: int | None = None,
    sample_seed: int = 0,
    batch_size: int | None = None,
    include: str | None = None,
    exclude: str | None = None,
    ignore: str = "none",
    memory: float | None = None,
    comm: Comm | None = None,
) -> Iterator[Point]:
    """Let a network in eval mode be differentiated twice; it is left as it was.

    Parameters
    ----------
    model, data, loss, samples, sample_seed, batch_size, include, exclude, ignore, memory, comm
        See `landscape.curvature.analysis.measure_curvature`.

    Raises
    ------
    UsageError
        A setting makes no sense, nothing is left to be moved, or several data sets were given.
    EvaluationError
        The loss is not finite or depends on random numbers, or another rank holds other data or weights than rank 0.
    ClusterError
        On the ranks where that, or what rank 0 did not raise as well, was raised on another one.
    """
    comm = comm or Comm()
    with ExitStack() as stack:
        with handing_on(comm):
            if ignore not in IGNORES:
                raise UsageError(f"ignore is {ignore!r}, it has to be one of {', '.join(IGNORES)}")
            loss = resolve_loss(loss)
            name, chosen, batch_size = _one_set(data, loss, batch_size)
            tensors = _chosen_tensors(model, include, exclude, ignore)
            filters = {key: layout for key, layout in filters_of(model).items() if key in tensors}
            if memory is not None and not 0 < memory < math.inf:
                raise UsageError(f"memory is {memory:g} bytes, it has to be above 0")
            device = next(iter(tensors.values())).device
            budget = resident_budget(device, comm.local_size) if memory is None else int(memory)
            stack.enter_context(untouched(model))
            model.eval()
            forget_computed(model)
            few = choose(chosen, samples, sample_seed)[:FEW]
            require_fresh(
                model, tensors, lambda: loss(model, to_device(chosen.fetch(few), device), number=len(few)).values()
            )
            scale = normalising_scale(tensors, filters, ignore="biasbn")
            leaves = stack.enter_context(differentiable(model, tensors))
            sampled = SampledLoss(
                model,
                chosen,
                loss,
                samples=samples,
                sample_seed=sample_seed,
                batch_size=batch_size,
                budget=budget // 8,
            )
            sampled.watch_caches()
            values = np.concatenate([sampled.values(k).cpu().numpy() for k in range(len(sampled))])
            sampled.require_same(values[: sampled.number(0)])
        if comm.size > 1:
            _require_same(comm, values, digest(tensors), sampled.batch_size)
        with telling(comm):
            yield Point(name, sampled, values, leaves, tensors, filters, scale, budget, comm)


def _one_set(data: Any, loss: Loss, batch_size: int | None) -> tuple[str, Data, int | None]:
    """Return the only data set there is, with its name, and the batch size in its units."""
    sets, batch_size = in_units_of(named_data(data), loss, batch_size, LARGEST_BATCH)
    if len(sets) > 1:
        raise UsageError(f"curvature is measured of one data set at a time, there are {', '.join(sets)}")
    ((name, chosen),) = sets.items()
    return name, chosen, batch_size


def _chosen_tensors(model: nn.Module, include: str | None, exclude: str | None, ignore: str) -> dict[str, Tensor]:
    tensors = moved_tensors(model, include=include, exclude=exclude)
    require_real(tensors)
    if ignore == "biasbn":
        tensors = {key: tensor for key, tensor in tensors.items() if tensor.ndim >= 2}
        if not tensors:
            raise UsageError("no tensor of two dimensions or more is chosen: with ignore='biasbn' none is left")
    return tensors


def _require_same(comm: Comm, values: Floats, weights: str, batch_size: int) -> None:
    """Raise EvaluationError where this process measures something else than rank 0."""
    asked: tuple[str, Any] = comm.broadcast(("start", (values, weights, batch_size)))
    kind, value = asked
    if kind == "error":
        raise told(value)
    there, others, size = value
    if weights == others and batch_size == size and _agree(there, values):
        return
    with comm.together():
        raise EvaluationError(
            f"the checkpoint does not measure here as on rank 0 (its mean loss was {there.mean():.6g}, then "
            f"{values.mean():.6g}): the data, the checkpoint or the code on this host are others, or its device "
            "computes otherwise"
        )


def _agree(there: Floats, here: Floats) -> bool:
    if there.shape != here.shape:
        return False
    finite = np.abs(there[np.isfinite(there)])
    near = SAME_EVERYWHERE * float(finite.mean()) if len(finite) else 0.0
    close = np.isclose(there, here, rtol=SAME_EVERYWHERE, atol=near + 1e-6, equal_nan=True)
    return bool((~close).mean() <= BEYOND)
