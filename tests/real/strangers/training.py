"""What comes with a way to train: modules of trainers, private gradients, tables, losses of pairs."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.real.strangers.comparison import Case, N, case, draw, mean, whole


@case("lightning", "LightningModule, its .ckpt with hyperparameters")
def lightning_module() -> Case:
    """Read what a Trainer writes."""
    import lightning

    class Net(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.body = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.GELU(), nn.Linear(16, 3))

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.body(x)
            return found

    x, y = draw(N, 6), whole(3, N)
    return Case(
        Net,
        (x, y),
        lambda model: mean([F.cross_entropy(model(one[None]), two[None]) for one, two in zip(x, y, strict=True)]),
        save=lambda model: {"state_dict": model.state_dict(), "pytorch-lightning_version": "2.6", "epoch": 3},
    )


@case("pytorch_tabnet", "TabNet; a tuple out, ghost batch norm")
def tabnet() -> Case:
    """Take the first of a tuple of outputs."""
    from pytorch_tabnet.tab_network import TabNetNoEmbeddings

    x, y = draw(N, 6), whole(3, N)
    return Case(
        lambda: TabNetNoEmbeddings(6, 3, n_d=4, n_a=4, n_steps=2, group_attention_matrix=torch.eye(6)),
        (x, y),
        lambda model: mean([F.cross_entropy(model(x[k : k + 1])[0], y[k : k + 1]) for k in range(N)]),
    )


@case("opacus", "private attention, saved inside its GradSampleModule (`_module.`)")
def private() -> Case:
    """Read a checkpoint with a wrapper's prefix."""
    from opacus import GradSampleModule
    from opacus.layers import DPMultiheadAttention

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend, self.head = DPMultiheadAttention(8, 2), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = x.transpose(0, 1)
            found: Tensor = self.head(self.attend(x, x, x)[0].mean(0))
            return found

    x, y = draw(N, 5, 8), whole(3, N)
    return Case(
        Net,
        (x, y),
        lambda m: mean([F.cross_entropy(m(x[k : k + 1]), y[k : k + 1]) for k in range(N)]),
        save=lambda model: GradSampleModule(copy.deepcopy(model)).state_dict(),
    )


@case("pytorch_metric_learning", "triplets within a batch, batches as a list")
def triplets() -> Case:
    """Compare embeddings of a batch with each other."""
    from pytorch_metric_learning.losses import NTXentLoss

    criterion = NTXentLoss(temperature=0.5)
    batches = [(draw(6, 4, seed=k), torch.arange(6) % 3) for k in range(3)]

    def contrast(model: nn.Module, batch: Any) -> Tensor:
        found: Tensor = criterion(model(batch[0]), batch[1])
        return found

    return Case(
        lambda: nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8)),
        batches,
        lambda model: mean([contrast(model, each) for each in batches]),
        contrast,
    )
