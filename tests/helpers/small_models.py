"""What needs torch, in each process that runs tests: numbers seeded before a test, tiny seeded models and data.

They are in float64 unless a test says otherwise. `tests/conftest.py` loads this.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

# `torch.manual_seed` notes for devices, there or not, from where it was called: a millisecond for each of 5,000 tests.
_seed_torch = torch.manual_seed if torch.cuda.is_available() else torch.default_generator.manual_seed


def _seed() -> None:
    """What is drawn, and in how many threads, does not depend on what ran before."""
    random.seed(0), np.random.seed(0), _seed_torch(0)  # noqa: NPY002 (the generators that code under test may use)
    torch.set_num_threads(1)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    _seed()


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule() -> None:
    _seed()


@pytest.fixture(autouse=True)
def _no_open_figures() -> Iterator[None]:
    """Pictures for a screen are pyplot's as soon as a test has imported it, and stay open until they are closed."""
    yield
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")


@pytest.fixture
def coarse_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write coarse pictures in a test."""
    write_coarsely(monkeypatch)


def write_coarsely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write pictures with 50 dots an inch and whole letters: for tests that ask no more than that they are there.

    To choose the letters of a font that a PDF needs takes a third of the time of one.
    """
    from landscape.plot import saving
    from landscape.plot.style import style
    from landscape.plot.surfaces import scenes

    plain, dots = saving.rendered, 50.0

    def rendered(figure: Any, kind: str, metadata: Any = None, *, dpi: float = dots) -> bytes:
        return plain(figure, kind, metadata, dpi=min(dpi, dots))

    monkeypatch.setattr(saving, "rendered", rendered)
    monkeypatch.setattr(saving, "VECTOR_DPI", dots)
    monkeypatch.setattr(scenes, "VECTOR_RESOLUTION", dots / 72)
    monkeypatch.setitem(style.SETTINGS, "pdf.fonttype", 3)


@pytest.fixture
def classifier() -> nn.Module:
    """Convolution, batch norm with statistics of its own, linear layer; float64, in eval mode."""
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 3),
    ).double()
    with torch.no_grad():
        model[1].running_mean.normal_()
        model[1].running_var.uniform_(0.5, 2.0)
        model[1].weight.uniform_(0.5, 1.5)
        model[1].bias.normal_()
    return model.eval()


@pytest.fixture
def images() -> tuple[Tensor, Tensor]:
    """23 images and labels: no multiple of the batch sizes the tests use, so that the last batch is short."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(23, 1, 5, 5, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 3, (23,), generator=generator)


class Bowl(nn.Module):
    """A model whose loss is a known quadratic: the squared length of weights minus what the input says."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, 2.0], [0.5, -1.0]], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight.flatten() - x).square().sum(1)


@pytest.fixture
def bowl() -> nn.Module:
    return Bowl()
