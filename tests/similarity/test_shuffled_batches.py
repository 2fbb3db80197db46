"""Networks are compared on the same samples."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from landscape.errors import ProblemError, UsageError
from landscape.problem.data.datasets import as_data, choose
from landscape.similarity.shuffled_batches import one_data_set


def test_data_of_each_networks_own_are_the_same_samples_in_the_order_that_is_asked_for():
    networks = {"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)}
    x, y = torch.randn(40, 2), torch.arange(40) % 2
    name, data = one_data_set({"a": (x, y), "b": (x.clone(), y)}, networks, 5, 3)
    assert (name, data.size) == ("train", 40)
    for seed, other in ((3, 0), (0, 3)):
        # Another sample where this seed's first five are, and not among the other's.
        chosen, apart = (set(choose(as_data((x, y), "train"), 5, each).tolist()) for each in (seed, other))
        changed = x.clone()
        changed[min(chosen - apart)] += 1
        one_data_set({"a": (x, y), "b": (changed, y)}, networks, 5, other)
        with pytest.raises(ProblemError, match="networks a and b would be compared on different samples"):
            one_data_set({"a": (x, y), "b": (changed, y)}, networks, 5, seed)
    with pytest.raises(UsageError, match="one data set at a time, there are train, test"):
        one_data_set({"train": (x, y), "test": (x, y)}, networks, None, 0)
