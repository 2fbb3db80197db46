"""The loss over the input is what moving the examples oneself gives, in the units that the axis says."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import landscape
from landscape.cli import main
from landscape.commands.surfaces import evaluate
from landscape.commands.surfaces.input_options import load_input_problem, require_weight_space
from landscape.errors import ProblemError, UsageError
from landscape.files.store import read_surface
from landscape.inputs.examples import Examples, moved_part, require_clip, with_moved
from landscape.inputs.input_space import input_problem
from landscape.problem.data.sources import open_data
from landscape.problem.losses.losses import resolve_loss

GRID = {"x": "-1:1:5", "y": "-0.5:0.5:3"}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3))


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(7, 2, 5, 5, generator=generator), torch.randint(0, 3, (7,), generator=generator)


def own_loop(net, x, y, directions, clip=None):
    """Return losses and margins on the grid by hand, in float64."""
    net = net.eval().double()
    rows = []
    for b in np.linspace(-0.5, 0.5, 3):
        for a in np.linspace(-1, 1, 5):
            moved = x.double() + a * directions[0].double() + b * directions[1].double()
            output = net(moved if clip is None else moved.clamp(*clip)).detach()
            right = output.gather(1, y[:, None])[:, 0]
            others = output.scatter(1, y[:, None], -torch.inf).amax(1)
            rows.append([float(F.cross_entropy(output, y)), float((right - others).mean())])
    return np.array(rows).reshape(3, 5, 2)


@pytest.mark.parametrize("axes", [("sign", "random"), ("gradient", "universal"), ("pgd", "pgd")])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_surface_is_that_of_examples_moved_by_hand(net, images, axes, norm):
    x, y = images
    problem = input_problem(net, images, axes=axes, norm=norm, epsilon=0.1, clip=(0, 1))
    surface = landscape.evaluate(problem.model, problem.data, problem.plane, **GRID, **problem.how)
    (_, *directions), _ = problem.data["train-7-samples"].fetch(range(7))
    by_hand = own_loop(net, x, y, directions, (0, 1))
    np.testing.assert_allclose(surface["train-7-samples/loss"], by_hand[..., 0], rtol=1e-5)
    np.testing.assert_allclose(surface["train-7-samples/margin"], by_hand[..., 1], rtol=1e-4, atol=1e-5)
    sizes = [each.flatten(1).abs().amax(1) if norm == "linf" else each.flatten(1).norm(dim=1) for each in directions]
    np.testing.assert_allclose(torch.cat(sizes), 1.0, rtol=1e-5)  # so that a coefficient is a distance
    share = ((x + directions[0] < 0) | (x + directions[0] > 1)).float().mean()
    assert surface["train-7-samples/clipped_share"][1, -1] == pytest.approx(float(share), abs=1e-6)


def test_directions_are_an_examples_own_gradient_and_the_network_is_left_alone(net, images):
    x, y = images
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    problem = input_problem(net, images, axes=("gradient", "universal"), norm="l2")
    assert net.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert all(each.grad is None and each.requires_grad for each in net.parameters())
    (_, own, shared), _ = problem.data["train-7-samples"].fetch(range(7))
    leaf, gradients = x.clone(), []
    for number in range(7):  # one at a time: nobody else's gradient is in it
        one = leaf[number : number + 1].requires_grad_()
        gradients.append(torch.autograd.grad(F.cross_entropy(net.eval()(one), y[number : number + 1]), one)[0])
    exact = torch.cat(gradients)
    np.testing.assert_allclose(own, exact / exact.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1), atol=1e-5)
    total = exact.sum(0)
    np.testing.assert_allclose(shared[3], total / total.norm(), atol=1e-5)


def test_the_margin_of_a_linear_network_is_0_at_the_closed_forms_distance():
    # f = w.x + b against 0: the boundary lies |f| / |w|_1 away in the maximum norm, |f| / |w| in the Euclidean one.
    linear = nn.Linear(4, 2)
    x, y = torch.randn(1, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0])
    with torch.no_grad():
        y[0] = linear(x).argmax()
        w, gap = linear.weight[y[0]] - linear.weight[1 - y[0]], linear(x)[0, y[0]] - linear(x)[0, 1 - y[0]]
    for norm, axis, size in (("linf", "sign", w.abs().sum()), ("l2", "gradient", w.norm())):
        far = float(gap / size)
        problem = input_problem(linear, (x, y), axes=(axis,), norm=norm, sample=0)
        line = landscape.evaluate(
            problem.model, problem.data, problem.plane, x=[0.0, 0.99 * far, far, 1.01 * far], **problem.how
        )
        assert line["train-sample-0/margin"][2] == pytest.approx(0, abs=1e-5)
        assert line["train-sample-0/predicted_class"].tolist()[1::2] == [int(y[0]), 1 - int(y[0])]


def test_built_in_data_move_in_units_of_pixels_whatever_the_network_normalises():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    plain = open_data("digits", "train")
    shape = plain.fetch([0])[0].shape
    normal = open_data("digits", "train", normalize=((0.3,), (0.25,)))
    problem = input_problem(network, {"train": normal}, axes=("sign",), samples=20, clip=(0, 1))
    surface = landscape.evaluate(problem.model, problem.data, problem.plane, x="0:0.2:3", **problem.how)
    (x, d), y = problem.data["train-20-samples"].fetch(range(20))
    assert x.shape[1:] == shape[1:]
    network.requires_grad_(False)
    by_hand = [float(F.cross_entropy(network(((x + e * d).clamp(0, 1) - 0.3) / 0.25), y)) for e in (0, 0.1, 0.2)]
    np.testing.assert_allclose(surface["train-20-samples/loss"], by_hand, rtol=1e-5)
    assert 0 <= float(x.min()) + 1e-6 <= float(x.max()) <= 1 + 1e-6


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"axes": ("sign", "sign")}, "is one direction"),
        ({"axes": ("hessian",)}, "no direction in input space; there are random, gradient"),
        ({"axes": ("pgd",)}, "give its radius, epsilon"),
        ({"axes": ()}, "one axis, two or three, not 0"),
        ({"norm": "l1"}, "one of linf, l2"),
        ({"sample": 7}, "samples 0 to 6"),
        ({"sample": 1, "samples": 2}, "not both"),
        ({"clip": (-1.0, 0.9)}, "the examples themselves reach from"),
        ({"clip": (0.1, 2.0)}, "the examples themselves reach from"),
        ({"clip": (1.0, 0.0)}, "clipped to 1:0, which is no range"),
        ({"epsilon": 0.0}, "a positive number"),
        ({"loss": lambda model, batch: model(batch[0]).sum(1)}, "takes losses of"),
    ],
)
def test_what_makes_no_sense_is_refused(net, images, how, message):
    with pytest.raises(UsageError, match=message):
        input_problem(net, images, **how)


def test_a_range_has_room_for_the_rounding_of_inputs_that_normalisation_was_taken_off_again():
    require_clip((-1.0, 1.0), torch.tensor([[-1 - 1e-6, 1 + 1e-6]]))
    for beyond in (-1 - 1e-4, 1 + 1e-4):
        with pytest.raises(UsageError, match="give the range that they have"):
            require_clip((-1.0, 1.0), torch.tensor([[0.0, beyond]]))


@pytest.mark.parametrize("kind", [dict, tuple, list])
def test_the_first_numbers_with_a_row_a_sample_are_moved_and_nothing_else_of_a_batch(kind):
    names = {
        "ids": torch.arange(6).reshape(3, 2),
        "weight": torch.rand(3),
        "x": torch.rand(3, 4),
        "mask": torch.rand(3, 4),
    }
    inputs = names if kind is dict else kind(names.values())
    place = "x" if kind is dict else 2
    assert moved_part(inputs) is inputs[place]
    changed = with_moved(inputs, torch.zeros(3, 4))
    assert type(changed) is kind
    assert not changed[place].any()
    others = [name for name in (names if kind is dict else range(4)) if name != place]
    assert all(changed[each] is inputs[each] for each in others)


def test_what_is_called_a_mask_is_not_moved_unless_it_is_all_there_is():
    x, bits = torch.rand(3, 4), (torch.rand(3, 4, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    for name in ("mask", "attention_mask", "key_padding_mask", "Masks"):
        assert moved_part({name: bits, "x": x}) is x
        assert moved_part({name: bits}) is bits
    # Two numbers are no mask yet: a batch of two samples of one number has no more, an image of ink neither.
    for name in ("x", "one_hot", "masked_image", "masking"):
        assert moved_part({name: bits, "age": x}) is bits
    assert moved_part((bits, x)) is bits
    assert moved_part((torch.zeros(3, 0), x)).numel() == 0
    moved = with_moved({"attention_mask": bits, "x": x}, x + 1)
    assert moved["attention_mask"] is bits
    assert torch.equal(moved["x"], x + 1)


@pytest.mark.parametrize("cut", [lambda x: x.detach(), lambda x: torch.zeros(2, 2, requires_grad=True)])
def test_a_network_that_cuts_the_gradient_off_is_refused_in_words(cut):
    x, y = torch.ones(2, 2), torch.tensor([0, 1])
    with pytest.raises(ProblemError, match="no gradient by the input"):
        Examples(cut, resolve_loss("cross_entropy"), (x, y)).gradient(torch.zeros_like(x))


def test_examples_without_a_gradient_are_not_followed():
    x, y = torch.tensor([[1.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 1])
    network = lambda inputs: torch.sqrt(inputs)  # noqa: E731 - its slope at 0 is infinite
    with pytest.raises(ProblemError, match="not finite for some examples"):
        Examples(network, resolve_loss("cross_entropy"), (x, y)).gradient(torch.zeros_like(x))


def test_what_cannot_be_moved_or_followed_is_refused(images):
    with pytest.raises(ProblemError, match="floating point, one row a sample"):
        input_problem(nn.Embedding(9, 3), (torch.randint(0, 9, (4, 3)), torch.tensor([0, 1, 2, 0])))
    flat = nn.Sequential(nn.Flatten(), nn.Linear(50, 3))
    nn.init.zeros_(flat[1].weight)
    with pytest.raises(UsageError, match="does not change with the input at all"):
        input_problem(flat, images)


@pytest.fixture
def options():
    """Return the command's options, of two axes along a sign where nothing else is said."""
    parser = argparse.ArgumentParser()
    evaluate.configure(parser)
    words = ["net.pt", "--model", "nets.py:net", "--data", "digits", "--directions", "sign,sign"]
    return lambda *more: parser.parse_args([*words, *more])


@pytest.mark.parametrize(
    "words",
    [
        "--norm layer", "--ignore none", "--move states", "--include conv", "--exclude fc", "--x-include conv",
        "--y-include conv", "--axes orthonormal", "--orthogonal", "--keep-zeros", "--low-memory", "--save-directions",
        "--curvature", "--repeats 2", "--weight-decay 0.1", "--batch-norm recompute", "--mode train",
    ],
)  # fmt: skip
def test_what_is_about_weights_is_refused_where_none_moves(options, words):
    with pytest.raises(UsageError, match=f"^{words.split()[0]} is about weights"):
        load_input_problem(options("--space", "input", *words.split()), nn.Identity(), {}, 2)


@pytest.mark.parametrize("words", ["--sample 0", "--input-norm l2", "--clip 0:1", "--epsilon 0.1"])
def test_what_is_about_inputs_is_refused_where_weights_move(options, words):
    require_weight_space(options())
    with pytest.raises(UsageError, match=f"^{words.split()[0]} is for the loss over the input"):
        require_weight_space(options(*words.split()))


def test_one_random_stands_for_all_axes_and_other_directions_are_one_for_each(options, net, images):
    *_, plane, settings = load_input_problem(options("--directions", "random", "--seed", "3"), net, images, 3)
    assert [each.recipe["kind"] for each in plane.directions] == ["random"] * 3
    assert [each.recipe["seed"] for each in plane.directions] == [3] * 3
    assert settings["samples"] is None  # they are chosen already
    for given, number in (("sign,random", 1), ("sign", 2), ("sign,random,pgd", 2)):
        with pytest.raises(UsageError, match=rf"names {given.count(',') + 1} direction\(s\) for {number} axes"):
            load_input_problem(options("--directions", given), net, images, number)


def test_metrics_that_were_asked_for_are_measured_over_the_input(options, net, images, monkeypatch):
    def asked(*arguments, **settings):
        raise ProblemError(f"{settings['metrics']} of {settings['loss']}")

    monkeypatch.setattr("landscape.inputs.input_space.input_problem", asked)
    with pytest.raises(ProblemError, match=r"^\['a.py:b'\] of nll$"):
        load_input_problem(options("--metric", "a.py:b", "--loss", "nll"), net, images, 2)


def test_the_command_measures_it_and_refuses_what_is_about_weights(tmp_path, capsys):
    torch.manual_seed(0)
    (tmp_path / "nets.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).state_dict(), tmp_path / "net.pt")
    output = tmp_path / "s.h5"
    start = ["evaluate", str(tmp_path / "net.pt"), "--model", f"{tmp_path}/nets.py:net", "--data", "digits", "-o"]
    words = [*start, str(output), "--x=-0.1:0.1:3", "--sample", "3"]
    assert main([*words, "--space", "input", "--directions", "sign", "--clip", "0:1"]) == 0
    surface = read_surface(output)
    (axis,) = surface.axes
    assert (axis.source, axis.recipe["kind"], axis.recipe["around"]) == ("input", "sign", "sample 3 of train")
    assert surface["train-sample-3/loss"][2] > surface["train-sample-3/loss"][1]
    capsys.readouterr()
    assert main(["plot", str(output), "-o", str(tmp_path / "s.png")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "over the input, around sample 3 of train; along the gradient's sign, in L∞ distance, clipped to 0 to 1" in said
    )
    assert main(words) == 2
    assert "--sample is for the loss over the input: add --space input" in capsys.readouterr().err
    assert main([*words, "--space", "input", "--norm", "filter"]) == 2
    assert "--norm is about weights" in capsys.readouterr().err
