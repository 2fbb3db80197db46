"""The gradient's length and its errors, against a drawing of samples whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature.analysis import measure_curvature
from landscape.curvature.gradients import GradientLength, gradient_length, gradient_statistics
from landscape.curvature.point import at_weights
from tests.surface.reports.test_curvature_intervals import REPORT

CASES, BATCHES = 400, 8


def cases(steep: float, decay: float) -> tuple[list[GradientLength], float]:
    """Return what eight batches tell, 400 times, and the truth: the gradient lies where batches differ most."""
    rng = np.random.default_rng(1)
    spread = 1.0 / np.arange(1, 31) ** decay
    truth = steep * spread / math.sqrt(float(spread @ spread))
    batches = truth + rng.standard_normal((CASES, BATCHES, 30)) * spread / math.sqrt(float(spread @ spread))
    grams = batches @ batches.transpose(0, 2, 1)
    return [gradient_statistics(gram, np.full(BATCHES, 1 / BATCHES)) for gram in grams], steep**2


@pytest.mark.parametrize("decay", [0.0, 0.5])
@pytest.mark.parametrize("steep", [0.0, 0.5, 2.0])
def test_intervals_of_the_squared_gradient_hold_as_often_as_stated_and_wrong_ones_do_not(steep, decay):
    found, truth = cases(steep, decay)

    reports = [
        replace(
            REPORT,
            gradient_norm=each.norm,
            gradient_norm_stderr=each.norm_stderr,
            gradient_noise=each.noise,
            gradient_null_stderr=each.null_stderr,
        )
        for each in found
    ]

    def held(wrong: float = 1.0) -> float:
        inside = 0
        for each in reports:
            along, null = wrong * each.gradient_norm_stderr, wrong * each.gradient_null_stderr
            low, high = replace(each, gradient_norm_stderr=along, gradient_null_stderr=null).gradient_square_interval
            inside += low <= truth <= high
        return inside / CASES

    assert 0.92 <= held() <= 0.985
    assert held(0.5) < 0.92
    assert held(2.0) > 0.985
    squares = np.array([each.norm**2 - each.noise**2 for each in found])
    assert abs(squares.mean() - truth) < 3 * squares.std() / math.sqrt(CASES)  # unbiased, noise and all
    errors = [each.gradient_square[1] for each in reports]
    assert 0.85 < np.sqrt(np.mean(np.square(errors))) / squares.std() < 1.3


def test_the_squared_gradient_and_its_error_are_unbiased_where_the_last_batch_is_short():
    rng = np.random.default_rng(2)
    sizes = np.array([128, 128, 128, 128, 20])
    shares, squares, errors = sizes / sizes.sum(), [], []
    for _ in range(CASES):
        rows = rng.standard_normal((len(sizes), 300)) / np.sqrt(sizes)[:, None]
        found = gradient_statistics(rows @ rows.T, shares)
        squares.append(found.norm**2 - found.noise**2)
        errors.append(found.null_stderr)
    assert abs(np.mean(squares)) < 3 * np.std(squares) / math.sqrt(CASES)
    assert math.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(squares), rel=0.12)


def test_whatever_is_held_at_a_time_the_numbers_are_those_of_all_gradients():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    x, y = torch.randn(23, 5, dtype=torch.float64), torch.arange(23) % 3
    grads = []
    for part in torch.arange(23).split(5):
        loss = nn.functional.cross_entropy(model(x[part]), y[part])
        grads.append(torch.cat([each.reshape(-1) for each in torch.autograd.grad(loss, list(model.parameters()))]))
    rows, shares = torch.stack(grads).numpy(), np.array([5, 5, 5, 5, 3]) / 23
    wanted = gradient_statistics(rows @ rows.T, shares)
    mean = shares @ rows
    assert wanted.norm == pytest.approx(np.linalg.norm(mean))
    noise = shares**2 @ np.square(rows - mean).sum(1) / (1 - shares @ shares)
    assert wanted.noise == pytest.approx(math.sqrt(noise))
    for held in (1, 2, 9):
        with at_weights(model, (x, y), batch_size=5) as point:
            found = gradient_length(point.products(), held)
        assert vars(found) == pytest.approx(vars(wanted), rel=1e-9)
    report = measure_curvature(model, (x, y), batch_size=5, eigenvalues=1, most=3, probes=2, steps=1)
    assert report.gradient_square == pytest.approx(
        (
            wanted.norm**2 - noise,
            math.hypot(2 * math.sqrt(max(wanted.norm**2 - noise, 0.0)) * wanted.norm_stderr, wanted.null_stderr),
        )
    )
    assert report.batches == 5


def test_the_forms_of_batches_make_up_that_of_all():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    x, y = torch.randn(23, 5, dtype=torch.float64), torch.arange(23) % 3
    with at_weights(model, (x, y), batch_size=5) as point:
        products = point.products()
        vector = torch.randn(products.size, dtype=torch.float64)
        found = products(vector)
    shares = torch.tensor([5, 5, 5, 5, 3]) / 23
    assert float(shares.double() @ found.forms) == pytest.approx(float(vector @ found.vector), rel=1e-6)


def test_of_few_batches_the_error_of_the_square_is_that_of_all_its_noise():
    found = gradient_statistics(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([0.5, 0.5]))
    assert math.isnan(found.null_stderr)
    assert found.noise == pytest.approx(math.sqrt(0.5))
    report = replace(REPORT, gradient_norm=found.norm, gradient_norm_stderr=0.0, gradient_noise=found.noise, batches=2)
    assert report.gradient_square == pytest.approx((1.0, 0.5))
    assert report.gradient_square_interval[1] == pytest.approx(1 + 12.706 * 0.5, rel=1e-4)
    assert math.isnan(gradient_statistics(np.array([[2.0]]), np.array([1.0])).noise)
