"""What a data set is called: by its key among several, else "train", whatever it calls itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from landscape.errors import ProblemError
from landscape.problem.data.datasets import as_data
from landscape.problem.named_data import named_data


def test_one_data_set_is_called_train_and_of_several_each_by_its_key():
    x, y = torch.arange(12.0).reshape(4, 3), torch.arange(4)
    own = as_data((x, y), "digits")
    for source in ((x, y), own):
        assert list(named_data(source)) == ["train"]
    assert named_data(own)["train"].name == "digits", "what it is, is still known"
    several = named_data({"train": (x, y), "task2": (x[:2], y[:2])})
    assert [(name, each.size) for name, each in several.items()] == [("train", 4), ("task2", 2)]
    # Tensors by name are one data set, whose batches are mappings.
    (one,) = named_data({"x": x, "y": y.numpy()}).values()
    batch = one.fetch(np.array([2]))
    assert (one.size, torch.as_tensor(batch["x"]).tolist()) == (4, [[6, 7, 8]])
    with pytest.raises(ProblemError, match="no data set was given"):
        named_data({})
