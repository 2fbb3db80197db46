"""Networks that call their modules one by one while they are listened to, however they were sped up.

What was compiled before runs without a word to hooks that come later: of a network that was trained compiled nothing
but its output would be a layer. And an encoder of PyTorch hands its layers nested tensors where these, with hooks on
them, take others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from landscape.errors import UsageError


@contextmanager
def called_one_by_one(models: Sequence[nn.Module]) -> Iterator[None]:
    """Run no compiled code and no fused encoder for the time being.

    Raises
    ------
    UsageError
        A network is compiled, and this PyTorch cannot run it otherwise.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        # Whatever was compiled has loaded it, and loading it takes seconds.
        if "torch._dynamo" not in sys.modules:
            yield
            return
        stance = getattr(torch.compiler, "set_stance", None)  # from PyTorch 2.6 on
        if stance is None:
            _require_plain(models)
            yield
            return
        with stance("force_eager"):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _require_plain(models: Sequence[nn.Module]) -> None:
    for module in (each for model in models for each in model.modules()):
        if hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None:
            raise UsageError(
                "layers of a compiled network cannot be listened to with this PyTorch (2.6 and later can): give the "
                "network as it was before torch.compile"
            )


def scripted_parts(model: nn.Module) -> dict[str, nn.Module]:
    """Return the parts of a network that are TorchScript, by name: they call their modules without a word."""
    found: dict[str, nn.Module] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{each}.") or not each for each in found)
        if isinstance(module, torch.jit.ScriptModule) and not inside:
            found[name] = module
    return found
