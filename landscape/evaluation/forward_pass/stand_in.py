"""The engine in place of the network, for a loss (model, batch) that calls it once with the batch's inputs and no more.

What a user's loss does with a network cannot be known from outside: it may call parts of it, differentiate through it,
look at its weights. So it is watched on a few samples, and whenever it asks for anything but that one call it gets what
the network itself gives.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from landscape.engine.prepare import Engine
from landscape.problem.batches import tensors_in


class Watched:
    """A network that notes what a loss asks of it."""

    def __init__(self, model: nn.Module) -> None:
        self.__dict__.update(_model=model, _batch=None, _seen=[])

    def expect(self, batch: Any) -> None:
        """Note the batch whose loss comes next."""
        self.__dict__["_batch"] = batch

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._model)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the network."""
        self._seen.append((args, kwargs))
        return self._model(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Answer like the network."""
        self._seen.append(name)
        return getattr(self._model, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the network's attribute."""
        self._seen.append(name)
        setattr(self._model, name, value)

    @property
    def inputs(self) -> Any:
        """The arguments of its only call, in the form that `landscape.engine.prepare` takes; else None."""
        if len(self._seen) != 1 or isinstance(self._seen[0], str):
            return None
        args, kwargs = self._seen[0]
        given = list(tensors_in((args, kwargs)))
        known = {id(each) for each in tensors_in(self._batch)}
        if not given or any(id(each) not in known for each in given) or (args and kwargs):
            return None
        return kwargs or (args if len(args) > 1 else args[0])


class StandIn:
    """What a loss gets for the network: the engine for calls with the batch's own tensors, else the network itself.

    Parameters
    ----------
    engine : Engine
    model : Module
    """

    def __init__(self, engine: Engine, model: nn.Module) -> None:
        self.__dict__.update(_engine=engine, _model=model, _known=frozenset())
        self.__dict__["refresh"] = engine.refresh

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._model)

    def expect(self, batch: Any) -> None:
        """Note the tensors of the batch whose loss comes next."""
        self.__dict__["_known"] = frozenset(id(each) for each in tensors_in(batch))

    def whole_batch(self, batch: Any) -> Any:
        """Return the batch as it is; the engine sees how large its numbers are."""
        for each in tensors_in(batch):
            if isinstance(each, Tensor) and each.is_floating_point():
                self._engine.batch(each)
        return batch

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the network returns."""
        given = list(tensors_in((args, kwargs)))
        if torch.is_grad_enabled() or not given or any(id(each) not in self._known for each in given):
            return self._model(*args, **kwargs)
        return self._engine(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Answer like the network."""
        return getattr(self._model, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the network's attribute."""
        setattr(self._model, name, value)
