"""Tasks in sequence: the same images rotated further, or with their pixels in another order, task by task.

The two benchmarks of Mirzadeh et al., "Understanding the Role of Training Regimes in Continual Learning", NeurIPS 2020,
Section 5.1: task 0 is the data as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from landscape.errors import UsageError

KINDS = ("rotated", "permuted")


@dataclass(frozen=True)
class TaskSequence:
    """How the tasks of a sequence differ, and how the learning rate changes from one to the next."""

    kind: str = "rotated"
    number: int = 5
    angle: float = 22.5  # degrees from one task to the next, counter-clockwise
    decay: float = 1.0  # the learning rate of a task over that of the task before
    joint: bool = False  # each task is learnt together with all before it: in as many steps, of images drawn from all

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> TaskSequence:
        """Read what a recipe says; UsageError where it makes no sense."""
        unknown = set(given) - set(cls.__dataclass_fields__)
        if unknown:
            raise UsageError(f"tasks have no {', '.join(sorted(unknown))}; there are kind, number, angle, decay, joint")
        found = cls(**given)
        if found.kind not in KINDS or found.number < 1 or not found.decay > 0:
            raise UsageError(
                f"tasks are {' or '.join(KINDS)}, 1 or more of them, with a decay above 0; got {dict(given)}"
            )
        return found

    def inputs(self, x: Tensor, task: int) -> Tensor:
        """Return images as a task shows them, shape (n, c, h, w) as given."""
        if task == 0:
            return x
        if x.ndim != 4:
            raise UsageError(f"tasks are made of images (n, c, h, w), these are of shape {tuple(x.shape)}")
        if self.kind == "permuted":
            order = torch.randperm(x.shape[2] * x.shape[3], generator=torch.Generator().manual_seed(task))
            return x.flatten(2)[:, :, order].reshape(x.shape)
        turn = math.radians(self.angle * task)
        cos, sin = math.cos(turn), math.sin(turn)
        matrix = torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0]]).expand(len(x), 2, 3)
        grid = functional.affine_grid(matrix, list(x.shape), align_corners=False)
        return functional.grid_sample(x, grid, align_corners=False)

    def training_inputs(self, x: Tensor, task: int, generator: torch.Generator) -> Tensor:
        """Return images to learn a task from: as it shows them, or, jointly, each as a task drawn from all up to it."""
        if not self.joint or task == 0:
            return self.inputs(x, task)
        drawn = torch.randint(0, task + 1, (len(x),), generator=generator)
        found = torch.empty_like(x)
        for each in range(task + 1):
            chosen = drawn == each
            if bool(chosen.any()):  # of few images a task may get none
                found[chosen] = self.inputs(x[chosen], each)
        return found


def forgetting_of(rows: Sequence[Sequence[float]]) -> dict[str, float]:
    """Return the mean accuracy over all tasks at the end, and what was lost of the earlier ones since their best.

    Parameters
    ----------
    rows : sequence of (after, task, loss, accuracy)
        All tasks after each one.
    """
    if not rows:
        return {}
    last = max(row[0] for row in rows)
    at_end = {row[1]: row[3] for row in rows if row[0] == last}
    lost = [max(r[3] for r in rows if r[1] == task and task <= r[0] <= last) - a for task, a in at_end.items()]
    earlier = [each for task, each in zip(at_end, lost, strict=True) if task < last]
    return {
        "task_accuracy": sum(at_end.values()) / len(at_end),
        "forgetting": sum(earlier) / len(earlier) if earlier else math.nan,
    }
