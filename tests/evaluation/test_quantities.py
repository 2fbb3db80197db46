"""Another quantity than the losses is scheduled, shared, interrupted, resumed, refined and kept like them."""

from __future__ import annotations

import os
import signal
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.errors import SurfaceMismatch, UsageError
from landscape.evaluation import quantities
from landscape.surface.surface import COMPUTED, INTERPOLATED
from tests.helpers import gradient_norm, jobs, tiny_problem

ASKED = {"quantities": {"gradient": {}}}
GRID = {"x": "-1:1:5", "y": "-1:1:4"}


def norms_by_hand(model, data, surface):
    """The textbook: one backward pass over all samples at each point."""
    plane = landscape.random_plane(model, dimensions=len(surface.axes))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    found = np.empty(surface.shape)
    for index in np.ndindex(surface.shape):
        at = [axis.values[i] for axis, i in zip(surface.axes, reversed(index), strict=True)]
        with torch.no_grad():
            for (name, parameter), start in zip(model.named_parameters(), before, strict=True):
                parameter.copy_(start + sum(c * d.tensors[name] for c, d in zip(at, plane.directions, strict=True)))
        loss = nn.functional.cross_entropy(model(data[0]), data[1])
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        found[index] = np.sqrt(sum(float(each.square().sum()) for each in gradients))
    with torch.no_grad():
        for parameter, start in zip(model.parameters(), before, strict=True):
            parameter.copy_(start)
    return found


@pytest.fixture
def made(monkeypatch):
    """Every quantity that was made, to see what it was asked for."""
    found = []

    def factory(*args, **options):
        found.append(gradient_norm.GradientNorm(*args, **options))
        return found[-1]

    monkeypatch.setitem(quantities.REGISTERED, "gradient", factory)
    return found


def test_it_is_measured_at_every_point_beside_losses_that_stay_what_they_are(classifier, images, tmp_path):
    path = tmp_path / "s.h5"
    got = landscape.evaluate(classifier, {"train": images, "test": (images[0][:9], images[1][:9])}, **GRID, **ASKED)
    alone = landscape.evaluate(classifier, images, **GRID, path=path)
    np.testing.assert_allclose(got["train/gradient_norm"], norms_by_hand(classifier, images, got), rtol=1e-10)
    few = tuple(each[:9] for each in images)
    np.testing.assert_allclose(got["test/gradient_norm"], norms_by_hand(classifier, few, got), rtol=1e-10)
    np.testing.assert_array_equal(got["test/gradient_samples"], 9)
    for group in ("values", "stderr", "paired_stderr"):
        for name, values in getattr(alone, group).items():
            np.testing.assert_array_equal(getattr(got, group)[name], values)
    assert "quantities" not in alone.problem
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_a_file_of_losses_is_completed_with_it_and_keeps_it_when_it_is_not_asked_for(
    classifier, images, tmp_path, made
):
    settings = {**GRID, "path": tmp_path / "s.h5"}
    landscape.evaluate(classifier, images, **settings, samples=9)
    first = landscape.evaluate(classifier, images, **settings, samples=9, **ASKED)
    assert sorted(made[-1].measured) == list(range(20))
    landscape.evaluate(classifier, images, **settings, samples=9, **ASKED)
    assert made[-1].measured == [], "what is in the file is not measured again"
    more = landscape.evaluate(classifier, images, **settings)
    assert (more.counts["train"] == 23).all()
    np.testing.assert_array_equal(more["train/gradient_norm"], first["train/gradient_norm"])
    np.testing.assert_array_equal(more["train/gradient_samples"], 9)
    assert more.problem["quantities"] == {"gradient": {"factor": 1.0}}
    whole = landscape.evaluate(classifier, images, **settings, **ASKED)
    # No mean that more samples join: measured anew over all of them.
    np.testing.assert_allclose(whole["train/gradient_norm"], norms_by_hand(classifier, images, whole), rtol=1e-10)
    np.testing.assert_array_equal(landscape.read_surface(settings["path"])["train/gradient_samples"], 23)


def test_an_interrupted_run_goes_on_where_it_was(classifier, images, tmp_path, made):
    settings = {**GRID, "path": tmp_path / "s.h5", **ASKED}

    def interrupt(done, total):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        landscape.evaluate(classifier, images, progress=interrupt, **settings)
    before = landscape.read_surface(settings["path"])
    assert np.isfinite(before["train/gradient_norm"]).sum() == 7
    assert before.quality["unfinished"] == (before.state == COMPUTED).sum() - 7 > 0
    got = landscape.evaluate(classifier, images, **settings)
    assert len(made[-1].measured) == 13
    np.testing.assert_allclose(got["train/gradient_norm"], norms_by_hand(classifier, images, got), rtol=1e-10)
    assert "unfinished" not in got.quality


def test_a_file_made_with_other_settings_of_it_is_refused(classifier, images, tmp_path):
    settings = {"x": "-1:1:3", "path": tmp_path / "s.h5"}
    landscape.evaluate(classifier, images, **settings, quantities={"gradient": {"factor": 2.0}})
    with pytest.raises(SurfaceMismatch, match=r"its gradient has factor 2\.0, 1\.0 was asked for"):
        landscape.evaluate(classifier, images, **settings, **ASKED)
    with pytest.raises(UsageError, match=r"no quantity 'curl' .* gradient"):
        landscape.evaluate(classifier, images, **settings, quantities={"curl": {}})


def test_values_that_are_not_finite_are_not_measured_again(classifier, images, tmp_path, made):
    settings = {"x": "-1:1:3", "path": tmp_path / "s.h5", "quantities": {"gradient": {"factor": float("inf")}}}
    landscape.evaluate(classifier, images, **settings)
    landscape.evaluate(classifier, images, **settings)
    assert [len(each.measured) for each in made] == [3, 0]


def test_a_refined_grid_has_it_where_losses_are_measured_and_interpolates_the_rest(bowl, tmp_path):
    data = torch.randn(300, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def own(model, batch):
        return model(batch) / 10

    settings = {"x": "-1:1:33", "y": "-1:1:33", "loss": own, "tolerance": 0.02, "path": tmp_path / "s.h5"}
    alone = landscape.evaluate(bowl, data, **{**settings, "path": None})
    got = landscape.evaluate(bowl, data, **settings, standard_error=0.05, **ASKED)
    filled = got.state == INTERPOLATED
    assert (alone.state == INTERPOLATED).mean() > 0.5 < filled.mean()
    np.testing.assert_array_equal(got["train/gradient_samples"][~filled], 300)
    assert np.isnan(got["train/gradient_samples"][filled]).all()
    whole = landscape.evaluate(bowl, data, **{**settings, "tolerance": None}, **ASKED)
    np.testing.assert_array_equal(got["train/gradient_norm"][~filled], whole["train/gradient_norm"][~filled])
    # The norm of a quadratic's gradient is a cone's distance from its tip: smooth but at the tip itself.
    np.testing.assert_allclose(got["train/gradient_norm"], whole["train/gradient_norm"], atol=0.05)


@pytest.mark.parametrize("how", [{"samples": 60}, {"standard_error": 0.1}])
def test_beside_estimates_from_anchors_it_is_what_it_is_without_them(tmp_path, made, how):
    torch.manual_seed(0)
    model, data = tiny_problem.net().eval(), tiny_problem.data()
    how = {"x": "-1:1:5", "y": "-1:1:4", **how}
    alone = landscape.evaluate(model, data, anchors=3, **how)
    path = tmp_path / "s.h5"
    shown = []

    def interrupt(done, total):
        shown.append(done)
        if sum(len(each.measured) for each in made) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        landscape.evaluate(model, data, anchors=3, path=path, progress=interrupt, **how, **ASKED)
    got = landscape.evaluate(model, data, anchors=3, path=path, **how, **ASKED)
    assert sorted(number for each in made for number in each.measured) == list(range(20))
    plain = landscape.evaluate(model, data, anchors="none", **{**how, "standard_error": None}, **ASKED)
    for name, values in alone.values.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(got["train/gradient_norm"], plain["train/gradient_norm"], rtol=1e-12)
    np.testing.assert_array_equal(got["train/gradient_samples"], plain["train/gradient_samples"])


def test_where_estimates_are_measured_again_it_is_not_lost_because_nobody_asks_for_it(tmp_path, made):
    model, data = tiny_problem.net().eval(), tiny_problem.data()
    how = {"x": "-1:1:3", "anchors": 2, "path": tmp_path / "s.h5"}
    landscape.evaluate(model, data, samples=60, **how, **ASKED)
    before = how["path"].read_bytes()
    with pytest.raises(SurfaceMismatch, match="would lose its gradient: ask for that, too"):
        landscape.evaluate(model, data, samples=80, **how)
    assert how["path"].read_bytes() == before


SCRIPT = """
import sys, torch, landscape
from tests.helpers import gradient_norm, tiny_problem
torch.manual_seed(0)
model = tiny_problem.net().eval()
landscape.evaluate(model, tiny_problem.data(), x="-1:1:9", y="-1:1:9", batch_size=40, path=sys.argv[1],
                   write_every=0.05, quantities={"gradient": {}})
"""


@pytest.mark.slow
def test_ranks_share_it_and_a_killed_run_is_completed(tmp_path):
    path = tmp_path / "s.h5"
    with jobs.ended(jobs.start(["-c", SCRIPT, path], mpi="mpich", ranks=2, forked=True, SECONDS="0.05")) as job:
        jobs.wait_for_points(path, 81, job)  # losses first, everywhere
        while (found := np.isfinite(landscape.read_surface(path)["train/gradient_norm"]).sum()) <= 5:
            assert job.poll() is None
            time.sleep(0.05)
        os.kill(jobs.ranks_of(job)[1], signal.SIGKILL)
        assert jobs.finish(job)[0] != 0
    cut = landscape.read_surface(path)
    there = np.isfinite(cut["train/gradient_norm"])
    assert found <= there.sum() < 81
    code, _, err = jobs.run(["-c", SCRIPT, path], mpi="openmpi", ranks=2)
    assert code == 0, err
    got = landscape.read_surface(path)
    np.testing.assert_array_equal(got["train/gradient_norm"][there], cut["train/gradient_norm"][there])
    torch.manual_seed(0)
    exact = norms_by_hand(tiny_problem.net().eval(), tiny_problem.data(), got)
    np.testing.assert_allclose(got["train/gradient_norm"], exact, rtol=1e-10)


def test_a_point_has_all_samples_of_a_data_set_where_its_last_step_ends():
    steps = [[("train", 0, 256), ("test", 0, 100)], [("train", 256, 512)], [("train", 512, 700)]]
    assert quantities.samples_of(SimpleNamespace(steps=steps)) == {"train": 700, "test": 100}
