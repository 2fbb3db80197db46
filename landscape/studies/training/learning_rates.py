"""The learning rate at each step of a recipe: warm-up times a schedule.

``constant``; ``cosine``, half a wave down to 0 [1]_; ``step``, a tenth from half of the training and a hundredth from
three quarters; ``onecycle``, up from a 25th of the rate within the first tenth and down to a 250,000th [2]_.

References
----------
.. [1] Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, equation 5.
.. [2] Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates", 2018.
"""

from __future__ import annotations

import math

from landscape.errors import UsageError

_FIRST, _LAST, _RISE = 1 / 25, 1 / 250_000, 0.1


def rate_factor(schedule: str, step: int, steps: int, warmup_steps: float = 0.0) -> float:
    """Return by what the recipe's learning rate is multiplied at a step, the first of which is 0.

    Parameters
    ----------
    schedule : {"constant", "cosine", "step", "onecycle"}
    step, steps : int
        This one and how many there are in all.
    warmup_steps : float
        Within so many steps the rate rises linearly, as a factor beside the schedule's.

    Examples
    --------
    >>> [round(rate_factor("cosine", step, 4), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    >>> rate_factor("constant", 1, 10, warmup_steps=4)
    0.5
    """
    done = step / steps
    rise = min(1.0, (step + 1) / warmup_steps) if warmup_steps > 0 else 1.0
    if schedule == "constant":
        return rise
    if schedule == "cosine":
        return rise * _half_wave(1.0, 0.0, done)
    if schedule == "step":
        return rise * (1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01)
    if schedule == "onecycle":
        if done < _RISE:
            return rise * _half_wave(_FIRST, 1.0, done / _RISE)
        return rise * _half_wave(1.0, _LAST, (done - _RISE) / (1 - _RISE))
    raise UsageError(f"there is no schedule {schedule!r}; there are constant, cosine, step, onecycle")


def _half_wave(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2
