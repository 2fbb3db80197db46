"""The Procrustes distance against SciPy's rotation, against what is known, and through the whole run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from torch import nn

import landscape
from landscape.problem.data.datasets import as_data
from landscape.similarity.procrustes import distances, gram_factor
from landscape.similarity.shuffled_batches import Samples


def scipys(a: np.ndarray, b: np.ndarray) -> float:
    """Return the squared distance that is left after the best rotation, both sides as wide as the wider one."""
    width = max(a.shape[1], b.shape[1])
    a, b = (np.pad(x - x.mean(0), ((0, 0), (0, width - x.shape[1]))) for x in (a, b))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return float(np.linalg.norm(a @ orthogonal_procrustes(a, b)[0] - b) ** 2)


def test_the_distance_is_what_scipys_rotation_leaves_whatever_the_widths():
    rng = np.random.default_rng(0)
    layers = [rng.standard_normal((12, p)) + 3 for p in (2, 7, 40)]
    factors = [gram_factor(torch.from_numpy(x - x.mean(0))) for x in layers]
    wanted = [[scipys(a, b) for b in layers] for a in layers]
    np.testing.assert_allclose(distances(factors), wanted, atol=1e-10)


def test_rotated_and_scaled_features_have_no_distance_and_a_constant_layer_is_a_hole():
    torch.manual_seed(0)
    x = torch.randn(64, 6, dtype=torch.float64)
    first, turned, constant = (nn.Linear(6, 6, bias=False).double() for _ in range(3))
    with torch.no_grad():
        turned.weight.copy_(1e-8 * torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0] @ first.weight)
        constant.weight.zero_()
    found = landscape.similarity([first, turned, constant], x, batch_size=16, passes=1, procrustes=3)
    distance, error = found.others["procrustes"], found.others["procrustes_stderr"]
    np.testing.assert_allclose(distance[:2, :2], 0.0, atol=1e-6)
    assert np.isnan([distance[2], distance[:, 2], error[2]]).all()


def test_a_layer_that_is_not_finite_is_a_hole_and_no_other_is():
    torch.manual_seed(0)
    x = torch.randn(16, 6)
    first, broken = (nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3)) for _ in range(2))
    with torch.no_grad():
        broken[2].bias[1] = torch.inf
    options = {"layers": "[02]", "batch_size": 8, "passes": 1, "procrustes": 2}
    found = landscape.similarity([first, broken], x, **options).others["procrustes"]
    holes = np.isnan(found)
    assert holes[3].all()
    assert holes[:, 3].all()
    assert not holes[:3, :3].any()


def test_value_and_error_are_of_the_first_batches():
    torch.manual_seed(0)
    x = torch.randn(40, 6, dtype=torch.float64)
    models = [nn.Linear(6, 3).double() for _ in range(2)]
    samples = Samples(as_data(x, "data"), None, 0, 8)
    found = landscape.similarity(models, x, batch_size=8, passes=2, procrustes=3)
    with torch.no_grad():
        a, b = (model(x[torch.from_numpy(samples.order)]).numpy() for model in models)
    values = [scipys(a[each], b[each]) for each in samples.places(0)[:3]]
    assert found.others["procrustes"][0, 1] == pytest.approx(np.mean(values), abs=1e-9)
    assert found.others["procrustes_stderr"][0, 1] == pytest.approx(np.std(values, ddof=1) / 3**0.5, abs=1e-9)
