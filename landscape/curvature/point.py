"""One point of weight space with all that its second derivatives take: samples, leaves, filters and their scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.curvature.differentiable import differentiable
from landscape.curvature.products import Products
from landscape.curvature.rows import Room
from landscape.curvature.sampled_loss import LARGEST_BATCH, SampledLoss
from landscape.curvature.scales import normalising_scale
from landscape.directions.displacement import untouched
from landscape.directions.filters import Filters, filters_of
from landscape.engine.memory import resident_budget
from landscape.errors import UsageError
from landscape.parallel.serial import Comm
from landscape.problem.losses.losses import Loss, resolve_loss
from landscape.problem.named_data import in_units_of, named_data
from landscape.problem.params import moved_tensors
from landscape.surface.grid import Floats
from landscape.surface.recipes import IGNORES

# Of what memory may be used: for graphs, for the basis of eigenvectors, the rest for what a product needs meanwhile.
GRAPH_SHARE, BASIS_SHARE = 0.6, 0.25


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
        """Make this process's part of each product that rank 0 asks for; return what it hands out at the end."""
        products: Products | None = None
        while True:
            asked: tuple[str, Any] = self.comm.broadcast(("", None))
            kind, value = asked
            if kind == "end":
                return value
            if products is None or products.kind != kind:
                products = None  # lets go of its graphs
                products = self.products(kind)
            products.assist(torch.from_numpy(value).to(products.device))

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
        The loss is not finite or depends on random numbers.
    """
    if ignore not in IGNORES:
        raise UsageError(f"ignore is {ignore!r}, it has to be one of {', '.join(IGNORES)}")
    loss = resolve_loss(loss)
    sets, batch_size = in_units_of(named_data(data), loss, batch_size, LARGEST_BATCH)
    if len(sets) > 1:
        raise UsageError(f"curvature is measured of one data set at a time, there are {', '.join(sets)}")
    ((name, chosen),) = sets.items()
    tensors = moved_tensors(model, include=include, exclude=exclude)
    if ignore == "biasbn":
        tensors = {key: tensor for key, tensor in tensors.items() if tensor.ndim >= 2}
        if not tensors:
            raise UsageError("no tensor of two dimensions or more is chosen: with ignore='biasbn' none is left")
    filters = {key: layout for key, layout in filters_of(model).items() if key in tensors}
    if memory is not None and not 0 < memory < math.inf:
        raise UsageError(f"memory is {memory:g} bytes, it has to be above 0")
    comm = comm or Comm()
    device = next(iter(tensors.values())).device
    budget = resident_budget(device, comm.local_size) if memory is None else int(memory)
    with untouched(model):
        model.eval()
        scale = normalising_scale(tensors, filters, ignore="biasbn")
        with differentiable(model, tensors) as leaves:
            sampled = SampledLoss(
                model,
                chosen,
                loss,
                samples=samples,
                sample_seed=sample_seed,
                batch_size=batch_size,
                budget=budget // 8,
            )
            values = np.concatenate([sampled.values(k).cpu().numpy() for k in range(len(sampled))])
            sampled.require_same(values[: sampled.number(0)])
            yield Point(name, sampled, values, leaves, tensors, filters, scale, budget, comm)
