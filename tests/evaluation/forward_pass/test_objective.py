"""Losses and metrics at one point: which samples, in which mode, with which statistics and which noise."""

from __future__ import annotations

import copy
import gc
import random
import time
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import EvaluationError
from landscape.evaluation.forward_pass import objective as module
from landscape.evaluation.forward_pass.baseline import measure_baseline
from landscape.evaluation.forward_pass.noise import seed_generators
from landscape.evaluation.forward_pass.objective import Objective
from landscape.problem.losses.losses import resolve_loss
from landscape.problem.named_data import named_data


def make(model, data, loss="cross_entropy", **settings):
    return Objective(model, named_data(data), resolve_loss(loss), **settings)


def measure(objective, *spans, **settings):
    """Return (data set, metric) -> values of some samples, of all by default."""
    spans = spans or tuple((name, 0, number) for name, number in objective.sizes.items())
    return objective.measure(objective.load(spans), **settings)


def cross_entropies(model, data):
    with torch.no_grad():
        return nn.functional.cross_entropy(model(data[0]), data[1], reduction="none").numpy()


def test_norms_keep_to_their_statistics_in_train_mode(classifier, images):
    frozen = copy.deepcopy(classifier).eval()
    norm = classifier[1]
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    got = measure(make(classifier.train(), images, mode="train", batch_size=8)).values["train", "loss"]
    np.testing.assert_allclose(np.sort(got), np.sort(cross_entropies(frozen, images)), rtol=1e-12)
    assert all(torch.equal(before[name], tensor) for name, tensor in norm.state_dict().items())
    assert classifier.training
    assert not norm.training


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_the_mode_is_that_asked_for(mode, images):
    modes = []

    class Noted(nn.Flatten):
        def forward(self, x):
            modes.append(self.training)
            return super().forward(x)

    measure(make(nn.Sequential(Noted(), nn.Linear(25, 3)).double().train(mode == "eval"), images, mode=mode))
    assert set(modes) == {mode == "train"}


class Ones(nn.Module):
    """Dropout of ones: the noise itself, 16 numbers a sample."""

    def forward(self, x):
        return nn.functional.dropout(torch.ones(len(x), 16, dtype=torch.float64), 0.5, self.training)


def noise(model, batch):
    return (model(batch[0]) * 2.0 ** torch.arange(16)).sum(1)


def test_noise_is_another_in_each_batch_data_set_and_point_and_none_of_what_is_measured_with_it():
    x = torch.zeros(40, 1, dtype=torch.float64)
    objective = make(Ones(), {"train": (x,), "test": (x,)}, noise, mode="train", batch_size=10)
    all_at_once = measure(objective, seed=3).values
    drawn = [all_at_once[name, "loss"][start : start + 10] for name in ("train", "test") for start in range(0, 40, 10)]
    drawn.append(measure(objective, seed=4).values["train", "loss"][:10])
    for number, one in enumerate(drawn):
        assert not any(np.array_equal(one, other) for other in drawn[:number])
    # As a rank that gets the third batch alone, and with the same point drawn again.
    alone = measure(objective, ("train", 20, 30), seed=3).values["train", "loss"]
    np.testing.assert_array_equal(alone, drawn[2])
    np.testing.assert_array_equal(measure(objective, seed=3).values["test", "loss"], all_at_once["test", "loss"])


@pytest.mark.parametrize("scalar", [(True, False), (False, True), (True, True), (False, False)])
def test_values_are_per_sample_only_where_every_batch_gives_them(scalar):
    x = torch.arange(8.0)[:, None]
    given = iter(scalar)

    def own(model, batch):
        values = model(batch[0])[:, 0]
        return values.mean() if next(given) else values

    got = measure(make(nn.Identity(), (x,), own, batch_size=5))
    assert got.per_sample["train", "loss"] is (not any(scalar))
    if scalar == (True, True):
        order = make(nn.Identity(), (x,), own).orders["train"]
        means = [np.mean(order[:5]), np.mean(order[5:])]
        np.testing.assert_allclose(got.values["train", "loss"], np.repeat(means, [5, 3]), rtol=1e-6)


def test_the_time_of_a_point_is_without_what_is_asked_of_a_loss_at_the_checkpoint_alone(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def mean(model, batch):
        clock[0] += len(batch[0])  # a second a sample
        return model(batch[0]).mean()

    objective = make(nn.Linear(1, 1), (torch.arange(20.0)[:, None],), mean, batch_size=8)
    assert measure_baseline(objective).seconds == 20
    assert objective.asking_seconds > 20


def statistics_of(model):
    return {name: tensor.clone() for name, tensor in model.named_buffers() if "running" in name}


def test_recomputed_statistics_are_the_average_over_batches_of_fixed_samples_whatever_is_measured(
    classifier, images, monkeypatch
):
    monkeypatch.setattr(module, "BATCH_NORM_SAMPLES", 20)
    data = {"valid": tuple(each[:6] for each in images), "train": images}
    found = []
    for samples in (3, None):
        objective = make(classifier, data, samples=samples, sample_seed=3, batch_norm="recompute", batch_size=8)
        measure(objective)
        found.append(statistics_of(classifier))
    (few, every), order = found, make(classifier, images, sample_seed=3).orders["train"][:20]
    with torch.no_grad():
        features = classifier[0](images[0][torch.as_tensor(np.asarray(order))])
    parts = features.split(8)
    means = torch.stack([part.mean((0, 2, 3)) for part in parts]).mean(0)
    variances = torch.stack([part.transpose(0, 1).flatten(1).var(1) for part in parts]).mean(0)
    for each in (few, every):
        torch.testing.assert_close(each["1.running_mean"], means, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(each["1.running_var"], variances, rtol=1e-12, atol=1e-12)
    chosen = make(classifier, data, batch_norm="recompute", batch_norm_data="valid", batch_size=8)
    measure(chosen)
    with torch.no_grad():
        means = classifier[0](images[0][:6]).mean((0, 2, 3))
    torch.testing.assert_close(statistics_of(classifier)["1.running_mean"], means, rtol=1e-12, atol=1e-12)


def test_a_sample_that_would_be_alone_in_the_last_batch_is_left_out_of_statistics():
    model, x = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).double().eval(), torch.randn(9, 2).double()
    objective = make(model, (x, torch.arange(9) % 3), batch_norm="recompute", batch_size=4)
    assert len(measure(objective).values["train", "loss"]) == 9
    with torch.no_grad():
        parts = model[0](x[torch.as_tensor(np.asarray(objective.orders["train"][:8]))]).split(4)
    found = statistics_of(model)
    torch.testing.assert_close(found["1.running_mean"], torch.stack([part.mean(0) for part in parts]).mean(0))
    torch.testing.assert_close(found["1.running_var"], torch.stack([part.var(0) for part in parts]).mean(0))


def test_recomputing_leaves_momentum_as_it_was_also_when_the_loss_fails(classifier, images):
    classifier[1].momentum = 0.3
    measure(make(classifier, images, batch_norm="recompute"))
    assert classifier[1].momentum == 0.3

    def failing(model, batch):
        model(batch[0])
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        measure(make(classifier, images, failing, batch_norm="recompute"))
    assert classifier[1].momentum == 0.3
    assert not classifier[1].training


def test_frozen_statistics_stay_what_they_are(classifier, images):
    before = statistics_of(classifier)
    measure(make(classifier, images))
    assert all(torch.equal(before[name], each) for name, each in statistics_of(classifier).items())


def test_samples_are_the_first_of_one_permutation_in_its_order(classifier, images):
    every, few = make(classifier, images, sample_seed=5), make(classifier, images, samples=9, sample_seed=5)
    assert sorted(every.orders["train"]) == list(range(23))
    assert list(few.orders["train"]) == list(every.orders["train"][:9])
    assert list(make(classifier, images, samples=9, sample_seed=6).orders["train"]) != list(few.orders["train"])
    exact = cross_entropies(classifier, images)[np.asarray(every.orders["train"])]
    np.testing.assert_allclose(measure(every).values["train", "loss"], exact, rtol=1e-12)
    np.testing.assert_allclose(measure(every, ("train", 4, 9)).values["train", "loss"], exact[4:9], rtol=1e-12)


@pytest.mark.parametrize("room", [0, 45, 103, 10**6])
def test_spans_are_split_into_groups_that_fit_and_lose_no_sample(room):
    data = {name: (torch.zeros(number, 1),) for name, number in (("train", 53), ("test", 20))}
    objective = make(nn.Identity(), data, noise, batch_size=10, budget=room * 4)
    spans = [("train", 0, 53), ("test", 3, 20)]
    ends = {name: stop for name, _, stop in spans}
    groups = objective.groups(spans)
    found = [(name, i) for group in groups for name, start, stop in group for i in range(start, stop)]
    assert found == [(name, i) for name, start, stop in spans for i in range(start, stop)]
    for group in groups:
        number = sum(stop - start for _, start, stop in group)
        assert number <= max(room, 10)
        for name, start, stop in group:
            assert (stop - start) % 10 == 0 or stop == ends[name]
    assert (len(groups) == 1) is (room >= 70)


def test_samples_of_another_group_are_let_go_and_those_of_the_same_are_not_read_again(classifier, images):
    objective = make(classifier, images, batch_size=5)
    (first,) = objective.load([("train", 0, 10)])
    assert objective.load([("train", 0, 10), ("train", 10, 15)])[0] is first
    kept = weakref.ref(first)
    del first
    assert kept() is not None
    objective.load([("train", 10, 15)])
    gc.collect()
    assert kept() is None, "what a point does not need takes memory"


class Field(nn.Module):
    """u(x) = w x^2: its derivatives are known."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(3.0, dtype=torch.float64))

    def forward(self, x):
        return self.w * x[:, 0] ** 2


def residual(model, batch):
    """(u'(x) - 1)^2, as a physics-informed loss writes it, without a word of gradient modes."""
    x = batch[0].requires_grad_()
    (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    return (slope[:, 0] - 1) ** 2


def adversarial(model, batch):
    """The loss a step along the input's gradient, which backward() puts where it always does."""
    x = batch[0].requires_grad_()
    model(x).sum().backward()
    return model(x + 0.1 * x.grad)


def by_hand(model, batch):
    with torch.enable_grad():
        return adversarial(model, batch)


@pytest.mark.parametrize("loss", [residual, adversarial, by_hand])
@pytest.mark.parametrize("norms", ["frozen", "recompute"])
def test_a_loss_may_differentiate_and_nothing_is_left_of_it(loss, norms):
    model, x = Field(), torch.linspace(-1, 1, 9, dtype=torch.float64)[:, None]
    objective = make(model, (x,), loss, batch_size=4, batch_norm=norms)
    ordered = x[np.asarray(objective.orders["train"]), 0]
    exact = (6 * ordered - 1) ** 2 if loss is residual else 3 * (ordered + 0.6 * ordered) ** 2
    chunks = objective.load([("train", 0, 9)])
    for _ in range(3):  # what is left in the batches would add up
        got = objective.measure(chunks, check=True)
        np.testing.assert_allclose(got.values["train", "loss"], exact, rtol=1e-12)
    assert model.w.grad is None
    assert not any(batch[0].requires_grad or batch[0].grad is not None for chunk in chunks for batch in chunk.batches)


def test_graphs_of_a_loss_are_freed_batch_by_batch():
    made, most = [], 0

    def watched(model, batch):
        nonlocal most
        values = by_hand(model, batch)
        made.append(weakref.ref(values))
        most = max(most, sum(each() is not None for each in made))
        return values

    measure(make(Field(), (torch.ones(40, 1, dtype=torch.float64),), watched, batch_size=4))
    assert (len(made), most) == (10, 1)


def test_an_error_that_is_not_about_gradients_is_told_at_once():
    calls = []

    def failing(model, batch):
        calls.append(torch.is_grad_enabled())
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        measure(make(Field(), (torch.ones(4, 1),), failing))
    assert calls == [False]


def test_a_loss_that_takes_no_derivatives_builds_no_graph(classifier, images):
    seen = []

    def own(model, batch):
        values = nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")
        seen.append(values.requires_grad)
        return values

    measure(make(classifier, images, own))
    assert set(seen) == {False}
    # A quantity of a point may take gradients of the loss itself.
    objective = make(classifier, images)
    assert objective.loss(classifier, objective.load([("train", 0, 23)])[0].batches[0])["loss"].requires_grad


class Draws(nn.Module):
    """Draws from every generator, also in eval mode; its dropout is off there."""

    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        drawn = torch.rand(len(x)) + float(np.random.rand()) + random.random()  # noqa: NPY002
        return self.dropout(torch.ones(len(x))) * 10 + drawn


def drawn(model, batch):
    return model(batch[0])


@pytest.mark.parametrize("noise", ["common", "fresh"])
def test_noise_is_common_to_all_points_or_fresh_at_each_in_eval_mode(noise):
    data = (torch.zeros(20, 1),)
    objective = make(Draws(), data, drawn, noise=noise, batch_size=8)
    before = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    values = [measure(objective, seed=seed).values["train", "loss"] for seed in (3, 4, 3)]
    np.testing.assert_array_equal(values[0], values[2])
    assert np.array_equal(values[0], values[1]) is (noise == "common")
    assert all((each >= 10).all() and (each < 13).all() for each in values), "dropout is off"
    assert len(set(np.floor(1e6 * (values[0] % 1)))) > 15, "not the same noise for every sample"
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert random.getstate() == before[1]
    alone = measure(objective, ("train", 8, 16), seed=3).values["train", "loss"]
    np.testing.assert_array_equal(alone, values[0][8:16])


class Keeps(nn.Module):
    """Keeps something from pass to pass, as its ``how`` says."""

    def __init__(self, how):
        super().__init__()
        self.how, self.calls, self.seen = how, 0, []
        self.register_buffer("queue", torch.zeros(3))
        self.own = np.random.default_rng(0)

    def forward(self, x):
        if self.how == "queue":
            self.queue += 1
        if self.how == "calls":
            self.calls += 1
        if self.how == "seen":
            self.seen.append(1.0)
        drawn = self.own.random() if self.how == "own" else np.random.rand() if self.how == "NumPy" else 0.0  # noqa: NPY002
        drawn += random.random() if self.how == "Python" else float(torch.rand(())) if self.how == "torch" else 0.0
        return x[:, 0] + self.queue.sum() + self.calls + len(self.seen) + drawn


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("queue", r"changes the buffer inner\.queue \(Keeps\).*if self\.training"),
        ("calls", r"changes the attribute inner\.calls \(Keeps\)"),
        ("seen", r"changes the attribute inner\.seen \(Keeps\)"),
        ("own", r"changes the attribute inner\.own \(Keeps\)"),
        ("torch", r"draws random numbers from torch's generator: pass --noise common"),
        ("NumPy", r"draws random numbers from NumPy's: pass --noise common"),
        ("Python", r"draws random numbers from Python's: pass --noise common"),
    ],
)
def test_a_network_that_gives_something_else_each_time_is_told_why_and_what_to_do(how, text):
    model = nn.Sequential()
    model.add_module("inner", Keeps(how))
    data = (torch.arange(4.0)[:, None],)
    with pytest.raises(EvaluationError, match=text) as caught:
        measure_baseline(make(model, data, drawn))
    assert "--mode train" not in str(caught.value)
    if how in ("torch", "NumPy", "Python"):
        assert "attribute" not in str(caught.value)
        measure_baseline(make(model, data, drawn, noise="common"))
    else:
        with pytest.raises(EvaluationError, match=text):
            measure_baseline(make(model, data, drawn, noise="common"))


class Coin(nn.Module):
    """Doubles what it is given, where a coin that seldom falls so says so."""

    def __init__(self, chance):
        super().__init__()
        self.chance = chance

    def forward(self, x):
        return x[:, 0] * (2 if random.random() < self.chance else 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_coin_that_falls_alike_twice_is_seen_all_the_same(seed):
    random.seed(seed)  # by which the first two passes agree
    with pytest.raises(EvaluationError, match="draws random numbers from Python's"):
        measure_baseline(make(Coin(0.1), (torch.arange(1.0, 5.0)[:, None],), drawn))


def test_random_numbers_that_change_nothing_are_said_and_not_refused(caplog):
    data = (torch.arange(1.0, 5.0)[:, None],)
    assert measure_baseline(make(Coin(0.0), data, drawn)).means() == {"train/loss": 2.5}
    assert "asked 200 times they changed nothing" in caplog.text


def test_no_two_of_hundreds_of_batches_have_the_same_noise():
    drawn = []
    for number in range(300):
        seed_generators(number // 40, ("train", "test")[number % 2], number % 40)
        drawn.append(torch.initial_seed())
    assert len(set(drawn)) == 300
