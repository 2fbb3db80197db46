"""The report against whole matrices, its stated errors against many seeds, and a network that is left alone."""

from __future__ import annotations

import copy
import dataclasses
import re
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import landscape
import landscape.curvature
from landscape.curvature.analysis import batch_error, measure_curvature
from landscape.curvature.point import _agree
from landscape.curvature.scales import normalising_scale
from landscape.curvature.verdict import verdict
from landscape.directions.construct import random_plane
from landscape.directions.filters import filters_of
from landscape.errors import EvaluationError, ProblemError, UsageError
from landscape.surface.reports.curvature import Curvature


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 3)
    ).double()
    model[1].running_mean.uniform_(-0.5, 0.5)
    model[1].running_var.uniform_(0.5, 2)
    return model


@pytest.fixture(scope="module")
def samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(23, 1, 5, 5, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 3, (23,), generator=generator)


@pytest.fixture(scope="module")
def whole(network: nn.Module, samples: tuple[Tensor, Tensor]) -> Tensor:
    """The Hessian over all parameters in order."""
    model = network.eval()
    parameters = {name: each.detach() for name, each in model.named_parameters()}
    sizes = [each.numel() for each in parameters.values()]

    def loss(vector: Tensor) -> Tensor:
        parts = zip(parameters, vector.split(sizes), strict=True)
        moved = {name: part.view(parameters[name].shape) for name, part in parts}
        return nn.functional.cross_entropy(torch.func.functional_call(model, moved, samples[0]), samples[1])

    flat = torch.cat([each.reshape(-1) for each in parameters.values()])
    return torch.autograd.functional.hessian(loss, flat)


@pytest.fixture(scope="module")
def scale(network: nn.Module) -> Tensor:
    tensors = dict(network.named_parameters())
    return torch.cat([each.reshape(-1) for each in normalising_scale(tensors, filters_of(network)).values()])


@pytest.fixture(scope="module")
def report(network: nn.Module, samples: tuple[Tensor, Tensor]) -> Curvature:
    network.train()
    found = landscape.curvature(network, samples, eigenvalues=3, tolerance=1e-5, batch_size=9, probes=16, steps=6)
    assert network.training
    return found


def test_eigenvalues_of_both_matrices_are_those_of_the_whole_ones(report, whole, scale):
    for found, matrix in ((report.raw, whole), (report.normalised, scale[:, None] * whole * scale)):
        wanted = torch.linalg.eigvalsh(matrix).flip(0)
        np.testing.assert_allclose(found.eigenvalues, torch.cat([wanted[:3], wanted[-3:]]), rtol=1e-4, atol=1e-9)
        assert found.converged.all()


def test_traces_norms_and_layers_are_right_within_their_errors(report, whole, scale):
    scaled = scale[:, None] * whole * scale
    for found, matrix in ((report.raw, whole), (report.normalised, scaled)):
        assert abs(found.trace - float(matrix.trace())) < 4 * found.trace_stderr
        assert abs(found.frobenius - float(matrix.norm())) < 4 * found.frobenius_stderr + 1e-9
    assert report.raw.trace_stderr < 0.15 * report.raw.trace
    place = 0
    for layer in report.layers:
        block = slice(place, place + layer.size)
        place += layer.size
        assert abs(layer.trace - float(whole[block, block].trace())) < 4 * layer.trace_stderr + 1e-9, layer.name
        wanted = float(scaled[block, block].trace())
        assert abs(layer.normalised_trace - wanted) < 4 * layer.normalised_trace_stderr + 1e-9, layer.name


def test_the_gauss_newton_matrix_is_that_of_the_outputs_slopes(report, network, samples):
    model, (x, _) = network.eval(), samples
    parameters = {name: each.detach() for name, each in model.named_parameters()}
    slopes = torch.func.jacrev(lambda tree: torch.func.functional_call(model, tree, x))(parameters)
    slope = torch.cat([each.reshape(23, 3, -1) for each in slopes.values()], 2)
    p = model(x).softmax(1).detach()
    curved = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]  # of cross entropy by logits
    matrix = torch.einsum("nki,nkl,nlj->ij", slope, curved, slope) / 23
    greatest = float(torch.linalg.eigvalsh(matrix)[-1])
    assert report.gauss_newton_greatest == pytest.approx(greatest, rel=1e-6)
    assert report.gauss_newton_residual <= 1e-5 * greatest
    assert abs(report.gauss_newton_trace - float(matrix.trace())) < 3 * report.gauss_newton_trace_stderr
    assert 3 * report.gauss_newton_trace_stderr < greatest  # it would be missed


def few_steps(report: Curvature) -> Curvature:
    """Return a report whose quadratures have two nodes: as Lanczos would have them after two products."""
    nodes, weights = [], []
    for old, share in zip(report.raw.nodes, report.raw.weights, strict=True):
        known = ~np.isnan(old)
        moments = [float(share[known] @ old[known] ** power) for power in range(4)]
        hankel = np.array([[moments[0], moments[1]], [moments[1], moments[2]]])
        c = np.linalg.solve(hankel, -np.array(moments[2:]))
        roots = np.sort(np.roots([1.0, c[1], c[0]]).real)
        nodes.append(roots)
        weights.append(np.linalg.solve(np.vander(roots, increasing=True).T, moments[:2]))
    raw = dataclasses.replace(report.raw, nodes=np.array(nodes), weights=np.array(weights))
    return dataclasses.replace(report, raw=raw)


def test_each_filters_trace_is_right_within_its_error_and_they_add_up_to_the_layers(report, whole, scale, network):
    diagonals = whole.diagonal(), scale.square() * whole.diagonal()
    layouts, place, seen = filters_of(network), 0, 0
    for name, tensor in network.named_parameters():
        found = report.filters_of(name)
        layer = next(each for each in report.layers if each.name == name)
        assert len(found.trace) == layer.filters
        for values, errors, diagonal, total in (
            (found.trace, found.trace_stderr, diagonals[0], layer.trace),
            (found.normalised_trace, found.normalised_trace_stderr, diagonals[1], layer.normalised_trace),
        ):
            wanted = layouts[name].rows(diagonal[place : place + tensor.numel()].view(tensor.shape)).sum(1)
            assert (np.abs(values - wanted.numpy()) < 5 * errors + 1e-9).all(), name
            assert values.sum() == pytest.approx(total, abs=1e-12)
            seen += int((np.abs(values) > 3 * errors + 1e-9).sum())
        place += tensor.numel()
    assert seen > 10, "errors so large that nothing was shown"
    with pytest.raises(KeyError, match="no filters of 'head'"):
        report.filters_of("head")


def test_numbers_made_of_others_are_what_they_say(report, whole):
    values = torch.linalg.eigvalsh(whole)
    found, error = report.raw.participation
    assert abs(found - float(values.sum() ** 2 / values.square().sum())) < 4 * error
    sizes = np.abs(report.raw.eigenvalues)
    assert report.raw.least_condition == pytest.approx(sizes.max() / sizes.min())
    order = np.argsort(sizes)
    residuals = np.where(sizes == sizes.min(), sizes, report.raw.residuals)  # the smallest has not converged
    fewer = dataclasses.replace(report.raw, residuals=residuals)
    assert fewer.least_condition == pytest.approx(sizes.max() / sizes[order[1]])
    assert fewer.least_condition < 0.99 * report.raw.least_condition
    low, high = report.raw.trace_interval
    half = stats.t.ppf(0.975, len(report.raw.traces) - 1) * report.raw.trace_stderr
    assert (low, high) == pytest.approx((report.trace - half, report.trace + half))


def test_the_density_counts_all_eigenvalues_and_its_negative_share_is_right(report, whole):
    values = torch.linalg.eigvalsh(whole).numpy()
    _, counts, errors = report.density(np.array([-10.0, -0.1, 0.1, 10.0]))
    assert counts.sum() == pytest.approx(len(values))
    wanted = np.histogram(values, [-10.0, -0.1, 0.1, 10.0])[0]
    assert (np.abs(counts - wanted) < 4 * errors + 1).all()
    for found, matrix in ((report.raw, values), (few_steps(report).raw, values)):
        share, low, high = found.negative_share()
        assert low <= np.abs(matrix[matrix < 0]).sum() / np.abs(matrix).sum() <= high
        assert low <= share <= high
    assert high - low < 0.9
    tight = report.raw.negative_share()
    assert tight[2] - tight[1] < high - low, "more steps tell more"
    dimension, error = report.raw.effective_dimension(0.1)
    positive = np.maximum(values, 0)
    assert abs(dimension - (positive / (positive + 0.1)).sum()) < 4 * error + 0.5


def test_the_gradient_is_that_of_the_mean_loss_with_a_short_last_batch(report, network, samples):
    network.eval()
    loss = nn.functional.cross_entropy(network(samples[0]), samples[1])
    gradient = torch.cat([each.reshape(-1) for each in torch.autograd.grad(loss, list(network.parameters()))])
    assert report.gradient_norm == pytest.approx(float(gradient.norm()), rel=1e-9)
    assert report.loss == pytest.approx(float(loss.detach()), rel=1e-12)


def test_random_filter_normalised_directions_show_the_trace_on_average(network, whole, scale):
    # The identity that trace(D H D) is for: E d' H d over directions as pictures draw them, without any of our probes.
    shown = []
    for seed in range(300):
        direction = random_plane(network, seed=seed, dimensions=1).directions[0]
        flat = torch.cat([direction.tensors[name].reshape(-1) for name, _ in network.named_parameters()])
        shown.append(float(flat @ whole @ flat))
    error = np.std(shown) / np.sqrt(len(shown))
    assert abs(np.mean(shown) - float((scale**2 * whole.diagonal()).sum())) < 4 * error


def test_scaling_a_filter_and_its_successor_changes_raw_numbers_and_not_normalised_ones(samples):
    torch.manual_seed(5)
    model = nn.Sequential(nn.Flatten(), nn.Linear(25, 6, bias=False), nn.ReLU(), nn.Linear(6, 3, bias=False)).double()
    options: dict[str, Any] = {
        "eigenvalues": 2,
        "tolerance": 1e-6,
        "probes": 4,
        "steps": 4,
        "gauss_newton": False,
        "batch_size": 23,
    }
    before = measure_curvature(model, samples, **options)
    with torch.no_grad():
        model[1].weight.mul_(4.0)
        model[3].weight.div_(4.0)
    after = measure_curvature(model, samples, **options)
    np.testing.assert_allclose(after.normalised.eigenvalues, before.normalised.eigenvalues, rtol=1e-5)
    np.testing.assert_allclose(after.normalised.traces, before.normalised.traces, rtol=1e-9)
    assert after.slice_bound == pytest.approx(before.slice_bound, rel=1e-5)
    assert after.raw.greatest_eigenvalue > 2 * before.raw.greatest_eigenvalue


def test_with_little_memory_there_are_restarts_and_the_same_numbers(network, samples, report):
    """Vectors for a dozen bytes: the least basis there is, and graphs that are made for each product."""
    options: dict[str, Any] = {"eigenvalues": 3, "tolerance": 1e-5, "batch_size": 9, "probes": 2, "steps": 2}
    found = landscape.curvature(network, samples, **options, memory=12.0, most=400)
    for matrix in ("raw", "normalised"):
        few, many = getattr(found, matrix), getattr(report, matrix)
        np.testing.assert_allclose(few.eigenvalues, many.eigenvalues, rtol=1e-4)
        assert few.converged.all()
    assert found.gradient_square == pytest.approx(report.gradient_square)
    assert found.raw.products - 2 * 2 > report.raw.products - 16 * 6, "a small basis takes more products"
    with pytest.raises(UsageError, match="above 0"):
        landscape.curvature(network, samples, **options, memory=0.0)


def test_a_trace_lies_in_its_interval_as_often_as_stated(network, samples, whole, scale):
    # 95 % intervals of Student's t, 40 of each matrix: an error off by a factor of 1.5 either way would be seen.
    probes = 8
    truths = float(whole.trace()), float((scale.square() * whole.diagonal()).sum())
    scores = []
    for seed in range(8):
        found = measure_curvature(
            network, samples, eigenvalues=1, most=4, probes=40, steps=1, seed=seed, gauss_newton=False, batch_size=23
        )
        for spectrum, truth in zip((found.raw, found.normalised), truths, strict=True):
            for part in spectrum.traces.reshape(-1, probes):
                error = part.std(ddof=1) / np.sqrt(probes)
                scores.append(abs(part.mean() - truth) / error)
    inside = np.mean(np.array(scores) < stats.t.ppf(0.975, probes - 1))
    assert 0.90 < inside < 0.98, inside


def test_losses_of_two_processes_agree_but_for_rounding_in_half_precision():
    here = np.random.default_rng(0).uniform(0.5, 1.5, 1000)
    for share, number, same in ((0.019, 1000, True), (0.1, 1000, False), (9.0, 10, True), (9.0, 11, False)):
        there = here.copy()
        there[:number] *= 1 + share
        assert _agree(there, here) is same
    assert not _agree(here, here[1:])
    here[:30], here[30:60] = np.nan, np.inf
    assert _agree(here.copy(), here)
    assert not _agree(here[[0, 70]], here[[70, 0]])
    assert _agree(np.zeros(3), np.zeros(3))


def test_the_error_from_batches_is_that_of_a_weighted_mean():
    # Three batches of which one is half as long: by hand.
    shares, values = np.array([0.4, 0.4, 0.2]), np.array([1.0, 2.0, 4.0])
    wanted = np.sqrt((0.16 * 1.0 + 0.16 * 0.0 + 0.04 * 4.0) * 1.5)
    assert batch_error(values, shares) == pytest.approx(wanted)
    assert np.isnan(batch_error(np.array([1.0]), np.array([1.0])))


def test_no_matrix_takes_more_products_for_its_eigenvalues_than_it_may(network, samples):
    for most, enough in ((2, False), (100, True)):
        found = measure_curvature(network, samples, eigenvalues=1, most=most, probes=2, steps=1)
        assert [each.converged.all() for each in (found.raw, found.normalised)] == [enough] * 2
        assert (found.gauss_newton_residual <= 0.01 * found.gauss_newton_greatest) == enough


def test_a_network_is_left_as_it_was(network, samples):
    network.train()
    network[0].weight.grad = torch.ones_like(network[0].weight)
    network[5].bias.requires_grad_(False)
    before = {name: each.clone() for name, each in network.state_dict().items()}
    random = torch.get_rng_state()
    try:
        measure_curvature(network, samples, eigenvalues=1, most=3, probes=2, steps=1)
        assert network.training
        assert bool((network[0].weight.grad == 1).all())
        assert not network[5].bias.requires_grad
        assert network[0].weight.requires_grad
        assert torch.equal(torch.get_rng_state(), random)
        assert all(torch.equal(each, before[name]) for name, each in network.state_dict().items())
    finally:
        network[0].weight.grad = None
        network[5].bias.requires_grad_(True)


def test_what_is_left_out_has_no_part(network, samples, whole):
    names = [name for name, _ in network.named_parameters()]
    sizes = [each.numel() for each in network.parameters()]
    ends = np.cumsum(sizes)
    parts = {name: slice(end - size, end) for name, end, size in zip(names, ends, sizes, strict=True)}
    head = torch.linalg.eigvalsh(whole[parts["5.weight"], parts["5.weight"]])
    found = measure_curvature(network, samples, include="^5", ignore="biasbn", eigenvalues=1, tolerance=1e-6)
    assert found.raw.size == 36
    np.testing.assert_allclose(found.eigenvalues, [head[-1], head[0]], rtol=1e-5, atol=1e-9)


def least(report: Curvature, value: float, residual: float, **changes: float) -> Curvature:
    values, residuals = report.raw.eigenvalues.copy(), report.raw.residuals.copy()
    values[-1], residuals[-1] = value, residual
    return dataclasses.replace(
        report, raw=dataclasses.replace(report.raw, eigenvalues=values, residuals=residuals), **changes
    )


@pytest.mark.parametrize(
    ("value", "residual", "norm", "noise", "said"),
    [
        (-1.0, 0.1, 0.01, 0.1, "Saddle: "),
        (-1.0, 1.5, 0.01, 0.1, "Not resolved between minimum and saddle"),
        (0.1, 0.0, 0.01, 0.1, "Not resolved between minimum and saddle"),
        (0.1, 0.0, 1.0, 0.1, "Slope: "),
        (-1.0, 0.1, 1.0, 0.1, "Slope: .*has a negative eigenvalue"),
        (0.1, 0.0, 1.0, float("nan"), "Not resolved: one batch"),
    ],
)
def test_a_verdict_says_no_more_than_was_shown(report, value, residual, norm, noise, said):
    found = verdict(least(report, value, residual, gradient_norm=norm, gradient_noise=noise)).verdict
    assert re.match(said, found), found
    assert "is a minimum" not in found


def test_bad_input_is_refused_with_what_to_do(network, samples):
    x, y = samples
    with pytest.raises(UsageError, match="0 samples"):
        measure_curvature(network, samples, samples=0)
    with pytest.raises(UsageError, match="one data set at a time, there are a, b"):
        measure_curvature(network, {"a": samples, "b": samples})
    with pytest.raises(UsageError, match="tolerance is 2"):
        measure_curvature(network, samples, tolerance=2)
    with pytest.raises(EvaluationError, match="differs each time"):
        measure_curvature(network, samples, loss=_noisy)
    bad = x.clone()
    bad[7] = float("nan")
    with pytest.raises(EvaluationError, match=r"not finite at these weights \(sample 7"):
        measure_curvature(network, (bad, y))
    with pytest.raises(EvaluationError, match=r"not finite at these weights \(sample 7"):  # wherever it comes
        measure_curvature(network, (bad, y), samples=22, sample_seed=3)
    broken = copy.deepcopy(network)
    with torch.no_grad():
        broken[5].weight[0, 0] = float("nan")
    with pytest.raises(EvaluationError, match="not finite at these weights"):
        measure_curvature(broken, samples)


def _noisy(model: nn.Module, batch: Any) -> Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none") * (1 + torch.rand(()))


CHEAP: dict[str, Any] = {"eigenvalues": 1, "most": 4, "probes": 2, "steps": 1, "gauss_newton": False}


def test_the_loss_is_a_weighing_criterions_own_mean(network, samples):
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([0.2, 1.0, 3.0], dtype=torch.float64))
    found = measure_curvature(network, samples, loss=criterion, batch_size=5, **CHEAP)
    network.eval()
    loss = criterion(network(samples[0]), samples[1])
    gradient = torch.cat([each.reshape(-1) for each in torch.autograd.grad(loss, list(network.parameters()))])
    assert found.loss == pytest.approx(float(loss.detach()), rel=1e-9)
    assert found.gradient_norm == pytest.approx(float(gradient.norm()), rel=1e-9)


def test_a_sum_over_a_batch_is_refused_and_a_loss_over_pairs_gets_the_loaders_own_batches(network, samples):
    def total(model: nn.Module, batch: Any) -> Tensor:
        return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="sum")

    def pairs(model: nn.Module, batch: Any) -> Tensor:
        output = model(batch[0])
        return (output[:, None] - output[None]).square().mean()

    with pytest.raises(ProblemError, match="a sum, which depends on how many"):
        measure_curvature(network, samples, loss=total, **CHEAP)
    parts = [[0, 5, 9], [1, 2, 3], [10, 20, 22]]
    loader = DataLoader(TensorDataset(*samples), batch_sampler=parts)
    found = measure_curvature(network, loader, loss=pairs, **CHEAP)
    network.eval()
    with torch.no_grad():
        wanted = np.mean([float(pairs(network, (samples[0][part], samples[1][part]))) for part in parts])
    assert found.samples == 3
    assert found.loss == pytest.approx(wanted, rel=1e-9)


def test_weights_that_no_random_direction_moves_have_no_curvature_in_filter_lengths(network, samples):
    with pytest.raises(UsageError, match="none of these weights moves in a random direction"):
        measure_curvature(network, samples, include="bias", **CHEAP)


def test_one_weight_and_one_sample_have_a_curvature():
    model = nn.Linear(1, 1, bias=False).double()
    x = torch.tensor([[2.0]], dtype=torch.float64)
    found = measure_curvature(model, (x, torch.zeros(1, 1, dtype=torch.float64)), loss="mse")
    np.testing.assert_allclose(found.eigenvalues, [2 * 2.0**2])  # (w x)^2
    assert found.trace == pytest.approx(8)
    assert np.isnan(found.loss_stderr)
