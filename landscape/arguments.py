"""What functions are called with from Python, looked at before it is used: a TypeError that says what was wanted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

_KINDS = {"int": (Integral, "a whole number"), "float": (Real, "a number")}


def require_network(model: Any) -> None:
    """Raise TypeError for what is no ``torch.nn.Module``; the message says how to come by one."""
    import torch
    from torch import nn

    if isinstance(model, nn.Module):
        return
    if isinstance(model, type):
        hint = f"call it first: {model.__name__}(...)"
    elif isinstance(model, Mapping) and all(isinstance(each, torch.Tensor) for each in model.values()):
        hint = "build the network and load_state_dict(...) into it"
    elif isinstance(model, str):
        hint = "build the network and landscape.load_checkpoint(path) for its weights, or use the command line"
    else:
        hint = "the network comes first, then the data"
    kind = f"the class {model.__name__}" if isinstance(model, type) else f"of type {type(model).__name__}"
    raise TypeError(f"a network (torch.nn.Module) is wanted, this is {kind}: {hint}")


def require_numbers(settings: Any) -> None:
    """Raise TypeError where a field of a dataclass that is annotated as a number, or one or None, holds none."""
    for field in dataclasses.fields(settings):
        kind, _, rest = str(field.type).partition(" | ")
        value = getattr(settings, field.name)
        if kind not in _KINDS or rest not in ("", "None") or (rest and value is None):
            continue
        wanted, words = _KINDS[kind]
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise TypeError(f"{field.name} is {value!r}, it has to be {words}{' or None' if rest else ''}")
