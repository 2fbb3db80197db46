"""What is minimised: the network, built as its user builds it, with a checkpoint's weights in it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from landscape.checkpoint import Checkpoint, apply_checkpoint, load_checkpoint
from landscape.errors import ProblemError, UsageError
from landscape.references import failure, resolve


def build_model(
    reference: str | nn.Module | Callable[..., nn.Module], args: Mapping[str, Any] | None = None
) -> nn.Module:
    """Build a network by calling its factory; torch's global random numbers are left as they were.

    Parameters
    ----------
    reference : str, Module or callable
        ``file.py:factory`` or ``package.module:factory``, a function or a class; or the thing itself.
    args : mapping, optional
        Passed as keywords.

    Raises
    ------
    ProblemError
        There is no such factory, it raised, or what it returned is not a network.
    """
    if isinstance(reference, nn.Module):
        return reference
    with torch.random.fork_rng(devices=[]):
        factory = resolve(reference, what="model") if isinstance(reference, str) else reference
        if isinstance(factory, nn.Module):
            if args:
                raise ProblemError(f"model: {reference} is a network already, so --model-args has nothing to go to")
            return factory
        name = reference if isinstance(reference, str) else getattr(factory, "__name__", repr(factory))
        try:
            model = factory(**dict(args or {}))
        except (Exception, SystemExit) as error:
            given = ", ".join(f"{key}={value!r}" for key, value in (args or {}).items())
            raise ProblemError(f"model: {name}({given}) failed: {failure(error)}") from error
    if not isinstance(model, nn.Module):
        raise ProblemError(f"model: {name} returned a {type(model).__name__}, a torch.nn.Module is needed")
    return model


def parse_arguments(text: str | None) -> dict[str, Any]:
    """Turn ``'{"width": 16}'`` into keyword arguments.

    Raises
    ------
    UsageError
        It is not a JSON object.
    """
    if not text:
        return {}
    example = """write a JSON object, as in '{"width": 16}'"""
    try:
        arguments = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"--model-args {text!r} is not JSON: {error}; {example}") from None
    if not isinstance(arguments, dict):
        raise UsageError(f"--model-args {text!r} is not a JSON object; {example}")
    return arguments


def load_model(
    reference: str | Callable[..., nn.Module],
    args: Mapping[str, Any] | None,
    path: str | os.PathLike[str],
    *,
    key: str | None = None,
    trust: bool = False,
) -> tuple[nn.Module, Checkpoint]:
    """Build a network and give it a checkpoint's weights; it comes back in eval mode, on the CPU."""
    checkpoint = load_checkpoint(path, key=key, trust=trust)
    model = build_model(reference, args)
    apply_checkpoint(model, checkpoint)
    return model.eval(), checkpoint


def describe_model(
    model: nn.Module, reference: str | None = None, args: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a network's entry in ``Surface.problem``: JSON keys reference, args and class."""
    return {"reference": reference, "args": dict(args or {}), "class": type(model).__name__}
