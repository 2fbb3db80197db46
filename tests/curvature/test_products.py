"""Products against the whole Hessian that torch.func computes, on networks of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from landscape.curvature.differentiable import differentiable
from landscape.curvature.products import Products
from landscape.curvature.sampled_loss import SampledLoss
from landscape.errors import EvaluationError, UsageError
from landscape.problem.losses.losses import resolve_loss
from landscape.problem.named_data import named_data
from landscape.problem.params import moved_tensors


class Tied(nn.Module):
    """Its head is its embedding transposed: the same memory in another parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3, dtype=torch.float64)  # .double() would part them
        self.head = nn.Parameter(self.embedding.weight.data.T)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.embedding(x)).mean(1) @ self.head


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.5, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.block(x).mean(1))


class Table(nn.Module):
    """Embeddings of which one is never used, with a part that is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(6, 3), nn.Linear(3, 3)
        self.head.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.table(x)).mean(1))


def convolution() -> nn.Module:
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 3)
    )
    model[1].running_mean.uniform_(-1, 1)
    model[1].running_var.uniform_(0.5, 2)
    return model


def inputs(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


CASES: dict[str, tuple[Callable[[], nn.Module], Tensor]] = {
    "convolution with batch norm": (convolution, inputs(11, 1, 5, 5)),
    "attention": (Attention, inputs(11, 5, 4)),
    "recurrent": (Recurrent, inputs(11, 4, 3)),
    "embeddings, partly frozen": (Table, torch.arange(33).reshape(11, 3) % 5),
    "tied by memory": (Tied, torch.arange(33).reshape(11, 3) % 5),
}
LABELS = torch.arange(11) % 3


def products(model: nn.Module, leaves: dict[str, Tensor], x: Any, y: Tensor, **options: Any) -> Products:
    loss = resolve_loss(options.pop("loss", "cross_entropy"))
    sampled = SampledLoss(model, named_data((x, y))["train"], loss, batch_size=4, budget=1 << 30)
    return Products(sampled, leaves, **{"budget": 1 << 30, **options})


def matrix_of(found: Products) -> Tensor:
    return torch.stack([found(row).vector for row in torch.eye(found.size, dtype=torch.float64)])


def whole_hessian(model: nn.Module, x: Tensor, y: Tensor, names: list[str]) -> Tensor:
    """By torch.func on the distinct parameters, flattened; kernels that are not fused."""
    parameters = {name: each.detach().clone() for name, each in model.named_parameters()}
    flat = torch.cat([parameters[name].reshape(-1) for name in names])

    def loss(vector: Tensor) -> Tensor:
        parts = dict(zip(names, vector.split([parameters[name].numel() for name in names]), strict=True))
        moved = {name: part.view(parameters[name].shape) for name, part in parts.items()}
        if isinstance(model, Tied):
            moved["embedding.weight"] = moved["head"].T
        output = torch.func.functional_call(model, {**parameters, **moved}, x)
        return nn.functional.cross_entropy(output, y)

    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        return torch.autograd.functional.hessian(loss, flat)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("budget", [0, 1 << 30])
def test_products_are_those_of_the_whole_hessian(name: str, budget: int) -> None:
    torch.manual_seed(0)
    make, x = CASES[name]
    y = LABELS % 5 if name.startswith("tied") else LABELS
    model = make().eval() if make is Tied else make().double().eval()
    chosen = moved_tensors(model)
    with differentiable(model, chosen) as leaves:
        found = products(model, leaves, x, y, budget=budget)
        vectors = torch.randn(3, found.size, dtype=torch.float64)
        images = torch.stack([found(vector).vector for vector in vectors])
        one = found(torch.ones(found.size, dtype=torch.float64))
        assert found.kept == (3 if budget else 0)
        found.forget()
        assert found.kept == 0
    wanted = whole_hessian(model, x, y, list(chosen))
    np.testing.assert_allclose(images, vectors @ wanted, atol=1e-9)
    # Batches of 4, 4 and 3: the mean of each alone, weighted by its samples, is the whole.
    assert float(one.forms @ torch.tensor([4, 4, 3.0], dtype=torch.float64)) / 11 == pytest.approx(float(wanted.sum()))


def test_the_gauss_newton_matrix_of_a_linear_network_is_its_hessian() -> None:
    torch.manual_seed(0)
    model, x = nn.Linear(4, 3).double(), inputs(11, 4)
    for loss, y in (("cross_entropy", LABELS), ("mse", inputs(11, 3))):
        with differentiable(model, moved_tensors(model)) as leaves:
            hessian = matrix_of(products(model, leaves, x, y, loss=loss))
            newton = matrix_of(products(model, leaves, x, y, loss=loss, kind="gauss_newton"))
        np.testing.assert_allclose(newton, hessian, atol=1e-12)
        assert float(hessian.abs().max()) > 0.01


def test_the_gauss_newton_matrix_has_no_negative_eigenvalue_where_the_hessian_has() -> None:
    torch.manual_seed(0)
    model = convolution().double().eval()
    with differentiable(model, moved_tensors(model)) as leaves:
        x = CASES["convolution with batch norm"][1]
        hessian, newton = (matrix_of(products(model, leaves, x, LABELS, kind=k)) for k in ("hessian", "gauss_newton"))
    assert float(torch.linalg.eigvalsh(hessian)[0]) < -0.05
    assert float(torch.linalg.eigvalsh(newton)[0]) > -1e-10


def test_half_precision_weights_have_the_curvature_of_their_float32_copies() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3)).bfloat16(), inputs(11, 4).float()
    with differentiable(model, moved_tensors(model)) as leaves:
        found = matrix_of(products(model, leaves, x, LABELS))
    wide = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3))
    wide.load_state_dict({name: each.float() for name, each in model.state_dict().items()})
    np.testing.assert_allclose(found, whole_hessian(wide, x, LABELS, list(moved_tensors(wide))), atol=1e-5)
    part = moved_tensors(model, include="^0")
    with differentiable(model, part) as leaves:  # beside others that stay where they are
        found = matrix_of(products(model, leaves, x, LABELS))
    np.testing.assert_allclose(found, whole_hessian(wide, x, LABELS, list(part)), atol=1e-5)
    assert all(each.dtype == torch.bfloat16 and each.grad is None for each in model.parameters())


class _Mixed(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return self[1](torch.tanh(self[0](x)).to(self[1].weight.dtype))


def test_of_weights_in_two_precisions_products_are_as_exact_as_the_coarser_one() -> None:
    torch.manual_seed(0)
    model, x = _Mixed(nn.Linear(4, 3).double(), nn.Linear(3, 3)), inputs(11, 4)
    with differentiable(model, moved_tensors(model)) as leaves:
        hessian = products(model, leaves, x, LABELS)
        assert (hessian.dtype, hessian.rounding) == (torch.float64, torch.finfo(torch.float32).eps)
        found = matrix_of(hessian)
    np.testing.assert_allclose(found, whole_hessian(model.double(), x, LABELS, list(moved_tensors(model))), atol=1e-5)


def test_a_network_is_left_with_its_own_parameters_whatever_happens() -> None:
    torch.manual_seed(0)
    model = Tied()
    before = dict(model.named_parameters())
    model.embedding.weight.requires_grad_(False)
    with pytest.raises(KeyError), differentiable(model, moved_tensors(model)):
        raise KeyError
    assert all(each is before[name] for name, each in model.named_parameters())
    assert not model.embedding.weight.requires_grad


def _cut(model: nn.Module, batch: Any) -> Tensor:
    return nn.functional.cross_entropy(model(batch[0]).detach(), batch[1], reduction="none")


def _distant(model: nn.Module, batch: Any) -> Tensor:
    return torch.cdist(model(batch[0]), torch.zeros(1, 2, dtype=torch.float64)).reshape(-1)


def _margin(model: nn.Module, batch: Any) -> Tensor:
    return nn.functional.multi_margin_loss(model(batch[0]), batch[1], reduction="none")


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (_cut, "nothing leads from the loss of 'train' to the weights"),
        (_distant, "second derivative: .*_cdist_backward"),
        (_margin, "second derivative: .*multi_margin_loss_backward"),
    ],
)
def test_a_loss_without_a_second_derivative_says_what_has_none(loss: Any, said: str) -> None:
    model = nn.Linear(4, 2).double()
    with differentiable(model, moved_tensors(model)) as leaves, pytest.raises(EvaluationError, match=said):
        products(model, leaves, inputs(11, 4), LABELS % 2, loss=loss)(torch.ones(10, dtype=torch.float64))


class _Once(torch.autograd.Function):
    """A ReLU of somebody's own, whose second derivative PyTorch passes by."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        return slope * (ctx.saved_tensors[0] > 0)


class _OnceNet(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return _Once.apply(super().forward(x))


@pytest.mark.parametrize("kind", ["hessian", "gauss_newton"])
def test_an_operation_that_is_differentiable_once_is_refused_and_not_taken_for_flat(kind: str) -> None:
    model = _OnceNet(4, 3).double()
    with (
        differentiable(model, moved_tensors(model)) as leaves,
        pytest.raises(EvaluationError, match=r"second derivative: .*once_differentiable"),
    ):
        products(model, leaves, inputs(11, 4), LABELS, kind=kind)


def test_a_loss_of_ones_own_has_no_gauss_newton_matrix() -> None:
    model = nn.Linear(4, 3).double()
    with differentiable(model, moved_tensors(model)) as leaves, pytest.raises(UsageError, match="pass a criterion"):
        products(model, leaves, inputs(11, 4), LABELS, loss=_cut, kind="gauss_newton")


def test_complex_weights_are_refused_by_name() -> None:
    model = nn.Linear(2, 2, dtype=torch.complex64)
    with pytest.raises(UsageError, match="weight is complex"), differentiable(model, moved_tensors(model)):
        pass
