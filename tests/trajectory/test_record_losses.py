"""Losses at each record of a run and below it: against the network itself, and against what `evaluate` finds."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import EvaluationError
from landscape.evaluation.evaluate import evaluate
from landscape.trajectory.principal_plane import principal_plane, project
from landscape.trajectory.record_losses import measure_below, measure_run, put_record
from tests.helpers.trained_run import at_end, data, network, train

X, Y = data()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(tmp_path_factory.mktemp("run"))


def loss_of(model, samples=slice(None)):
    with torch.no_grad():
        return float(nn.functional.cross_entropy(model(X[samples]), Y[samples]))


@pytest.mark.parametrize("budget", [1 << 30, 1], ids=["resident", "in chunks"])
def test_true_losses_are_those_of_the_network_as_it_was(run, monkeypatch, budget):
    monkeypatch.setattr("landscape.evaluation.forward_pass.objective.resident_budget", lambda device, users: budget)
    model = at_end(run)
    found = measure_run(model, {"train": (X, Y), "half": (X[:15], Y[:15])}, run, batch_size=7)
    assert set(found) == {"train/loss", "train/accuracy", "half/loss", "half/accuracy"}
    for number in (0, 4, 11):
        other = network().eval()
        other.load_state_dict(dict(run.records[number].tensors))
        assert found["train/loss"][number] == pytest.approx(loss_of(other), rel=1e-5)
        right = (other(X[:15]).argmax(1) == Y[:15]).double().mean()
        assert found["half/accuracy"][number] == pytest.approx(float(right))
    # With the statistics of the data: what the training logged, but for the factor n / (n - 1) in the variance.
    again = measure_run(model, (X, Y), run, batch_norm="recompute")["train/loss"]
    np.testing.assert_allclose(again, [record.loss for record in run.records], rtol=0.05)


def squares_of_output(output, batch):
    return output.square().sum(1)


def squares(model, batch):
    return squares_of_output(model(batch[0]), batch) + model.training


def noisy(model, batch):
    return squares_of_output(model(batch[0]), batch) + torch.randn(len(batch[0]))


@pytest.mark.parametrize(
    "settings",
    [
        {"samples": 11, "sample_seed": 5},
        {"batch_norm": "recompute", "batch_norm_data": "other"},
        {"loss": squares, "mode": "train"},
        {"loss": noisy, "noise": "common"},
        {"metrics": (squares_of_output,)},
    ],
    ids=lambda settings: next(reversed(settings)),
)
def test_at_the_last_record_each_setting_does_what_it_does_in_a_surface(run, settings):
    model = at_end(run)
    sets = {"train": (X, Y), "other": (X + 3.0, Y)}
    expected = evaluate(model, sets, x=[0.0], batch_size=8, **settings).values
    plain = measure_run(model, sets, run, batch_size=8, loss=settings.get("loss", "cross_entropy"))
    plane = principal_plane(model, run)
    path = project(model, run, plane)
    for found in (
        measure_run(model, sets, run, batch_size=8, **settings),
        measure_below(model, sets, path, plane, batch_size=8, **settings),
    ):
        assert set(found) == set(expected)
        for name, values in found.items():
            assert values[-1] == pytest.approx(float(expected[name][0]), rel=1e-4), name
        # The setting matters here: had it been dropped, the values would differ.
        assert set(found) != set(plain) or abs(found["train/loss"][-1] - plain["train/loss"][-1]) > 1e-3


def test_fresh_noise_is_another_at_each_record_and_common_noise_the_same(run):
    twice = dataclasses.replace(run, records=run.records[:1] * 2)
    for noise in ("fresh", "common"):
        one, two = measure_run(network(), (X, Y), twice, loss=noisy, noise=noise)["train/loss"]
        assert (one == two) == (noise == "common")


@pytest.mark.parametrize("fails", [False, True])
def test_measuring_leaves_the_network_where_it_was(run, fails):
    model = network()
    put_record(model, run.records[3])  # neither the first nor the last that is measured
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    plane = principal_plane(model, run)
    calls = []

    def loss(network, batch):
        calls.append(1)
        if fails and len(calls) > 5:
            raise RuntimeError("no")
        return nn.functional.cross_entropy(network(batch[0]), batch[1], reduction="none")

    for measure in (
        lambda: measure_run(model, (X, Y), run, loss=loss),
        lambda: measure_below(model, (X, Y), project(model, run, plane), plane, loss=loss),
    ):
        calls.clear()
        if fails:
            with pytest.raises(EvaluationError, match=r"measuring failed at .*no"):
                measure()
        else:
            measure()
        assert model.training
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, before[name]), name


def test_losses_below_a_path_are_those_of_the_plane(run):
    model = at_end(run)
    plane = principal_plane(model, run)
    path = project(model, run, plane)
    found = measure_below(model, (X, Y), path, plane)["train/loss"]
    other = at_end(run)
    with torch.no_grad():
        for name, parameter in other.named_parameters():
            parameter += sum(c * d.tensors[name] for c, d in zip(path.coordinates[3], plane.directions, strict=True))
    assert found[3] == pytest.approx(loss_of(other), rel=1e-5)
    assert abs(found - measure_run(model, (X, Y), run)["train/loss"]).max() > 1e-3
