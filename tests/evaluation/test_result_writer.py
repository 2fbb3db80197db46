"""Parts of a point that were measured apart become one result, whoever answers first."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from landscape.evaluation.result_writer import ResultWriter
from landscape.parallel.scheduler import WorkItem
from landscape.surface.statistics import merge, moments_of

SPANS = (("train", 0, 300), ("test", 0, 40))


def parts() -> list[tuple[WorkItem, dict]]:
    chance = np.random.default_rng(0)
    cut = [(("train", 0, 100),), (("train", 100, 250),), (("train", 250, 300), ("test", 0, 10)), (("test", 10, 40),)]
    return [
        (
            WorkItem(number, (5,), SPANS, part, "losses"),
            {(name, "loss"): moments_of(chance.lognormal(size=stop - start)) for name, start, stop in part},
        )
        for number, part in enumerate(cut)
    ]


def test_parts_are_joined_in_the_order_of_samples_to_the_last_bit_and_only_when_all_are_there():
    given = parts()
    ordered = [found["train", "loss"] for _, found in given[:3]]
    wanted = merge(merge(*ordered[:2]), ordered[2])
    for order in itertools.permutations(range(4)):
        writer = ResultWriter.__new__(ResultWriter)
        writer._parts = {}
        *early, last = [writer._join(5, *given[number]) for number in order]
        assert early == [None] * 3
        assert last is not None
        np.testing.assert_equal(dataclasses.astuple(last["train", "loss"]), dataclasses.astuple(wanted))
        assert last["test", "loss"].count == 40
        assert not writer._parts
