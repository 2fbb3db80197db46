"""Losses and metrics, one value a sample, so that every sample weighs the same and its spread is known.

A ``Loss`` is called with a network and a batch and returns ``{"loss": (n,), "accuracy": (n,), ...}`` for a batch of n
samples. A value of no dimension is the mean over the batch; such a value has no standard error. Values are formed in
float32 at least, whatever the network's precision.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from landscape.errors import ProblemError, UsageError
from landscape.problem.batches import (
    batch_size_of,
    call_model,
    describe_batch,
    fit_precision,
    output_logits,
    slice_batch,
    split_inputs_targets,
    tensors_in,
)
from landscape.problem.data.samples import LoaderBatch
from landscape.problem.losses.criteria import Criterion, is_criterion
from landscape.problem.losses.standard_losses import (
    IGNORED,
    STANDARD,
    WITH_MODEL,
    Measure,
    connectionist_temporal,
    precise,
)
from landscape.problem.references import failure, resolve

# Built in, by name.
NAMES = (*STANDARD, *WITH_MODEL)


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss and its metrics: ``loss(model, batch)`` gives a dict of values, one a sample or one a batch."""

    name: str  # "cross_entropy", "mse", or the reference of a user's own
    metrics: tuple[str, ...] = ()  # what is known beforehand to come beside "loss"
    measure: Measure | None = None  # (output, target) -> values: the network may be run by whatever gives its output
    own: Callable[..., Any] | None = None  # (model, batch) -> values: gets the network itself
    extra: Mapping[str, Callable[..., Any]] = field(default_factory=dict)  # name -> (output, batch) -> values

    def __call__(
        self, model: Callable[..., Any], batch: Any, *, check: bool = False, number: int | None = None
    ) -> dict[str, Tensor]:
        """Return each value of a batch of n samples, shape (n,), or () where only its mean over the batch is known.

        Of a batch of the user's own making, which counts as one, the mean of its samples' values, shape (1,).

        Parameters
        ----------
        model : Module or callable
        batch
            On the network's device.
        check : bool
            Also look at the values, which waits for the device: worth it once for each batch, since a label that is no
            class ends a GPU's process, and silently counts nothing elsewhere.
        number : int, optional
            How many samples the batch holds, where who made it knows.

        Raises
        ------
        ProblemError
            Output, target or value is not of a shape that makes sense together, or a mean is none.
        """
        if isinstance(batch, LoaderBatch):
            values = self(model, batch.batch, check=check, number=batch.samples)
            return {name: batch.weight * value.mean().reshape(1) for name, value in values.items()}
        values = self._values(model, batch, check)
        number = _size_or_none(batch) if number is None else number
        return {name: _checked(value, number, name, self.name) for name, value in values.items()}

    def _values(self, model: Callable[..., Any], batch: Any, check: bool) -> dict[str, Any]:
        if self.own is not None:
            return _named(self.own(model, batch), self.name)
        assert self.measure is not None
        inputs, _ = split_inputs_targets(batch)
        target = self.target_of(batch)
        if check:
            _check_not_its_own_input(inputs, target)
        output = call_model(model, fit_precision(inputs, model))
        logits = output_logits(output)
        if logits.is_complex() and not isinstance(self.measure, Criterion):
            raise ProblemError(
                f"{self.name} takes real outputs, the network gives complex ones ({describe_batch(logits)}); end it in "
                ".abs() or torch.view_as_real, or write a loss of your own, --loss file.py:function"
            )
        values = dict(self.measure(logits, target, check))
        for name, metric in self.extra.items():
            values[name] = metric(output, batch)
        return values

    @property
    def weighs(self) -> bool:
        """Whether samples do not all count alike in the mean that is reported, but by `weights`."""
        return isinstance(self.measure, Criterion) and self.measure.weighs

    def weights(self, batch: Any) -> Tensor:
        """Return what each sample adds to what the loss's own mean divides by, shape (n,), float64."""
        assert isinstance(self.measure, Criterion)
        return self.measure.weights(self.target_of(batch))

    def require_mean(self, model: Callable[..., Any], batch: Any, *, low: bool = False) -> None:
        """Raise where the loss is one number a batch and no mean over its samples: it would depend on the batch's size.

        Parameters
        ----------
        model : Module
            That gives the same whenever it is asked.
        batch
            On the network's device.
        low : bool
            The network computes in less than float32, and what it gives depends on the batch by some more.

        Raises
        ------
        ProblemError
            The number for the batch is the sum of those of its halves, or neither their sum nor their mean.
        """
        why = self.why_no_mean(model, batch, low=low)
        if why is not None:
            raise ProblemError(why)

    def why_no_mean(self, model: Callable[..., Any], batch: Any, *, low: bool = False) -> str | None:
        """Return what `require_mean` would raise, or None; other errors are the network's and the loss's own."""
        if isinstance(batch, LoaderBatch):  # of the user's own making: nothing else is asked of it
            return None
        number = _size_or_none(batch)
        if number is None or number < 2 or any(len(each) != number for each in tensors_in(batch) if each.ndim):
            return None
        whole = torch.as_tensor(self._values(model, batch, False)["loss"]).detach()
        if whole.ndim:
            return None
        whole = whole.double().cpu()
        # What is no mean may be near one at one cut by chance.
        for half in sorted({number // 2, (number + 2) // 3}, reverse=True):
            first, second = (
                torch.as_tensor(self._values(model, slice_batch(batch, *part), False)["loss"]).detach().double().cpu()
                for part in ((0, half), (half, number))
            )
            mean, total = (half * first + (number - half) * second) / number, first + second
            if not whole.isfinite():
                return None
            within = _MEAN_WITHIN[low] * max(abs(float(first)), abs(float(second)))
            if not torch.isclose(whole, mean, rtol=0.0, atol=within + 1e-6, equal_nan=True):
                break
        else:
            return None
        said = (
            f"{self.name} returns one number a batch: {float(whole):.6g} for {number} samples, {float(first):.6g} and "
        )
        said += f"{float(second):.6g} for their {'halves' if half == number // 2 else f'first {half} and the rest'}"
        if bool(torch.isclose(whole, total, rtol=_MEAN_WITHIN[True], atol=1e-6)):
            return f"{said}: a sum, which depends on how many there are; return a mean, or one value a sample"
        return (
            f"{said}, whose mean it is not: it weighs samples, or compares them with each other, so that it depends on "
            "which are in a batch; return one value a sample, pass a criterion (torch.nn.CrossEntropyLoss(...)), "
            "or give the batches it is meant for: DataLoader(batch_sampler=...) or a list of batches"
        )

    def target_of(self, batch: Any) -> Any:
        """Return a batch's targets as the loss takes them; ProblemError where a built-in loss cannot."""
        target = split_inputs_targets(batch)[1]
        if isinstance(target, Tensor) or isinstance(self.measure, Criterion):
            return target
        raise ProblemError(
            f"a built-in loss needs targets that are a tensor, these are {describe_batch(target)}; "
            "write a loss of your own, --loss file.py:function"
        )


# A mean over a batch and the mean of its halves' differ by rounding, in bfloat16 by more of it.
_MEAN_WITHIN = {False: 1e-4, True: 0.005}


def resolve_loss(loss: str | Callable[..., Any] | Loss, metrics: Sequence[str | Callable[..., Any]] = ()) -> Loss:
    """Return the loss that a name, a reference or a function stands for.

    Parameters
    ----------
    loss : str, callable or Loss
        One of `NAMES`; a criterion (output, target), PyTorch's or one's own, as it is or as ``torch.nn:HuberLoss``,
        ``file.py:criterion``; or a function (model, batch), or ``"file.py:function"``, that returns one value a sample,
        a dict of such with "loss" among them, or a scalar: the mean over the batch. Arguments' names tell which.
    metrics : sequence of str or callable
        References to functions (output, batch) that return one value a sample; only beside a loss by name or a
        criterion. Each is called by its function's name.

    Raises
    ------
    UsageError
        No such loss, it could be of either form, a metric's name is taken, or metrics beside a function (model, batch).
    ProblemError
        No such file or function.
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str) and loss not in NAMES and ":" not in loss:
        raise UsageError(
            f"there is no loss {loss!r}; built in are {', '.join(NAMES)}, your own is --loss file.py:function"
        )
    measure: Measure | None = None
    own: Callable[..., Any] | None = None
    known: tuple[str, ...] = ()
    if isinstance(loss, str) and loss in STANDARD:
        name, (measure, known) = loss, STANDARD[loss]
    elif isinstance(loss, str) and loss in WITH_MODEL:
        name, own = loss, WITH_MODEL[loss]
    else:
        name = loss if isinstance(loss, str) else _name_of(loss)
        own = _made(resolve(loss, what="loss"), name) if isinstance(loss, str) else _made(loss, name)
        if is_criterion(own, name):
            criterion = Criterion(own, name)
            own, measure = (_ctc(criterion), None) if criterion.ctc else (None, criterion)
    if metrics and measure is None:
        raise UsageError(
            f"--metric goes with a built-in loss or a criterion (output, target); let {name} return a dict with 'loss' "
            "and the metrics instead"
        )
    extra: dict[str, Callable[..., Any]] = {}
    for each in metrics:
        function = resolve(each, what="metric") if isinstance(each, str) else each
        title = each.rpartition(":")[2].rpartition(".")[2] if isinstance(each, str) else _name_of(each)
        _check_name(title)
        if title in ("loss", *known, *extra):
            raise UsageError(f"there is a metric {title!r} already; give the function another name")
        extra[title] = function
    return Loss(name, (*known, *extra), measure=measure, own=own, extra=extra)


def _made(loss: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return a loss, made where a class of one is given."""
    if not isinstance(loss, type):
        return loss
    try:
        made: Callable[..., Any] = loss()
    except Exception as error:
        raise ProblemError(f"loss: {name}() failed: {failure(error)}; write a function that makes it") from error
    if not callable(made):
        raise ProblemError(f"loss: {name}() is a {type(made).__name__}, which cannot be called")
    return made


def _ctc(criterion: Criterion) -> Callable[..., Any]:
    """Return `connectionist_temporal` as torch's own criterion does it: its targets are three tensors."""
    options = {name: criterion.option(name, default) for name, default in (("blank", 0), ("zero_infinity", False))}
    return partial(connectionist_temporal, by_length=criterion.reduction == "mean", **options)


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


def _checked(value: Any, number: int | None, name: str, source: str) -> Tensor:
    wanted = f"one value a sample, shape ({'n' if number is None else number},), or a scalar, the mean over the batch"
    if isinstance(value, (bool, int, float)):
        value = torch.tensor(float(value))
    if not isinstance(value, Tensor):
        try:
            value = torch.as_tensor(value)
        except Exception:
            raise ProblemError(f"{source} returned a {type(value).__name__} for {name!r}; wanted {wanted}") from None
    if value.ndim and (value.ndim > 1 or number not in (None, len(value))):
        raise ProblemError(
            f"{source} returned shape {tuple(value.shape)} for {name!r}; wanted {wanted}"
            + (" (reduction='none' gives these)" if value.ndim == 1 else "")
        )
    if value.is_complex():
        raise ProblemError(f"{source} returned complex numbers for {name!r}; wanted {wanted}")
    return precise(value)


def _check_name(name: Any) -> None:
    taken = name == "count" or (isinstance(name, str) and name.endswith("_stderr"))
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or taken:
        raise ProblemError(
            f"{name!r} cannot be the name of a metric: letters, digits, '_', '.' and '-' are possible, "
            "but neither 'count' nor an end in '_stderr'"
        )


def _size_or_none(batch: Any) -> int | None:
    try:
        return batch_size_of(batch)
    except ProblemError:
        return None


def _name_of(function: Callable[..., Any]) -> str:
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)
