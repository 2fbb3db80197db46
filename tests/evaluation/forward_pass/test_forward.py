"""The forward pass of a run: the engine gives what the network gives, and low precision is chosen by its error."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.errors import SurfaceMismatch, UsageError
from landscape.surface.heights import suitable_eps


@pytest.fixture
def network():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(72, 3),
    )
    with torch.no_grad():
        model[1].running_mean.normal_()
        model[1].running_var.uniform_(0.5, 2.0)
    return model.eval()


@pytest.fixture
def data(images):
    return images[0].float(), images[1]


def test_the_engine_runs_and_gives_what_the_network_gives(network, data, monkeypatch):
    fast = landscape.evaluate(network, data, x="-1:1:3", y="-1:1:3")
    assert fast.quality["engine"] in ("fused", "folded")
    # A loss of one's own gets the network itself, which may be taken apart.
    own = landscape.evaluate(
        network,
        data,
        x="-1:1:3",
        y="-1:1:3",
        loss=lambda model, batch: nn.functional.cross_entropy(
            model[6](model[:6](batch[0])), batch[1], reduction="none"
        ),
    )
    assert own.quality["engine"] == "plain"
    np.testing.assert_allclose(fast["train/loss"], own["train/loss"], rtol=1e-5)


@pytest.mark.parametrize("room", [1 << 30, 2000], ids=["resident", "streamed"])
def test_low_precision_is_near_and_says_so(network, data, monkeypatch, room):
    monkeypatch.setattr("landscape.evaluation.forward_pass.objective.resident_budget", lambda device, users: room)
    grid = {"x": "-1:1:3", "y": "-0.5:0.5:3"}
    exact = landscape.evaluate(network, data, **grid)["train/loss"]
    low = landscape.evaluate(network, data, **grid, precision="bfloat16", batch_size=8)
    assert low.quality["precision"] == "bfloat16"
    assert not np.array_equal(low["train/loss"], exact)
    # bfloat16 keeps 8 bits; a few layers average most of that away.
    np.testing.assert_allclose(low["train/loss"], exact, rtol=0.02)
    # The star and all corners are the probes, and all samples are measured there.
    probes = (1, 0, 2, 0, 2), (1, 0, 0, 2, 2)
    eps = suitable_eps(exact[probes], "log")
    errors = np.abs(low["train/loss"] - exact)[probes] / (exact[probes] + eps)
    np.testing.assert_allclose(low.quality["precision_errors_at_probes"]["bfloat16"], errors, rtol=1e-3, atol=1e-7)
    assert low.quality["precision_error"] == pytest.approx(errors.max(), rel=1e-3)
    assert "asked for, error at most" in low.quality["precision_chosen"]


def test_low_precision_reaches_a_loss_of_ones_own(network, data):
    seen = []

    def loss(model, batch):
        output = model(batch[0])
        seen.append(output.dtype)
        return nn.functional.cross_entropy(output.float(), batch[1], reduction="none")

    low = landscape.evaluate(network, data, x="-1:1:3", precision="bfloat16", loss=loss)
    # The star is measured at the star, not at the last probe.
    assert low.origin["values"]["train/loss"] == pytest.approx(low["train/loss"][1], rel=1e-6)
    # float32 is what its error at the origin and the ends is measured against, before.
    assert set(seen[-3:]) == {torch.bfloat16}


def test_auto_takes_float32_where_nothing_else_is_exact_enough(network, data):
    got = landscape.evaluate(network, data, x="-1:1:3", precision="auto", precision_tolerance=1e-9)
    assert got.quality["precision"] == "float32"
    assert "off by" in got.quality["precision_chosen"] or "does not work" in got.quality["precision_chosen"]
    exact = landscape.evaluate(network, data, x="-1:1:3")
    np.testing.assert_array_equal(got["train/loss"], exact["train/loss"])


def test_a_resume_keeps_the_precision_of_its_file(network, data, tmp_path):
    path = tmp_path / "s.h5"
    landscape.evaluate(network, data, x="-1:1:3", samples=10, precision="bfloat16", path=path)
    kept = landscape.evaluate(network, data, x="-1:1:3", precision="auto", path=path)
    assert kept.quality["precision"] == "bfloat16"
    with pytest.raises(SurfaceMismatch, match="precision is bfloat16, float32 was asked for"):
        landscape.evaluate(network, data, x="-1:1:3", path=path)


def test_an_unknown_precision_is_refused(network, data):
    with pytest.raises(UsageError, match="float32, bfloat16, float16, auto"):
        landscape.evaluate(network, data, x="-1:1:3", precision="int8")
    with pytest.raises(UsageError, match="precision_tolerance"):
        landscape.evaluate(network, data, x="-1:1:3", precision="auto", precision_tolerance=0)


def test_the_network_itself_is_left_alone(network, data):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    landscape.evaluate(network, data, x="-1:1:3", y="-1:1:3", precision="auto")
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_no_error_is_stated_of_a_precision_whose_losses_are_nowhere_finite(network, data, tmp_path):
    def endless(model, batch):
        return model(batch[0]).sum(dim=1).float() + torch.inf

    path = tmp_path / "s.h5"
    low = landscape.evaluate(network, data, x="-1:1:3", precision="bfloat16", loss=endless, path=path)
    assert "error not known: at none of 3 probes" in low.quality["precision_chosen"]
    assert "precision_error" not in low.quality
    assert landscape.read_surface(path).quality["precision_chosen"] == low.quality["precision_chosen"]
    assert (
        landscape.evaluate(network, data, x="-1:1:3", precision="auto", loss=endless).quality["precision"] == "float32"
    )
