"""Examples as a network gets them: which part of a batch is moved, and the loss of each with its gradient there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from landscape.errors import ProblemError, UsageError
from landscape.problem.batches import call_model, describe_batch, fit_precision, output_logits, split_inputs_targets
from landscape.problem.losses.losses import Loss
from landscape.problem.tensor_layouts import is_strided

Clip = tuple[float, float]
# Names of what says which parts of an input count: attention_mask, key_padding_mask, but not masked_image. Values would
# not tell: they may be two in one batch and more in the next.
_MASK = re.compile(r"(?:^|_)masks?$")


def moved_part(inputs: Any) -> Tensor:
    """Return the tensor of a batch's inputs that is moved: the only, or first, one of floating point.

    What is called a mask, as ``attention_mask``, is not moved where there is another.

    Raises
    ------
    ProblemError
        There is none: token numbers cannot be moved by a fraction, and of a sparse or ragged tensor only what is
        stored could.
    """
    several = isinstance(inputs, (Mapping, tuple, list))
    named = (
        inputs.items() if isinstance(inputs, Mapping) else [("", each) for each in (inputs if several else [inputs])]
    )
    parts = [
        (str(name), part)
        for name, part in named
        if isinstance(part, Tensor) and part.is_floating_point() and part.ndim > 1 and is_strided(part)
    ]
    if parts:
        found = [part for name, part in parts if not _MASK.search(name.lower())]
        return (found or [parts[0][1]])[0]
    raise ProblemError(
        f"an input can be moved where it is a dense tensor of floating point, one row a sample; this one is "
        f"{describe_batch(inputs)}"
    )


def with_moved(inputs: Any, moved: Tensor) -> Any:
    """Return a batch's inputs with another tensor in the place of `moved_part`."""
    part = moved_part(inputs)
    if isinstance(inputs, Mapping):
        return {name: moved if each is part else each for name, each in inputs.items()}
    if isinstance(inputs, (tuple, list)):
        return type(inputs)(moved if each is part else each for each in inputs)
    return moved


def clipped(inputs: Tensor, clip: Clip | None) -> Tensor:
    """Return inputs within their valid range."""
    return inputs if clip is None else inputs.clamp(*clip)


def require_clip(clip: Clip | None, inputs: Tensor) -> None:
    """Raise UsageError where a range is none, or the examples themselves lie outside it."""
    if clip is None:
        return
    low, high = clip
    if not low < high:
        raise UsageError(f"inputs are to be clipped to {low:g}:{high:g}, which is no range")
    room = 1e-5 * (high - low)  # of inputs that normalisation was taken off again
    if bool((inputs < low - room).any() | (inputs > high + room).any()):
        raise UsageError(
            f"inputs are to be clipped to {low:g}:{high:g}, and the examples themselves reach from "
            f"{float(inputs.min()):.4g} to {float(inputs.max()):.4g}: give the range that "
            "they have, in the units of the data"
        )


@dataclass(frozen=True)
class Examples:
    """Labelled examples of one data set on the network's device, and what is measured of them."""

    network: nn.Module
    loss: Loss
    batch: Any  # (inputs, target)
    clip: Clip | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be taken apart."""
        if self.loss.measure is None:
            raise UsageError(
                f"the loss {self.loss.name} gets the network and the whole batch, so that nobody knows what of it are "
                "inputs; input space takes losses of (output, target)"
            )
        require_clip(self.clip, self.start)

    @property
    def start(self) -> Tensor:
        """Return the unmoved inputs, shape (n, ...)."""
        return moved_part(split_inputs_targets(self.batch)[0])

    @property
    def target(self) -> Tensor:
        """Return what is to be answered."""
        target = self.loss.target_of(self.batch)
        assert isinstance(target, Tensor)
        return target

    def output(self, change: Tensor) -> Tensor:
        """Return the network's output for changed examples, shape (n, classes)."""
        inputs = split_inputs_targets(self.batch)[0]
        moved = with_moved(inputs, clipped(self.start + change, self.clip))
        return output_logits(call_model(self.network, fit_precision(moved, self.network)))

    def losses(self, output: Tensor) -> Tensor:
        """Return each example's loss, shape (n,)."""
        assert self.loss.measure is not None
        values = self.loss.measure(output, self.target, False)["loss"]
        if values.ndim != 1 or len(values) != len(self.start):
            raise UsageError(f"the loss {self.loss.name} gives no value a sample, of which a gradient could be taken")
        return values

    def gradient(self, change: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return losses (n,), their gradients by the input (n, ...) and outputs, at changed examples.

        Each example is taken to have no influence on another's output, as in eval mode.
        """
        with torch.enable_grad():
            leaf = change.detach().clone().requires_grad_()
            output = self.output(leaf)
            losses = self.losses(output)
            followed = losses.requires_grad
            (gradient,) = torch.autograd.grad(losses.double().sum(), leaf, allow_unused=True) if followed else (None,)
        if gradient is None:
            raise ProblemError(
                "the loss has no gradient by the input: on its way through the network it is detached, rounded or "
                "computed without gradients"
            )
        if not bool(torch.isfinite(gradient).all()):
            raise ProblemError("the gradient of the loss by the input is not finite for some examples")
        return losses.detach(), gradient, output.detach()
