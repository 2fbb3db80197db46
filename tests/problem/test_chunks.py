"""Trees side by side, chunk by chunk: cut alike, or whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from landscape.problem.chunks import LazyTensors, common_slices, one_thread, zip_chunks


class Cut(LazyTensors):
    """Makes a tensor in chunks of its own."""

    def __init__(self, weights: dict[str, Tensor], rows: int) -> None:
        super().__init__(weights)
        self.rows = rows

    def dtype(self, name: str) -> torch.dtype:
        return self._weights[name].dtype

    def chunk_slices(self, name: str) -> list:
        number = len(self._weights[name])
        return [slice(start, min(start + self.rows, number)) for start in range(0, number, self.rows)]

    def chunks(self, name: str) -> Iterator[Tensor]:
        for where in self.chunk_slices(name):
            yield self._weights[name][where]

    def about(self, weights):
        return Cut(weights, self.rows)


def test_one_thread_computes_and_afterwards_as_many_as_before():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with contextlib.suppress(KeyError), one_thread():
            assert torch.get_num_threads() == 1
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("first", "second", "pieces"), [(2, 2, 4), (2, 3, 1), (3, 2, 1), (2, None, 4), (None, None, 1)]
)
def test_trees_that_are_made_in_other_chunks_are_taken_whole(first, second, pieces):
    weights = {"w": torch.arange(21.0).reshape(7, 3)}
    trees = [weights if rows is None else Cut(weights, rows) for rows in (first, second)]
    assert len(common_slices(trees, "w")) == pieces
    for number in range(2):
        whole = torch.cat([pair[number] for pair in zip_chunks(trees, "w")])
        torch.testing.assert_close(whole, weights["w"], rtol=0, atol=0)
