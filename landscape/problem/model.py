"""What is minimised: the network, built as its user builds it, with a checkpoint's weights in it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from landscape.errors import ProblemError, UsageError
from landscape.problem.batches import call_model, describe_batch, fit_precision
from landscape.problem.checkpoints.checkpoint import Checkpoint, apply_checkpoint, load_checkpoint
from landscape.problem.references import failure, resolve


def build_model(
    reference: str | nn.Module | Callable[..., nn.Module], args: Mapping[str, Any] | None = None
) -> nn.Module:
    """Build a network by calling its factory; torch's global random numbers are left as they were.

    Parameters
    ----------
    reference : str, Module or callable
        ``file.py:factory`` or ``package.module:factory``, a function or a class; ``hf:FOLDER``, by the config.json that
        ``save_pretrained`` wrote there; or the thing itself.
    args : mapping, optional
        Passed as keywords.

    Raises
    ------
    ProblemError
        There is no such factory, it raised, or what it returned is not a network.
    """
    if isinstance(reference, nn.Module):
        return reference
    if isinstance(reference, str) and reference.startswith(_PRETRAINED):
        return _from_config(reference, dict(args or {}))
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


_PRETRAINED = "hf:"


def _from_config(reference: str, args: dict[str, Any]) -> nn.Module:
    """Build a network of the transformers library by the config.json in a folder; ``args`` change its settings."""
    folder = Path(os.path.expanduser(reference.removeprefix(_PRETRAINED)))
    if not (folder / "config.json").is_file():
        raise ProblemError(f"model: {folder} holds no config.json; {reference} needs a folder of save_pretrained")
    try:
        import transformers
    except ImportError as error:
        raise ProblemError(f"model: {reference} needs the transformers library: pip install transformers") from error
    try:
        with torch.random.fork_rng(devices=[]):
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, **args)
            kinds = list(config.architectures or ())
            kind = getattr(transformers, kinds[0], None) if kinds else transformers.AutoModel
            if kind is None:
                raise ValueError(f"there is no {kinds[0]} in transformers {transformers.__version__}")
            model: nn.Module = kind.from_config(config) if kind is transformers.AutoModel else kind(config)
    except (Exception, SystemExit) as error:
        raise ProblemError(f"model: {reference} failed: {failure(error)}; write a factory, file.py:factory") from error
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


def misfit(model: nn.Module, inputs: Any, data: str, error: BaseException) -> str:
    """Say that a network failed on inputs of a batch: in which of its modules, on tensors of which shapes.

    An empty text where it does not fail when it is asked again, so that something else is wrong.

    Parameters
    ----------
    model : Module
    inputs
        Of a few samples, on the network's device.
    data : str
        The data set's name.
    error : exception
        With which it failed; it is called again to find the place.
    """
    entered: list[tuple[str, nn.Module, Any]] = []
    names = {id(module): name for name, module in model.named_modules()}

    def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
        entered.append((names[id(module)], module, (*args, *kwargs.values())))

    def leave(module: nn.Module, args: Any, result: Any) -> None:
        entered.pop()

    hooks = []
    for module in model.modules():
        hooks += [module.register_forward_pre_hook(enter, with_kwargs=True), module.register_forward_hook(leave)]
    try:
        with torch.no_grad():
            call_model(model, fit_precision(inputs, model))
    except Exception:
        where = [(name or "the network itself", type(module).__name__, given) for name, module, given in entered][-1:]
    else:
        return ""
    finally:
        for hook in hooks:
            hook.remove()
    place = "".join(f" in {name} ({kind}), which is given {describe_batch(given)}" for name, kind, given in where)
    return (
        f"the network {type(model).__name__} does not take the samples of data set {data!r}, {describe_batch(inputs)}: "
        f"{failure(error)}{place}"
    )


def describe_model(
    model: nn.Module, reference: str | None = None, args: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a network's entry in ``Surface.problem``: JSON keys reference, args and class."""
    return {"reference": reference, "args": dict(args or {}), "class": type(model).__name__}
