"""Rows of tensors in every layout, each against the strided tensor of the same numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.errors import ProblemError
from landscape.problem.batches import batch_bytes, batch_size_of, concatenate, describe_batch, slice_batch
from landscape.problem.data.datasets import Columns, fingerprint
from landscape.problem.tensor_layouts import select_rows

DENSE = (torch.arange(1.0, 25.0) * (torch.arange(24) % 3 > 0)).reshape(6, 4)
SPARSE = ["sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc"]
NESTED = ["strided", "jagged"]


def made(layout):
    if layout in NESTED:
        rows = [DENSE[:length] for length in (3, 1, 2, 4, 1, 5)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a prototype, as of now
            return torch.nested.nested_tensor(rows, layout=getattr(torch, layout))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # beta, as of now
        return DENSE.to_sparse(layout=getattr(torch, layout), blocksize=(2, 2) if "_bs" in layout else None)


def rows_of(tensor):
    return [row.tolist() for row in (tensor.unbind() if tensor.is_nested else tensor.to_dense())]


@pytest.mark.parametrize("layout", SPARSE + NESTED)
def test_rows_are_cut_chosen_and_joined_in_the_layout_they_are_in(layout):
    tensor = made(layout)
    every = rows_of(tensor)
    assert batch_size_of(tensor) == 6
    parts = [slice_batch(tensor, 0, 2), slice_batch(tensor, 2, 5), slice_batch(tensor, 5, 9)]
    assert [row for part in parts for row in rows_of(part)] == every
    chosen = select_rows(tensor, torch.tensor([4, 1, 1]))
    assert rows_of(chosen) == [every[4], every[1], every[1]]
    joined = concatenate(parts)
    assert rows_of(joined) == every
    assert {each.layout for each in (*parts, chosen, joined)} == {tensor.layout}


@pytest.mark.parametrize("layout", SPARSE + NESTED)
def test_what_is_stored_is_what_is_counted_and_told_apart(layout):
    tensor = made(layout)
    # 64 numbers in ragged rows; 16 that are not zero, with their places, of 24; six blocks of four.
    least, most = (24 * 4 + 6 * 8, 24 * 4 + 12 * 8) if "_bs" in layout else (16 * (4 + 8), 16 * (4 + 16))
    assert batch_bytes(tensor) == 64 * 4 if layout in NESTED else least <= batch_bytes(tensor) <= most
    prints = [
        fingerprint(Columns((each, torch.arange(6)), "d"), range(6)) for each in (tensor, made(layout), tensor * 2)
    ]
    assert prints[0] == prints[1] != prints[2]
    assert "6 x " in describe_batch(tensor)
    assert describe_batch(tensor).endswith(" sparse") == (layout in SPARSE)


class Sums(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, 1.0], [1.0, 1.0]]))

    def forward(self, x):
        rows = torch.stack([row.sum(0) for row in x.unbind()]) if x.is_nested else x.to_dense()
        return 0.01 * rows @ self.weight


@pytest.mark.parametrize("layout", SPARSE + NESTED)
def test_the_loss_is_that_of_an_own_loop_in_batches_that_do_not_divide(layout):
    tensor, labels = made(layout), torch.tensor([0, 1, 1, 0, 1, 0])
    surface = landscape.evaluate(Sums(), {"train": (tensor, labels)}, x="-1:1:3", batch_size=4, progress=False)
    with torch.no_grad():
        own = Sums()(tensor)
    assert surface["train/loss"][1] == pytest.approx(float(nn.functional.cross_entropy(own, labels)), rel=1e-6)
    answers = landscape.predictions({"a": [Sums()]}, (tensor, labels), batch_size=4).probabilities
    np.testing.assert_allclose(answers[0], own.softmax(1), atol=1e-6)
    assert not landscape.similarity(Sums(), tensor, components=False, passes=1).notes
    with pytest.raises(ProblemError, match="moved where it is a dense tensor"):
        landscape.robustness(Sums(), (tensor, labels), epsilons=[0.1])
