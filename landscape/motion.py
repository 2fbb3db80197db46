"""Moving a network's weights along directions, and putting everything back as it was.

    theta(a, b, ...) = theta* + a * dx + b * dy + ...

The sum is formed in float32 (float64 for float64 weights) and stored in the weights' own type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from landscape.grid import Floats
from landscape.params import Tree, running_variances, work_dtype
from landscape.pieces import Made, together


class Motion:
    """Sets the weights of a network to points of a plane. theta* is what the network holds when this is made.

    Parameters
    ----------
    model : Module
        Changed in place by `move_to`; `restore` puts its weights back.
    tensors : mapping of str to Tensor
        The live tensors that move (`landscape.params.moved_tensors`).
    directions : sequence of trees
        One tensor for each name, on any device; they are kept on the weights' device, unless they are made anew for
        each move (`landscape.pieces.Made`).
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
            if isinstance(tree, Made)
            else {name: _kept(tree[name], live) for name, live in self._live.items()}
            for tree in directions
        ]

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
        steps = [
            (float(coefficient), tree)
            for coefficient, tree in zip(coefficients, self._directions, strict=True)
            if coefficient != 0.0
        ]
        trees = [tree for _, tree in steps]
        for name, live in self._live.items():
            if not steps:  # not theta* + 0: a running variance below 0 stays what it is
                live.copy_(self._start[name])
                continue
            for here, from_here, *made in together([self._live, self._start, *trees], name):
                terms = [(factor, piece) for (factor, _), piece in zip(steps, made, strict=True)]
                _add(here, from_here, terms, clamped=name in self._clamped)


def _add(live: Tensor, start: Tensor, terms: Sequence[tuple[float, Tensor]], *, clamped: bool) -> None:
    """Set a tensor to another plus multiples of others, summed in float32 (float64 for a float64 tensor)."""
    exact = live.dtype == work_dtype(live)
    target = live if exact else torch.empty(live.shape, dtype=work_dtype(live), device=live.device)
    (coefficient, piece), *rest = terms
    torch.add(start if exact else start.to(target.dtype), piece, alpha=coefficient, out=target)
    for coefficient, piece in rest:
        target.add_(piece, alpha=coefficient)
    if clamped:
        target.clamp_(min=0.0)
    if not exact:
        live.copy_(target)


def _kept(tensor: Tensor, live: Tensor) -> Tensor:
    half = tensor.dtype == torch.bfloat16 and live.dtype in (torch.bfloat16, torch.float16)
    return tensor.detach().to(live.device, tensor.dtype if half else work_dtype(live))


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Leave a model's buffers and modes, and torch's random generators, as they were, whatever happens inside.

    The parameters are put back by `Motion.restore`, which holds the only copy of them: a second one here would
    cost a large network its memory once more. Gradient flags are never changed.
    """
    buffers = [
        (module, name, buffer, None if buffer is None else buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
    ]
    modes = [(module, module.training) for module in model.modules()]
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(devices=sorted(devices, key=str)):
        try:
            yield
        finally:
            with torch.no_grad():
                for module, name, buffer, value in buffers:
                    if buffer is not None and value is not None:
                        buffer.copy_(value)
                    # A forward pass may have put another tensor in its place.
                    module._buffers[name] = buffer
            for module, training in modes:
                module.training = training
