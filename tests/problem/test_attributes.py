"""Attributes of modules come back as the same objects, with the contents they had."""

from __future__ import annotations

import os
import random
from collections import defaultdict, deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from landscape.problem.attributes import Attributes, attributes_kept


@dataclass
class Cache:
    length: int
    states: list


class Named:
    __slots__ = "name"


class Slotted(Named):
    __slots__ = ("value",)

    def __init__(self, value):
        self.name, self.value = "a", value


class Keeper(nn.Module):
    """Keeps things in every way in which a module can, some of them in modules that torch does not know of."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.number, self.text, self.nothing = 1, "a", None
        self.state = torch.zeros(2)
        self.results = [torch.ones(1), [1, 2]]
        self.table = {"a": {"b": [torch.ones(2)]}, "n": 0}
        self.counts = defaultdict(int)
        self.queue = deque([1, 2], maxlen=3)
        self.seen = {1}
        self.array = np.zeros(3)
        self.cache = Cache(0, [])
        self.slotted = Slotted([1])
        self.hidden = [nn.Linear(1, 1)]
        self.generators = (torch.Generator(), np.random.default_rng(0), random.Random(0), np.random.RandomState(0))
        self.me = self


CHANGES = {
    "number": lambda m: setattr(m, "number", 2),
    "new attribute": lambda m: setattr(m, "more", torch.ones(2)),
    "attribute gone": lambda m: delattr(m, "nothing"),
    "plain tensor": lambda m: setattr(m, "state", torch.ones(2)),
    "plain tensor in place": lambda m: m.state.add_(1),
    "plain tensor resized": lambda m: m.state.resize_(5),
    "plain tensor of another shape": lambda m: m.state.unsqueeze_(0),
    "list": lambda m: m.results.append(3),
    "nested list": lambda m: m.results[1].__setitem__(0, 7),
    "order of a list": lambda m: m.results.reverse(),
    "nested dict": lambda m: m.table["a"]["b"].clear(),
    "tensor in a dict": lambda m: m.table["a"]["b"][0].mul_(3),
    "dict": lambda m: m.table.update(n=1),
    "defaultdict": lambda m: m.counts["x"],
    "deque": lambda m: m.queue.extend([3, 4]),
    "set": lambda m: m.seen.add(2),
    "array": lambda m: m.array.__setitem__(1, 5.0),
    "field": lambda m: setattr(m.cache, "length", 5),
    "list in a field": lambda m: m.cache.states.append(1),
    "slot": lambda m: setattr(m.slotted, "value", 2),
    "slot of a base class": lambda m: setattr(m.slotted, "name", "b"),
    "list in a slot": lambda m: m.slotted.value.append(2),
    "module in a list": lambda m: setattr(m.hidden[0], "state", 1),
    "submodule": lambda m: setattr(m.layer, "calls", 1),
    "torch generator": lambda m: torch.rand(3, generator=m.generators[0]),
    "numpy generator": lambda m: m.generators[1].random(),
    "python generator": lambda m: m.generators[2].random(),
    "old numpy generator": lambda m: m.generators[3].rand(),
    "hook": lambda m: m.layer.register_forward_hook(lambda *_: None),
    "module": lambda m: setattr(m, "layer", nn.Linear(3, 3)),
    "parameter": lambda m: setattr(m.layer, "weight", nn.Parameter(torch.zeros(1))),
}


def described(each, seen=()):
    """Return contents, however deep, and which objects they are."""
    if id(each) in seen:
        return "again"
    seen = (*seen, id(each))
    if isinstance(each, torch.Tensor):
        return id(each), each.tolist()
    if isinstance(each, np.ndarray):
        return id(each), each.tolist()
    if isinstance(each, dict):
        return id(each), [(key, described(value, seen)) for key, value in each.items()]
    if isinstance(each, (list, tuple, deque, set)):
        return id(each), [described(value, seen) for value in each]
    if isinstance(each, torch.Generator):
        return each.get_state().tolist()
    if isinstance(each, np.random.Generator):
        return str(each.bit_generator.state)
    if isinstance(each, (random.Random, np.random.RandomState)):
        return str(each.getstate() if isinstance(each, random.Random) else each.get_state(legacy=False))
    if isinstance(each, Slotted):
        return id(each), each.name, described(each.value, seen)
    return (id(each), described(vars(each), seen)) if hasattr(each, "__dict__") else each


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_forward_pass_writes_into_its_modules_is_put_back(change):
    model = Keeper()
    before = described(model)
    attributes = Attributes(model)
    assert not attributes.restore()
    CHANGES[change](model)
    assert described(model) != before
    assert attributes.restore()
    assert described(model) == before


def test_attributes_come_back_after_an_error_too():
    model = Keeper()
    before = described(model)

    def disturb():
        for change in ("number", "list", "plain tensor in place"):
            CHANGES[change](model)
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"), attributes_kept(model):
        disturb()
    assert described(model) == before


def test_values_of_parameters_are_left_to_whoever_moves_them():
    model = Keeper()
    with attributes_kept(model), torch.no_grad():
        model.layer.weight.fill_(3)
    assert bool((model.layer.weight == 3).all())


def test_a_tuple_of_ones_own_that_counts_otherwise_is_remembered_by_what_it_holds():
    class Odd(tuple):
        def __len__(self):
            raise NotImplementedError

        def __iter__(self):
            raise NotImplementedError

    model = nn.Linear(2, 2)
    model.odd = Odd([[1]])
    with attributes_kept(model):
        tuple.__getitem__(model.odd, 0).append(2)
    assert tuple.__getitem__(model.odd, 0) == [1]


def test_a_large_tensor_is_copied_only_when_somebody_writes_into_it():
    def memory():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    model = nn.Linear(2, 2)
    model.table = torch.ones(32 << 20)  # 128 MiB
    before = memory()
    attributes = Attributes(model)
    assert memory() - before < 32 << 20
    model.table[5] = 7
    assert attributes.restore()
    assert model.table.sum() == model.table.numel()
