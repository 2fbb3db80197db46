"""Numbers that a run of similarity is made of, each against a formula of its own: widths, lengths, errors, costs."""

from __future__ import annotations

import itertools
import types
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import spatial
from torch import Tensor, nn

import landscape
from landscape.errors import EvaluationError, ProblemError, UsageError
from landscape.problem.data.datasets import as_data
from landscape.similarity.compared_networks import ComparedNetworks
from landscape.similarity.components import cosines, principal_components
from landscape.similarity.grams import NotFinite, Reference, Tap, centred_features
from landscape.similarity.hsic import lengths_of_pairs, median_distance
from landscape.similarity.layer_similarity import similarity_cost
from landscape.similarity.layers import Layer, features_of, find_layers
from landscape.similarity.moments import Moments, PassMoments, ratio
from landscape.similarity.shuffled_batches import Samples
from landscape.similarity.similarity_settings import Settings


@pytest.fixture
def features() -> Tensor:
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def test_distances_and_lengths_are_of_pairs_of_different_samples(features: Tensor) -> None:
    apart = spatial.distance.pdist(features.numpy())  # 15 of them: one is in the middle
    assert median_distance(features) == pytest.approx(np.median(apart))
    sizes = features.norm(dim=1)
    squares = [float((sizes[i] * sizes[j]) ** 2) for i, j in itertools.permutations(range(6), 2)]
    assert lengths_of_pairs(features @ features.T) == pytest.approx(np.sqrt(sum(squares)))


def test_features_are_a_row_a_sample_wherever_these_are_and_both_parts_of_complex_numbers(features: Tensor) -> None:
    def of(output: Any, layer: Layer, tokens: str = "flatten") -> Tensor:
        return features_of((torch.ones(2, dtype=torch.long), None, output), layer, 3, tokens)

    first, second = Layer("a", 1, "A", 0, 0, 1), Layer("a", 1, "A", 0, 1, 1)
    x = features[:, :2].reshape(3, 2, 2)  # of three samples two tokens
    twin = torch.view_as_complex(x)
    assert torch.equal(of(twin, first), x.flatten(1))
    assert torch.equal(of(x.movedim(0, 1), second), x.flatten(1))
    assert torch.equal(of(x, first, "mean"), x.mean(1))
    assert torch.equal(of(x.half(), first), x.half().float().flatten(1))
    folded = x.flatten(0, 1)  # windows of each sample one after the other
    assert torch.equal(of(folded, replace(first, fold=2)), x.flatten(1))
    assert torch.equal(of(folded[:, None], replace(first, fold=2), "mean"), x.mean(1))
    with pytest.raises(EvaluationError, match=r"layer a gives 6 rows for 3 samples, 3 were expected"):
        of(folded, first)


def test_of_samples_that_are_not_finite_the_first_is_named(features: Tensor) -> None:
    features[2, 1], features[4, 0] = torch.inf, torch.nan
    with pytest.raises(NotFinite) as raised:
        centred_features(features)
    assert raised.value.sample == 2


def test_the_error_of_several_passes_takes_off_what_they_average_from_three_on() -> None:
    """Of values about 0.5, 0.7, 0.9: their spread among each other is 0.04, each pass's own variance what it is."""
    rng = np.random.default_rng(0)
    for own in (1.0, 0.01):  # of which what is left over is above, and below, the spread of the mean itself
        moments, seen = Moments(2), []
        for number in range(1, 4):
            running = PassMoments(2, np.full(4, 0.25))
            for batch in range(4):
                noise = own * rng.uniform(-0.1, 0.1)
                cross = 0.3 + 0.2 * number + noise
                one, two = rng.uniform(0.9, 1.1, 2)
                running.add(batch, np.array([[one, cross], [cross, two]]))
            seen.append((ratio(running.sums)[0, 1], running.variance()[0, 1]))
            moments.add(running)
            values, variances = (np.array(each) for each in zip(*seen, strict=True))
            wanted = variances.mean()
            if number >= 3:
                among = values.var(ddof=1)
                wanted = max(wanted - among * (1 - 1 / number), among / number)
            value, error = moments.cka()
            assert error[0, 1] == pytest.approx(np.sqrt(wanted), rel=1e-9)
            assert value[0, 1] == pytest.approx(values.mean(), rel=0.02)
            assert (np.diagonal(value) == 1).all()
            assert (np.diagonal(error) == 0).all()


def test_the_variance_of_a_pass_that_is_not_finished_is_of_the_batches_that_are_done() -> None:
    values = [0.5, 0.7, 0.4]
    whole, part = PassMoments(2, np.full(3, 1 / 3)), PassMoments(2, np.full(6, 1 / 6))
    for batch, value in enumerate(values):
        for each in (whole, part):
            each.add(batch, np.array([[1.0, value], [value, 1.0]]))
    np.testing.assert_allclose(part.variance(), whole.variance())
    assert whole.variance()[0, 1] == pytest.approx(np.var(values, ddof=1) / 3)


def components_of(x: Tensor, wanted: int, size: int) -> Any:
    model = nn.Sequential(nn.Identity())
    found = find_layers(model, [x[:4], x[:3], x[[1, 2, 3, 0]]], which=None, name="n", data="d")
    batches = lambda: iter(x.split(size))  # noqa: E731
    return principal_components(Tap(model, found), [Reference(x.shape[1], 1.0)], batches, wanted=wanted)


@pytest.mark.parametrize(("second", "passes"), [(0.95, 4), (0.1, 2), (1e-3, 2)])
def test_passes_go_on_until_the_component_is_one(monkeypatch: pytest.MonkeyPatch, second: float, passes: int) -> None:
    scales = torch.tensor([1.0, second, *torch.linspace(second, 0.3 * second, 28)])
    x = torch.randn(300, 30, generator=torch.Generator().manual_seed(1)) * scales
    runs: list[int] = []
    run = Tap.run
    monkeypatch.setattr(Tap, "run", lambda tap, *given, **named: (runs.append(1), run(tap, *given, **named))[1])
    found = components_of(x, 1, 20)
    assert len(runs) == passes * 15
    values = np.linalg.eigvalsh(np.cov(x.double().numpy().T))
    assert found.share[0] == pytest.approx(values[-1] / values.sum(), rel=0.05)
    assert (found.residual[0] > 0.05) == (passes == 4)


def test_components_are_those_of_the_whole_covariance_wherever_its_mean_lies() -> None:
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([3.0, 2.6, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    x = torch.randn(90, 10, generator=generator) * scales + 4
    x[:30] += torch.tensor([5.0, *(9 * [0.0])])  # the first batch has another mean than all
    wide = x.double().numpy()
    wide = wide - wide.mean(0)
    values, vectors = np.linalg.eigh(wide.T @ wide / 90)
    found = components_of(x, 2, 30)
    total, first = values.sum(), values[-1]
    assert found.share[0] == pytest.approx(first / total, rel=1e-3)
    scores = wide @ vectors[:, :-3:-1]
    kept = found.scores[0]
    for k, tolerance in ((0, 0.02), (1, 0.1)):
        sign = np.sign(kept[:, k] @ scores[:, k])
        assert np.abs(sign * kept[:, k] - scores[:, k]).max() < tolerance * np.abs(scores[:, k]).max()
    # How each sample contributes to the first eigenvalue and to the trace.
    influence = (scores[:, 0] ** 2 - first - first / total * ((wide**2).sum(1) - total)) / total
    assert found.stderr[0] == pytest.approx(np.sqrt((influence**2).sum()) / 90, rel=0.02)
    assert 0 < found.residual[0] < 0.05
    larger = components_of(4 * x, 2, 30)
    assert larger.residual[0] == pytest.approx(found.residual[0], rel=1e-3)
    assert larger.share[0] == pytest.approx(found.share[0], rel=1e-6)


def test_cosines_have_no_sign_and_a_layer_without_a_component_has_none() -> None:
    scores = np.array([[1.0, 0.0], [-2.0, 0.0], [3.0, 3.0], [0.0, 0.0]], np.float32)
    half = np.sqrt(0.5)
    wanted = [[1, 1, half, np.nan], [1, 1, half, np.nan], [half, half, 1, np.nan], 4 * [np.nan]]
    np.testing.assert_allclose(cosines(scores), wanted, rtol=1e-6)


def test_batches_are_alike_in_size_and_another_seed_shuffles_them_in_another_way() -> None:
    data = as_data(torch.randn(50, 3), "d")
    samples = Samples(data, None, 0, 20)
    assert [len(each) for each in samples.places(0)] == [17, 17, 16]
    assert samples.shares.tolist() == [0.34, 0.34, 0.32]
    other = Samples(data, None, 1, 20)
    places = [np.concatenate(each.places(0)).tolist() for each in (samples, other)]
    assert places[0] != places[1]
    assert sorted(places[0]) == sorted(places[1]) == list(range(50))
    left = [each.leaving_out(each.order[:5]) for each in (samples, other)]
    assert [len(each) for each in left] == [45, 45]
    places = [np.concatenate(each.places(0)).tolist() for each in left]
    assert places[0] != places[1]
    assert sorted(places[0]) == sorted(places[1]) == list(range(5, 50))
    # Of three samples there is no unbiased estimate.
    few = Samples(as_data(torch.randn(13, 3), "d"), None, 0, 5)
    fewer = few.leaving_out(few.order[:6])
    assert [[len(each) for each in some.places(0)] for some in (few, fewer)] == [[5, 4, 4], [7]]


def test_a_kernel_is_as_wide_as_so_many_median_distances_of_the_whole_first_batch() -> None:
    x, model = torch.randn(90, 3, generator=torch.Generator().manual_seed(4)), nn.Linear(3, 4)
    samples, settings = Samples(as_data(x, "d"), None, 0, 45), Settings(kernel="rbf", rbf_width=0.75)
    compared = ComparedNetworks({"a": model}, "d", samples, settings, {}, {})
    given = model(x[samples.places(0)[0]]).detach()
    ((reference,),) = compared.references
    assert reference.width == pytest.approx(0.75 * median_distance(given), rel=1e-5)


class Small(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(6, width), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.one(x))


def test_what_a_run_takes_is_counted_and_its_time_is_that_of_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    networks = {"a": Small(9), "b": Small(5)}
    data = torch.randn(50, 6)
    how: dict[str, Any] = {"batch_size": 20, "passes": 2, "procrustes": 2, "without_components": 1}
    kept: list[Any] = []
    whole = landscape.similarity(networks, data, **how, write=lambda *each: kept.append(each), write_every=0.0)
    # Everything that is timed takes two seconds.
    clock = types.SimpleNamespace(perf_counter=itertools.count(0, 2).__next__)
    monkeypatch.setattr("landscape.similarity.run_cost.time", clock)
    cost = similarity_cost(networks, data, **how)
    assert (cost.networks, cost.layers, cost.samples, cost.ranks) == (2, 4, 50, 1)
    assert (cost.batches, cost.done) == (2 * 3 * 2 + 2, 0)
    assert cost.seconds == 2 * (14 + 2 * 3)  # all batches for each network's components
    assert cost.matrix_bytes == 10 * 8 * 4**2
    assert cost.gram_bytes == 8 * 4 * (17 * 16 // 2)
    assert cost.feature_bytes == 2 * 4 * 9 * 17
    assert not cost.on_disk
    alone = similarity_cost(networks, data, batch_size=20, components=False)
    assert (alone.seconds, alone.component_bytes) == (2 * alone.batches, 0)
    seen = set()
    for known in kept:
        left = similarity_cost(networks, data, **how, known=known)
        done = 14 if known[0].complete else left.done
        seen.add(done)
        missing = sum(f"components.{number}" not in known[1][1] for number in (0, 1)) * (not known[0].complete)
        assert (left.batches, left.done, left.seconds) == (14, done, 2 * (14 - done + 3 * missing))
    assert seen == set(range(15))
    assert similarity_cost(networks, data, **how, known=(whole, ({}, {}))).seconds == 0


def test_settings_that_go_together_with_nothing_are_refused() -> None:
    for how, words in (
        ({"kernel": "rbf", "without_components": 1}, "components are taken out of features"),
        ({"components": False, "without_dominant": 1}, "needs components"),
        ({"rbf_width": 0.0}, "rbf_width is 0, it has to be above 0"),
        ({"passes": 0}, "passes is 0, it has to be 1 at least"),
        ({"batch_size": 3}, "needs 4 samples at least"),
        ({"samples": 3}, "too few samples"),
    ):
        with pytest.raises(UsageError, match=words):
            landscape.similarity(Small(4), torch.randn(20, 6), **how)


class Changing(torch.utils.data.Dataset):
    """Gives other inputs each time, but for its targets."""

    def __len__(self) -> int:
        return 20

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        return torch.randn(6), number % 3


def test_data_of_which_one_part_alone_changes_are_refused() -> None:
    with pytest.raises(EvaluationError, match="gives other samples each time"):
        landscape.similarity(Small(4), Changing())


def test_populations_keep_what_they_are_given_and_show_where_they_differ_most() -> None:
    torch.manual_seed(1)
    images = torch.rand(30, 1, 4, 4)
    targets = torch.randint(0, 3, (30, 1))
    groups = {name: [nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.Softmax(1)) for _ in range(3)] for name in "AB"}
    found = landscape.predictions(groups, (images, targets), outputs="probabilities", half=True)
    assert found.probabilities.dtype == np.float16
    np.testing.assert_array_equal(found.labels, targets[:, 0].numpy()[found.numbers])
    with torch.no_grad():
        own = groups["B"][2](images[found.numbers]).numpy()
    np.testing.assert_allclose(found.probabilities[5], own, atol=1e-3)
    apart = np.abs(found.shares("A") - found.shares("B"))
    assert len(found.pictured) == 16
    assert np.ptp(apart) > 0
    assert np.sort(apart[list(found.pictured)])[::-1].tolist() == np.sort(apart)[::-1][:16].tolist()
    assert found.images is not None
    np.testing.assert_array_equal(found.images, images[found.numbers[list(found.pictured)]])
    alone = landscape.predictions({"A": groups["A"]}, (images, targets), outputs="probabilities")
    halved = np.abs(alone.shares("A") - 0.5)  # of one group those that half of its networks get right
    assert np.sort(halved[list(alone.pictured)]).tolist() == np.sort(halved)[:16].tolist()
    assert halved[list(alone.pictured)].sum() < np.sort(halved)[-16:].sum()
    with pytest.raises(ProblemError, match="classes are counted from 0"):
        landscape.predictions(groups, (images, targets[:, 0] - 1), outputs="probabilities")
    doubled = {"A": [nn.Sequential(groups["A"][0], nn.Threshold(-1.0, 0.0), Doubled())]}
    with pytest.raises(UsageError, match="do not add up to 1"):
        landscape.predictions(doubled, (images, targets), outputs="probabilities")


class Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class Tokens(nn.Module):
    """Gives four tokens of a width, and where it is asked for a number that is not finite."""

    def __init__(self, width: int, broken: bool = False) -> None:
        super().__init__()
        self.inner, self.outer, self.broken = nn.Linear(6, width), nn.Identity(), broken

    def forward(self, x: Tensor) -> Tensor:
        out = self.inner(x[:, None] * torch.arange(1.0, 5)[:, None])
        return self.outer(torch.where(out > 1e3, torch.nan, out)) if self.broken else self.outer(out)


def test_tokens_are_all_numbers_or_their_mean_and_a_layer_without_values_is_of_its_own_network() -> None:
    torch.manual_seed(0)
    networks = {"a": Tokens(5), "b": Tokens(7, broken=True)}
    data = torch.randn(40, 6)
    data[9] *= 1e5
    # Layers are found on the first batch: the sample is in another one.
    shuffled = (Samples(as_data(data, "d"), None, seed, 20) for seed in range(99))
    seed = next(each.seed for each in shuffled if 9 not in each.order[each.places(0)[0]])
    options: dict[str, Any] = {"batch_size": 20, "passes": 1, "components": False, "sample_seed": seed}
    flat = landscape.similarity(networks, data, tokens="flatten", **options)
    mean = landscape.similarity(networks, data, tokens="mean", **options)
    assert [each.features for each in flat.networks] == [(20, 20), (28, 28)]
    assert [each.features for each in mean.networks] == [(5, 5), (7, 7)]
    for found in (flat, mean):
        assert [note for note in found.notes if "not finite" in note] == [
            "b: layer outer is not finite at sample 9, and is left out"
        ]
