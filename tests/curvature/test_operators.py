"""The Hessian as SciPy's linear operator, against the whole matrix, and apart from the network it was made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse.linalg
import torch
from torch import Tensor, nn

import landscape
from landscape.curvature.scales import normalising_scale
from landscape.directions.filters import filters_of
from landscape.errors import UsageError


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Dropout(0.5), nn.Linear(3, 3)).double()
    model[0].bias.requires_grad_(False)
    return model.train()


@pytest.fixture(scope="module")
def samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(11, 4, generator=generator, dtype=torch.float64), torch.arange(11) % 3


def whole(model: nn.Module, samples: tuple[Tensor, Tensor]) -> np.ndarray[Any, Any]:
    model = nn.Sequential(model[0], model[1], model[3])  # in eval mode dropout passes all on
    parameters = {name: each.detach().clone() for name, each in model.named_parameters()}
    sizes = [each.numel() for each in parameters.values()]

    def loss(flat: Tensor) -> Tensor:
        parts = zip(parameters, flat.split(sizes), strict=True)
        moved = {name: part.view(parameters[name].shape) for name, part in parts}
        return nn.functional.cross_entropy(torch.func.functional_call(model, moved, samples[0]), samples[1])

    return torch.autograd.functional.hessian(
        loss, torch.cat([each.reshape(-1) for each in parameters.values()])
    ).numpy()


def test_its_matrix_is_the_hessian_and_scipy_finds_its_eigenvalues(network, samples):
    operator = landscape.hessian(network, samples, batch_size=4)
    wanted = whole(network, samples)
    assert operator.shape == wanted.shape
    np.testing.assert_allclose(operator @ np.eye(len(wanted)), wanted, atol=1e-12)
    np.testing.assert_allclose(operator.T @ np.arange(27.0), wanted @ np.arange(27.0), atol=1e-11)
    found = scipy.sparse.linalg.eigsh(operator, k=2, which="LA", return_eigenvectors=False)
    np.testing.assert_allclose(np.sort(found), np.linalg.eigvalsh(wanted)[-2:], rtol=1e-9)
    assert operator.products > 27


def test_in_filter_lengths_it_is_d_h_d(network, samples):
    operator = landscape.hessian(network, samples, normalised=True)
    scale = normalising_scale(dict(network.named_parameters()), filters_of(network))
    flat = operator.flattened(scale)
    np.testing.assert_allclose(operator @ np.eye(27), flat[:, None] * whole(network, samples) * flat, atol=1e-12)


def test_it_stays_what_it_was_whatever_becomes_of_the_network(network, samples, monkeypatch):
    wanted = whole(network, samples) @ np.ones(27)
    held = list(network.parameters())
    # No graph is kept: each product runs the network again.
    monkeypatch.setattr("landscape.curvature.point.GRAPH_SHARE", 0.0)
    operator = landscape.hessian(network, samples, batch_size=4)
    assert network.training
    assert all(one is other for one, other in zip(network.parameters(), held, strict=True))
    assert not network[0].bias.requires_grad
    with torch.no_grad():
        for each in network.parameters():
            each.add_(1.0)
    with torch.no_grad():  # a caller's own mode is not the operator's
        np.testing.assert_allclose(operator @ np.ones(27), wanted, atol=1e-12)
    np.testing.assert_allclose(operator @ np.ones(27), wanted, atol=1e-12)


def test_the_gauss_newton_matrix_has_no_negative_eigenvalue(network, samples):
    operator = landscape.hessian(network, samples, kind="gauss_newton")
    values = np.linalg.eigvalsh(operator @ np.eye(27))
    assert values.min() > -1e-12
    assert values.max() > 0.1
    with pytest.raises(UsageError, match="kind is 'fisher', it has to be one of hessian, gauss_newton"):
        landscape.hessian(network, samples, kind="fisher")


def test_vectors_and_weights_by_name_are_the_same_numbers(network, samples):
    operator = landscape.hessian(network, samples, include="^3")
    assert operator.names == ("3.weight", "3.bias")
    parts = operator.named(np.arange(12))
    assert parts["3.weight"].tolist() == np.arange(9).reshape(3, 3).tolist()
    np.testing.assert_array_equal(operator.flattened(parts), np.arange(12))
    with pytest.raises(UsageError, match=r"move 0\.weight, of which"):
        operator.flattened({"0.weight": np.ones((3, 4))})


def test_a_network_that_cannot_be_copied_is_refused_with_what_to_do(samples):
    class Held(nn.Linear):
        def __deepcopy__(self, memo: Any) -> Any:
            raise RuntimeError("a lock is held")

    with pytest.raises(UsageError, match=r"cannot be copied \(RuntimeError: a lock is held\).*landscape.curvature"):
        landscape.hessian(Held(4, 3).double(), samples)
