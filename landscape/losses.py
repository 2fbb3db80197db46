"""Losses and metrics, one value a sample, so that every sample weighs the same and its spread is known.

A ``Loss`` is called with a network and a batch and returns ``{"loss": (n,), "accuracy": (n,), ...}`` for a batch of n
samples. A value of no dimension is the mean over the batch; such a value has no standard error. Values are formed in
float32 at least, whatever the network's precision.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.batches import (
    batch_size_of,
    call_model,
    describe_batch,
    map_tensors,
    output_logits,
    split_inputs_targets,
)
from landscape.errors import ProblemError, UsageError
from landscape.references import resolve

# A target of this value is not to be predicted: padding, say. The number is torch's own default.
IGNORED = -100

Measure = Callable[[Tensor, Tensor, bool], dict[str, Tensor]]


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss and its metrics: ``loss(model, batch)`` gives a dict of values, one a sample or one a batch."""

    name: str  # "cross_entropy", "mse", or the reference of a user's own
    metrics: tuple[str, ...] = ()  # what is known beforehand to come beside "loss"
    built_in: Measure | None = None
    own: Callable[..., Any] | None = None  # (model, batch) -> values
    extra: Mapping[str, Callable[..., Any]] = field(default_factory=dict)  # name -> (output, batch) -> values

    def __call__(self, model: Callable[..., Any], batch: Any, *, check: bool = False) -> dict[str, Tensor]:
        """Return each value of a batch of n samples, shape (n,), or () where only its mean over the batch is known.

        Parameters
        ----------
        model : Module or callable
        batch
            On the network's device.
        check : bool
            Also look at the targets' values, which waits for the device: worth it once for each batch, since a
            label that is no class ends a GPU's process, and silently counts nothing elsewhere.

        Raises
        ------
        ProblemError
            Output, target or value is not of a shape that makes sense together.
        """
        number = batch_size_of(batch)
        if self.own is not None:
            values = _named(self.own(model, batch), self.name)
        else:
            assert self.built_in is not None
            inputs, target = split_inputs_targets(batch)
            target = _as_target(target)
            if check:
                _check_not_its_own_input(inputs, target)
            output = call_model(model, fit_precision(inputs, model))
            values = self.built_in(output_logits(output), target, check)
            for name, metric in self.extra.items():
                values[name] = metric(output, batch)
        return {name: _checked(value, number, name, self.name) for name, value in values.items()}


def resolve_loss(loss: str | Callable[..., Any] | Loss, metrics: Sequence[str | Callable[..., Any]] = ()) -> Loss:
    """Return the loss that a name, a reference or a function stands for.

    Parameters
    ----------
    loss : str, callable or Loss
        ``"cross_entropy"``, ``"mse"``, ``"file.py:function"``, or a function (model, batch) that returns one value
        a sample, a dict of such with "loss" among them, or a scalar: the mean over the batch.
    metrics : sequence of str or callable
        References to functions (output, batch) that return one value a sample; only beside a built-in loss. Each is
        called by its function's name.

    Raises
    ------
    UsageError
        No such loss, a metric's name is taken, or metrics beside a loss of the user's own.
    ProblemError
        No such file or function.
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, nn.Module):
        raise UsageError(
            f"a loss is a name or a function (model, batch) that returns one value a sample, not a "
            f"{type(loss).__name__} of (output, target); pass 'cross_entropy' or 'mse', or write such a function"
        )
    if isinstance(loss, str) and loss not in _BUILT_IN:
        if ":" not in loss:
            raise UsageError(
                f"there is no loss {loss!r}; built in are {', '.join(_BUILT_IN)}, your own is --loss file.py:function"
            )
        name, own = loss, resolve(loss, what="loss")
    elif not isinstance(loss, str):
        name, own = _name_of(loss), loss
    else:
        measure, known = _BUILT_IN[loss]
        extra: dict[str, Callable[..., Any]] = {}
        for each in metrics:
            function = resolve(each, what="metric") if isinstance(each, str) else each
            title = each.rpartition(":")[2].rpartition(".")[2] if isinstance(each, str) else _name_of(each)
            _check_name(title)
            if title in ("loss", *known, *extra):
                raise UsageError(f"there is a metric {title!r} already; give the function another name")
            extra[title] = function
        return Loss(loss, (*known, *extra), built_in=measure, extra=extra)
    if metrics:
        raise UsageError(
            f"--metric goes with a built-in loss; let {name} return a dict with 'loss' and the metrics instead"
        )
    return Loss(name, own=own)


def cross_entropy(logits: Tensor, target: Tensor, check: bool = False) -> dict[str, Tensor]:
    """Return cross entropy in nats and accuracy of each sample, averaged over its positions that count.

    Parameters
    ----------
    logits : Tensor, shape (n, classes, ...) or (n, ..., classes)
        The classes are along dimension 1, as in torch, or the last one where only that fits the target.
    target : Tensor, shape (n, ...) of integers, or the shape of ``logits`` in floating point
        Class numbers, -100 where there is nothing to predict; or the probability of every class.

    Returns
    -------
    dict
        "loss" and "accuracy", each (n,).
    """
    logits, target = _matched(logits, target)
    if target.is_floating_point():
        logits = _precise(logits)
        losses = F.cross_entropy(logits, target.to(logits.dtype), reduction="none")
        right = logits.argmax(1) == target.argmax(1)
        return {"loss": _mean(losses), "accuracy": _mean(right.to(losses.dtype))}
    target = target.long()
    if check:
        _check_classes(target, logits.shape[-1])
    flat, wanted = _precise(logits).flatten(0, -2), target.flatten()
    losses = F.cross_entropy(flat, wanted, reduction="none", ignore_index=IGNORED).reshape(target.shape)
    # What is ignored is never predicted, since it is no class.
    right = (flat.argmax(1) == wanted).to(losses.dtype).reshape(target.shape)
    if losses.ndim == 1:
        return {"loss": losses, "accuracy": right}
    number = (target != IGNORED).flatten(1).sum(1)
    return {"loss": losses.flatten(1).sum(1) / number, "accuracy": right.flatten(1).sum(1) / number}


def mean_squared_error(output: Tensor, target: Tensor, check: bool = False) -> dict[str, Tensor]:
    """Return the squared error of each sample, averaged over its outputs, under the name "loss", shape (n,).

    Output and target have the same shape, but for dimensions of size 1 at the end.
    """
    if output.shape != target.shape:
        # Broadcasting (n, 1) with (n,) would compare every sample with every other.
        if _without_ones(output) != _without_ones(target):
            raise ProblemError(
                f"mse needs outputs and targets of the same shape, got {tuple(output.shape)} and "
                f"{tuple(target.shape)}; write a loss of your own, --loss file.py:function, if they belong together"
            )
        target = target.reshape(output.shape)
    output = _precise(output)
    return {"loss": _mean((output - target.to(output.dtype)).square())}


_BUILT_IN: dict[str, tuple[Measure, tuple[str, ...]]] = {
    "cross_entropy": (cross_entropy, ("accuracy",)),
    "mse": (mean_squared_error, ()),
}


def fit_precision(inputs: Any, model: Callable[..., Any]) -> Any:
    """Return the inputs with floating tensors in the precision of the network's first parameter.

    A network in half precision takes no float32 images, nor one in float32 NumPy's float64.
    """
    if not isinstance(model, nn.Module):
        return inputs
    wanted = next((each.dtype for each in model.parameters() if each.is_floating_point()), None)
    if wanted is None:
        return inputs

    def fit(leaf: Any) -> Any:
        floating = isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.dtype != wanted
        return leaf.to(wanted) if floating else leaf

    return map_tensors(fit, inputs)


def _matched(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits with the classes last for class numbers, or second for probabilities, and the target for them."""
    shape = logits.shape
    if logits.ndim == 2 and target.ndim == 2 and target.shape[1] == 1 != shape[1]:
        target = target[:, 0]  # a column of labels
    if logits.ndim >= 2 and target.is_floating_point() and target.shape == shape:
        return logits, target
    if logits.ndim >= 2 and not target.is_floating_point():
        second = target.shape == (shape[0], *shape[2:])
        last = target.shape == shape[:-1]
        if second and last and logits.ndim > 2:
            raise ProblemError(
                f"logits of shape {tuple(shape)} may have the classes along dimension 1 or the last one, and targets "
                f"of shape {tuple(target.shape)} fit both; write a loss of your own, --loss file.py:function"
            )
        if second or last:
            return (logits.movedim(1, -1) if second else logits), target
    raise ProblemError(
        f"cross_entropy needs logits (n, classes, ...) with class numbers (n, ...), or probabilities of the shape of "
        f"the logits; these are logits {describe_batch(logits)} and targets {describe_batch(target)}; for anything "
        "else write a loss of your own, --loss file.py:function"
    )


def _check_classes(target: Tensor, classes: int) -> None:
    wrong = (target != IGNORED) & ((target < 0) | (target >= classes))
    if bool(wrong.any()):
        value = int(target[wrong][0])
        raise ProblemError(
            f"a target is {value}, but the network tells {classes} classes apart, 0 to {classes - 1}; "
            f"is it the right network for these data? (targets of {IGNORED} are left out)"
        )
    counted = (target != IGNORED).reshape(len(target), -1).any(1)
    if not bool(counted.all()):
        raise ProblemError(
            f"a sample has no target that counts, they are all {IGNORED}, so that its mean loss is not defined; "
            "leave such samples out of the data set"
        )


def _check_not_its_own_input(inputs: Any, target: Tensor) -> None:
    """Refuse labels that repeat the input: a language model predicts the next token, not the one it is given."""
    given = inputs.get("input_ids") if isinstance(inputs, Mapping) else inputs
    if not isinstance(given, Tensor) or given.is_floating_point() or given.shape != target.shape or target.ndim < 2:
        return
    if bool(((given == target) | (target == IGNORED)).all()):
        raise ProblemError(
            "the targets are the input itself, position by position; for a language model shift them by one "
            "(inputs tokens[:, :-1], targets tokens[:, 1:]), or write a loss of your own, --loss file.py:function"
        )


def _named(result: Any, name: str) -> dict[str, Any]:
    if isinstance(result, Mapping):
        if "loss" not in result:
            raise ProblemError(
                f"{name} returned a dict without 'loss': it has {', '.join(map(str, result)) or 'nothing'}"
            )
        for title in result:
            _check_name(title)
        return dict(result)
    return {"loss": result}


def _checked(value: Any, number: int, name: str, source: str) -> Tensor:
    wanted = f"one value a sample, shape ({number},), or a scalar, the mean over the batch"
    if isinstance(value, (bool, int, float)):
        value = torch.tensor(float(value))
    if not isinstance(value, Tensor):
        try:
            value = torch.as_tensor(value)
        except Exception:
            raise ProblemError(f"{source} returned a {type(value).__name__} for {name!r}; wanted {wanted}") from None
    if value.ndim and tuple(value.shape) != (number,):
        raise ProblemError(
            f"{source} returned shape {tuple(value.shape)} for {name!r}; wanted {wanted}"
            + (" (reduction='none' gives these)" if value.ndim == 1 else "")
        )
    if value.is_complex():
        raise ProblemError(f"{source} returned complex numbers for {name!r}; wanted {wanted}")
    return _precise(value.detach())


def _check_name(name: Any) -> None:
    taken = name == "count" or (isinstance(name, str) and name.endswith("_stderr"))
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or taken:
        raise ProblemError(
            f"{name!r} cannot be the name of a metric: letters, digits, '_', '.' and '-' are possible, "
            "but neither 'count' nor an end in '_stderr'"
        )


def _as_target(target: Any) -> Tensor:
    if isinstance(target, Tensor):
        return target
    raise ProblemError(
        f"a built-in loss needs targets that are a tensor, these are {describe_batch(target)}; "
        "write a loss of your own, --loss file.py:function"
    )


def _precise(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


def _mean(values: Tensor) -> Tensor:
    return values.flatten(1).mean(1) if values.ndim > 1 else values


def _without_ones(values: Tensor) -> tuple[int, ...]:
    shape = list(values.shape)
    while len(shape) > 1 and shape[-1] == 1:
        shape.pop()
    return tuple(shape)


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)
