"""What a network's modules keep beside parameters and buffers: Python attributes, remembered and put back.

A forward pass may write into its modules: a hidden state, a counter, a list of results, a generator that was drawn
from. Recording it writes even what is no value at all. Attributes come back as the same objects with the contents they
had, however deep: lists, dicts, sets, arrays, plain tensors, generators, and objects of classes of one's own.
"""

from __future__ import annotations

import random
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from operator import is_
from types import FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

# Bytes from which a second copy of a tensor that nobody writes into is worth avoiding.
LARGE = 1 << 20

Undo = Callable[[], bool]  # puts something back; whether it was another

# Objects of these are the same for everybody, or have nothing that a forward pass writes into.
_ATOMS = (type(None), bool, int, float, complex, str, bytes, type, ModuleType, FunctionType, MethodType, torch.dtype)


# Containers that have no attributes, or none that anybody sets: most of what a module has are such dicts of hooks.
_PLAIN = {dict, OrderedDict, list, set, deque, tuple, frozenset}

# Of every module: hooks, and what it is made of.
_HOOKS = frozenset(name for name, value in vars(nn.Module()).items() if isinstance(value, dict))

_SLOTS: WeakKeyDictionary[type, tuple[str, ...]] = WeakKeyDictionary()


@contextmanager
def attributes_kept(model: nn.Module) -> Iterator[None]:
    """Leave every Python attribute of a network's modules as it was, whatever happens inside.

    Parameters and buffers stay the same objects; their values are not looked after (see
    `landscape.directions.displacement.untouched`).
    """
    attributes = Attributes(model)
    try:
        yield
    finally:
        attributes.restore()


def tensors_reached(value: Any, but: Iterable[Any]) -> list[Tensor]:
    """Return the tensors in a value, however deep, those left out that are in ``but`` or can be reached by it alone."""
    return Attributes(value, but).tensors


class Attributes:
    """Everything that can be reached from a network's attributes, as it is when this is made.

    Parameters
    ----------
    root : Module or any object
        Of a network, parameters and buffers are left out.
    but : iterable
        Objects that are left out as well, with what can be reached through them alone.
    """

    def __init__(self, root: Any, but: Iterable[Any] = ()) -> None:
        leave = [*root.parameters(), *root.buffers(), *but] if isinstance(root, nn.Module) else but
        self.tensors: list[Tensor] = []
        self._undo: list[Undo] = []
        self._quiet: list[Undo] = []  # of what no forward pass writes into of its own accord
        self._still: set[int] = set()
        self._seen: set[int] = set(map(id, leave))
        self._alive: list[Any] = []  # else a number in `_seen` might become another object's
        waiting: list[Any] = [root]
        while waiting:
            each = waiting.pop()
            if isinstance(each, _ATOMS) or id(each) in self._seen:
                continue
            self._seen.add(id(each))
            self._alive.append(each)
            waiting += self._remember(each)

    def restore(self) -> bool:
        """Put everything back; return whether anything was another."""
        with torch.no_grad():
            changed = [undo() for undo in (*self._undo, *self._quiet)]  # all of them, not as far as the first
        return any(changed)

    def restore_own(self) -> None:
        """Put back what modules of somebody's own have; faster by those of torch, and by hooks."""
        with torch.no_grad():
            for undo in self._undo:
                undo()

    def _remember(self, each: Any) -> list[Any]:
        """Note how to put an object back; return what is in it."""
        if isinstance(each, Tensor):
            self._tensor(each)
            return []
        if isinstance(each, np.ndarray):
            values = each.copy()

            def undo() -> bool:
                changed = each.tobytes() != values.tobytes()
                if changed:
                    np.copyto(each, values)
                return changed

            self._undo.append(undo)
            return list(each.flat) if each.dtype == object else []
        inside: list[Any] = []
        if isinstance(each, dict):
            keys, held = list(dict.keys(each)), list(dict.values(each))
            undos = self._quiet if id(each) in self._still else self._undo
            undos.append(lambda: _put_back_items(each, keys, held))
            inside = [*keys, *held]
        elif isinstance(each, (list, deque, set)):
            inside = _contents(each)
            add = each.update if isinstance(each, set) else each.extend
            self._undo.append(lambda: _put_back(each, inside, _contents(each), add))
        elif isinstance(each, (tuple, frozenset)):
            inside = _contents(each)
        elif not isinstance(each, nn.Module) and (state := _generator_state(each)):
            self._undo.append(state)
            return []
        return inside if type(each) in _PLAIN else [*inside, *self._fields(each)]

    def _fields(self, each: Any) -> list[Any]:
        """Return what an object of somebody's own class, or a module, has for attributes."""
        home = type(each).__module__.partition(".")[0]
        foreign = home in sys.stdlib_module_names and not isinstance(each, (dict, list, set, deque, SimpleNamespace))
        if isinstance(each, nn.Module) or not (foreign or home in ("torch", "numpy")):
            found = [vars(each)] if hasattr(each, "__dict__") else []
            if isinstance(each, nn.Module):
                self._still |= {id(value) for name, value in vars(each).items() if name in _HOOKS}
                if type(each).__module__.startswith("torch.nn.modules."):
                    self._still.add(id(vars(each)))
            return [*found, *self._slots(each)]
        return []

    def _slots(self, each: Any) -> list[Any]:
        values = {name: getattr(each, name) for name in _slots_of(type(each)) if hasattr(each, name)}
        if not values:
            return []

        def undo() -> bool:
            changed = {name: value for name, value in values.items() if getattr(each, name, None) is not value}
            for name, value in changed.items():
                object.__setattr__(each, name, value)
            return bool(changed)

        self._undo.append(undo)
        return list(values.values())

    def _tensor(self, tensor: Tensor) -> None:
        self.tensors.append(tensor)
        if tensor.is_meta or tensor.is_inference() or is_lazy(tensor):
            return
        values, version = kept_copy(tensor.detach()), tensor._version

        def undo() -> bool:
            if tensor.shape != values.shape:
                tensor.data = values
            elif tensor._version != version:
                tensor.detach().copy_(values)
            else:
                return False
            return True

        self._undo.append(undo)


def kept_copy(tensor: Tensor) -> Tensor:
    """Return a copy of a tensor; of a large one its memory is copied when somebody writes into it, and else never."""
    if tensor.numel() * tensor.element_size() >= LARGE:
        with suppress(AttributeError, RuntimeError):  # memory that torch did not allocate itself
            return torch._lazy_clone(tensor)
    return tensor.clone()


def _slots_of(kind: type) -> tuple[str, ...]:
    """Return the names of the slots of a class and its bases; looked up once, for each module of a network asks."""
    if (names := _SLOTS.get(kind)) is None:
        slots = [vars(each).get("__slots__", ()) for each in kind.__mro__]
        found = [name for own in slots for name in ((own,) if isinstance(own, str) else own)]
        names = _SLOTS[kind] = tuple(name for name in found if name != "__dict__")
    return names


def _contents(each: Any) -> list[Any]:
    """Return what is in a container, by its base class: one of somebody's own may count and iterate otherwise."""
    return list(next(kind for kind in (tuple, list, deque, set, frozenset) if isinstance(each, kind)).__iter__(each))


def _put_back(container: Any, before: list[Any], now: list[Any], add: Callable[[list[Any]], Any]) -> bool:
    """Give a container its contents back where they are others; order counts, and identity, not equality."""
    changed = len(now) != len(before) or not all(map(is_, now, before))
    if changed:
        container.clear()
        add(before)
    return changed


def _put_back_items(each: dict[Any, Any], keys: list[Any], values: list[Any]) -> bool:
    """The same of a dict; asked at each point of every module, so without a call for each item."""
    changed = not (
        dict.__len__(each) == len(keys)
        and all(map(is_, dict.keys(each), keys))
        and all(map(is_, dict.values(each), values))
    )
    if changed:
        each.clear()
        each.update(zip(keys, values, strict=True))
    return changed


def _generator_state(each: Any) -> Undo | None:
    """Return what puts a generator of random numbers back to where it is, None for anything else."""
    read: Callable[[], Any]
    write: Callable[[Any], Any]
    if isinstance(each, torch.Generator):
        read, write = each.get_state, each.set_state
    elif isinstance(each, np.random.Generator):
        read, write = lambda: each.bit_generator.state, lambda state: setattr(each.bit_generator, "state", state)
    elif isinstance(each, np.random.RandomState):
        read, write = each.get_state, each.set_state
    elif isinstance(each, random.Random):
        read, write = each.getstate, each.setstate
    else:
        return None
    state: Any = read()

    def undo() -> bool:
        changed = bool(_plain(read()) != _plain(state))
        if changed:
            write(state)
        return changed

    return undo


def _plain(state: Any) -> Any:
    """Return a generator's state as something that can be compared."""
    if isinstance(state, Tensor):
        return state.tolist()
    if isinstance(state, np.ndarray):
        return state.tobytes()
    if isinstance(state, dict):
        return {key: _plain(each) for key, each in state.items()}
    return [_plain(each) for each in state] if isinstance(state, tuple) else state
