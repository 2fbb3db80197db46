"""Values that a network computed from its weights before it was given, and goes on with: they do not move with them.

A module that keeps a factorised matrix, merged weights or an inverse has, at theta*, the right loss; at every other
point, and in every derivative, it has the old value's. What a pass leaves behind can be taken back before the next one
(`landscape.problem.attributes`), but what was there from the start cannot be told from a constant. So the weights
beside it are tried: those that change nothing are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from landscape.errors import EvaluationError
from landscape.problem.attributes import Attributes, tensors_reached
from landscape.problem.params import can_move

# In mean magnitudes of a weight: far more than rounding, far less than what makes a loss overflow.
STEP = 0.1
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
_PLAIN = (type(None), bool, int, float, str, torch.dtype)


class StaleValueError(EvaluationError):
    """A weight changes nothing, and its module keeps numbers that may have been computed from it."""


def forget_computed(model: nn.Module) -> None:
    """Let modules drop what they kept from earlier weights: by PyTorch's convention a change of mode does that."""
    if any(type(module).train is not nn.Module.train for module in model.modules()):
        was = {module: module.training for module in model.modules()}
        model.train()
        model.eval()
        for module, training in was.items():
            module.training = training


def require_fresh(model: nn.Module, moved: Collection[str], values: Callable[[], Iterable[Tensor]]) -> None:
    """Raise where a weight changes nothing and its module keeps numbers that may have been computed from it.

    A network whose modules keep no tensors beside parameters and buffers costs nothing here. Weights and attributes are
    as before.

    Parameters
    ----------
    model : Module
    moved : collection of str
        The names of the parameters that are to be moved; of a tied one the first.
    values : callable
        Runs the network as it stands on a few samples, and returns what the loss gives for them. Where it fails nothing
        is found: whoever measures says so.

    Raises
    ------
    StaleValueError
        The message names both ways to read that.
    """
    attributes = Attributes(model)

    def run() -> list[Tensor]:
        attributes.restore()
        return [each.detach().clone() for each in values()]

    try:
        _try_weights(model, moved, run)
    except StaleValueError:
        raise
    except (Exception, SystemExit):  # a user's code may do anything
        return
    finally:
        attributes.restore()


def _try_weights(model: nn.Module, moved: Collection[str], run: Callable[[], Sequence[Tensor]]) -> None:
    names = {id(parameter): name for name, parameter in model.named_parameters() if name in moved}
    parts = [*model.modules(), *model.parameters(), *model.buffers()]
    before: Sequence[Tensor] | None = None
    for path, module in model.named_modules():
        own = [parameter for parameter in module._parameters.values() if id(parameter) in names]
        kept = _kept_tensors(module, parts) if own else []
        for parameter in own if kept else []:
            assert parameter is not None
            before = run() if before is None else before
            with _stepped(parameter):
                after = run()
            if all(map(_same, before, after)):
                name, where = names[id(parameter)], f"{path or 'it'} ({type(module).__name__})"
                raise StaleValueError(
                    f"a change of {name} changes no loss, and {where} keeps {', '.join(kept)}. Either that was "
                    f"computed from {name} in an earlier forward pass, and would stay what it is while {name} moves: "
                    f"give a network that has not been called yet, or empty it; or {name} has no effect: leave it "
                    "out with exclude"
                )


def _kept_tensors(module: nn.Module, parts: Sequence[object]) -> list[str]:
    """Return the names of a module's attributes and unsaved buffers in which there are real or complex numbers."""
    unsaved = [name for name in module._non_persistent_buffers_set if name in module._buffers]
    found = [name for name in unsaved if (buffer := module._buffers[name]) is not None and can_move(buffer)]
    for name, value in vars(module).items():
        if name in _OF_EVERY_MODULE or _is_plain(value):
            continue
        if any(can_move(each) for each in tensors_reached(value, but=parts)):
            found.append(name)
    return sorted(found)


def _is_plain(value: object) -> bool:
    if type(value) is tuple or type(value) is list:
        return all(isinstance(each, _PLAIN) for each in value)
    return isinstance(value, _PLAIN)


@contextmanager
def _stepped(tensor: Tensor) -> Iterator[None]:
    """Move all of a tensor a little, each number its own way."""
    start = tensor.detach().clone()
    generator = torch.Generator().manual_seed(0)
    step = torch.randn(tensor.shape, generator=generator, dtype=torch.float32).to(tensor.device)
    size = STEP * (start.abs().double().mean() if start.numel() else 0.0) + 1e-3
    try:
        with torch.no_grad():
            tensor.add_((step * size).to(tensor.dtype))
        yield
    finally:
        with torch.no_grad():
            tensor.copy_(start)


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.nan_to_num(7.0), other.nan_to_num(7.0))
