"""Batch norm inside the convolution before it is the same function, with the same first and second derivatives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from landscape.curvature.batch_norm import FoldedBatchNorm


class Shared(nn.Module):
    """A convolution's output that is normalised, used as it is, and one changed in place before another."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.first, self.second = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolution(x)
        return self.first(y) * y + self.second(self.convolution(x).mul_(2.0))


def after(convolution: nn.Module, norm: nn.Module) -> nn.Module:
    return nn.Sequential(convolution, norm, nn.SiLU())


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "grouped, strided, without bias": (
        lambda: after(nn.Conv2d(4, 6, 3, 2, 1, groups=2, bias=False), nn.BatchNorm2d(6)),
        (5, 4, 7, 7),
    ),
    "one dimension, dilated": (lambda: after(nn.Conv1d(3, 4, 3, dilation=2), nn.BatchNorm1d(4)), (5, 3, 9)),
    "three dimensions, no affine": (
        lambda: after(nn.Conv3d(2, 3, 2), nn.BatchNorm3d(3, affine=False)),
        (4, 2, 4, 4, 4),
    ),
    "padding by name, circular": (
        lambda: after(nn.Conv2d(2, 3, 3, padding="same", padding_mode="circular"), nn.BatchNorm2d(3)),
        (4, 2, 5, 5),
    ),
    "after a linear layer": (lambda: after(nn.Linear(4, 3), nn.BatchNorm1d(3)), (6, 4)),
    "transposed": (lambda: after(nn.ConvTranspose2d(3, 2, 3), nn.BatchNorm2d(2)), (4, 3, 4, 4)),
    "used twice": (Shared, (4, 2, 5, 5)),
    "statistics of the batch": (
        lambda: after(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, track_running_stats=False)),
        (4, 2, 5, 5),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_both_derivatives_are_those_of_batch_norm(name: str) -> None:
    make, shape = CASES[name]
    torch.manual_seed(0)
    model = make().double().eval()
    for module in model.modules():
        if getattr(module, "running_var", None) is not None:
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
        if getattr(module, "weight", None) is not None and module.weight.ndim == 1:
            nn.init.uniform_(module.weight, -1, 1)
    x = torch.randn(shape, dtype=torch.float64)
    parameters = list(model.parameters())
    along = [torch.randn_like(each) for each in parameters]

    def found() -> list[Tensor]:
        output = model(x)
        first = torch.autograd.grad(output.square().sum(), parameters, create_graph=True)
        return [output, *first, *torch.autograd.grad(first, parameters, along)]

    wanted = found()
    with FoldedBatchNorm():
        for mine, theirs in zip(found(), wanted, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-10)


def test_a_convolution_is_made_once_with_the_scale_in_it() -> None:
    torch.manual_seed(0)
    model = after(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).eval()
    with FoldedBatchNorm():
        names = {type(node).__name__ for node in graph(model(torch.randn(4, 2, 5, 5)).grad_fn)}
    assert "ConvolutionBackward0" in names
    assert not names & {"NativeBatchNormBackward0", "CudnnBatchNormBackward0"}
    spread = [node for node in graph(model(torch.randn(4, 2, 5, 5)).grad_fn) if "BatchNorm" in type(node).__name__]
    assert spread, "outside everything is as it was"


def graph(node: object) -> list[object]:
    found, todo = [], [node]
    while todo:
        each = todo.pop()
        if each is not None and each not in found:
            found.append(each)
            todo += [before for before, _ in each.next_functions]  # type: ignore[attr-defined]
    return found
