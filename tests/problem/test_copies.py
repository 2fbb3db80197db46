"""A network's twin, and what modules keep beside their tensors."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import landscape
from landscape.errors import DirectionError
from landscape.problem.checkpoints.checkpoint import apply_checkpoint
from landscape.problem.copies import copy_of

X = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))


def pruned() -> nn.Module:
    return nn.Sequential(prune.custom_from_mask(nn.Linear(3, 2), "weight", torch.tensor([[1, 0, 1], [0, 1, 1]])))


def normed() -> nn.Module:
    with pytest.warns(FutureWarning, match="weight_norm"):
        return nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 2)))


class Remembers(nn.Linear):
    """Keeps a list of what it gave last."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.last = [super().forward(x)]
        return self.last[0]


@pytest.mark.parametrize("make", [pruned, normed, lambda: nn.Sequential(Remembers(3, 2))])
def test_a_network_that_keeps_what_it_computed_has_a_twin_and_a_plane_towards_another(tmp_path, make):
    model, other = make(), make()
    wanted = other(X)
    twin = copy_of(model)
    torch.testing.assert_close(twin(X), model(X))
    torch.save(other.state_dict(), tmp_path / "other.pt")
    data = (X, wanted.detach())
    plane = landscape.checkpoint_plane(model, [tmp_path / "other.pt"])
    surface = landscape.evaluate(model, data, plane, x="0:1:2", loss="mse")
    assert surface["train/loss"][1] < 1e-12 < surface["train/loss"][0]


@pytest.mark.parametrize("make", [pruned, normed, lambda: nn.Sequential(Remembers(3, 2))])
def test_what_a_twin_keeps_lies_in_memory_of_its_own(make):
    model = make()
    model(X)
    twin = copy_of(model)

    def kept(module):
        found = vars(module).get("last", [module.weight])
        return [tensor.data_ptr() for tensor in (*found, *module.parameters())]

    for mine, other in zip(kept(model[0]), kept(twin[0]), strict=True):
        assert mine != other


class Uncounted(tuple):
    """Has no length, as pairs of numbers of e3nn have none, and nothing that `iter` would take."""

    def __len__(self):
        raise NotImplementedError

    __iter__ = None


def test_containers_of_a_users_own_that_cannot_be_counted_or_hold_themselves_are_copied():
    model = Remembers(3, 2)
    model(X)
    around = [Uncounted((1, model.last[0]))]
    around.append(around)
    model.around = around
    twin = copy_of(model)
    copied = tuple.__getitem__(twin.around[0], 1)
    torch.testing.assert_close(copied, twin.last[0])
    assert copied.data_ptr() == twin.last[0].data_ptr() != model.last[0].data_ptr()
    assert twin.around[1] is twin.around


class Scaled(nn.Linear):
    """Saves a number of its own, no tensor."""

    factor = 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * super().forward(x)

    def get_extra_state(self) -> dict[str, object]:
        return {"factor": self.factor, "of": torch.ones(2)}

    def set_extra_state(self, state: dict[str, float]) -> None:
        self.factor = state["factor"]


def test_what_a_module_saves_of_its_own_comes_with_the_checkpoint_or_is_named(tmp_path, caplog):
    here, there, path = nn.Sequential(Scaled(3, 2)), nn.Sequential(Scaled(3, 2)), tmp_path / "there.pt"
    there[0].factor = 3.0
    torch.save({"state_dict": {f"module.{name}": each for name, each in there.state_dict().items()}}, path)
    with pytest.raises(DirectionError, match=r"0\._extra_state \(state of a module's own\) cannot move"):
        landscape.checkpoint_plane(here, [path])
    apply_checkpoint(here, landscape.load_checkpoint(path))
    torch.testing.assert_close(here(X), there(X))
    torch.nn.init.ones_(here[0].weight)
    assert landscape.checkpoint_plane(here, [path]).directions[0].recipe["differs"] == []
    torch.save({name: each for name, each in there.state_dict().items() if "extra" not in name}, path)
    with caplog.at_level(logging.WARNING):
        apply_checkpoint(here, landscape.load_checkpoint(path))
    assert "does not hold 0._extra_state" in caplog.text
