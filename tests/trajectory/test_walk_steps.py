"""Walks along the gradient at a run's records: against a loop of a few lines, and against a quadratic's closed form."""

from __future__ import annotations

import dataclasses
import json
import shutil
import weakref

import numpy as np
import pytest
import torch
from landscape.plot.style.fields import recall
from torch import nn

import landscape
from landscape.cli import main
from landscape.errors import EvaluationError, UsageError
from landscape.files.reports.walk_file import read_walk, write_walk
from landscape.surface.reports.gradient_walks import Walks
from landscape.trajectory.runs import find_run
from tests.helpers.walks import walks

MULTIPLES = (0.5, -1.0, 3.0)


class Noisy(nn.Module):
    """A network with batch norm and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.4), nn.Linear(6, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def samples(number: int = 21) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(number, 3, generator=generator, dtype=torch.float64)
    return x, (x[:, 0] > 0).long()


@pytest.fixture
def recorded(tmp_path):
    """A run of three records with learning rates, and its network."""
    for step, rate in enumerate((0.5, 0.5, 0.1)):
        torch.manual_seed(step)
        model = Noisy().double()
        model.layers[1].running_mean += step  # each record has statistics of its own
        torch.save({"state_dict": model.state_dict(), "step": 10 * step, "lr": rate}, tmp_path / f"step{step}.pt")
    torch.manual_seed(7)
    return Noisy().double().train(), find_run(tmp_path)


def by_hand(run, number, mode):
    """Return losses and changes of one record's walk, by a loop of its own."""
    x, y = samples()
    model = Noisy().double().train(mode == "train")
    parameters = list(model.parameters())

    def at(shift):
        model.load_state_dict(run.records[number].tensors)
        with torch.no_grad():
            for parameter, each in zip(parameters, shift, strict=True):
                parameter -= each
        torch.manual_seed(0)
        loss = nn.functional.cross_entropy(model(x), y)
        return float(loss.detach()), torch.autograd.grad(loss, parameters)

    loss, gradient = at([torch.zeros_like(each) for each in parameters])
    losses, changes = [loss], []
    for multiple in MULTIPLES:
        value, there = at([run.records[number].learning_rate * multiple * each for each in gradient])
        losses.append(value)
        changes.append(float(sum((b - a).square().sum() for a, b in zip(gradient, there, strict=True)).sqrt()))
    return losses, float(sum(each.square().sum() for each in gradient).sqrt()), changes


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("batch_size", [4, 256])
def test_losses_and_gradients_are_those_of_a_loop_of_its_own(recorded, mode, batch_size):
    model, run = recorded
    before = {name: each.clone() for name, each in model.state_dict().items()}
    state = torch.get_rng_state()
    found = landscape.measure_run_walk(
        model, samples(), run, multiples=MULTIPLES, mode=mode, batch_size=batch_size, progress=False
    )
    assert torch.equal(torch.get_rng_state(), state)
    for number in range(3):
        losses, gradient, changes = by_hand(run, number, mode)
        np.testing.assert_allclose(found.losses[number], losses, rtol=1e-10)
        np.testing.assert_allclose(found.gradients[number], gradient, rtol=1e-10)
        np.testing.assert_allclose(found.changes[number], changes, rtol=1e-9)
        assert found.span[number] == pytest.approx(max(losses) - min(losses))
        walked = found.rates[number] * np.abs(MULTIPLES) * gradient
        assert found.smoothness[number] == pytest.approx(max(np.array(changes) / walked))
    assert found.steps.tolist() == [0, 10, 20]
    assert found.rates.tolist() == [0.5, 0.5, 0.1]
    assert model.training
    for name, each in model.state_dict().items():
        torch.testing.assert_close(each, before[name], rtol=0, atol=0)


def test_along_a_quadratic_the_smoothness_is_the_rayleigh_quotient(tmp_path):
    curved = torch.tensor([1.0, 10.0], dtype=torch.float64)

    class Bowl(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    at = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]], dtype=torch.float64)
    for step, each in enumerate(at):
        torch.save({"state_dict": {"w": each}, "step": step}, tmp_path / f"step{step}.pt")
    found = landscape.measure_run_walk(
        Bowl(),
        samples(),
        find_run(tmp_path),
        rate=0.01,
        multiples=(2.0,),
        loss=lambda model, batch: (curved * model.w**2).sum() / 2 * torch.ones(len(batch[0])).double(),
        progress=False,
    )
    np.testing.assert_allclose(found.smoothness, [1.0, 10.0, 0.0])  # nothing is walked at the minimum
    np.testing.assert_allclose(found.span, [0.5 * (1 - 0.98**2), 20 * (1 - 0.8**2), 0.0], rtol=1e-9)
    assert np.isnan(found.relative_change[2])


def test_what_follows_from_a_walk_is_of_its_places_and_its_start():
    rng = np.random.default_rng(0)
    losses, changes = rng.random((5, 4)), rng.random((5, 3))
    losses[0, 0], losses[1, 0] = -1.0, 2.0  # the start is the lowest of all, or the highest
    losses[3, 2] = changes[4, 1] = np.nan
    gradients, distances = rng.random(5), rng.random((5, 3))
    gradients[2], distances[2] = 0.0, 0.0
    found = Walks(losses, gradients, changes, distances)
    for j in range(5):
        steep = max((c / d if d else 0.0) for c, d in zip(changes[j], distances[j], strict=True))
        wanted = [min(losses[j]), max(losses[j]), max(losses[j]) - min(losses[j]), max(changes[j]), steep]
        wanted = wanted if j < 3 else [np.nan] * 5
        names = ("low", "high", "span", "change", "smoothness")
        np.testing.assert_allclose([getattr(found, name)[j] for name in names], wanted)
        assert found.relative_change[j] == pytest.approx(wanted[3] / gradients[j] if j != 2 else np.nan, nan_ok=True)


def test_a_walk_that_is_not_finite_is_counted_and_no_number():
    found = walks()
    assert np.isnan([found.span[3], found.change[3], found.smoothness[3], found.low[3]]).all()
    np.testing.assert_allclose(found.span[:3], 0.6 * np.exp(-np.arange(3.0)))
    text = recall(landscape.plot.walk(found))["Description"]
    assert "; 1 of them is not finite, or changes by less than is resolved, and has no band" in text
    figure = landscape.plot.walk([found, walks(3.0)], labels=["with", "without"])
    np.testing.assert_allclose(figure.axes[1].lines[1].get_ydata()[:3], walks(3.0).smoothness[:3])
    with pytest.raises(UsageError, match="epoch and step share no axis"):
        landscape.plot.walk([found, dataclasses.replace(found, unit="step")])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"rate": 0.0}, "learning rate is 0, it has to be above 0"),
        ({"multiples": ()}, "numbers other than 0, each once"),
        ({"multiples": (1.0, 0.0)}, "numbers other than 0"),
        ({"multiples": (1.0, 1.0)}, "each once"),
        ({"multiples": (float("nan"),)}, "numbers other than 0"),
        ({"mode": "test"}, "mode is 'test', it is eval or train"),
    ],
)
def test_what_makes_no_sense_is_refused(recorded, how, said):
    model, run = recorded
    with pytest.raises(UsageError, match=said):
        landscape.measure_run_walk(model, samples(), run, **how)


def test_without_a_learning_rate_one_is_asked_for(recorded):
    model, run = recorded
    unknown = (dataclasses.replace(run.records[k], learning_rate=rate) for k, rate in enumerate((float("nan"), 0.0)))
    part = dataclasses.replace(run, records=tuple(unknown))
    with pytest.raises(UsageError, match=r"no record of .* says a learning rate above 0: give one.*--rate"):
        landscape.measure_run_walk(model, samples(), part)
    assert landscape.measure_run_walk(model, samples(), part, rate=0.2, progress=False).rates.tolist() == [0.2, 0.2]
    with pytest.raises(UsageError, match="an ensemble, along which nothing was trained"):
        landscape.measure_run_walk(model, samples(), dataclasses.replace(run, unordered=True))


def test_a_record_without_a_learning_rate_is_a_hole_and_said_to_be_one(recorded, tmp_path, capsys):
    model, run = recorded
    still = dataclasses.replace(run.records[2], learning_rate=0.0)  # the end of a cosine
    part = dataclasses.replace(run, records=(*run.records[:2], still))
    found = landscape.measure_run_walk(model, samples(), part, multiples=MULTIPLES, progress=False)
    whole = landscape.measure_run_walk(model, samples(), run, multiples=MULTIPLES, progress=False)
    np.testing.assert_array_equal(found.losses[:2], whole.losses[:2])
    np.testing.assert_array_equal((found.losses[2, 0], found.gradients[2]), (whole.losses[2, 0], whole.gradients[2]))
    assert np.isnan([found.rates[2], found.span[2], found.change[2], found.smoothness[2], *found.losses[2, 1:]]).all()
    text = recall(landscape.plot.walk(found))["Description"]
    assert "1 step has no learning rate, nothing was walked there" in text
    assert "rate of 0.5; " in text
    assert "not finite" not in text
    write_walk(tmp_path / "a.walk.h5", found)
    np.testing.assert_array_equal(read_walk(tmp_path / "a.walk.h5").rates, [0.5, 0.5, np.nan])
    assert main(["info", str(tmp_path / "a.walk.h5")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "at a rate of 0.5" in said
    assert "not walked 1 step without a learning rate above 0" in said
    assert main(["info", str(tmp_path / "a.walk.h5"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["walk"]["rates"] == [0.5, 0.5, None]


@pytest.mark.parametrize(("room", "most"), [(0, 1), (2 * 4 * 32, 3), (10**9, 6)])
def test_no_more_batches_are_kept_than_fit_and_values_are_the_same(recorded, monkeypatch, room, most):
    model, run = recorded
    seen, alive = [], []

    class Row(torch.utils.data.Dataset):
        def __len__(self):
            return 21

        def __getitem__(self, number):
            x, y = samples()
            torch.rand(())  # is none of the network's
            return x[number], y[number]

    def loss(model, batch):
        seen.append(weakref.ref(batch[0]))
        alive.append(len({id(each()) for each in seen if each() is not None}))
        return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")

    monkeypatch.setattr("landscape.trajectory.walk_steps.resident_budget", lambda device: room)
    found = landscape.measure_run_walk(model, Row(), run, loss=loss, batch_size=4, progress=False)
    whole = landscape.measure_run_walk(model, samples(), run, batch_size=4, progress=False)
    np.testing.assert_allclose(found.losses, whole.losses, rtol=1e-12)
    assert max(alive) == most


def test_a_loss_that_fails_says_at_which_record(recorded):
    model, run = recorded

    def broken(model, batch):
        raise RuntimeError("no such layer")

    with pytest.raises(EvaluationError, match=r"walking failed at .*step0.pt: .*no such layer"):
        landscape.measure_run_walk(model, samples(), run, loss=broken, progress=False)


def test_the_command_writes_a_file_that_info_and_plot_take(recorded, tmp_path, monkeypatch, capsys):
    _, run = recorded
    monkeypatch.chdir(tmp_path)
    words = ["walk", str(run.folder), "--model", f"{__file__}:double", "--data", f"train={__file__}:samples"]
    assert main([*words, "-o", "a.walk.h5", "--multiples", "0.5,3"]) == 0
    assert "at rates from 0.1 to 0.5" in " ".join(capsys.readouterr().out.split())
    found = read_walk("a.walk.h5")
    losses, gradient, _ = by_hand(run, 2, "eval")
    np.testing.assert_allclose(found.losses[2], [losses[0], losses[1], losses[3]], rtol=1e-10)
    assert main(["info", "a.walk.h5", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["walk"]["gradient"][2] == pytest.approx(gradient)
    assert main(["plot", "a.walk.h5", "a.walk.h5", "--title", "one", "--title", "two", "-o", "a.png"]) == 0
    others = ["--rate", "0.2", "--mode", "train", "--samples", "6", "--sample-seed", "3", "--multiples=1"]
    assert main([*words, "-o", "b.walk.h5", *others, "--loss", "nll"]) == 0
    other = read_walk("b.walk.h5")
    assert (other.rates.tolist(), other.multiples.tolist()) == ([0.2] * len(run.records), [1.0])
    assert other.settings == {"mode": "train", "rate": 0.2, "samples": 6, "frozen": 0}
    assert (other.problem["sample_seed"], other.problem["loss"]) == (3, "nll")
    assert other.problem["model"]["reference"].endswith(":double")
    assert (other.origin["run"], other.origin["records"]) == (str(run.folder), len(run.records))
    capsys.readouterr()
    notes = tmp_path.with_name("notes.h5")
    notes.write_text("precious")
    assert main([*words, "-o", str(notes)]) == 1
    assert "it is left as it is" in capsys.readouterr().err
    assert notes.read_text() == "precious"
    shutil.copytree(run.folder, "copy")
    assert main([*words[:2], "copy", *words[2:], "-o", "c.walk.h5"]) == 2
    assert f"walks are along one run at a time, there are {run.name}, copy" in capsys.readouterr().err
    assert main([*words, "-o", "a.walk.h5", "--rate", "0.2", "--metric", "x.py:y"]) == 2
    assert "--metric says nothing here" in capsys.readouterr().err


def double() -> nn.Module:
    """Return the network of the command's test."""
    return Noisy().double()


def recorded_twice(tmp_path, model):
    for step in range(2):
        torch.save({"state_dict": model.state_dict(), "step": step}, tmp_path / f"step{step}.pt")
    return find_run(tmp_path)


def linear_run(tmp_path, dtype=torch.float64):
    torch.manual_seed(0)
    model = nn.Linear(3, 2).to(dtype)
    return model, recorded_twice(tmp_path, model)


def test_a_walk_shorter_than_its_numbers_resolve_is_not_known(tmp_path):
    model, run = linear_run(tmp_path, torch.float32)
    x, y = samples()
    known = landscape.measure_run_walk(model.double(), (x, y), run, rate=0.1, multiples=[1.0])
    near = landscape.measure_run_walk(model.double(), (x, y), run, rate=1e-6, multiples=[1.0])
    assert near.smoothness[0] == pytest.approx(known.smoothness[0], rel=0.1)
    short = landscape.measure_run_walk(model.float(), (x.float(), y), run, rate=1e-6, multiples=[1.0])
    assert np.isfinite(short.losses).all()
    assert np.isnan(short.smoothness).all()
    assert np.isnan(short.span).all()


def test_both_parts_of_complex_weights_are_in_the_gradient(tmp_path):
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.turn = nn.Parameter(torch.tensor([0.3 + 0.4j, -0.2 + 0.1j], dtype=torch.complex128))

        def forward(self, x):
            return (x[:, :2] * self.turn).abs()

    model = Turned()
    x, y = samples()
    found = landscape.measure_run_walk(model, (x, y), recorded_twice(tmp_path, model), rate=0.1)
    nn.functional.cross_entropy(model(x), y).backward()
    assert model.turn.grad.imag.abs().min() > 0
    assert found.gradients[0] == pytest.approx(float(torch.linalg.vector_norm(model.turn.grad)), rel=1e-12)


def test_frozen_weights_are_counted_and_nothing_but_them_is_refused(tmp_path):
    model, run = linear_run(tmp_path)
    model.bias.requires_grad_(False)
    found = landscape.measure_run_walk(model, samples(), run, rate=0.1)
    nn.functional.cross_entropy(model(samples()[0]), samples()[1]).backward()
    assert found.gradients[0] == pytest.approx(float(model.weight.grad.norm()), rel=1e-12)
    assert found.settings["frozen"] == 2
    figure = landscape.plot.walk(found)
    assert "2 frozen weights are in no gradient" in recall(figure)["Description"]
    model.weight.requires_grad_(False)
    with pytest.raises(UsageError, match="no parameter of the network asks for a gradient"):
        landscape.measure_run_walk(model, samples(), run, rate=0.1)
