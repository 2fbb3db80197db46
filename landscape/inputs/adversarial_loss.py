"""The loss under attack as a loss like any other: examples are attacked anew wherever weights are.

The surface of adversarial training's own objective (Madry et al., ICLR 2018, equation 2.1),

.. math:: L(\\theta) = \\frac1n \\sum_i \\max_{\\|\\delta\\| \\le \\epsilon} \\ell(f_\\theta(x_i + \\delta), y_i),

with the maximum as far as projected gradient steps find it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from landscape.errors import UsageError
from landscape.inputs.attacks import pgd
from landscape.inputs.examples import Clip, Examples
from landscape.inputs.norms import require_norm
from landscape.inputs.stored_units import in_stored_units
from landscape.problem.data.samples import Normalize
from landscape.problem.losses.losses import Loss, resolve_loss


class AdversarialLoss:
    """A loss of (model, batch): each sample's after PGD against the weights as they are, and whether it stays right.

    Parameters
    ----------
    epsilon : float
        Radius of the ball around each input, in units of what the network gets; with ``normalize``, of what it is
        before that.
    norm : {"linf", "l2"}
    steps : int
        A point of a surface costs as many gradients, and one forward pass more.
    clip : tuple of float, optional
        The valid range of inputs, in the same units.
    normalize : (mean, std), optional
        What was done to the inputs, one number a channel, as ``--normalize`` takes it.
    loss : str, callable or Loss
        Of (output, target), with a value a sample.
    seed : int
        Of the random starts, which are the same at every point.

    Raises
    ------
    UsageError
        A choice makes no sense.

    Examples
    --------
    >>> loss = AdversarialLoss(0.03, clip=(0, 1), steps=5)
    >>> loss.__name__
    'cross_entropy_pgd_linf_0.03_5_clip_0.0_1.0'
    """

    def __init__(
        self,
        epsilon: float,
        *,
        norm: str = "linf",
        steps: int = 10,
        clip: Clip | None = None,
        normalize: Normalize | None = None,
        loss: str | Callable[..., Any] | Loss = "cross_entropy",
        seed: int = 0,
    ) -> None:
        require_norm(norm)
        if not 0 < epsilon < float("inf") or steps < 1:
            raise UsageError(f"an attack has a positive strength and a step at least, not {epsilon:g} and {steps}")
        self.epsilon, self.norm, self.steps, self.clip, self.normalize = epsilon, norm, steps, clip, normalize
        self.loss, self.seed = resolve_loss(loss), seed
        # What tells this loss from others in a surface's file, so that no run is continued with another attack.
        parts = [self.loss.name, "pgd", norm, repr(float(epsilon)), str(steps)]
        parts += [] if clip is None else ["clip", *(repr(float(each)) for each in clip)]
        parts += [] if normalize is None else ["pixels", *(repr(float(each)) for part in normalize for each in part)]
        self.__name__ = "_".join([*parts, *([f"seed_{seed}"] if seed else [])])

    def __call__(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Return loss and accuracy of each sample under attack, shapes (n,)."""
        network: nn.Module = model
        if self.normalize is not None:
            device = next((each.device for each in model.parameters()), torch.device("cpu"))
            network, batch = in_stored_units(model, batch, self.normalize, device)
        examples = Examples(network, self.loss, batch, self.clip)
        generator = torch.Generator().manual_seed(self.seed)
        found = pgd(examples, self.norm, self.epsilon, steps=self.steps, generator=generator)
        return {"loss": found.losses, "accuracy": found.right.to(torch.float32)}
