"""What grows with a number the user typed is checked before it is built, and what takes long says so."""

from __future__ import annotations

import logging
import time

import pytest
import torch
from torch.utils.data import IterableDataset

import landscape
from landscape.errors import ProblemError, UsageError
from landscape.evaluation import runner, setup
from landscape.evaluation.evaluate import estimate_cost
from landscape.problem.data import samples


class Endless(IterableDataset):
    def __iter__(self):
        for _ in range(1_000_000):  # far beyond what any of these tests leaves room for
            yield torch.ones(2), 0
        raise AssertionError("it is read for ever")


class Long(IterableDataset):
    def __iter__(self):
        return ((torch.ones(2), number % 2) for number in range(50))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return torch.nn.Linear(2, 2)


@pytest.fixture
def data():
    return torch.randn(20, 2), torch.arange(20) % 2


def test_a_stream_without_an_end_is_refused_before_it_fills_the_memory(net, monkeypatch, caplog):
    monkeypatch.setattr(setup, "resident_budget", lambda *_: 10_000_000)
    monkeypatch.setattr(samples, "SLOW", 0.0)
    with pytest.raises(
        ProblemError, match=r"no end yet after [\d,]+ samples \(0.01 GiB\), and 0.01 GiB may be kept.*--samples"
    ):
        landscape.evaluate(net, Endless(), x="-1:1:3")
    assert "has no end yet" in caplog.text
    # Said how many, it is read so far, and one that has an end is read to it.
    assert landscape.evaluate(net, Endless(), x="-1:1:3", samples=7).counts["train"].max() == 7
    assert landscape.evaluate(net, Long(), x="-1:1:3").counts["train"].max() == 50


def test_data_sets_that_have_to_be_kept_share_the_memory(net, monkeypatch):
    monkeypatch.setattr(setup, "resident_budget", lambda *_: 10_000_000)
    given = []
    monkeypatch.setattr(samples.Stream, "limit_memory", lambda stream, most: given.append(most))
    landscape.evaluate(net, {"train": Long(), "test": Long()}, x="0:1:2")
    assert given == [5_000_000, 5_000_000]


@pytest.mark.parametrize("asked", [{"x": "-1:1:100000", "y": "-1:1:100000"}, {"x": "-1:1:5", "repeats": 100_000_000}])
@pytest.mark.parametrize("call", [landscape.evaluate, estimate_cost])
def test_a_grid_that_no_memory_holds_is_refused_at_once_with_what_it_would_take(net, data, asked, call):
    began = time.process_time()
    with pytest.raises(
        UsageError, match=r"a grid of [\d,]+ points takes about [\d,.]+ GiB of memory, and [\d.]+ GiB may"
    ):
        call(net, data, **asked)
    assert time.process_time() - began < 2


def test_what_takes_days_says_so_before_it_begins(net, data, monkeypatch, caplog):
    monkeypatch.setattr(runner, "LONG", 0.0)
    monkeypatch.setattr(setup, "LONG_DRAWING", 0.0)
    with caplog.at_level(logging.WARNING):
        landscape.evaluate(net, data, x="-1:1:3", repeats=2)
    assert "drawing 2 planes takes about 0 min before the first point" in caplog.text
    assert "this takes about 0 days: 6 points of" in caplog.text
