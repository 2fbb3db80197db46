"""Losses known by name, each one value a sample: what PyTorch's functional losses of these names give, and no guess.

A measure is called with a network's output, the targets, and whether to look at the targets' values, which waits for
the device. Values are formed in float32 at least, whatever the network's precision. A shape or type of target that
could be taken in two ways is refused with both ways named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from landscape.errors import ProblemError
from landscape.problem.batches import call_model, describe_batch, fit_precision, output_logits

# A target of this value is not to be predicted: padding, say. The number is torch's own default.
IGNORED = -100

Measure = Callable[[Tensor, Tensor, bool], dict[str, Tensor]]

# How far the sum of a row of probabilities may be from 1: rounding in half precision, over a hundred classes.
_SUM_WITHIN = 0.02
_OWN = "write a loss of your own, --loss file.py:function"


def cross_entropy(logits: Tensor, target: Tensor, check: bool = False) -> dict[str, Tensor]:
    """Return cross entropy in nats and accuracy of each sample, averaged over its positions that count.

    Parameters
    ----------
    logits : Tensor, shape (n, classes, ...) or (n, ..., classes)
        The classes are along dimension 1, as in torch, or the last one where only that fits the target.
    target : Tensor, shape (n, ...) of integers, or the shape of ``logits`` in floating point
        Class numbers, -100 where there is nothing to predict; or the probability of every class, along dimension 1.
    check : bool
        Look at the values: classes in range, probabilities that are some.

    Returns
    -------
    dict
        "loss" and "accuracy", each (n,).

    Raises
    ------
    ProblemError
        They do not belong together, or could be taken in two ways.
    """
    return _classified("cross_entropy", logits, target, check)


def negative_log_likelihood(output: Tensor, target: Tensor, check: bool = False) -> dict[str, Tensor]:
    """Return what `cross_entropy` does, of a network that ends in log_softmax; targets are class numbers."""
    return _classified("nll", output, target, check)


def _classified(name: str, logits: Tensor, target: Tensor, check: bool) -> dict[str, Tensor]:
    logits, target = _matched(name, logits, target)
    logits = precise(logits)
    if target.is_floating_point():
        if check:
            _check_probabilities(target)
        losses = F.cross_entropy(logits, target.to(logits.dtype), reduction="none")
        right = logits.argmax(1) == target.argmax(1)
        return {"loss": mean_of_each(losses), "accuracy": mean_of_each(right.to(losses.dtype))}
    target = target.long()
    if check:
        check_classes(target, logits.shape[-1])
        _check_some_count(target)
    if check and name == "nll":
        _check_log_probabilities(name, logits, -1)
    flat, wanted = logits.flatten(0, -2), target.flatten()
    function = F.nll_loss if name == "nll" else F.cross_entropy
    losses = function(flat, wanted, reduction="none", ignore_index=IGNORED).reshape(target.shape)
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
    return _elementwise("mse", F.mse_loss, output, target, check)


def _elementwise(
    name: str, function: Callable[..., Tensor], output: Tensor, target: Tensor, check: bool
) -> dict[str, Tensor]:
    output, target = aligned(name, output, target)
    if check and name == "bce_with_logits" and bool(((target < 0) | (target > 1)).any()):
        raise ProblemError(
            f"bce_with_logits needs targets from 0 to 1, there are {float(target.min()):g} to {float(target.max()):g}; "
            "class numbers of several classes are for cross_entropy, real values for mse"
        )
    return {"loss": mean_of_each(function(output, target, reduction="none"))}


def kullback_leibler(output: Tensor, target: Tensor, check: bool = False) -> dict[str, Tensor]:
    """Return the divergence of each sample, summed over its classes as ``reduction="batchmean"`` does, shape (n,).

    Of a network that ends in log_softmax over dimension 1, for targets that are probabilities of the same shape.
    """
    output, target = aligned("kl_div", output, target)
    if check:
        _check_log_probabilities("kl_div", output, 1)
        _check_probabilities(target)
    return {"loss": F.kl_div(output, target, reduction="none").flatten(1).sum(1)}


STANDARD: dict[str, tuple[Measure, tuple[str, ...]]] = {
    "cross_entropy": (cross_entropy, ("accuracy",)),
    "mse": (mean_squared_error, ()),
    "nll": (negative_log_likelihood, ("accuracy",)),
    "bce_with_logits": (partial(_elementwise, "bce_with_logits", F.binary_cross_entropy_with_logits), ()),
    "l1": (partial(_elementwise, "l1", F.l1_loss), ()),
    "smooth_l1": (partial(_elementwise, "smooth_l1", F.smooth_l1_loss), ()),
    "huber": (partial(_elementwise, "huber", F.huber_loss), ()),
    "kl_div": (kullback_leibler, ()),
}


def connectionist_temporal(
    model: Callable[..., Any], batch: Any, *, by_length: bool = True, blank: int = 0, zero_infinity: bool = False
) -> Tensor:
    """Return the CTC loss of each sample by its target's length, shape (n,), as torch's ``reduction="mean"`` has it.

    Parameters
    ----------
    model : callable
        Gives log-probabilities, shape (time, n, classes).
    batch : tuple
        (inputs, targets, input_lengths, target_lengths), or the last three as the second of a pair; targets are
        (n, longest) or all one after the other, as `torch.nn.functional.ctc_loss` takes them.
    by_length : bool
        Divide each by its target's length, as ``reduction="mean"`` does.
    blank, zero_infinity
        As torch has them.

    Raises
    ------
    ProblemError
        Batch or output are of another form.
    """
    parts = tuple(batch) if isinstance(batch, (tuple, list)) else ()
    if len(parts) == 2 and isinstance(parts[1], (tuple, list)):
        parts = (parts[0], *parts[1])
    if len(parts) != 4 or not all(isinstance(each, Tensor) for each in parts[1:]):
        raise ProblemError(
            "ctc needs batches of (inputs, targets, input_lengths, target_lengths), this one is "
            f"{describe_batch(batch)}; {_OWN}"
        )
    inputs, targets, given, wanted = parts
    output = precise(output_logits(call_model(model, fit_precision(inputs, model))))
    if output.ndim != 3 or output.shape[1] != len(wanted):
        raise ProblemError(
            f"ctc needs log-probabilities of shape (time, {len(wanted)}, classes), the network gives "
            f"{tuple(output.shape)}; let it permute its output"
        )
    _check_log_probabilities("ctc", output, 2)
    how: dict[str, Any] = {"blank": blank, "zero_infinity": zero_infinity, "reduction": "none"}
    losses = F.ctc_loss(output, targets, given, wanted, **how)
    return losses / wanted.clamp(min=1).to(output) if by_length else losses


def loss_of_output(model: Callable[..., Any], batch: Any) -> Any:
    """Return the ``loss`` that a network's output carries when it is given a whole batch, labels and all."""
    if isinstance(batch, (tuple, list)) and len(batch) == 2 and isinstance(batch[0], Mapping):
        batch = {**batch[0], "labels": batch[1]}
    output = call_model(model, fit_precision(batch, model))
    loss = getattr(output, "loss", output.get("loss") if isinstance(output, Mapping) else None)
    if not isinstance(loss, Tensor):
        raise ProblemError(
            f"--loss output takes the loss that the network's output carries; given {describe_batch(batch)} it "
            f"returned {describe_batch(output)} without one: does the batch hold labels under the "
            "name that the network wants?"
        )
    return loss


# Called with the network itself.
WITH_MODEL: dict[str, Callable[..., Any]] = {"ctc": connectionist_temporal, "output": loss_of_output}


def aligned(name: str, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return output and target in one shape and type, for losses that compare number by number.

    Raises
    ------
    ProblemError
        Their shapes differ in more than dimensions of size 1 at the end.
    """
    if output.shape != target.shape:
        # Broadcasting (n, 1) with (n,) would compare every sample with every other.
        if _without_ones(output) != _without_ones(target):
            hint = "cross_entropy takes class numbers" if not target.is_floating_point() else _OWN
            raise ProblemError(
                f"{name} needs outputs and targets of the same shape, got {tuple(output.shape)} and "
                f"{tuple(target.shape)}; {hint}, if they belong together"
            )
        target = target.reshape(output.shape)
    output = precise(output)
    return output, target.to(output.dtype)


def check_classes(target: Tensor, classes: int, ignored: int = IGNORED) -> None:
    """Raise ProblemError for a class number that the network does not know, which would end a GPU's process."""
    wrong = (target != ignored) & ((target < 0) | (target >= classes))
    if bool(wrong.any()):
        raise ProblemError(
            f"a target is {int(target[wrong][0])}, but the network tells {classes} classes apart, 0 to {classes - 1}; "
            f"is it the right network for these data? (targets of {ignored} are left out; another number is left out "
            "with torch.nn.CrossEntropyLoss(ignore_index=...) as loss)"
        )


def precise(values: Tensor) -> Tensor:
    """Return values in float32, or in float64 where they are; complex ones as they are."""
    return values if values.dtype == torch.float64 or values.is_complex() else values.float()


def mean_of_each(values: Tensor) -> Tensor:
    """Return the mean over all dimensions but the first, shape (n,)."""
    return values.flatten(1).mean(1) if values.ndim > 1 else values


def _matched(name: str, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits with the classes last for class numbers, or second for probabilities, and the target for them."""
    shape, floating = logits.shape, target.is_floating_point()
    if logits.ndim == 2 and target.ndim == 2 and target.shape[1] == 1 != shape[1]:
        target = target[:, 0]  # a column of labels
    second = logits.ndim >= 2 and target.shape == (shape[0], *shape[2:])
    last = logits.ndim >= 2 and target.shape == shape[:-1]
    both = f"logits {describe_batch(logits)}, targets {describe_batch(target)}"
    alone = (shape[1:2] if target.shape == shape else (*shape[1:2], shape[-1])) if logits.ndim > 1 else (1,)
    single = 1 in alone and target.numel() == logits.numel()
    if single:
        raise ProblemError(
            f"{name} needs a network with an output for each of several classes, this one has a single one ({both}); "
            "two classes told apart by one logit are --loss bce_with_logits, a value to be predicted is --loss mse"
        )
    if floating and target.shape == shape and name == "cross_entropy":
        return logits, target
    if floating and (second or last):
        raise ProblemError(
            f"{name} takes class numbers as integers, these are floating point ({both}): make them y.long() if they "
            "are class numbers; real values to be predicted need an output of their shape and --loss mse"
        )
    if not floating and target.shape == shape:
        raise ProblemError(
            f"{name} cannot tell what integers of the shape of the logits are ({both}): one-hot rows become class "
            "numbers with y.argmax(1), several labels a sample are for --loss bce_with_logits"
        )
    if second and last and logits.ndim > 2:
        raise ProblemError(
            f"logits of shape {tuple(shape)} may have the classes along dimension 1 or the last one, and targets "
            f"of shape {tuple(target.shape)} fit both; {_OWN}, or torch.nn:CrossEntropyLoss for dimension 1"
        )
    if second or last:
        return (logits.movedim(1, -1) if second else logits), target
    raise ProblemError(
        f"{name} needs logits (n, classes, ...) with class numbers (n, ...), or probabilities of the shape of "
        f"the logits; these are {both}; for anything else {_OWN}"
    )


def _check_probabilities(target: Tensor) -> None:
    sums = target.double().sum(1)
    if not bool((target >= 0).all() & ((sums - 1).abs() <= _SUM_WITHIN).all()):
        raise ProblemError(
            f"targets {describe_batch(target)} of the output's shape are no class probabilities: they are "
            f"{float(target.min()):g} to {float(target.max()):g}, and rows (along dimension 1) sum to "
            f"{float(sums.min()):g} to {float(sums.max()):g}, not 1; several labels a sample are for --loss "
            "bce_with_logits, real values to be predicted for --loss mse"
        )


def _check_log_probabilities(name: str, output: Tensor, dimension: int) -> None:
    sums = output.detach().double().exp().sum(dimension)
    finite = sums[torch.isfinite(sums)]
    if bool(((finite - 1).abs() > _SUM_WITHIN).any()):
        raise ProblemError(
            f"{name} needs log-probabilities, but exp(output) sums to {float(finite.min()):g} to "
            f"{float(finite.max()):g} over the classes, not 1; let the network end in log_softmax, or take "
            "--loss cross_entropy, which takes logits"
        )


def _check_some_count(target: Tensor) -> None:
    counted = (target != IGNORED).reshape(len(target), -1).any(1)
    if not bool(counted.all()):
        raise ProblemError(
            f"a sample has no target that counts, they are all {IGNORED}, so that its mean loss is not defined; "
            "leave such samples out of the data set"
        )


def _without_ones(values: Tensor) -> tuple[int, ...]:
    shape = list(values.shape)
    while len(shape) > 1 and shape[-1] == 1:
        shape.pop()
    return tuple(shape)
