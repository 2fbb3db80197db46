"""A loss (model, batch) runs on the engine where all it does with the network is one call, and else on the network."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import landscape
from landscape.problem.data.datasets import choose
from landscape.problem.named_data import named_data


@pytest.fixture
def network():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3))
    model[1].running_var.uniform_(0.5, 2.0)
    return model.eval()


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(20, 1, 5, 5, generator=generator), torch.randint(0, 3, (20,), generator=generator)


def each(output, target):
    return F.cross_entropy(output, target, reduction="none")


def plain(model, batch):
    return each(model(batch[0]), batch[1])


def with_metric(model, batch):
    output = model(batch[0])
    return {"loss": each(output, batch[1]), "right": (output.argmax(1) == batch[1]).float()}


def penalised(model, batch):
    return each(model(batch[0]), batch[1]) + 0.1 * sum(p.square().sum() for p in model.parameters())


def twice(model, batch):
    return each(model(batch[0]) + model(batch[0].flip(3)), batch[1])


def scaled(model, batch):
    return each(model(2 * batch[0]), batch[1])


def in_parts(model, batch):
    return each(model[4](model[:4](batch[0])), batch[1])


def when_small(model, batch):
    """Of a short batch, as none of the first samples is, it asks for more."""
    output = model(batch[0])
    return each(output if len(batch[1]) > 4 else output + model(batch[0] + 1) * model[4].bias, batch[1])


def amplified(model, batch):
    """Of what lies between two ways to add up the same numbers it makes something else."""
    return (1e6 * model(batch[0])).sin().square().mean(1)


def differentiating(model, batch):
    x = batch[0].requires_grad_()
    (slope,) = torch.autograd.grad(model(x).sum(), x)
    return slope.flatten(1).norm(dim=1)


def own_loop(network: nn.Module, loss, data: tuple[Tensor, Tensor], plane: landscape.Plane, at: float) -> float:
    """Return the mean loss after the weights were moved by hand, batch by batch."""
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.add_(at * plane.directions[0].tensors[name])
    total, order = 0.0, list(choose(named_data(data)["train"], 20, 0))
    for start in range(0, 20, 8):
        part = order[start : start + 8]
        found = loss(network, (data[0][part], data[1][part]))
        total += float((found["loss"] if isinstance(found, dict) else found).detach().sum())
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(before[name])
    return total / 20


@pytest.mark.parametrize(
    ("loss", "engine"),
    [(plain, True), (with_metric, True), (when_small, True)]
    + [(each, False) for each in (penalised, twice, scaled, in_parts, amplified, differentiating)],
)
def test_a_loss_gives_what_an_own_loop_gives_and_has_the_engine_where_it_calls_the_network_once(
    network, data, loss, engine
):
    plane = landscape.random_plane(network, dimensions=1)
    surface = landscape.evaluate(network, data, plane, x=[-1.0, 0.0, 0.7], loss=loss, batch_size=8)
    assert (surface.quality["engine"] != "plain") is engine
    wanted = [own_loop(network, loss, data, plane, at) for at in (-1.0, 0.0, 0.7)]
    assert surface["train/loss"].tolist() == pytest.approx(wanted, rel=2e-5)


def test_a_loss_sees_a_network_of_its_own_class_whatever_runs(network, data):
    def asking(model, batch):
        assert isinstance(model, nn.Sequential)
        return plain(model, batch)

    surface = landscape.evaluate(network, data, landscape.random_plane(network, dimensions=1), x=[0.0], loss=asking)
    assert surface.quality["engine"] != "plain"


class Caching(nn.Module):
    """Keeps a matrix computed from its weights until it is trained again, as Gaussian processes do."""

    def __init__(self, forgets: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 5))
        self.kept: list[Tensor] = []
        self.forgets = forgets

    def train(self, mode: bool = True) -> Caching:
        if self.forgets:
            self.kept.clear()
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        if not self.kept:
            self.kept.append(self.weight.exp())
        return x @ self.kept[0].T


@pytest.mark.parametrize("before", [False, True])
def test_what_a_network_keeps_from_earlier_weights_is_not_used_at_other_points(before):
    torch.manual_seed(0)
    model = Caching(forgets=before).eval()
    data = torch.randn(20, 5), torch.randint(0, 3, (20,))
    if before:
        model(data[0])
    plane = landscape.random_plane(model, dimensions=1)
    found = landscape.evaluate(model, data, plane, x=[-0.5, 0.0, 1.0])["train/loss"]
    weight, step = model.weight.detach(), plane.directions[0].tensors["weight"]
    wanted = [float(F.cross_entropy(data[0] @ (weight + a * step).exp().T, data[1])) for a in (-0.5, 0.0, 1.0)]
    assert found.tolist() == pytest.approx(wanted, rel=1e-5)
    assert len(model.kept) == before
