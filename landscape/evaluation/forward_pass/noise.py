"""Random numbers in a forward pass: seeded for each batch, and if values differ nonetheless, what they come from."""

from __future__ import annotations

import hashlib
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_OF_EVERY_MODULE = frozenset(vars(nn.Module()))


def seed_generators(point: int, data: str, first: int) -> None:
    """Seed torch's, NumPy's and Python's generators for one batch, by where it is measured and its first sample.

    Not for a point: the noise must not depend on which samples are measured in one go, or on which rank.
    """
    digest = hashlib.sha256(f"{point} {data} {first}".encode()).digest()
    seed = int.from_bytes(digest[:8], "little") >> 1
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)


@contextmanager
def generators_kept() -> Iterator[None]:
    """Leave NumPy's and Python's generators as they were; torch's are looked after where the network is."""
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


def draws(measure: Callable[[], Any]) -> bool:
    """Run something and return whether it took a random number from torch's, NumPy's or Python's generator."""
    before = _generators()
    measure()
    return _generators() != before


def why_different(model: nn.Module, measure: Callable[[], Any], *, seeded: bool) -> str:
    """Return what makes a network give something else each time, and what to do; found by measuring once more.

    Parameters
    ----------
    model : Module
    measure : callable
        Runs the network.
    seeded : bool
        Whether generators are seeded before each batch.
    """
    before, drawn = _states(model), _generators()
    measure()
    changed = [name for name, state in _states(model).items() if before.get(name) != state]
    found = [name for name, state in _generators().items() if drawn[name] != state] if not seeded else []
    words = []
    if found:
        words.append(
            f"it draws random numbers from {' and '.join(found)}: pass --noise common (noise='common'), which draws "
            "the same ones at every point and leaves dropout and batch norm in eval mode"
        )
    if changed:
        words.append(why_changing(changed))
    if not words:
        words.append(
            ("torch's, NumPy's and Python's generators were seeded alike, so " if seeded else "")
            + "it draws from a generator of its own, or keeps a state outside its modules: make it deterministic"
        )
    return "; ".join(words)


def why_changing(changed: Sequence[str]) -> str:
    """Return in words that a forward pass changes what the next one goes by, and what to do."""
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return (
        f"its forward pass changes {', '.join(changed[:3])}{more}, so that each pass depends on those before: keep "
        "that as it is in eval mode (`if self.training:` before the change)"
    )


def _generators() -> dict[str, bytes]:
    states = {
        "torch's generator": torch.get_rng_state().numpy().tobytes(),
        "NumPy's": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "Python's": pickle.dumps(random.getstate()),
    }
    for number in range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0):  # type: ignore[no-untyped-call]
        states[f"torch's generator of GPU {number}"] = torch.cuda.get_rng_state(number).numpy().tobytes()
    return states


def _states(model: nn.Module) -> dict[str, Any]:
    """Return something to compare for each buffer and attribute of a network's modules, by the words for it."""
    found: dict[str, Any] = {}
    for path, module in model.named_modules():
        where = f"{path}." if path else ""
        for name, buffer in module._buffers.items():
            found[f"the buffer {where}{name} ({type(module).__name__})"] = _frozen(buffer)
        for name, value in vars(module).items():
            if name not in _OF_EVERY_MODULE:
                found[f"the attribute {where}{name} ({type(module).__name__})"] = _frozen(value)
    return found


def _frozen(value: Any) -> Any:
    if isinstance(value, torch.Generator):
        value = value.get_state()
    if isinstance(value, Tensor):
        return str(value.dtype), value.detach().cpu().clone().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    try:
        return pickle.dumps(value)
    except Exception:  # a user's object may do anything
        return repr(value)
