"""Predictions of networks: their probabilities as they are, once for each network, and bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.errors import EvaluationError, ProblemError, UsageError
from landscape.problem.data.datasets import choose, fingerprint
from landscape.problem.data.sources import resolve_data


def networks(number: int, seed: int = 0) -> list[nn.Module]:
    torch.manual_seed(seed)
    return [nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)) for _ in range(number)]


@pytest.fixture(scope="module")
def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(50, 6, generator=generator), torch.randint(0, 3, (50,), generator=generator)


def test_probabilities_are_the_networks_own_in_the_samples_order(data):
    groups = {"A": networks(2), "B": networks(1, seed=3)}
    found = landscape.predictions(groups, data, samples=20, batch_size=7)
    assert found.names == ("A/0", "A/1", "B/0")
    with torch.no_grad():
        wanted = [
            model(data[0])[torch.from_numpy(found.numbers)].softmax(1) for each in groups.values() for model in each
        ]
    np.testing.assert_allclose(found.probabilities, torch.stack(wanted).numpy(), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(found.labels, data[1].numpy()[found.numbers])


def test_a_result_says_of_which_samples_it_is_and_how_they_were_normalised():
    normalize = ((0.3,), (0.2,))
    data = resolve_data(["test=digits:test"], normalize=normalize)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    for found in (
        landscape.predictions({"A": [network]}, data, samples=30, sample_seed=2),
        landscape.similarity([network], data, samples=30, sample_seed=2, components=False, passes=1),
    ):
        assert found.problem == {
            "data": "test",
            "reference": "digits:test",
            "size": 360,
            "fingerprint": fingerprint(data["test"], choose(data["test"], 30, 2)),
            "normalize": normalize,
            "mode": "eval",
        }


def test_networks_that_are_done_are_not_measured_again(data):
    models = networks(3)
    written = []
    whole = landscape.predictions({"A": models}, data, write=written.append)
    first = written[0]
    assert first.done.tolist() == [True, False, False]
    with torch.no_grad():
        models[0][2].bias += 100.0
    again = landscape.predictions({"A": models}, data, known=first)
    np.testing.assert_array_equal(again.probabilities, whole.probabilities)
    # Whatever order they are given in: by their names.
    turned = landscape.predictions({"A": {f"A/{k}": models[k] for k in (2, 1, 0)}}, data, known=first)
    np.testing.assert_array_equal(turned.probabilities, whole.probabilities[::-1])


def test_what_is_no_classification_is_refused(data):
    x, y = data
    with pytest.raises(ProblemError, match="which class they say"):
        landscape.predictions({"A": networks(1)}, (x, torch.randn(50)))
    with pytest.raises(ProblemError, match="does not take the samples"):
        landscape.predictions({"A": networks(1)}, (x[:, :4], y))
    with pytest.raises(UsageError, match="add up to 1"):
        landscape.predictions({"A": [nn.Sequential(networks(1)[0], nn.Softmax(1))]}, data)
    with pytest.raises(ProblemError, match="two classes or more"):
        landscape.predictions({"A": [nn.Linear(6, 1)]}, data)
    bad = networks(1)[0]
    nn.init.constant_(bad[2].bias, torch.nan)
    with pytest.raises(EvaluationError, match="not finite"):
        landscape.predictions({"A": [bad]}, data)


def test_the_likeliest_class_stays_the_likeliest_in_half_precision() -> None:
    answers = torch.tensor([[0.49999, 0.50001, 0.0], [0.6, 0.3, 0.1], [0.2, 0.4, 0.4], [0.25001, 0.25, 0.49999]])
    network = nn.Linear(3, 3, bias=False)
    nn.init.eye_(network.weight)
    data = answers, torch.tensor([0, 0, 0, 2])
    (found,) = landscape.predictions({"a": [network]}, data, half=True, outputs="probabilities").probabilities
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found.argmax(axis=1), answers.argmax(axis=1))
    np.testing.assert_allclose(found, answers, rtol=1e-3)
    assert found[2, 1] == found[2, 2], "what was equal is"
