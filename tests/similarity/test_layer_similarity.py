"""From networks to matrices: against the definition by hand, closed cases, and bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import landscape
from landscape.errors import EvaluationError, ProblemError, UsageError
from landscape.problem.data.datasets import as_data, choose
from landscape.similarity import layer_similarity
from landscape.similarity.grams import centred_features
from landscape.similarity.layer_similarity import similarity_cost
from landscape.similarity.layers import listening
from tests.similarity.test_hsic import naive

SMALL: dict[str, Any] = {"batch_size": 20, "passes": 1, "components": False}


class Twice(nn.Module):
    """One ReLU is called twice, a sum belongs to no leaf, and another module gives a tuple with samples second."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.second = nn.Linear(6, 5), nn.ReLU(inplace=True), nn.Linear(5, 5)
        self.block = Sum()
        self.recurrent = nn.GRU(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.second(self.relu(self.first(x))))
        x = self.block(x)
        return self.recurrent(torch.stack([x, 2 * x]))[0][-1]


class Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        out = self.inner(x)
        out += x
        return out


@pytest.fixture
def networks() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {name: Twice().double() for name in "ab"}


@pytest.fixture(scope="module")
def data() -> Tensor:
    return torch.randn(60, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_layers_are_those_that_are_called_in_their_order_with_sums_and_second_calls(networks, data):
    found = landscape.similarity(networks, data, **SMALL)
    layers = ("first", "relu", "second", "relu", "block.inner", "block", "recurrent")
    assert [each.layers for each in found.networks] == [layers, layers]
    assert found.networks[0].calls == (1, 1, 1, 2, 1, 1, 1)
    assert found.networks[0].features == (5, 5, 5, 5, 5, 5, 6)


def test_a_matrix_is_the_definition_of_what_each_module_gave(networks, data):
    found = landscape.similarity(networks, data, batch_size=60, passes=1, components=False)
    given = []
    with torch.no_grad():
        for model in networks.values():
            first = model.first(data)
            second = model.second(first.relu())
            inner = model.block.inner(second.relu())
            block = inner + second.relu()
            last = model.recurrent(torch.stack([block, 2 * block]))[0].movedim(1, 0).reshape(60, -1)
            given += [first, first.relu(), second, second.relu(), inner, block, last]
    np.testing.assert_allclose(found.cka, naive([[each.numpy() for each in given]]), rtol=1e-10, atol=1e-12)


def test_rotating_and_scaling_features_changes_nothing_and_a_network_is_itself_exactly(data):
    first = nn.Linear(6, 6, bias=False).double()
    turned = nn.Linear(6, 6, bias=False).double()
    with torch.no_grad():
        rotation = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0]
        turned.weight.copy_(1e-9 * rotation @ first.weight)
    found = landscape.similarity([first, turned], data, **SMALL)
    np.testing.assert_allclose(found.cka, 1.0, rtol=1e-10)
    assert (np.diagonal(found.cka) == 1).all()
    # In float32 squares of such features vanish or overflow.
    networks = [nn.Linear(6, 6, bias=False) for _ in range(3)]
    with torch.no_grad():
        for network, size in zip(networks, (1.0, 1e-24, 1e24), strict=True):
            network.weight.copy_(size * (rotation @ first.weight if size != 1 else first.weight))
    for kernel in ("linear", "rbf"):
        found = landscape.similarity(networks, data, **SMALL, kernel=kernel)
        np.testing.assert_allclose(found.cka, 1.0, rtol=1e-4)


def test_a_constant_layer_is_a_hole_and_one_that_is_not_finite_is_named_with_its_sample(data):
    class Bad(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.constant, self.nan, self.good = nn.Linear(6, 3), nn.Identity(), nn.Linear(6, 4)
            nn.init.zeros_(self.constant.weight)

        def forward(self, x: Tensor) -> Tensor:
            self.constant(x)
            self.nan(torch.where(x[:, :1] > 1e3, torch.nan, x) if len(x) > 10 else x)
            return self.good(x)

    data = data.clone()
    data[7, 0] = 1e4
    for samples in (None, 59):
        found = landscape.similarity(Bad().double(), data, samples=samples, sample_seed=4, **SMALL)
        assert np.isfinite(found.cka).tolist() == [[False] * 3, [False] * 3, [False, False, True]]
        assert found.notes == ("network: layer nan is not finite at sample 7, and is left out",)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_rbf_kernel_that_is_far_wider_than_the_data_is_the_linear_one(networks, data, dtype):
    """1 - K is then the distance, of which centring leaves inner products; K itself is 1 to seven digits."""
    model = networks["a"].to(dtype)
    linear = landscape.similarity(model, data.to(dtype), **SMALL)
    wide = landscape.similarity(model, data.to(dtype), **SMALL, kernel="rbf", rbf_width=1000.0)
    np.testing.assert_allclose(wide.cka, linear.cka, atol=1e-4)


def test_batches_are_reshuffled_each_pass_and_the_seed_repeats_them(networks, data):
    settings = {**SMALL, "passes": 2}
    one, again = (landscape.similarity(networks, data, **settings) for _ in range(2))
    np.testing.assert_array_equal(one.cka, again.cka)
    assert not np.array_equal(one.cka, landscape.similarity(networks, data, **SMALL).cka)
    assert not np.array_equal(one.cka, landscape.similarity(networks, data, **settings, sample_seed=1).cka)


def test_hooks_and_modes_are_as_before_also_after_an_error(networks, data):
    model = networks["a"].train()
    before = [len(module._forward_hooks) for module in model.modules()]
    landscape.similarity(networks, data, **SMALL)
    with pytest.raises(ProblemError, match="does not take the samples"):
        landscape.similarity(networks, data[:, :4], **SMALL)
    assert [len(module._forward_hooks) for module in model.modules()] == before
    assert model.training


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": "secnd"}, "second"),
        ({"layers": "("}, "no regular expression"),
        ({"samples": 3}, "needs 4 at least"),
        ({"batch_size": 3}, "needs 4 samples"),
        ({"kernel": "cubic"}, "linear, rbf"),
    ],
)
def test_what_cannot_be_measured_is_refused(networks, data, options, words):
    with pytest.raises(UsageError, match=words):
        landscape.similarity(networks, data, **{**SMALL, **options})


def test_other_samples_for_one_of_the_networks_are_refused(networks, data):
    landscape.similarity(networks, {"a": data, "b": data.clone()}, **SMALL)
    with pytest.raises(ProblemError, match="different samples"):
        landscape.similarity(networks, {"a": data, "b": data.flip(0)}, **SMALL)


def test_a_network_that_draws_random_numbers_is_refused(data):
    class Noisy(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + torch.randn(len(x), 1, dtype=x.dtype)

    with pytest.raises(EvaluationError, match="draws random numbers"):
        landscape.similarity(Noisy(6, 3).double(), data, **SMALL)


def test_shares_of_first_components_are_those_of_the_whole_covariance(networks, data):
    found = landscape.similarity(networks["a"], data, batch_size=20, passes=1)
    with torch.no_grad():
        features = networks["a"].first(data).numpy()
    values = np.linalg.eigvalsh(np.cov(features.T))
    assert found.pc_share[0] == pytest.approx(values[-1] / values.sum(), rel=1e-4)
    scores = (features - features.mean(0)) @ np.linalg.eigh(np.cov(features.T))[1][:, -1]
    assert set(found.dominant[0]) == set(np.argsort(-np.abs(scores))[:10])


def test_without_dominant_samples_the_matrix_is_that_of_the_others(networks, data):
    """One sample far off makes up all first components; without it layers are as without it in the data."""
    outlier = data.clone()
    outlier[11] *= 40.0
    options = {"batch_size": 60, "passes": 1}
    found = landscape.similarity(networks, outlier, **options, without_dominant=1)
    assert set(found.dominant[:, 0]) == {11}
    kept = np.delete(np.arange(60), 11)
    wanted = landscape.similarity(networks, data[kept], **options)
    np.testing.assert_allclose(found.others["without_dominant"], wanted.cka, rtol=1e-8, atol=1e-8)
    assert not np.allclose(found.cka, wanted.cka, atol=0.01)
    with pytest.raises(EvaluationError, match="leave out fewer"):
        landscape.similarity(networks, data, **options, without_dominant=40)


def test_without_components_the_matrix_is_that_of_features_from_which_they_were_taken():
    rng = np.random.default_rng(3)
    features = rng.standard_normal((50, 8)) * np.array([9, 7, 1, 1, 1, 0.5, 0.5, 0.5])
    first, second = nn.Linear(8, 8).double(), nn.Linear(8, 5).double()
    model = nn.Sequential(first, nn.Tanh(), second)
    x = torch.from_numpy(features)
    found = landscape.similarity(model, x, batch_size=50, passes=1, without_components=2)
    left = []
    with torch.no_grad():
        for layer in (first(x), first(x).tanh(), model(x)):
            centred = (layer - layer.mean(0)).numpy()
            u, s, v = np.linalg.svd(centred, full_matrices=False)
            left.append(centred - u[:, :2] * s[:2] @ v[:2])
    np.testing.assert_allclose(found.others["without_components"], naive([left]), atol=2e-3)
    assert not np.allclose(found.cka, naive([left]), atol=0.05)


def test_images_of_dominant_samples_are_those_of_their_numbers_with_their_classes():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(30, 1, 4, 4, generator=generator)
    x[5] *= 9.0
    y = torch.randint(0, 3, (30,), generator=generator)
    found = landscape.similarity(nn.Sequential(nn.Flatten(), nn.Linear(16, 4)), (x, y), batch_size=10, passes=1)
    assert found.pictured[0] == 5
    np.testing.assert_array_equal(found.images, x[list(found.pictured)].numpy())
    assert found.labels == tuple(y[list(found.pictured)].tolist())
    assert landscape.similarity(nn.Linear(4, 3), x[:, 0, 0], batch_size=10, passes=1).images is None


def test_dominant_samples_are_numbers_of_the_data_set_and_a_constant_layer_has_none(data):
    constant = nn.Linear(6, 3).double()
    nn.init.zeros_(constant.weight)
    found = landscape.similarity(nn.Sequential(nn.Identity(), constant), data, samples=24, batch_size=12, passes=1)
    x = data[torch.from_numpy(np.sort(choose(as_data(data, "data"), 24, 0)))].numpy()
    _, _, directions = np.linalg.svd(x - x.mean(0))
    scores = np.abs((x - x.mean(0)) @ directions[0])
    numbers = np.sort(choose(as_data(data, "data"), 24, 0))
    assert set(found.dominant[0]) == set(numbers[np.argsort(-scores)[:10]])
    assert (found.dominant[1] == -1).all()


def test_networks_that_take_other_shapes_are_named_and_samples_that_are_not_finite_are_layers_left_out(data):
    with pytest.raises(ProblemError, match="b: the network Linear does not take the samples of data set 'train'"):
        landscape.similarity({"a": nn.Linear(6, 3).double(), "b": nn.Linear(5, 3).double()}, data, **SMALL)
    broken = data.clone()
    broken[3] = torch.nan
    found = landscape.similarity(nn.Linear(6, 3).double(), broken, **SMALL)
    assert np.isnan(found.cka).all()
    assert "at sample 3" in found.notes[0]
    with pytest.raises(EvaluationError, match="other samples each time"):
        landscape.similarity(nn.Linear(6, 3).double(), Changing(), **SMALL)


def test_features_that_vary_by_rounding_alone_are_constant_and_by_more_are_not():
    features = torch.full((50, 4), 0.1)
    features[::2] = torch.nextafter(features[::2], torch.ones(()))
    assert not centred_features(features).any()
    features[::2] += 1e-5
    assert (centred_features(features) != 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_features_in_which_one_sample_alone_differs_are_a_hole_and_not_a_ratio_of_rounding(dtype):
    """Of pairs of samples they say nothing: HSIC with anything is 0, and of float arithmetic some 1e-17."""

    class Spikes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.far = nn.Identity(), nn.Identity(), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            others = torch.full_like(x, 0.1)
            others = torch.where(x > 0, others, torch.nextafter(others, x.new_tensor(1.0)))
            self.one(torch.where(x[:, :1] == x[:, 0].max(), x.new_tensor(0.4), others))
            self.two((x[:, :3] > x[:, :3].flatten().sort().values[-2] - 1e-6).to(x))
            far: Tensor = self.far(torch.where(x[:, 3:4] == x[:, 3].max(), 1000 * x, x))
            return far

    x = torch.randn(40, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    found = landscape.similarity(Spikes(), x, batch_size=40, passes=1, components=False)
    assert np.isnan(found.cka[0]).all()
    with torch.no_grad():
        two = (x[:, :3] > x[:, :3].flatten().sort().values[-2] - 1e-6).double()
        far = torch.where(x[:, 3:4] == x[:, 3].max(), 1000 * x, x).double()
    wanted = naive([[each.numpy() for each in (two - two.mean(0), far - far.mean(0))]])
    np.testing.assert_allclose(found.cka[1:, 1:], wanted, atol=1e-4 if dtype == torch.float32 else 1e-10)


def test_a_module_that_is_called_as_often_as_samples_ask_for_has_no_layers(data):
    """As an adaptive solver does: its last step is not the same one in all batches."""

    class Adaptive(nn.Module):
        def __init__(self, steps: Callable[[Tensor], int]) -> None:
            super().__init__()
            self.step, self.last, self.steps = nn.Linear(6, 6), nn.Linear(6, 2), steps

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(self.steps(x)):
                x = self.step(x).tanh()
            last: Tensor = self.last(x)
            return last

    spread = data.clone()
    spread[:, 0] = spread[:, 0].clamp(max=1.0)
    spread[7, 0] = 2.0
    torch.manual_seed(0)
    # The batches with sample 7 call it twice; the few samples that layers are found on do not.
    late = Adaptive(lambda x: 1 + (len(x) == 20 and bool(x[:, 0].max() > 1.5))).double()
    found = landscape.similarity(late, spread, batch_size=20, passes=2, procrustes=3)
    assert found.networks[0].layers == ("step", "last")
    for values in (found.cka[0], found.others["procrustes"][0], found.pc_share[:1]):
        assert np.isnan(values).all()
    assert np.isfinite([found.cka[1, 1], found.others["procrustes"][1, 1], found.pc_share[1]]).all()
    assert found.notes == ("network: how often step is called depends on the samples: left out",)
    # A module has one note, however many of its calls are layers.
    often = Adaptive(lambda x: 2 + (len(x) == 20 and bool(x[:, 0].max() > 1.5))).double()
    found = landscape.similarity(often, spread, **SMALL)
    assert found.networks[0].labels == ("step", "step (2)", "last")
    assert found.notes == ("network: how often step is called depends on the samples: left out",)
    found = landscape.similarity(Adaptive(len).double(), data, **SMALL)
    assert found.networks[0].layers == ("last",)
    assert found.notes == ("network: how often step is called depends on the samples: left out",)
    # Chosen alone it is refused for what it is, and is not among what can be chosen.
    with pytest.raises(UsageError, match=r"\(how often step is called depends on .*\); there are last \(1 in all\)"):
        landscape.similarity(Adaptive(len).double(), data, layers="^step$", **SMALL)


def test_a_network_that_needs_its_labels_is_given_them_and_modules_without_samples_are_named():
    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.places, self.words, self.out = nn.Embedding(4, 5), nn.Embedding(9, 5), nn.Linear(5, 9)

        def forward(self, tokens: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
            if labels is None:
                raise ValueError("give labels, or what the decoder begins with")
            hidden = self.words(tokens) + self.places(torch.arange(4)) + self.words(labels)
            return {"loss": hidden.mean(), "logits": self.out(hidden)}

    generator = torch.Generator().manual_seed(2)
    tokens, labels = (torch.randint(0, 9, (30, 4), generator=generator) for _ in range(2))
    rows = [{"tokens": one, "labels": other} for one, other in zip(tokens, labels, strict=True)]
    torch.manual_seed(0)
    networks = {"a": Decoder(), "b": Decoder()}
    found = landscape.similarity(networks, rows, batch_size=30, passes=1, components=False)
    assert found.networks[0].labels == ("words", "words (2)", "out")
    given = "a, b are given their targets, without which they do not run: layers may hold them"
    assert found.notes == ("no row a sample in what places gives: left out", given)
    alone = landscape.similarity(networks["a"], rows, batch_size=30, passes=1, components=False)
    assert alone.notes[1] == "network is given its targets, without which it does not run: layers may hold them"
    with torch.no_grad():
        logits = [each(tokens, labels)["logits"].double().flatten(1).numpy() for each in networks.values()]
    assert found.between(0, 1)[2, 2] == pytest.approx(naive([[x - x.mean(0) for x in logits]])[0, 1], abs=1e-5)


def test_the_stated_error_of_a_share_is_its_spread_over_draws_of_samples():
    """Of nine tenths in one direction: eigenvalue and trace vary together, their ratio a tenth as much as either."""
    rng = np.random.default_rng(8)
    scales = np.sqrt(np.array([9.0, *[1 / 11] * 11]))
    drawn = []
    for _ in range(80):
        x = torch.from_numpy(rng.standard_normal((200, 12)) * scales)
        found = landscape.similarity(nn.Identity(), x, layers="^$", batch_size=200, passes=1)
        drawn.append((found.pc_share[0], found.pc_share_stderr[0]))
    values, errors = np.array(drawn).T
    assert values.mean() == pytest.approx(0.9, abs=0.003)
    # The spread of 80 values is known to 8 %.
    assert np.sqrt((errors**2).mean()) / values.std(ddof=1) == pytest.approx(1.0, abs=0.25)


class Changing(torch.utils.data.Dataset):
    """Data that are augmented at random."""

    def __len__(self) -> int:
        return 30

    def __getitem__(self, number: int) -> Tensor:
        return torch.randn(6, dtype=torch.float64)


def test_all_that_is_asked_reaches_the_run_whose_networks_are_in_eval_mode_while_it_lasts(networks, data, monkeypatch):
    seen: list[Any] = []

    class Run:
        def __init__(self, models: dict[str, nn.Module], *parts: Any) -> None:
            seen.append((list(models), *parts))
            assert not any(module.training for model in models.values() for module in model.modules())

        def run(self, *parts: Any) -> Any:
            seen.append(parts)
            return "found"

    class Same:
        def __init__(self, _: Any, *parts: Any) -> None:
            self.parts, self.looked = parts, False

        def require_same(self) -> None:
            self.looked = True

    monkeypatch.setattr(layer_similarity, "Analysis", Run)
    monkeypatch.setattr(layer_similarity, "Samples", Same)
    monkeypatch.setattr(layer_similarity, "measured_cost", lambda _, known: known)
    about, known, given = {name: {"sha256": name} for name in networks}, ("some", "state"), {"groups": {"a": "A"}}
    options = {"samples": 40, "sample_seed": 3, "batch_size": 10, "passes": 2}
    files = {"write": print, "write_every": 2.0, "scratch": "s-", "progress": len}
    networks["a"].train()
    assert landscape.similarity(networks, data, **given, about=about, known=known, **files, **options) == "found"
    (names, name, samples, settings, groups, told, progress, scratch), run = seen
    assert (names, name, groups, told, progress, scratch) == (["a", "b"], "train", {"a": "A"}, about, len, "s-")
    assert (samples.parts, samples.looked) == ((40, 3, 10), True)
    assert {key: getattr(settings, key) for key in options} == options
    assert run == (known, print, 2.0)
    assert networks["a"].training
    assert similarity_cost(networks, data, **given, about=about, known=known, **options) == known
    assert seen[2][3] == settings
    landscape.similarity(networks["a"], data)
    landscape.similarity(list(networks.values()), data)
    assert [names for names, *_ in seen[3::2]] == [["network"], ["0", "1"]]
    with pytest.raises(UsageError, match="sha256 of each network in about, b has none"):
        landscape.similarity(networks, data, about={"a": {"sha256": "0"}}, scratch="s-")
    with pytest.raises(TypeError, match=r"a network \(torch.nn.Module\) is wanted"):
        landscape.similarity({"a": networks["a"].state_dict()}, data)


def test_no_hook_stays_on_a_network_that_failed(networks):
    network, heard = networks["a"], []
    modules = dict(network.named_modules())
    with pytest.raises(RuntimeError, match="shape"), listening(network, modules, lambda *call: heard.append(call)):
        network(torch.zeros(2, 5, dtype=torch.float64))
    network(torch.zeros(2, 6, dtype=torch.float64))
    assert heard == []


def test_only_where_memory_ran_out_is_it_said_that_it_did(networks, data, monkeypatch):
    for error, wanted in (
        (torch.OutOfMemoryError("CUDA out of memory"), EvaluationError),
        (RuntimeError("no"), RuntimeError),
    ):

        def stopped(*_: Any, error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr(layer_similarity.Analysis, "run", stopped)
        with pytest.raises(wanted, match="memory ran out" if wanted is EvaluationError else "^no$"):
            landscape.similarity(networks, data, **SMALL)
