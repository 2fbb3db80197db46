"""Real networks and data, where they lie beside the checkout: ``../shared`` with CIFAR-10 images and checkpoints."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    if not (SHARED / "checkpoints").is_dir():
        pytest.skip("no ../shared beside the checkout: these tests are of real networks and data")
    return SHARED


@pytest.fixture(scope="session")
def cifar_resnet(shared):
    spec = importlib.util.spec_from_file_location("cifar_resnet", shared / "checkpoints" / "cifar_resnet.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def cifar_images(shared, cifar_resnet):
    """The first 40 training images, normalised, float32 N x 3 x 32 x 32, and labels."""
    with np.load(shared / "data" / "cifar10_train10k.npz") as arrays:
        x, y = arrays["x"][:40], arrays["y"][:40]
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (cifar_resnet.MEAN, cifar_resnet.STD))
    images = torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255
    return (images - mean) / std, torch.from_numpy(y.astype(np.int64))
