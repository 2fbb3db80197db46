"""Random numbers of a forward pass are seeded by where they are drawn, and what else makes it change is named."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from landscape.evaluation.forward_pass.noise import seed_generators, why_changing, why_different


def drawn(*where):
    seed_generators(*where)
    return float(torch.rand(())), float(np.random.rand()), random.random()  # noqa: NPY002


def test_all_three_generators_are_seeded_by_point_data_set_and_first_sample():
    places = [(3, "train", 10), (4, "train", 10), (3, "test", 10), (3, "train", 20)]
    found = [drawn(*place) for place in places]
    assert found == [drawn(*place) for place in places]
    for kind in zip(*found, strict=True):
        assert len(set(kind)) == len(places)


ITS_OWN = "it draws from a generator of its own, or keeps a state outside its modules: make it deterministic"


@pytest.mark.parametrize(
    ("does", "words", "when_seeded"),
    [
        ("nothing", ITS_OWN, None),
        ("draws", "it draws random numbers from torch's generator and NumPy's: pass --noise common", ITS_OWN),
        ("writes", "its forward pass changes the buffer 1.seen (Layer), the attribute 1.calls (Layer), so that", None),
    ],
)
@pytest.mark.parametrize("seeded", [False, True])
def test_what_makes_a_network_give_something_else_is_named(does, words, when_seeded, seeded):
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.zeros(1))
            self.calls = [0]

    model = nn.Sequential(nn.Linear(2, 2), Layer())

    def measure():
        if does == "draws":
            torch.rand(1), np.random.rand()  # noqa: NPY002
        if does == "writes":
            model[1].seen += 1
            model[1].calls[0] += 1

    told = why_different(model, measure, seeded=seeded)
    assert ((seeded and when_seeded) or words) in told
    assert ("random numbers" in told) is (does == "draws" and not seeded)
    assert ("were seeded alike" in told) is (seeded and does != "writes")


def test_what_is_changed_is_counted_and_the_first_are_named():
    assert "changes a, b, c, so that" in why_changing(list("abc"))
    assert "changes a, b, c and 2 more, so that" in why_changing(list("abcde"))
