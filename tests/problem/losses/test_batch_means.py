"""A number a batch is the mean of its samples, or it is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import landscape
from landscape.errors import ProblemError
from landscape.evaluation.forward_pass.means_elsewhere import require_mean_elsewhere
from landscape.problem.losses.losses import Loss, resolve_loss
from tests.helpers.drawn_tensors import WEIGHT, N, draw, whole


def scalar(reduce: Any) -> Loss:
    return resolve_loss(lambda model, batch: reduce(model(batch[0]), batch[1]))


@pytest.mark.parametrize(
    ("reduce", "text"),
    [
        (F.cross_entropy, None),
        (lambda o, t: F.cross_entropy(o, t, reduction="sum"), "a sum"),
        (lambda o, t: F.cross_entropy(o, t, weight=WEIGHT), "whose mean it is not"),
        (lambda o, t: torch.cdist(o, o).mean(), "whose mean it is not"),
        (lambda o, t: o.sum() * float("nan"), None),
        (lambda o, t: F.cross_entropy(o, t, reduction="none"), None),
    ],
)
def test_a_number_a_batch_that_is_no_mean_over_its_samples_is_refused(reduce, text):
    loss, batch = scalar(reduce), (draw(N, 3), whole(3, N))
    if text is None:
        loss.require_mean(lambda x: x, batch)
        return
    with pytest.raises(ProblemError, match=text):
        loss.require_mean(lambda x: x, batch)


def test_a_criterion_that_gives_a_number_a_batch_is_asked_the_same():
    loss = resolve_loss(lambda output, target: (output - target).square().sum())
    with pytest.raises(ProblemError, match="a sum"):
        loss.require_mean(lambda x: x, (draw(N, 3), draw(N, 3, seed=1)))


def dice(output: Tensor, target: Tensor) -> Tensor:
    chance = output.sigmoid()
    return 1 - 2 * (chance * target).sum() / (chance.sum() + target.sum())


def root(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).square().mean().sqrt()


def test_what_is_a_mean_at_one_cut_by_chance_is_refused():
    # The two halves are alike, so that their mean is the whole's.
    output, target = torch.zeros(N, 1), torch.tensor([1.0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0])[:, None]
    with pytest.raises(ProblemError, match="first 4 and the rest"):
        scalar(dice).require_mean(lambda x: x, (output, target))


def test_what_is_a_mean_only_where_all_samples_are_alike_is_refused_and_the_network_left_as_it_was():
    network = nn.Linear(3, 1)
    nn.init.zeros_(network.weight), nn.init.zeros_(network.bias)
    data = draw(N, 3).float(), torch.ones(N, 1)
    plane = landscape.random_plane(network, norm="none", ignore="none", dimensions=1)
    with pytest.raises(ProblemError, match="at weights nearby"):
        landscape.evaluate(network, data, plane, x="0:1:2", loss=root)
    assert not any(tensor.any() for tensor in network.state_dict().values())
    surface = landscape.evaluate(network, data, plane, x="0:1:2", loss=lambda output, target: root(output, target) ** 2)
    assert surface["train/loss"][0] == 1.0


def test_after_a_look_at_weights_nearby_the_network_has_its_own_to_the_last_bit():
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    looked = []

    def mean(output: Tensor, target: Tensor) -> Tensor:
        looked.append(network.weight.detach().clone())
        return (output - target).square().mean()

    require_mean_elsewhere(scalar(mean), network, (draw(N, 3).float(), torch.ones(N, 1)), low=False)
    assert not torch.equal(looked[0], before["weight"])
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
