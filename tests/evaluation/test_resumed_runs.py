"""A run that goes on with a file gives what one run would have; what is another surface is refused and kept."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.errors import SurfaceMismatch
from landscape.surface.heights import suitable_eps


def test_a_resumed_run_gives_the_file_of_an_uninterrupted_one(classifier, images, tmp_path):
    whole = landscape.evaluate(classifier, images, x="-1:1:5", y="-1:1:4", path=tmp_path / "whole.h5")
    shown: list[int] = []

    def interrupt(done, total):
        shown.append(done)
        if done == 7:
            raise KeyboardInterrupt

    path = tmp_path / "cut.h5"
    settings = {"x": "-1:1:5", "y": "-1:1:4", "path": path}
    with pytest.raises(KeyboardInterrupt):
        landscape.evaluate(classifier, images, progress=interrupt, **settings)
    assert int((landscape.read_surface(path).state == 1).sum()) == 7
    resumed = landscape.evaluate(classifier, images, progress=lambda done, total: shown.append(done), **settings)
    assert shown[8] == 7, "the second run starts where the first one ended"
    for surface in (resumed, landscape.read_surface(path)):
        for name in whole.values:
            np.testing.assert_array_equal(surface[name], whole[name])
        np.testing.assert_array_equal(surface.stderr["train/loss"], whole.stderr["train/loss"])


@pytest.mark.parametrize("settings", [{"tolerance": 0.02}, {"repeats": 2, "tolerance": 0.02}, {}], ids=str)
def test_a_point_that_is_not_computed_is_measured_whatever_else_a_file_says_of_it(
    classifier, images, tmp_path, settings
):
    settings = {"x": "-1:1:5", "path": tmp_path / "s.h5", **settings}
    whole = landscape.evaluate(classifier, images, **settings)
    state = whole.state.copy()
    state.flat[-1] = 0  # its values and its counts stay: with those alone it was never done, and asked for without end
    landscape.write_surface(settings["path"], dataclasses.replace(whole, state=state), overwrite=True)
    again = landscape.evaluate(classifier, images, **settings)
    assert again.state.all()
    np.testing.assert_array_equal(again["train/loss"], whole["train/loss"])


def test_more_samples_extend_a_file_exactly(classifier, images, tmp_path):
    data = {"test": tuple(each[:5] for each in images), "train": images, "other": images}
    few = landscape.evaluate(classifier, data, x="-1:1:5", samples=9, path=tmp_path / "s.h5")
    assert (few.counts["train"] == 9).all()
    assert (few.counts["test"] == 5).all()  # all there are: of this one nothing is left to add
    more = landscape.evaluate(classifier, data, x="-1:1:5", path=tmp_path / "s.h5")
    at_once = landscape.evaluate(classifier, data, x="-1:1:5")
    assert (more.counts["train"] == 23).all()
    assert more.origin["values"] == pytest.approx(at_once.origin["values"])
    for name in at_once.values:
        np.testing.assert_allclose(more[name], at_once[name], rtol=1e-12)
        np.testing.assert_allclose(more.stderr[name], at_once.stderr[name], rtol=1e-10)
        np.testing.assert_allclose(more.paired_stderr[name], at_once.paired_stderr[name], rtol=1e-9, atol=1e-15)
    assert landscape.read_surface(tmp_path / "s.h5").problem["data"] == at_once.problem["data"]


def test_more_samples_extend_a_file_of_a_criterion_with_class_weights_exactly(classifier, images, tmp_path):
    # The mean weight of nine samples is another than that of all: what the file holds is measured by the latter.
    weighed = {"x": "-1:1:5", "loss": nn.CrossEntropyLoss(weight=torch.tensor([0.1, 1.0, 5.0]))}
    few = landscape.evaluate(classifier, images, samples=9, path=tmp_path / "s.h5", **weighed)
    more = landscape.evaluate(classifier, images, path=tmp_path / "s.h5", **weighed)
    at_once = landscape.evaluate(classifier, images, **weighed)
    name = "train/loss"
    assert np.abs(few[name] / at_once[name] - 1).min() > 1e-3
    np.testing.assert_allclose(more[name], at_once[name], rtol=1e-12)
    np.testing.assert_allclose(more.stderr[name], at_once.stderr[name], rtol=1e-10)
    np.testing.assert_allclose(more.paired_stderr[name], at_once.paired_stderr[name], rtol=1e-9, atol=1e-15)
    assert more.origin["values"] == pytest.approx(at_once.origin["values"], rel=1e-12)


def test_a_standard_error_goes_on_with_the_eps_that_its_file_has(tmp_path):
    torch.manual_seed(0)
    model = nn.Linear(1, 1, bias=False).double()
    start = model.weight.detach().clone()

    def own(model, batch):  # of "train" 0 at theta* and above it elsewhere, of "test" below
        return batch[0][:, 0] * (model.weight - start).square().sum()

    settings = {"x": "-1:1:5", "loss": own, "anchors": "none", "path": tmp_path / "s.h5"}
    sets = {"train": (1 + torch.rand(300, 1).double(),), "test": (torch.rand(280, 1).double() - 3,)}
    first = landscape.evaluate(model, sets, standard_error=0.5, **settings)
    assert [int(counts[0]) for counts in first.counts.values()] == [256, 256], "where eps is taken they stop"
    kinds = {"train": "log", "test": "asinh"}
    eps = {name: suitable_eps(first[f"{name}/loss"], kind) for name, kind in kinds.items()}
    assert first.quality["standard_error"] == {
        "target": 0.5,
        "eps": pytest.approx(eps, rel=1e-12),
        "first_look": {"train": 256, "test": 256},
    }
    noted = {**first.quality["standard_error"], "eps": {"train": 0.0123, "test": 0.0456}}
    other = dataclasses.replace(first, quality={**first.quality, "standard_error": noted})
    landscape.write_surface(settings["path"], other, overwrite=True)
    again = landscape.evaluate(model, sets, standard_error=0.4, **settings)
    assert again.quality["standard_error"] == {**noted, "target": 0.4}


def changed_network(model):
    other = copy.deepcopy(model)
    with torch.no_grad():
        other[5].bias.add_(1.0)
    return other


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda m, d: (m, d, {"x": "-1:1:7"}), r"its x is -1:1:5, -1:1:7 was asked for"),
        (lambda m, d: (m, d, {"y": "-1:1:3"}), "1 axes, 2 were asked"),
        (lambda m, d: (m, d, {"plane": landscape.random_plane(m, seed=1)}), "direction x has seed 0, 1 was asked"),
        (lambda m, d: (changed_network(m), d, {}), "SHA-256"),
        (lambda m, d: (m, (d[0] + 1, d[1]), {}), "samples of its data set 'train'"),
        (lambda m, d: (m, (d[0][:20], d[1][:20]), {}), "has 23 samples, this one 20"),
        (lambda m, d: (m, {"train": d, "test": d}, {}), "data sets are train, test, train"),
        (lambda m, d: (m, d, {"loss": "mse_of_mine"}), "loss"),
        (lambda m, d: (m, d, {"sample_seed": 3}), "its sample seed is 0, 3 was asked for"),
        (lambda m, d: (m, d, {"weight_decay": 0.1}), "weight decay is 0.0, 0.1"),
        (lambda m, d: (m, d, {"batch_norm": "recompute"}), "batch norm is frozen, recompute"),
        (lambda m, d: (m, d, {"mode": "train"}), "mode is eval, train"),
    ],
)
def test_a_file_of_another_surface_is_refused_and_kept(classifier, images, tmp_path, change, text):
    path = tmp_path / "s.h5"
    landscape.evaluate(classifier, images, x="-1:1:5", path=path)
    bytes_before = path.read_bytes()
    model, data, settings = change(classifier, images)
    if settings.get("loss") == "mse_of_mine":

        def mine(model, batch):
            return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")

        settings = {"loss": mine}
    settings = {"x": "-1:1:5", "path": path, **settings}
    with pytest.raises(SurfaceMismatch, match=text):
        landscape.evaluate(model, data, **settings)
    assert path.read_bytes() == bytes_before
    landscape.evaluate(model, data, overwrite=True, **settings)


@pytest.mark.parametrize("how", [{"batch_norm": "recompute"}, {"mode": "train"}], ids=["statistics", "noise"])
def test_another_batch_size_is_refused_where_it_changes_values(classifier, images, tmp_path, how):
    path = tmp_path / "net.h5"
    landscape.evaluate(classifier, images, x="-1:1:3", path=path, batch_size=20, **how)
    before = path.read_bytes()
    with pytest.raises(SurfaceMismatch, match="its batch size is 20, 30 was asked for"):
        landscape.evaluate(classifier, images, x="-1:1:3", path=path, batch_size=30, **how)
    assert path.read_bytes() == before
    landscape.evaluate(classifier, images, x="-1:1:3", path=path, **how)  # the file's own, unless another is named


def test_another_batch_size_goes_on_where_it_only_rounds_otherwise(classifier, images, tmp_path):
    path = tmp_path / "net.h5"
    landscape.evaluate(classifier, images, x="-1:1:3", path=path, batch_size=20)
    assert landscape.evaluate(classifier, images, x="-1:1:3", path=path, batch_size=30).complete


def test_code_that_changed_under_the_same_checkpoint_is_refused(classifier, images, tmp_path):
    path = tmp_path / "s.h5"
    landscape.evaluate(classifier, images, x="-1:1:3", path=path)
    classifier[2] = nn.SiLU()  # no parameters: the checkpoint's digest is the same
    with pytest.raises(SurfaceMismatch, match="train/loss at theta"):
        landscape.evaluate(classifier, images, x="-1:1:3", path=path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_loss_that_changed_by_a_thousandth_is_refused_in_any_precision(classifier, images, tmp_path, dtype):
    model, data = classifier.to(dtype), (images[0].to(dtype), images[1])

    def scaled(factor):
        def own(model, batch):
            return factor * nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")

        return own

    settings = {"x": "-1:1:3", "path": tmp_path / "s.h5"}
    landscape.evaluate(model, data, loss=scaled(1.0), **settings)
    changed = [1.001] if dtype == torch.float32 else [1.001, 1 + 1e-7]
    for factor in changed:
        with pytest.raises(SurfaceMismatch, match="other code or other data"):
            landscape.evaluate(model, data, loss=scaled(factor), **settings)


def test_fewer_samples_than_the_file_has_leave_it_as_it_is(classifier, images, tmp_path, caplog):
    path = tmp_path / "s.h5"
    data = {"few": tuple(each[:5] for each in images), "train": images, "some": tuple(each[:11] for each in images)}
    whole = landscape.evaluate(classifier, data, x="-1:1:5", samples=15, path=path)
    again = landscape.evaluate(classifier, data, x="-1:1:5", samples=9, path=path)
    np.testing.assert_array_equal(again["train/loss"], whole["train/loss"])
    assert "has 15 samples a point already, and goes on with them" in caplog.text
    assert (landscape.read_surface(path).counts["train"] == 15).all()


def test_another_checkpoint_is_one_difference_not_many(classifier, images, tmp_path):
    path = tmp_path / "s.h5"
    landscape.evaluate(classifier, images, x="-1:1:5", y="-1:1:3", path=path)
    with pytest.raises(SurfaceMismatch) as caught:
        landscape.evaluate(changed_network(classifier), images, x="-1:1:5", y="-1:1:3", path=path)
    assert "direction" not in str(caught.value)
    assert "samples" not in str(caught.value)
