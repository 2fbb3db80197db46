"""A caption of what was really measured says what is so of the problem, and nothing that is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from landscape.plot.style.captions import caption
from torch import nn

import landscape


class Masked(nn.Module):
    """A float buffer that is no statistic."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("mask", torch.rand(4))

    def forward(self, x):
        return self.layer(x * self.mask)


def plain():
    return nn.Sequential(nn.Linear(4, 3))


def normed():
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))


def both():
    return nn.Sequential(Masked(), nn.BatchNorm1d(3))


def of_pairs(model, batch):
    """Compare the samples of a batch with each other."""
    return torch.cdist(model(batch[0]), model(batch[0])).mean()


X, Y = torch.randn(24, 4, generator=torch.Generator().manual_seed(0)), torch.arange(24) % 3
SETS = {"train": (X, Y), "test": (X[:10], Y[:10])}
BATCHES = [(X[k : k + 6], Y[k : k + 6]) for k in range(0, 24, 6)]
# Network, directions, settings; what the caption says, and what it must not.
CASES: dict[str, tuple[Any, str, dict[str, Any], list[str], list[str]]] = {
    "no statistics": (plain, "random", {}, ["all 24 samples", "not moved"], ["batch-norm", "batch norm", "buffers"]),
    "kept": (normed, "random", {}, ["batch-norm statistics frozen", "batch norm not moved"], ["interpolated"]),
    "estimated": (
        normed,
        "random",
        {"batch_norm": "recompute", "data": SETS},
        ["batch-norm statistics recomputed at each point on train"],
        ["frozen"],
    ),
    "estimated on the other": (
        normed,
        "random",
        {"batch_norm": "recompute", "batch_norm_data": "test", "data": SETS},
        ["recomputed at each point on test"],
        ["on train,"],
    ),
    "towards": (normed, "other", {}, ["to other.pt (1)", "batch-norm statistics interpolated"], ["frozen", "buffers"]),
    "a mask": (Masked, "other", {}, ["buffers interpolated"], ["batch-norm", "statistics"]),
    "both": (both, "other", {}, ["batch-norm statistics and other buffers interpolated"], ["frozen"]),
    "a part": (normed, "part", {}, ["towards other.pt", "which differs there in"], ["to other.pt"]),
    "three": (plain, "orthonormal", {}, ["plane through the checkpoint, other.pt and third.pt"], ["(1)"]),
    "batches": (plain, "random", {"data": BATCHES, "loss": of_pairs}, ["on 4 batches"], ["samples", "cross entropy"]),
    "some": (plain, "random", {"samples": 7, "sample_seed": 5}, ["7 of 24 samples (seed 5)"], ["all 24"]),
    "noise": (normed, "random", {"mode": "train"}, ["network in training mode"], []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_caption_says_what_is_so_of_the_problem(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    make, source, settings, said, not_said = CASES[case]
    torch.manual_seed(0)
    model = make().eval()
    for name in ("other", "third"):
        torch.save(make().state_dict(), f"{name}.pt")
    plane = {
        "random": lambda: landscape.random_plane(model),
        "other": lambda: landscape.checkpoint_plane(model, ["other.pt"]),
        "part": lambda: landscape.checkpoint_plane(model, ["other.pt"], include="0"),
        "orthonormal": lambda: landscape.orthonormal_plane(model, ["other.pt", "third.pt"]),
    }[source]()
    where = {"x": [0.0, 1.0], **({"y": [0.0, 1.0]} if len(plane) > 1 else {})}
    settings = dict(settings)
    surface = landscape.evaluate(model, settings.pop("data", (X, Y)), plane, checkpoint="net.pt", **where, **settings)
    text = caption(surface)
    assert not [words for words in said if words not in text], text
    assert not [words for words in not_said if words in text], text
