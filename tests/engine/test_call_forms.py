"""How a network is called: with the batch's inputs as they are, in the form that it takes, and never twice changed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from landscape.engine.call_forms import arguments_of, changes_input, fitted


class Two(nn.Module):
    """Takes two inputs, by place or by name."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return x * mask


def test_a_network_is_called_with_all_parts_of_a_batch_by_place_or_by_name():
    x, mask = torch.rand(2, 3), torch.ones(2, 3)
    args, kwargs = arguments_of(Two(), (x, mask))
    assert [id(each) for each in args] == [id(x), id(mask)]
    assert kwargs == {}
    args, kwargs = arguments_of(Two(), {"mask": mask, "x": x})
    assert args == ()
    assert (kwargs["x"] is x, kwargs["mask"] is mask) == (True, True)


def test_numbers_are_fitted_and_whole_numbers_and_other_shapes_are_left_as_they_are():
    given = {
        "ids": torch.arange(3),
        "image": torch.rand(2, 3, 4, 4),
        "film": torch.rand(2, 3, 4, 4, 4),
        "row": np.zeros(3),
    }
    found = fitted(given, torch.device("cpu"), torch.float64, torch.channels_last)
    assert [found[name].dtype for name in given] == [torch.int64, *[torch.float64] * 3]
    assert found["image"].is_contiguous(memory_format=torch.channels_last)
    assert found["film"].is_contiguous()
    torch.testing.assert_close(found["image"], given["image"].double())
    same = fitted(given, torch.device("cpu"), None, None)
    assert (same["image"] is given["image"], same["row"].dtype) == (True, torch.float64)


class Overwrites(nn.Module):
    """Doubles what it is given, in place, if it is told to."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return x * mask.mul_(2)


@pytest.mark.parametrize("named", [False, True])
def test_a_network_that_overwrites_its_inputs_is_found_out_without_a_change_of_the_data(named):
    x, mask = torch.rand(2, 3), torch.ones(2, 3)
    args, kwargs = ((), {"x": x, "mask": mask}) if named else ((x, mask), {})
    assert changes_input(Overwrites(), args, kwargs)
    assert (mask == 1).all()
    assert not changes_input(Two(), args, kwargs)


def test_nothing_is_followed_where_it_is_only_looked_at():
    seen = []

    class Looks(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(torch.is_grad_enabled())
            return super().forward(x)

    changes_input(Looks(3, 2), (torch.rand(2, 3),), {})
    assert seen == [False]
