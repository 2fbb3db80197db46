"""Values that a network computed from its weights before it was given, and goes on with: they do not move with them.

A module that keeps a factorised matrix, merged weights or an inverse has, at theta*, the right loss; at every other
point, and in every derivative, it has the old value's. What a pass leaves behind can be taken back before the next one
(`landscape.problem.attributes`), but what was there from the start cannot be told from a constant. So the weights
beside it are tried: those that change nothing are refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from landscape.errors import EvaluationError, UsageError
from landscape.problem.attributes import Attributes, tensors_reached
from landscape.problem.buffers import Buffers
from landscape.problem.params import can_move

logger = logging.getLogger(__name__)

# In mean magnitudes of a weight: far more than rounding, far less than what makes a loss overflow.
STEP = 0.1
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
_PLAIN = (type(None), bool, int, float, str, torch.dtype)


class StaleValueError(EvaluationError):
    """A weight changes nothing, and its module keeps numbers that may have been computed from it."""


def forget_computed(model: nn.Module) -> None:
    """Let modules drop what they kept from earlier weights: by PyTorch's convention a change of mode does that.

    Raises
    ------
    UsageError
        A change of mode changes weights: adapters that are merged into others, whose weights then stand for both.
    """
    if all(type(module).train is nn.Module.train for module in model.modules()):
        return
    was = {module: module.training for module in model.modules()}
    versions = {name: each._version for name, each in model.named_parameters() if not each.is_inference()}
    model.train()
    model.eval()
    changed = next((n for n, each in model.named_parameters() if versions.get(n, each._version) != each._version), None)
    if changed is not None:
        model.train(was[model])
    for module, training in was.items():
        module.training = training
    if changed is not None:
        raise UsageError(
            f"a change between training and eval mode changes {changed}: weights that are merged into others in eval "
            "mode cannot be moved apart from them; merge them for good, or keep them apart (merge_weights=False, say)"
        )


def require_fresh(
    model: nn.Module,
    moved: Collection[str],
    values: Callable[[], Iterable[Tensor]],
    *,
    way: str = "leave it out with exclude",
) -> None:
    """Raise where a weight changes nothing and its module keeps numbers that may have been computed from it.

    A network whose modules keep no tensors beside parameters and buffers costs nothing here, and one that writes them
    anew in each pass two passes. Weights, buffers and attributes are as before.

    Parameters
    ----------
    model : Module
    moved : collection of str
        The names of the parameters that are to be moved; of a tied one the first.
    values : callable
        Runs the network as it stands on a few samples, and returns what the loss gives for them. Where it fails nothing
        is found: whoever measures says so.
    way : str
        What to do with a weight that has no effect; "" where nothing can be done, which is a warning then.

    Raises
    ------
    StaleValueError
        The message names both ways to read that.
    """
    attributes, buffers = Attributes(model), Buffers(model)

    def run() -> list[Tensor]:
        attributes.restore()
        with buffers.kept():
            return [each.detach().clone() for each in values()]

    try:
        if (found := _stale(model, moved, run)) and way:
            raise StaleValueError(f"{found}; or it has no effect: {way}")
        if found:
            logger.warning("%s; or it has no effect", found)
    except StaleValueError:
        raise
    except (Exception, SystemExit) as error:  # a user's code may do anything
        logger.debug("whether the network keeps old values could not be tried: %s", error)
    finally:
        attributes.restore()


def _stale(model: nn.Module, moved: Collection[str], run: Callable[[], Sequence[Tensor]]) -> str:
    """Return what may be a value computed from a weight that is moved, in words; "" where there is none."""
    names = {id(parameter): name for name, parameter in model.named_parameters() if name in moved}
    parts = [*model.modules(), *model.parameters(), *model.buffers()]
    own = {
        path: [each for each in module._parameters.values() if each is not None and id(each) in names]
        for path, module in model.named_modules()
    }
    kept = {path: _kept_tensors(model.get_submodule(path), parts) for path, weights in own.items() if weights}
    kept = {path: tensors for path, tensors in kept.items() if tensors}
    if not kept:
        return ""
    before = run()

    def matter(tensors: Iterable[Tensor]) -> bool:
        with _stepped(tensors):
            return not all(map(_same, before, run()))

    # Numbers that each pass writes anew, and those of no effect, are no values that it goes on with.
    if not matter(each for tensors in kept.values() for found in tensors.values() for each in found):
        return ""
    for path, tensors in kept.items():
        if not matter(each for found in tensors.values() for each in found):
            continue
        for parameter in own[path]:
            if not matter([parameter]):
                name, where = names[id(parameter)], f"{path or 'it'} ({type(model.get_submodule(path)).__name__})"
                return (
                    f"a change of {name} changes no loss, and {where} keeps {', '.join(sorted(tensors))}, which does. "
                    f"Either that was computed from {name} in an earlier forward pass, and stays what it is while "
                    f"{name} moves: give a network that has not been called yet, or empty it"
                )
    return ""


def _kept_tensors(module: nn.Module, parts: Sequence[object]) -> dict[str, list[Tensor]]:
    """Return the real or complex numbers in a module's attributes and unsaved buffers, by the names of these."""
    unsaved = {name: module._buffers.get(name) for name in module._non_persistent_buffers_set}
    found = {name: [each] for name, each in unsaved.items() if each is not None}
    for name, value in vars(module).items():
        if name not in _OF_EVERY_MODULE and not _is_plain(value):
            found[name] = tensors_reached(value, but=parts)
    numbers = {name: [each for each in tensors if _is_number(each)] for name, tensors in found.items()}
    return {name: tensors for name, tensors in numbers.items() if tensors}


def _is_number(tensor: Tensor) -> bool:
    return can_move(tensor) and not (tensor.is_meta or tensor.is_inference()) and tensor.layout == torch.strided


def _is_plain(value: object) -> bool:
    if type(value) is tuple or type(value) is list:
        return all(isinstance(each, _PLAIN) for each in value)
    return isinstance(value, _PLAIN)


@contextmanager
def _stepped(tensors: Iterable[Tensor]) -> Iterator[None]:
    """Move all of some tensors a little, each number its own way."""
    generator, start = torch.Generator().manual_seed(0), [(each.data, each.data.clone()) for each in tensors]
    try:
        for live, at in start:
            size = float(at.abs().double().mean()) * STEP + 1e-3 if at.numel() else 0.0
            step = torch.randn(at.shape, generator=generator, dtype=torch.float64) * size
            live.add_(step.to(device=at.device, dtype=at.dtype))
        yield
    finally:
        for live, at in start:
            live.copy_(at)


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.nan_to_num(7.0), other.nan_to_num(7.0))
