"""A real checkpoint and real images, named as on the command line, give what its training run recorded."""

from __future__ import annotations

import pytest
import torch

from landscape.engine.kernels import onednn_fuses
from landscape.problem.batches import batch_size_of
from landscape.problem.data.sources import resolve_data
from landscape.problem.losses.losses import resolve_loss
from landscape.problem.model import load_model


def test_resnet20_has_the_loss_and_accuracy_its_training_recorded(shared, cifar_resnet):
    model, checkpoint = load_model(
        f"{shared}/checkpoints/cifar_resnet.py:resnet20", {}, shared / "checkpoints/resnet20/epoch10.pt"
    )
    assert checkpoint.description == "128 tensors under 'state_dict'"
    reference = f"test=npz:{shared}/data/cifar10_test.npz"
    data = resolve_data([reference], normalize=(cifar_resnet.MEAN, cifar_resnet.STD))["test"]
    loss = resolve_loss("cross_entropy")
    model.register_forward_hook(lambda network, given, output: output.float())
    total = dict.fromkeys(("loss", "accuracy"), 0.0)
    seen = 0
    # Recorded under autocast to bfloat16, which gives these very numbers in a third of the time where the processor
    # has it; in float32 the loss is 0.05 % higher, and one image falls the other way.
    half = onednn_fuses(torch.bfloat16, torch.device("cpu"))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        for batch in data.batches(range(data.size), 500):
            seen += batch_size_of(batch)
            for name, values in loss(model, batch, check=True).items():
                total[name] += float(values.double().sum())
    assert seen == 10_000
    assert total["loss"] / seen == pytest.approx(checkpoint.metadata["info.test_loss"], rel=1e-3)
    assert total["accuracy"] / seen == pytest.approx(checkpoint.metadata["info.test_accuracy"] / 100, abs=2e-4)
