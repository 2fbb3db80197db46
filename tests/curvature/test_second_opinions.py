"""Products, eigenvalues and traces against another library and against matrices written down by hand."""

from __future__ import annotations

import hessian_eigenthings as other
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import landscape

CRITERION = nn.CrossEntropyLoss()


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(7)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    )
    model[1].running_mean.uniform_(-0.5, 0.5)
    return model.double().eval()


@pytest.fixture(scope="module")
def samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(8)
    x = torch.randn(24, 1, 6, 6, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 3, (24,), generator=generator)


@pytest.fixture(scope="module")
def batches(samples: tuple[Tensor, Tensor]) -> list[tuple[Tensor, Tensor]]:
    # Equal ones: the other library averages a short last batch as if it were whole.
    return list(zip(*(each.split(8) for each in samples), strict=True))


@pytest.fixture(scope="module")
def theirs(network: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> other.HessianOperator:
    return other.HessianOperator(network, batches, lambda model, batch: CRITERION(model(batch[0]), batch[1]))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch.func.jvp, by theirs
def test_products_of_both_matrices_are_those_of_hessian_eigenthings(network, samples, batches, theirs):
    ours = landscape.hessian(network, samples, batch_size=8)
    newton = landscape.hessian(network, samples, batch_size=8, kind="gauss_newton")
    their_newton = other.GGNOperator(
        network, batches, lambda model, batch: model(batch[0]), lambda output, batch: CRITERION(output, batch[1])
    )
    vector = torch.randn(theirs.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for mine, their in ((ours, theirs), (newton, their_newton)):
        wanted = their.matvec(vector).detach().numpy()
        np.testing.assert_allclose(mine @ vector.numpy(), wanted, atol=1e-10)
        assert np.abs(wanted).max() > 0.01


def test_eigenvalues_are_those_of_hessian_eigenthings(network, samples, theirs):
    found = landscape.curvature(
        network, samples, batch_size=8, eigenvalues=3, tolerance=1e-6, probes=2, steps=1, gauss_newton=False
    )
    ends = [
        other.lanczos(theirs, k=3, max_iter=theirs.size, which=which, reorthogonalize=True, seed=0).eigenvalues
        for which in ("LA", "SA")
    ]
    wanted = np.sort(torch.cat(ends).detach().numpy())[::-1]
    np.testing.assert_allclose(found.eigenvalues, wanted, rtol=1e-4)


def test_the_hessian_of_one_softmax_layer_is_the_one_that_is_written_down():
    # Of weights W (classes, inputs) without bias: the mean of (diag(p) - p p') kron x x'.
    torch.manual_seed(0)
    model = nn.Linear(4, 3, bias=False).double()
    x = torch.randn(13, 4, dtype=torch.float64)
    found = landscape.hessian(model, (x, torch.arange(13) % 3), batch_size=5)
    p = torch.softmax(model(x).detach(), dim=1)
    blocks = torch.diag_embed(p) - p[:, :, None] * p[:, None]
    wanted = torch.einsum("nab,ni,nj->aibj", blocks, x, x).reshape(12, 12) / 13
    np.testing.assert_allclose(found @ np.eye(12), wanted, atol=1e-12)


def test_the_hessian_of_linear_regression_is_that_of_the_normal_equations():
    torch.manual_seed(1)
    model = nn.Linear(5, 2, bias=False).double()
    x, y = torch.randn(11, 5, dtype=torch.float64), torch.randn(11, 2, dtype=torch.float64)
    # The loss is the mean of (y - W x)^2 over samples and both outputs.
    wanted = np.kron(np.eye(2), (x.T @ x).numpy() / 11)
    report = landscape.curvature(
        model, (x, y), loss="mse", batch_size=4, eigenvalues=10, tolerance=1e-6, probes=2, steps=1
    )
    np.testing.assert_allclose(np.sort(report.eigenvalues), np.linalg.eigvalsh(wanted), rtol=1e-6)
    assert report.trace == pytest.approx(np.trace(wanted), rel=1e-9)
    assert report.gauss_newton_greatest == pytest.approx(report.eigenvalues[0], rel=1e-6)
