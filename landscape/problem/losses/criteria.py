"""A criterion (output, target), PyTorch's or a user's own, measured sample by sample.

What is reported is the criterion's own value over all samples, whatever the batches: with ``reduction="none"`` it gives
a value a sample, and where its own mean is a weighted one (class weights, targets that are left out), each sample's
weight is known from its target, so that the mean of value / mean weight is the criterion's own.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.errors import ProblemError, UsageError
from landscape.problem.batches import describe_batch
from landscape.problem.losses.standard_losses import aligned, check_classes, mean_of_each, precise

_CLASSIFYING = (nn.CrossEntropyLoss, nn.NLLLoss, F.cross_entropy, F.nll_loss)
# Those that compare output and target number by number, and so broadcast shapes that do not belong together.
_ELEMENTWISE = (
    *(nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss, nn.BCELoss, nn.BCEWithLogitsLoss, nn.PoissonNLLLoss),
    *(nn.SoftMarginLoss, nn.MultiLabelSoftMarginLoss, nn.KLDivLoss),
    *(F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.binary_cross_entropy, F.poisson_nll_loss),
    *(F.binary_cross_entropy_with_logits, F.soft_margin_loss, F.multilabel_soft_margin_loss, F.kl_div),
)

# What people call the two arguments of each form.
_OUTPUTS = frozenset(
    (
        *("input", "inputs", "output", "outputs", "out", "logit", "logits", "pred", "preds", "prediction", "x_hat"),
        *("predictions", "predicted", "y_pred", "y_hat", "yhat", "score", "scores", "log_prob", "log_probs", "probs"),
        *("recon", "reconstruction", "estimate", "x"),
    )
)
_TARGETS = frozenset(
    (
        *("target", "targets", "tgt", "label", "labels", "y", "y_true", "true", "truth", "gt", "ground_truth", "t"),
        *("expected", "answer", "reference", "actual"),
    )
)
_MODELS = frozenset(("model", "net", "network", "module", "m", "learner", "nn_model", "f", "policy"))
_BATCHES = frozenset(("batch", "batches", "data", "sample", "samples", "minibatch", "mini_batch"))

_FORMS = (
    "loss(model, batch), which calls the network itself, or criterion(output, target); name its arguments so, or wrap "
    "it in a function whose arguments are"
)


def is_criterion(function: Callable[..., Any], name: str) -> bool:
    """Return whether something is called with (output, target), rather than with (model, batch).

    PyTorch's own are known; of others the names and annotations of the first two arguments tell. A module whose
    arguments say nothing takes (output, target), as all modules of losses do.

    Raises
    ------
    UsageError
        It takes neither, or could be either: both readings are named.
    """
    if isinstance(function, nn.modules.loss._Loss) or getattr(_bare(function), "__module__", "") == F.__name__:
        return True
    asked = _positional(function.forward if isinstance(function, nn.Module) else function)
    if len(asked) > 2:
        raise UsageError(
            f"{name} wants {', '.join(each.name for each in asked)}; a loss is called with two: {_FORMS} these two"
        )
    first, second = [each.name.lower().strip("_") for each in asked] if len(asked) == 2 else ("", "")
    if first in _TARGETS and second in _OUTPUTS:
        raise UsageError(
            f"{name} takes ({first}, {second}); a criterion is called with (output, target), in this order"
        )
    models, outputs = first in _MODELS or second in _BATCHES, first in _OUTPUTS or second in _TARGETS
    if not models and not outputs and asked:
        written = str(asked[0].annotation)
        models, outputs = "Module" in written, "Tensor" in written or isinstance(function, nn.Module)
    if models == outputs:
        shown = f"({', '.join(each.name for each in asked)})" if asked else "arguments that cannot be told"
        raise UsageError(f"{name} takes {shown}, which may be read in two ways: {_FORMS} named so")
    return outputs


def _positional(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the first two arguments of a function, and what else it cannot do without."""
    try:
        asked = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []
    asked = [each for each in asked if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    return [each for number, each in enumerate(asked) if number < 2 or each.default is each.empty]


def _bare(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


class Criterion:
    """A measure (`landscape.problem.losses.standard_losses`) out of a criterion; `weights` are its samples' weights.

    Parameters
    ----------
    criterion : callable
        Called with (output, target). It is left alone: what is changed or moved to a device is a copy.
    name : str
        What errors call it.

    Raises
    ------
    UsageError
        It adds its values up, so that its number grows with the data.
    """

    def __init__(self, criterion: Callable[..., Any], name: str) -> None:
        self._own, self.name = criterion, name
        kind = type(criterion) if isinstance(criterion, nn.Module) else _bare(criterion)
        self._classifying, self._elementwise = kind in _CLASSIFYING, kind in _ELEMENTWISE
        self.ctc = kind in (nn.CTCLoss, F.ctc_loss)
        self.reduction = _option(criterion, "reduction", None)
        if _option(criterion, "reduce", None) is False:
            self.reduction = "none"
        if self.reduction == "sum" or _option(criterion, "size_average", None) is False:
            raise UsageError(
                f"{name} has reduction='sum': its number grows with how many samples there are; take reduction='mean' "
                "(the sum is that times the number of samples), or reduction='none'"
            )
        self._each: Callable[..., Any] = criterion
        if self.reduction not in (None, "none"):
            self._each = _with_option(criterion, "reduction", "none")
        self._placed: dict[tuple[bool, torch.device, torch.dtype], Callable[..., Any]] = {}

    def option(self, name: str, default: Any) -> Any:
        """Return an option of the criterion, as it was made."""
        return _option(self._own, name, default)

    @property
    def weighs(self) -> bool:
        """Whether its own mean may weigh samples otherwise than alike."""
        return self._classifying and self.reduction == "mean"

    def weights(self, target: Tensor) -> Tensor:
        """Return what each sample adds to what the criterion's own mean divides by, shape (n,), float64."""
        if target.is_floating_point():
            return torch.ones(len(target), dtype=torch.float64, device=target.device)
        weight, ignored = _option(self._own, "weight", None), _option(self._own, "ignore_index", -100)
        target = target.long()
        counted = target != ignored
        if weight is None:
            plain: Tensor = counted.double().reshape(len(target), -1).sum(1)
            return plain
        each: Tensor = weight.detach().double().to(target.device)[target.where(counted, 0)]
        weighted: Tensor = (each * counted).reshape(len(target), -1).sum(1)
        return weighted

    def __call__(self, output: Tensor, target: Any, check: bool) -> dict[str, Tensor]:
        """Return the value of each sample, (n,); of a criterion that gives a mean alone, that: shape ()."""
        output, target = self._fitted(precise(output), target, check)
        values = self._run(True, output, target)
        if not isinstance(values, Tensor) or not values.ndim:
            return {"loss": values}
        if check and self.reduction not in (None, "none") and not self._classifying and not self._elementwise:
            self._require_own(values, output, target)
        if self.reduction == "batchmean" or (self.weighs and not target.is_floating_point()):
            return {"loss": values.flatten(1).sum(1) if values.ndim > 1 else values}
        alike = output.shape == target.shape if isinstance(target, Tensor) else False
        # Of one a class or one a position; any other shape may be each sample compared with every other.
        wanted = output.shape if alike else getattr(target, "shape", None)
        if values.ndim > 1 and not self._classifying and values.shape != wanted:
            raise ProblemError(
                f"{self.name} gives values of shape {tuple(values.shape)} for outputs {describe_batch(output)} and "
                f"targets {describe_batch(target)}; wanted one value a sample: are their shapes meant to be the same?"
            )
        return {"loss": mean_of_each(values)}

    def _fitted(self, output: Tensor, target: Any, check: bool) -> tuple[Tensor, Any]:
        if not isinstance(target, Tensor):
            return output, target
        if self._elementwise:
            return aligned(self.name, output, target)
        if self._classifying:
            if output.ndim > 1 and output.shape[1] == 1:
                raise ProblemError(
                    f"{self.name} is given one output a sample ({describe_batch(output)}), of which its softmax is "
                    "always 1; two classes told apart by one logit are for torch.nn.BCEWithLogitsLoss, a value to be "
                    "predicted for torch.nn.MSELoss"
                )
            if not target.is_floating_point():
                target = target.long()
                if output.ndim == 2 and target.ndim == 2 and target.shape[1] == 1:
                    target = target[:, 0]
                if check and output.ndim > 1:
                    check_classes(target, output.shape[1], _option(self._own, "ignore_index", -100))
            elif target.shape == output.shape:
                target = target.to(output.dtype)
        elif target.is_floating_point():
            target = precise(target).to(output.dtype) if not target.is_complex() else target
        return output, target

    def _run(self, each: bool, output: Tensor, target: Any) -> Any:
        """Call the criterion, or with ``each`` the one of values a sample, its own tensors beside the output."""
        key = (each, output.device, output.dtype)
        if key not in self._placed:
            self._placed[key] = _beside(self._each if each else self._own, output)
        try:
            return self._placed[key](output, target)
        except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
            if isinstance(error, ProblemError) or "out of memory" in str(error):
                raise
            raise ProblemError(
                f"{self.name} failed for outputs {describe_batch(output)} and targets {describe_batch(target)}: "
                f"{type(error).__name__}: {' '.join(str(error).split())}"
            ) from error

    def _require_own(self, values: Tensor, output: Tensor, target: Any) -> None:
        """Refuse a criterion whose own mean is not the mean of its values: then it weighs them in a way not known."""
        own = self._run(False, output, target)
        ours = values.double().sum() / len(values) if self.reduction == "batchmean" else values.double().mean()
        own, ours = torch.as_tensor(own).detach().double().mean().to(ours.device), ours.detach()
        if not bool(torch.isclose(own, ours, rtol=1e-3, atol=1e-6, equal_nan=True)):
            raise ProblemError(
                f"{self.name} with reduction={self.reduction!r} gives {float(own):.6g} for a batch whose values with "
                f"reduction='none' have the mean {float(ours):.6g}: what it divides by is not known, and its number "
                "would depend on the batches' size; pass it with reduction='none', or write a loss(model, batch) that "
                "gives one value a sample"
            )


def _option(criterion: Callable[..., Any], name: str, default: Any) -> Any:
    """Return an option of a criterion: an attribute of a module, an argument bound by partial, or its default."""
    if isinstance(criterion, nn.Module):
        return getattr(criterion, name, default)
    while isinstance(criterion, functools.partial):
        if name in criterion.keywords:
            return criterion.keywords[name]
        criterion = criterion.func
    try:
        given = inspect.signature(criterion).parameters[name].default
    except (TypeError, ValueError, KeyError):
        return default
    return default if given is inspect.Parameter.empty else given


def _with_option(criterion: Callable[..., Any], name: str, value: Any) -> Callable[..., Any]:
    if not isinstance(criterion, nn.Module):
        return functools.partial(criterion, **{name: value})
    changed = copy.copy(criterion)
    setattr(changed, name, value)
    return changed


def _beside(criterion: Callable[..., Any], output: Tensor) -> Callable[..., Any]:
    """Return a criterion with its tensors on the output's device, in its precision."""
    if isinstance(criterion, nn.Module):
        held = any(True for _ in (*criterion.parameters(), *criterion.buffers()))
        return copy.deepcopy(criterion).to(output.device, output.dtype) if held else criterion
    if isinstance(criterion, functools.partial):
        keywords = {
            name: each.to(output.device, output.dtype if each.is_floating_point() else each.dtype)
            if isinstance(each, Tensor)
            else each
            for name, each in criterion.keywords.items()
        }
        return functools.partial(_beside(criterion.func, output), *criterion.args, **keywords)
    return criterion
