"""How ``landscape demo`` trains its two networks: one recipe for both.

Stochastic gradient descent with Nesterov momentum under a one-cycle learning rate [1]_, cross entropy, no
augmentation. All that is drawn at random comes from a generator of its own, so the same seed gives the same weights on
the same machine with the same number of threads, and torch's global generator is left as it was.

References
----------
.. [1] Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates", 2018.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BATCH_SIZE", "EPOCHS", "LEARNING_RATE", "WEIGHT_DECAY", "train"]

# One of about twenty recipes tried, chosen looking at both networks, then of 56 layers: rates of 0.01 to 0.05 give
# sharper bowls, batches of 32 and 80 epochs train the plain network worse.
EPOCHS = 30
BATCH_SIZE = 64
LEARNING_RATE = 0.1
WEIGHT_DECAY = 5e-4


def train(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    epochs: int = EPOCHS,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = LEARNING_RATE,
    weight_decay: float = WEIGHT_DECAY,
    progress: Callable[[int, int, float], None] | None = None,
) -> None:
    """Train a classifier in place and leave it in eval mode.

    Parameters
    ----------
    model : nn.Module
        Maps a batch of ``x`` to one logit per class.
    x : Tensor
        All samples, samples first.
    y : Tensor
        (n,) int64, their classes.
    epochs : int
        Passes over the data; the last short batch of each is left out.
    seed : int
        Of the order of the samples.
    batch_size, learning_rate, weight_decay : int, float, float
        The recipe; the learning rate is the highest of the cycle.
    progress : callable, optional
        Called after each epoch with the epochs done, the epochs in all, and the epoch's mean loss.

    Raises
    ------
    ValueError
        There are fewer samples than one batch, or fewer than one epoch is asked for.
    """
    batches = len(x) // batch_size
    if batches < 1 or epochs < 1:
        raise ValueError(
            f"training needs at least one epoch and one batch of {batch_size}, got {epochs} epochs of {len(x)} samples"
        )
    optimizer = torch.optim.SGD(
        model.parameters(), lr=learning_rate, momentum=0.9, weight_decay=weight_decay, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=epochs * batches, pct_start=0.1, cycle_momentum=False
    )
    order = torch.Generator().manual_seed(seed)
    model.train()
    for epoch in range(1, epochs + 1):
        total = 0.0
        shuffled = torch.randperm(len(x), generator=order)[: batches * batch_size]
        for chosen in shuffled.reshape(batches, batch_size):
            loss = functional.cross_entropy(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += loss.item()
        if progress is not None:
            progress(epoch, epochs, total / batches)
    model.eval()
