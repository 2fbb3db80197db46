"""The engine on trained ResNets and CIFAR-10 images, which lie beside the checkout in ../shared or not at all."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.directions.construct import random_plane
from landscape.directions.displacement import Displacement
from landscape.engine.kernels import onednn_fuses
from landscape.engine.prepare import prepare
from landscape.problem.params import moved_tensors

SHARED = Path(__file__).parents[3] / "shared"
pytestmark = pytest.mark.skipif(
    not (SHARED / "checkpoints" / "cifar_resnet.py").exists(), reason="needs ../shared with checkpoints and images"
)
NETWORKS = {"resnet20": "epoch10", "resnet56": "epoch05", "resnet56_noshort": "epoch05"}
# theta*, a corner, the middle of an edge, and twice as far out, where losses reach millions.
POINTS = [(0.0, 0.0), (-1.0, 1.0), (0.0, 0.5), (2.0, -2.0)]


def network(name: str) -> nn.Module:
    specification = importlib.util.spec_from_file_location("cifar_resnet", SHARED / "checkpoints" / "cifar_resnet.py")
    definitions = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(definitions)
    family, _, changed = name.partition("_")
    model = getattr(definitions, family)(shortcut=not changed)
    path = SHARED / "checkpoints" / name / f"{NETWORKS[name]}.pt"
    model.load_state_dict(torch.load(path, weights_only=True)["state_dict"])
    return model.eval()


@pytest.fixture(scope="module")
def cifar() -> tuple[Tensor, Tensor]:
    with np.load(SHARED / "data" / "cifar10_test.npz") as data:
        x = torch.from_numpy(data["x"][:100]).permute(0, 3, 1, 2).float() / 255
        y = torch.from_numpy(data["y"][:100]).long()
    mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2470, 0.2435, 0.2616])
    return (x - mean[:, None, None]) / std[:, None, None], y


@torch.no_grad()
def losses(model: nn.Module, precision: str, x: Tensor, y: Tensor) -> tuple[list[float], list[float]]:
    """Return the loss at each of POINTS by the engine and by the plain network."""
    engine = prepare(model, x[:8], precision=precision)
    # Processors without AVX-512 have no fused operators in bfloat16; norms are folded there all the same.
    fuses = onednn_fuses(getattr(torch, precision), x.device)
    assert engine.description["engine"] == ("fused" if fuses else "folded")
    batch = engine.batch(x)
    plane = random_plane(model, seed=0)
    displacement = Displacement(model, moved_tensors(model), [direction.tensors for direction in plane.directions])
    ours, plain = [], []
    for point in POINTS:
        displacement.move_to(point)
        engine.refresh()
        ours.append(float(F.cross_entropy(engine(batch).double(), y)))
        plain.append(float(F.cross_entropy(model(x).double(), y)))
    displacement.restore()
    return ours, plain


@pytest.mark.parametrize("name", NETWORKS)
def test_float32_losses_are_those_of_the_plain_network(name, cifar):
    ours, plain = losses(network(name), "float32", *cifar)
    np.testing.assert_allclose(ours, plain, rtol=1e-5)


@pytest.mark.parametrize(("name", "limit"), [("resnet20", 0.01), ("resnet56", 0.02)])
def test_bfloat16_losses_are_within_a_few_times_their_rounding(name, limit, cifar):
    # 2^-9 = 0.2 % a rounding; the errors of 100 samples and of 20 or 56 layers average out in part.
    ours, plain = losses(network(name), "bfloat16", *cifar)
    np.testing.assert_allclose(ours, plain, rtol=limit)
