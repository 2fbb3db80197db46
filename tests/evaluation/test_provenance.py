"""A run's file says what the network keeps beside its parameters, and the caption speaks of nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import landscape
from landscape.errors import SurfaceMismatch, UsageError
from landscape.evaluation import provenance, startup
from landscape.evaluation.provenance import fingerprints, statistics
from landscape.problem.data.datasets import as_data
from landscape.problem.params import digest, normalised_by_batch


class Masked(nn.Module):
    """A floating mask, and no batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("mask", torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x * self.mask)


def normed(**options: bool) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, **options))


@pytest.mark.parametrize(
    ("model", "layers", "others"),
    [
        (nn.Linear(4, 3), 0, []),
        (Masked(), 0, ["mask"]),
        (normed(), 1, []),
        (normed(track_running_stats=False), 0, []),
        (nn.Sequential(Masked(), nn.BatchNorm1d(3)), 1, ["0.mask"]),
    ],
)
def test_layers_that_keep_statistics_and_other_buffers_are_told_apart(model, layers, others):
    found = statistics(model, "train")
    assert found.pop("by_batch", 0) == len(normalised_by_batch(model))
    assert found == {"batch_norm": layers, "other": others, "recomputed_on": "train" if layers else None}


@pytest.mark.parametrize(("model", "said"), [(nn.Linear(4, 3), False), (Masked(), False), (normed(), True)])
def test_a_caption_names_batch_norm_only_where_there_is_some(model, said):
    data = (torch.randn(20, 4), torch.randint(0, 3, (20,)))
    surface = landscape.evaluate(model.eval(), data, x="-1:1:3")
    assert ("batch-norm statistics frozen" in landscape.plot.caption(surface)) == said


def test_of_norms_without_statistics_a_warning_and_a_caption_say_that_the_batch_size_counts(caplog, tmp_path):
    data = (torch.randn(20, 4), torch.randint(0, 3, (20,)))
    model = nn.Sequential(normed(track_running_stats=False), nn.InstanceNorm1d(3, track_running_stats=False)).eval()
    assert normalised_by_batch(model) == ["0.1"], "another kind of norm is of each sample alone"
    model = normed(track_running_stats=False).eval()
    with caplog.at_level("WARNING"):
        surface = landscape.evaluate(model, data, x="-1:1:3", batch_size=10, path=tmp_path / "net.h5")
    assert "no running statistics are kept in 1 (track_running_stats=False)" in caplog.text
    assert "so that the loss depends on the batch size, 10 here" in caplog.text
    assert "batch norm by each batch alone" in landscape.plot.caption(surface)
    with pytest.raises(SurfaceMismatch, match="its batch size is 10, 20 was asked for"):
        landscape.evaluate(model, data, x="-1:1:3", batch_size=20, path=tmp_path / "net.h5")


class Centred(nn.Linear):
    """Takes the mean of its batch off, and so knows no sample alone."""

    def forward(self, batch: Tensor) -> Tensor:
        return super().forward(batch - batch.mean(0))


def test_a_loss_that_goes_by_its_whole_batch_is_found_by_asking_each_data_set():
    class Starts(nn.Linear):
        def forward(self, batch: Tensor) -> Tensor:
            return super().forward(batch - batch[:1])

    sets = {name: (torch.ones(20, 4), torch.randint(0, 3, (20,))) for name in ("train", "test")}
    assert "loss_by_batch" not in landscape.evaluate(Starts(4, 3), sets, x="-1:1:3").problem
    sets["test"] = torch.randn(20, 4), torch.randint(0, 3, (20,))
    assert landscape.evaluate(Starts(4, 3), sets, x="-1:1:3").problem["loss_by_batch"]


def test_a_loss_that_goes_by_its_whole_batch_is_found_by_asking(caplog, tmp_path):
    data, path = (torch.randn(20, 4), torch.randint(0, 3, (20,))), tmp_path / "net.h5"
    with caplog.at_level("WARNING"):
        surface = landscape.evaluate(Centred(4, 3), data, x="-1:1:3", batch_size=10, path=path)
        assert "depends on its place in a batch, or on which others share it, in eval mode, and so" in caplog.text
        assert "on the batch size, 10 here" in caplog.text
        caplog.clear()
        alone = landscape.evaluate(nn.Linear(4, 3), data, x="-1:1:3")
        assert not caplog.text
    assert "each sample's loss by its whole batch" in landscape.plot.caption(surface)
    assert "whole batch" not in landscape.plot.caption(alone)
    with pytest.raises(SurfaceMismatch, match="its batch size is 10, 20 was asked for"):
        landscape.evaluate(Centred(4, 3), data, x="-1:1:3", batch_size=20, path=path)


def test_batches_of_a_loss_that_goes_by_them_are_never_cut(tmp_path):
    data, model = (torch.randn(400, 4), torch.randint(0, 3, (400,))), Centred(4, 3)
    how = {"x": "-1:1:3", "batch_size": 30}
    plain = landscape.evaluate(model, data, **how)
    looked = landscape.evaluate(model, data, standard_error=1e-6, **how)
    assert set(looked.counts["train"]) == {400}
    np.testing.assert_allclose(looked["train/loss"], plain["train/loss"], rtol=1e-6)
    with pytest.raises(UsageError, match=r"--anchors 2 .*a sample's place in a batch or which others share it"):
        landscape.evaluate(model, data, samples=60, anchors=2, **how)
    path = tmp_path / "net.h5"
    landscape.evaluate(model, data, samples=60, path=path, **how)
    more = landscape.evaluate(model, data, samples=90, path=path, **how)
    np.testing.assert_allclose(more["train/loss"], landscape.evaluate(model, data, samples=90, **how)["train/loss"])
    landscape.evaluate(model, data, samples=100, path=path, **how)
    with pytest.raises(SurfaceMismatch, match="its last batch of train had 10 of 30 samples"):
        landscape.evaluate(model, data, samples=120, path=path, **how)
    assert landscape.evaluate(model, data, samples=100, path=path, **how).complete


def test_noise_is_not_taken_for_what_other_samples_do_and_goes_by_whole_batches(caplog, tmp_path):
    class Noisy(nn.Linear):
        def forward(self, batch: Tensor) -> Tensor:
            return super().forward(nn.functional.dropout(batch, training=True))

    data = (torch.randn(20, 4), torch.randint(0, 3, (20,)))
    for noise in ("common", "fresh"):
        surface = landscape.evaluate(Noisy(4, 3), data, x="-1:1:2", noise=noise)
        assert "loss_by_batch" not in surface.problem
    assert "others share it" not in caplog.text
    # Of two layers the second one's noise is drawn behind all that the first one's batch took.
    model, how = nn.Sequential(Noisy(4, 6), Noisy(6, 3)), {"x": "-1:1:2", "noise": "common", "batch_size": 10}
    landscape.evaluate(model, data, samples=15, path=tmp_path / "net.h5", **how)
    with pytest.raises(SurfaceMismatch, match="its last batch of train had 5 of 10 samples"):
        landscape.evaluate(model, data, samples=20, path=tmp_path / "net.h5", **how)


@pytest.mark.parametrize("model", [Centred(4, 3), normed(track_running_stats=False), nn.Linear(4, 3)])
def test_a_batch_size_that_values_depend_on_is_not_chosen_by_the_clock(model, monkeypatch):
    data, timed = (torch.randn(20, 4), torch.randint(0, 3, (20,))), []
    monkeypatch.setattr(startup, "WORTH_TIMING", 0.0)
    monkeypatch.setattr(startup, "time_batch_sizes", lambda objective: timed.append(1) or objective.batch_size)
    landscape.evaluate(model.eval(), data, x="-1:1:3")
    assert bool(timed) == (type(model) is nn.Linear)
    timed.clear()
    landscape.evaluate(model.train(), data, x="-1:1:3", mode="train")
    assert not timed


def test_a_caption_says_of_which_data_set_statistics_were_recomputed():
    sets = {name: (torch.randn(20, 4), torch.randint(0, 3, (20,))) for name in ("test", "train")}
    surface = landscape.evaluate(normed().eval(), sets, x="-1:1:3", batch_norm="recompute")
    assert "batch-norm statistics recomputed at each point on train" in landscape.plot.caption(surface)


def test_a_file_says_all_that_was_asked_for_and_of_which_network():
    model = normed().eval()
    x, y = torch.randn(20, 4), torch.randint(0, 3, (20,))
    plane = landscape.random_plane(model, dimensions=1, move="states", include="^1", exclude="mean", ignore="none")
    how = {"samples": 8, "sample_seed": 3, "batch_size": 4, "noise": "common", "weight_decay": 0.5}
    how |= {"batch_norm": "recompute", "batch_norm_data": "test", "checkpoint": "net.pt", "command": "landscape ..."}
    surface = landscape.evaluate(model, {"train": (x, y), "test": (x[:9], y[:9])}, plane, x="-1:1:3", **how)
    names = ["loss", "accuracy", "weight_decay"]
    assert surface.problem == {
        "model": {"reference": None, "args": {}, "class": "Sequential"},
        "data": {name: {"reference": "", "size": n, "samples": 8} for name, n in (("train", 20), ("test", 9))},
        "loss": "cross_entropy",
        "metrics": {"train": names, "test": names},
        "move": "states",
        "include": "^1",
        "exclude": "mean",
        "samples": 8,
        "sample_seed": 3,
        "noise": "common",
        "batch_norm": "recompute",
        "batch_norm_data": "test",
        "mode": "eval",
        "weight_decay": 0.5,
        "statistics": {"batch_norm": 1, "other": [], "recomputed_on": "test"},
        "normalize": None,
    }
    assert (surface.origin["checkpoint"], surface.command) == ("net.pt", "landscape ...")
    assert surface.origin["sha256"] == digest(model.state_dict()), "of weights and buffers"
    assert (surface.quality["batch_size"], surface.quality["precision"]) == (4, "float32")


SINGLE, DOUBLE = torch.float32, torch.float64


@pytest.mark.parametrize(
    ("types", "said"), [((SINGLE, DOUBLE), "mixed"), ((DOUBLE, SINGLE), "mixed"), ((DOUBLE,), "float64")]
)
def test_the_precision_of_a_network_is_named_where_it_has_one(types, said):
    class Casting(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.to(self.weight.dtype))

    model = nn.Sequential(*(Casting(4, 4, dtype=dtype) for dtype in types)).eval()
    data = (torch.randn(20, 4), torch.randint(0, 3, (20,)))
    assert landscape.evaluate(model, data, x="0:1:2").quality["precision"] == said


def test_a_fingerprint_is_of_the_first_samples_that_are_used():
    order = np.array([7, 2, 11, 0, 5])

    def prints(changed=None):
        x = torch.arange(36.0).reshape(12, 3)
        if changed is not None:
            x[changed] += 1
        data = as_data((x, torch.zeros(12, dtype=torch.long)), "train")
        return fingerprints(SimpleNamespace(data={"train": data}, orders={"train": order}), {"train": 3, "gone": 2})

    plain = prints()
    assert set(plain) == {"train"}
    assert [number for number in range(12) if prints(number) != plain] == sorted(order[:3])


def test_no_more_samples_are_fingerprinted_than_it_takes(monkeypatch):
    monkeypatch.setattr(provenance, "FINGERPRINT_SAMPLES", 5)
    data = (torch.randn(20, 4), torch.randint(0, 3, (20,)))
    for samples, counted in ((8, 5), (3, 3)):
        surface = landscape.evaluate(nn.Linear(4, 3), data, x="0:1:2", samples=samples)
        assert surface.origin["fingerprint_samples"] == {"train": counted}
