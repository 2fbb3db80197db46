"""CKA against the two packages that people use, on a small network with the same batches."""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
import torch
import torch_cka
from cka.hsic import hsic
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import landscape
from landscape.problem.data.datasets import as_data
from landscape.similarity.hsic import all_pairs, centred_gram, linear_gram, packed
from landscape.similarity.shuffled_batches import Samples


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Conv2d(4, 6, 3), nn.Flatten(), nn.Linear(96, 5)
    ).eval()


def test_torch_cka_gives_the_same_matrix_on_the_same_batches():
    x = torch.randn(48, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    models = {name: network(seed) for seed, name in enumerate("ab")}
    # One pass: theirs goes over a loader once, and means over batches of one size are means over samples.
    found = landscape.similarity(models, x, batch_size=16, passes=1)
    samples = Samples(as_data(x, "data"), None, 0, 16)
    order = [samples.order[places].tolist() for places in samples.places(0)]
    loader = DataLoader(TensorDataset(x), batch_sampler=order)
    layers = [str(k) for k in range(6)]
    theirs = torch_cka.CKA(*models.values(), "a", "b", model1_layers=layers, model2_layers=layers)
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        theirs.compare(loader)
    # Theirs sums in float32.
    np.testing.assert_allclose(found.between(0, 1), theirs.export()["CKA"].numpy(), atol=2e-5)


def test_pytorch_cka_gives_the_same_hsic_before_it_clamps():
    rng = np.random.default_rng(1)
    layers = [torch.from_numpy(rng.standard_normal((20, p)) + 1) for p in (3, 5, 30, 40, 200)]
    ours = all_pairs(torch.stack([packed(centred_gram(linear_gram(each))) for each in layers]))
    grams = torch.stack([each @ each.T for each in layers])
    theirs, own, _ = hsic(grams, grams)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-9)
    np.testing.assert_allclose(np.diagonal(ours), own.numpy(), rtol=1e-9)
    assert (ours < 0).any(), "of independent features some fall below 0: there theirs becomes 0"
