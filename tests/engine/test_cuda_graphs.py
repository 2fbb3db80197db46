"""Recordings of a GPU's work: what is recorded when, and that results are right, on a GPU that is played here."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from landscape.engine import cuda_graphs
from landscape.engine.cuda_graphs import WARM_UP_RUNS, CudaGraph


class Played:
    """A function that doubles in memory that stays, and a GPU that repeats its last run."""

    def __init__(self) -> None:
        self.calls: list[tuple[Tensor, Tensor]] = []
        self.memory: dict[Any, Tensor] = {}
        self.recorded = self.replayed = 0

    def run(self, x: Tensor, *, shift: Tensor, names: Any = None) -> dict[str, Tensor]:
        self.calls.append((x, shift))
        found = self.memory.setdefault((x.data_ptr(), x.shape), torch.empty_like(x))
        torch.add(2 * x, shift, out=found)
        return {"y": found}

    @contextmanager
    def graph(self, graph: Any) -> Any:
        before = len(self.calls)
        yield
        assert len(self.calls) == before + 1
        x, shift = self.calls[-1]
        self.recorded += 1

        def replay() -> None:
            self.replayed += 1
            self.run(x, shift=shift)

        graph.replay = replay


@pytest.fixture
def played(monkeypatch):
    gpu = Played()
    stream = SimpleNamespace(wait_stream=lambda _: None)
    for name, stands_for in (
        ("CUDAGraph", SimpleNamespace), ("graph", gpu.graph), ("Stream", lambda: stream),
        ("current_stream", lambda: stream), ("stream", lambda _: torch.no_grad()),
    ):  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, stands_for)
    return gpu


def test_a_result_is_that_of_its_own_inputs_and_stays(played):
    fast, shift = CudaGraph(played.run), torch.tensor(1.0)
    x = [torch.arange(6.0).reshape(2, 3) + k for k in range(3)]
    found = [fast(each, shift=shift)["y"] for each in x]
    named = {"shift": torch.tensor(5.0), "names": np.array(["a", "b"])}  # which no GPU holds
    found.append(fast(x[0], **named)["y"])
    for each, given, more in zip(found, [*x, x[0]], (1, 1, 1, 5), strict=True):
        torch.testing.assert_close(each, 2 * given + more)
    torch.testing.assert_close(x[0], torch.arange(6.0).reshape(2, 3))  # nothing was written into it
    assert (played.recorded, played.replayed) == (1, 4)
    assert len(played.calls) == WARM_UP_RUNS + 1 + 4


@pytest.mark.parametrize(
    "other",
    [torch.ones(3, 3), torch.ones(3, 2).T, torch.ones(2, 3, dtype=torch.float64)],
    ids=["shape", "strides", "type"],
)
def test_inputs_of_another_form_have_a_recording_of_their_own(played, other):
    fast, shift = CudaGraph(played.run), torch.tensor(0.0)
    fast(torch.ones(2, 3), shift=shift)
    torch.testing.assert_close(fast(other, shift=shift)["y"], 2 * other)
    assert played.recorded == 2
    fast(other, shift=shift)
    fast(torch.ones(2, 3), shift=shift)
    assert played.recorded == 2


def test_where_no_memory_is_left_for_recordings_the_function_is_called(played, monkeypatch):
    monkeypatch.setattr(cuda_graphs, "MOST_RECORDINGS", 2)
    fast, shift = CudaGraph(played.run), torch.tensor(0.0)
    for size in (1, 2, 3, 3):
        torch.testing.assert_close(fast(torch.ones(size), shift=shift)["y"], torch.full((size,), 2.0))
    assert (played.recorded, played.replayed) == (2, 2)
    fast(torch.ones(1), shift=shift)
    assert (played.recorded, played.replayed) == (2, 3)
