"""Changes of examples that raise their loss most, within a ball: one step (FGSM) and projected steps (PGD).

References
----------
.. [1] Goodfellow, Shlens and Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015, section 4.
.. [2] Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018, section 2.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from landscape.inputs.examples import Examples, clipped
from landscape.inputs.norms import into_ball, random_in_ball, steepest

# A step of PGD, as a multiple of epsilon / steps: enough to reach the ball's edge from anywhere in it and turn back.
STRIDE = 2.5


@dataclass(frozen=True)
class Attacked:
    """The worst that was found of each example."""

    change: Tensor  # (n, ...), in the ball, and the example within its range
    losses: Tensor  # (n,)
    right: Tensor  # (n,): whether every change that was looked at left the answer right
    course: Tensor  # (steps + 1,): mean loss at the start and after each step, of the first restart


def fgsm(examples: Examples, norm: str, epsilon: float) -> Attacked:
    """Make one step of length epsilon along the gradient's sign ("linf") or the gradient ("l2") [1]_."""
    zero = torch.zeros_like(examples.start)
    before, gradient, output = examples.gradient(zero)
    change = _valid(examples, epsilon * steepest(gradient, norm))
    losses, right = look(examples, change)
    return Attacked(
        change, losses, right & _right(output, examples.target), torch.stack([before.mean(), losses.mean()])
    )


def pgd(
    examples: Examples,
    norm: str,
    epsilon: float,
    *,
    steps: int = 20,
    restarts: int = 1,
    generator: torch.Generator,
) -> Attacked:
    """Follow the gradient for some steps, back into the ball after each, from random starts [2]_.

    Parameters
    ----------
    examples : Examples
    norm : {"linf", "l2"}
    epsilon : float
        Radius of the ball, in the units of the input as the network gets it.
    steps, restarts : int
    generator : Generator
        On the CPU; the same seed gives the same starts on every device.
    """
    return list(pgd_restarts(examples, norm, epsilon, steps=steps, restarts=restarts, generator=generator))[-1]


def pgd_restarts(
    examples: Examples, norm: str, epsilon: float, *, steps: int, restarts: int, generator: torch.Generator
) -> Iterator[Attacked]:
    """Yield, after each start of `pgd`, the worst that it and all before it found."""
    best: Attacked | None = None
    for _ in range(restarts):
        found = _climb(examples, norm, epsilon, steps, generator)
        best = found if best is None else _worse(best, found)
        yield best


def random_changes(
    examples: Examples, norm: str, epsilon: float, *, number: int, generator: torch.Generator
) -> Attacked:
    """Try random changes of full length, which follow no gradient: each number up or down, or a random direction."""
    best: Attacked | None = None
    for _ in range(number):
        drawn = torch.randn(examples.start.shape, generator=generator, dtype=torch.float64).to(examples.start)
        change = _valid(examples, epsilon * steepest(drawn, norm))
        losses, right = look(examples, change)
        found = Attacked(change, losses, right, losses.mean()[None])
        best = found if best is None else _worse(best, found)
    assert best is not None
    return best


def _climb(examples: Examples, norm: str, epsilon: float, steps: int, generator: torch.Generator) -> Attacked:
    change = _valid(examples, random_in_ball(examples.start, norm, epsilon, generator))
    worst, most, right, course = change, None, None, []
    for _ in range(steps):
        losses, gradient, output = examples.gradient(change)
        worst, most, right = _kept(worst, most, right, change, losses, _right(output, examples.target))
        course.append(losses.mean())
        change = into_ball(change + STRIDE * epsilon / steps * steepest(gradient, norm), norm, epsilon)
        change = _valid(examples, change)
    losses, answer = look(examples, change)
    worst, most, right = _kept(worst, most, right, change, losses, answer)
    return Attacked(worst, most, right, torch.stack([*course, losses.mean()]))


def _kept(
    worst: Tensor, most: Tensor | None, right: Tensor | None, change: Tensor, losses: Tensor, answer: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the worst change of each example so far, its loss, and whether all answers so far were right."""
    if most is None or right is None:
        return change, losses, answer
    more = losses > most
    chosen = torch.where(more.reshape(-1, *[1] * (change.ndim - 1)), change, worst)
    return chosen, torch.where(more, losses, most), right & answer


def _worse(one: Attacked, other: Attacked) -> Attacked:
    change, losses, right = _kept(one.change, one.losses, one.right, other.change, other.losses, other.right)
    return Attacked(change, losses, right, one.course)


@torch.no_grad()
def look(examples: Examples, change: Tensor) -> tuple[Tensor, Tensor]:
    """Return losses and whether answers are right, shapes (n,), at changed examples."""
    output = examples.output(change)
    return examples.losses(output), _right(output, examples.target)


def _right(output: Tensor, target: Tensor) -> Tensor:
    return output.argmax(1) == target


def _valid(examples: Examples, change: Tensor) -> Tensor:
    """Return the change that is left once the example is within its range."""
    return clipped(examples.start + change, examples.clip) - examples.start
