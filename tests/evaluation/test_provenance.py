"""A run's file says what the network keeps beside its parameters, and the caption speaks of nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import landscape
from landscape.evaluation import provenance
from landscape.evaluation.provenance import fingerprints, statistics
from landscape.problem.data.datasets import as_data


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
    assert statistics(model, "train") == {
        "batch_norm": layers,
        "other": others,
        "recomputed_on": "train" if layers else None,
    }


@pytest.mark.parametrize(("model", "said"), [(nn.Linear(4, 3), False), (Masked(), False), (normed(), True)])
def test_a_caption_names_batch_norm_only_where_there_is_some(model, said):
    data = (torch.randn(20, 4), torch.randint(0, 3, (20,)))
    surface = landscape.evaluate(model.eval(), data, x="-1:1:3")
    assert ("batch-norm statistics frozen" in landscape.plot.caption(surface)) == said


def test_a_caption_says_of_which_data_set_statistics_were_recomputed():
    sets = {name: (torch.randn(20, 4), torch.randint(0, 3, (20,))) for name in ("test", "train")}
    surface = landscape.evaluate(normed().eval(), sets, x="-1:1:3", batch_norm="recompute")
    assert "batch-norm statistics recomputed at each point on train" in landscape.plot.caption(surface)


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
