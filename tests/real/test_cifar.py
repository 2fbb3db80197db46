"""ResNet-20 on CIFAR-10: every point of a plane against an independent loop in float64."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import landscape
from landscape.problem.model import load_model


@pytest.mark.slow
def test_loss_and_accuracy_equal_a_float64_loop_at_every_point_of_a_plane(shared, cifar_resnet, cifar_images):
    path = shared / "checkpoints" / "resnet20" / "epoch10.pt"
    model, _ = load_model(cifar_resnet.resnet20, {}, str(path))
    x, y = cifar_images
    plane = landscape.random_plane(model, seed=0)
    # 40 images in batches of 32: the last one has 8.
    got = landscape.evaluate(model, (x, y), plane, x="-1:1:4", y="-1:1:2", batch_size=32)
    exact = copy.deepcopy(model).double()
    start = {name: p.detach().clone() for name, p in exact.named_parameters()}
    dx, dy = (d.tensors for d in plane.directions)
    for j, b in enumerate((-1.0, 1.0)):
        for i, a in enumerate(np.linspace(-1, 1, 4)):
            with torch.no_grad():
                for name, p in exact.named_parameters():
                    p.copy_(start[name] + a * dx[name].double() + b * dy[name].double())
                logits = exact(x.double())
            loss = float(torch.nn.functional.cross_entropy(logits, y))
            assert got["train/loss"][j, i] == pytest.approx(loss, rel=1e-5), (a, b)
            accuracy = float((logits.argmax(1) == y).double().mean())
            assert got["train/accuracy"][j, i] == pytest.approx(accuracy, abs=1e-12), (a, b)


def test_the_checkpoints_own_scores_come_out(shared, cifar_resnet):
    """86.70 % and 0.388 on the 10,000 test images, as the run that made it reported; here on 300 of them."""
    from landscape.problem.data.sources import resolve_data

    path = shared / "checkpoints" / "resnet20" / "epoch10.pt"
    model, _ = load_model(cifar_resnet.resnet20, {}, str(path))
    data = resolve_data(
        [f"test=npz:{shared / 'data' / 'cifar10_test.npz'}"], normalize=(cifar_resnet.MEAN, cifar_resnet.STD)
    )
    got = landscape.evaluate(model, data, x="0:0:1", samples=300)
    assert got.counts["test"].tolist() == [300]
    # Three standard errors of 300 samples.
    assert got["test/accuracy"][0] == pytest.approx(0.867, abs=3 * got.stderr["test/accuracy"][0])
    assert got["test/loss"][0] == pytest.approx(0.388, abs=3 * got.stderr["test/loss"][0])
