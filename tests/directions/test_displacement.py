"""Weights go where they should and come back bit for bit."""

import pytest
import torch
from torch import nn

from landscape.directions.construct import random_plane
from landscape.directions.displacement import Displacement, untouched
from landscape.problem.params import moved_tensors


def motion_of(model, *, move="weights"):
    plane = random_plane(model, move=move, ignore="none")
    tensors = moved_tensors(model, move=move)
    return Displacement(model, tensors, [d.tensors for d in plane.directions]), plane


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_move_is_theta_plus_multiples_of_the_directions(classifier, dtype):
    model = classifier.to(dtype)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    displacement, plane = motion_of(model)
    displacement.move_to((5.0, 5.0))  # where it was before is of no consequence
    dx, dy = (d.tensors for d in plane.directions)
    for a, b in ((0.3, -0.7), (0.0, 2.0), (-1e-9, 0.0), (1e-7, 1e-6)):  # the smallest step is one
        displacement.move_to((a, b))
        for name, parameter in model.named_parameters():
            exact = before[name].double() + a * dx[name].double() + b * dy[name].double()
            # One rounding to the weights' type, and two of float32 in between.
            room = torch.finfo(dtype).eps
            torch.testing.assert_close(parameter.double(), exact, rtol=room, atol=2 * room)
    displacement.move_to((0.0, 0.0))
    assert all(torch.equal(before[n], p) for n, p in model.named_parameters())
    displacement.move_to((1.0, 1.0))
    displacement.restore()
    assert all(torch.equal(before[n], p) for n, p in model.named_parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_running_variance_never_falls_below_zero(classifier, dtype):
    classifier.to(dtype)
    tensors = moved_tensors(classifier, move="states")
    displacement = Displacement(classifier, tensors, [{name: torch.ones_like(t) for name, t in tensors.items()}])
    displacement.move_to((-3.0,))
    assert float(classifier[1].running_var.min()) == 0.0
    assert float(classifier[1].running_mean.min()) < 0.0


def test_buffers_modes_and_generators_come_back_even_after_an_error(classifier):
    classifier[1].train()
    states = {n: b.clone() for n, b in classifier.named_buffers()}
    mean = classifier[1].running_mean
    torch.manual_seed(3)
    generator = torch.get_rng_state()

    classifier[0].weight.grad = torch.ones_like(classifier[0].weight)
    gradient = classifier[0].weight.grad
    classifier.memory = [1]

    def disturb():
        classifier.eval()
        classifier.memory.append(2)
        classifier[0].weight.grad.add_(1)
        classifier[5].weight.grad = torch.ones_like(classifier[5].weight)
        classifier[5].bias.requires_grad_(False)
        classifier[1].running_var.add_(1)
        classifier[1].running_mean = torch.zeros(4)
        torch.rand(3)
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"), untouched(classifier):
        disturb()
    assert torch.equal(generator, torch.get_rng_state())
    assert [m.training for m in classifier] == [False, True, False, False, False, False]
    assert classifier[1].running_mean is mean
    assert classifier.memory == [1]
    assert classifier[0].weight.grad is gradient
    assert bool((gradient == 1).all())
    assert classifier[5].weight.grad is None
    assert classifier[5].bias.requires_grad
    assert all(torch.equal(states[n], b) for n, b in classifier.named_buffers())


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_the_mode_of_a_compiled_script_which_is_no_attribute_of_pythons_comes_back():
    scripted = torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.Dropout()))
    with untouched(scripted):
        scripted.eval()
    assert [module.training for module in scripted.modules()] == [True, True, True]


def test_what_a_direction_does_not_hold_stays_where_it_is():
    layer = nn.Linear(2, 2)
    start = {name: tensor.detach().clone() for name, tensor in layer.named_parameters()}
    moved = Displacement(layer, dict(layer.named_parameters()), [{"weight": torch.ones(2, 2)}])
    moved.move_to([0.5])
    assert torch.equal(layer.weight, start["weight"] + 0.5)
    assert torch.equal(layer.bias, start["bias"])


def test_tied_weights_move_together_once():
    embed, head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
    head.weight = embed.weight
    model = nn.Sequential(embed, head)
    before = embed.weight.detach().clone()
    displacement, plane = motion_of(model)
    displacement.move_to((1.0, 0.0))
    assert head.weight is embed.weight
    torch.testing.assert_close(embed.weight, before + plane.directions[0].tensors["0.weight"])
