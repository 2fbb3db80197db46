"""Moving a network's weights along directions, and putting everything back as it was.

    theta(a, b, ...) = theta* + a * dx + b * dy + ...

The sum is formed in float32 (float64 for float64 weights) and stored in the weights' own type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn

from landscape.arguments import require_network
from landscape.problem.attributes import attributes_kept
from landscape.problem.chunks import LARGE_CHUNK, LazyTensors, one_thread, zip_chunks
from landscape.problem.params import Tree, running_variances, work_dtype
from landscape.surface.grid import Floats


class Displacement:
    """Sets the weights of a network to points of a plane. theta* is what the network holds when this is made.

    Parameters
    ----------
    model : Module
        Changed in place by `move_to`; `restore` puts its weights back.
    tensors : mapping of str to Tensor
        The live tensors that move (`landscape.problem.params.moved_tensors`).
    directions : sequence of trees
        One tensor for each name, on any device; they are kept on the weights' device, unless they are made anew for
        each move (`landscape.problem.chunks.LazyTensors`).
    """

    def __init__(self, model: nn.Module, tensors: Tree, directions: Sequence[Tree]) -> None:
        self._live = {name: tensor.detach() for name, tensor in tensors.items()}
        self._start = {name: tensor.clone() for name, tensor in self._live.items()}
        self._clamped = running_variances(model) & set(tensors)
        self.set_directions(directions)

    @property
    def start(self) -> Mapping[str, Tensor]:
        """theta*: copies of the tensors as they were."""
        return self._start

    def set_directions(self, directions: Sequence[Tree]) -> None:
        """Go on with other directions about the same theta*."""
        self._directions = [
            tree.about(self._start)
            if isinstance(tree, LazyTensors)
            else {name: _kept(tree.get(name), live) for name, live in self._live.items()}
            for tree in directions
        ]
        groups = self._small_groups()
        self._alone = set(self._live) - {name for names in groups for name in names}
        self._groups = [
            _Group(*([tree[name] for name in names] for tree in (self._live, self._start, *self._directions)))
            for names in groups
        ]

    def _small_groups(self) -> list[list[str]]:
        """Return the names of small tensors in groups to be set in a few calls: a deep network has some hundreds."""
        if not self._directions or any(isinstance(tree, LazyTensors) for tree in self._directions):
            return []
        groups: list[list[str]] = [[]]
        numbers = 0
        for name, live in self._live.items():
            small = live.dtype == work_dtype(live) and live.numel() <= LARGE_CHUNK
            if small and name not in self._clamped and not live.is_complex():
                if numbers + live.numel() > LARGE_CHUNK:
                    groups.append([])
                    numbers = 0
                groups[-1].append(name)
                numbers += live.numel()
        return [group for group in groups if group]

    def restore(self) -> None:
        """Put the weights back to theta*, bit for bit."""
        with torch.no_grad():
            for name, live in self._live.items():
                live.copy_(self._start[name])

    @torch.no_grad()
    def move_to(self, coefficients: Sequence[float] | Floats) -> None:
        """Set the weights to theta* plus these multiples of the directions.

        Parameters
        ----------
        coefficients : sequence of float, one for each direction, x first
        """
        numbered = zip(coefficients, range(len(self._directions)), strict=True)
        steps = [(float(coefficient), number) for coefficient, number in numbered if coefficient != 0.0]
        if not steps:  # not theta* + 0: a running variance below 0 stays what it is
            self.restore()
            return
        for group in self._groups:
            group.move_to(steps)
        trees = [self._directions[number] for _, number in steps]
        for name in self._alone:
            live = self._live[name]
            lean = live.dtype != work_dtype(live) or any(isinstance(tree, LazyTensors) for tree in trees)
            with one_thread() if lean else nullcontext():
                most = None if lean else LARGE_CHUNK
                for here, from_here, *made in zip_chunks([self._live, self._start, *trees], name, most):
                    terms = [(factor, chunk) for (factor, _), chunk in zip(steps, made, strict=True)]
                    _add(here, from_here, terms, clamped=name in self._clamped)


class _Group:
    """Small tensors that are set in a few calls, as `_add` sets one."""

    def __init__(self, live: list[Tensor], start: list[Tensor], *directions: list[Tensor]) -> None:
        self._live, self._start, self._directions = live, start, directions

    def move_to(self, steps: Sequence[tuple[float, int]]) -> None:
        """Go to theta* plus multiples of directions by their number, at least one."""
        (coefficient, number), *rest = steps
        sums = torch._foreach_mul(self._directions[number], coefficient)
        torch._foreach_add_(sums, self._start)
        for coefficient, number in rest:
            torch._foreach_add_(sums, torch._foreach_mul(self._directions[number], coefficient))
        torch._foreach_copy_(self._live, sums)


def _add(live: Tensor, start: Tensor, terms: Sequence[tuple[float, Tensor]], *, clamped: bool) -> None:
    """Set a tensor to another plus multiples of others, summed in float32 (float64 for a float64 tensor).

    Products are rounded before they are added: fused with the sum they are rounded once by vector units and twice by
    what is left over at the end of a run, and weights would depend on chunks and threads.
    """
    work = work_dtype(live)
    exact = live.dtype == work
    target = live if exact else torch.empty(live.shape, dtype=work, device=live.device)
    (coefficient, chunk), *rest = terms
    torch.add(start.to(work), chunk.to(work) * coefficient, out=target)
    for coefficient, chunk in rest:
        target.add_(chunk.to(work) * coefficient)
    if clamped:
        target.clamp_(min=0.0)
    if not exact:
        live.copy_(target)


def _kept(tensor: Tensor | None, live: Tensor) -> Tensor:
    if tensor is None:  # it does not move this one
        tensor = torch.zeros(()).expand(live.shape)
    half = tensor.dtype == torch.bfloat16 and live.dtype in (torch.bfloat16, torch.float16)
    return tensor.detach().to(live.device, tensor.dtype if half else work_dtype(live))


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Leave a model's buffers, modes, gradients and attributes, and torch's generators, as they were, come what may.

    The parameters are put back by `Displacement.restore`, which holds the only copy of them: a second one here would
    cost a large network its memory once more. What modules keep in attributes of their own comes back with its
    contents (see `landscape.problem.attributes`).
    """
    require_network(model)
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    modes = [(module, module.training) for module in model.modules()]
    gradients = [(p, p.requires_grad, p.grad, None if p.grad is None else p.grad.clone()) for p in model.parameters()]
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(devices=sorted(devices, key=str)), attributes_kept(model):
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, kept in buffers:
                    buffer.copy_(kept)
                for parameter, flag, gradient, value in gradients:
                    if parameter.requires_grad != flag:  # one made under inference_mode takes no flag
                        parameter.requires_grad_(flag)
                    if gradient is not None and value is not None:
                        gradient.copy_(value)
                    parameter.grad = gradient
            for module, training in modes:
                module.training = training
