"""What a study measures of a network's inputs: which frequencies it decides by, and the loss over the input.

References
----------
.. [1] Wang et al., "High-Frequency Component Helps Explain the Generalization of Convolutional Neural Networks",
       CVPR 2020.
.. [2] Moosavi-Dezfooli et al., "Robustness via Curvature Regularization, and Vice Versa", CVPR 2019.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from landscape.errors import UsageError
from landscape.studies.measures.measure_parts import Numbers, chosen_data, described, one_network, write_curve
from landscape.studies.study import Context


def frequencies(
    context: Context,
    *,
    cutoffs: Sequence[float] | None = None,
    epsilon: float | None = None,
    norm: str = "linf",
    steps: int = 10,
    samples: int | None = None,
    data: str = "test",
    clip: Sequence[float] = (0.0, 1.0),
) -> Numbers:
    """Measure accuracy on low-pass and high-pass images, and on changes of an attack (`landscape.frequencies`; [1]_).

    Parameters
    ----------
    context : Context
    cutoffs : sequence of float, optional
        In cycles along the shorter side; by default every whole one and the greatest there is.
    epsilon, norm, steps, clip
        Of the attack whose changes are taken apart; without ``epsilon`` there is none.
    samples, data
        On what.

    Returns
    -------
    dict
        ``low_half_way``, ``high_half_way``: cut-off at which accuracy on low-pass (high-pass) images is half way
        between its ends, NaN where it does not change; ``low_accuracy``, ``high_accuracy``: mean over cut-offs. With
        ``epsilon`` as well ``low_change_...``, ``high_change_...`` of the same, for images with only these frequencies
        of their change, and ``change_middle``, the cut-off within which half the change's variance lies.
    """
    from landscape.files.reports.frequencies_file import write_frequencies
    from landscape.inputs.frequencies import frequencies as measure

    network = one_network(context)
    low, high = clip
    found = measure(
        network.model(),
        chosen_data(context, [data]),
        cutoffs=cutoffs,
        epsilon=epsilon,
        norm=norm,
        steps=steps,
        clip=(low, high),
        loss=network.recipe.loss,
        samples=samples,
        sample_seed=context.seed,
        progress=context.progress,
    )
    write_frequencies(context.folder / "frequencies.h5", found)
    named = {kind.replace(" ", "_"): kind for kind in found.kinds}
    curves = {f"{name}_accuracy": found.accuracy(kind) for name, kind in named.items()}
    losses = {f"{name}_loss": found.mean_loss(kind)[0] for name, kind in named.items()}
    write_curve(context, "accuracy", {"cutoff": found.cutoffs, **curves, **losses})
    numbers: Numbers = {}
    for name, kind in named.items():
        middle = found.half_way(kind)
        numbers[f"{name}_half_way"] = math.nan if middle is None else middle
        numbers[f"{name}_accuracy"] = float(curves[f"{name}_accuracy"].mean())
    if epsilon is not None:
        numbers["change_middle"] = _reached(found.cutoffs, found.change_energy, 0.5)
    return numbers


def _reached(x: Any, shares: Any, share: float) -> float:
    """Return where a rising curve reaches a share, linear between points; NaN where it begins above or never does."""
    if not shares[0] <= share <= shares[-1]:
        return math.nan
    return float(np.interp(share, shares, x))


def input_plane(
    context: Context,
    *,
    axes: Sequence[str] = ("sign", "random"),
    epsilon: float = 0.1,
    points: int = 21,
    reach: float = 2.0,
    norm: str = "linf",
    samples: int | None = None,
    data: str = "test",
    clip: Sequence[float] | None = (0.0, 1.0),
) -> Numbers:
    """Measure the mean loss over the input along two directions (`landscape.inputs.input_space`).

    Parameters
    ----------
    axes : sequence of str
        Two of those that input space has; numbers are along the first.
    epsilon : float
        The distance at which numbers are taken, which is among the points.
    points : int
        Along each axis, odd.
    reach : float
        How far the plane goes, in ``epsilon``.
    norm, samples, data, clip
        Of the inputs.

    Returns
    -------
    dict
        ``rise`` of the mean loss over ``epsilon`` along the first axis, ``random_rise`` along the second (mean of both
        ways), ``curvature``, the second difference (L(e) + L(-e) - 2 L(0)) / e^2 along the first [2]_, and ``margin``:
        the mean right class's output minus the greatest other one at ``epsilon``.
    """
    from landscape.evaluation.evaluate import evaluate
    from landscape.inputs.input_space import input_problem

    if len(axes) != 2:
        raise UsageError(f"a plane has two axes, got {len(axes)}: {', '.join(axes)}")
    half = (points - 1) / 2 / reach
    if points < 3 or half != int(half) or half < 1:
        raise UsageError(
            f"{points} points over {reach:g} times epsilon have none at epsilon or at 0; take 21 and a reach of 2"
        )
    network = one_network(context)
    problem = input_problem(
        network.model(),
        chosen_data(context, [data]),
        axes=tuple(axes),
        loss=network.recipe.loss,
        samples=samples,
        sample_seed=context.seed,
        norm=norm,
        epsilon=epsilon,
        clip=None if clip is None else (float(clip[0]), float(clip[1])),
        seed=context.seed,
    )
    values = np.linspace(-reach * epsilon, reach * epsilon, points)
    about = {key: value for key, value in described(network).items() if key not in problem.how}
    surface = evaluate(
        problem.model,
        problem.data,
        problem.plane,
        x=values,
        y=values,
        path=context.folder / "input.h5",
        progress=context.progress,
        **problem.how,
        **about,
    )
    (name,) = problem.data
    losses = np.asarray(surface[f"{name}/loss"])
    middle, step = points // 2, int(half)
    start, up, down = (float(losses[middle, middle + way * step]) for way in (0, 1, -1))
    aside = float((losses[middle + step, middle] + losses[middle - step, middle]) / 2)
    write_curve(
        context,
        "first_axis",
        {"distance": values, **{n.partition("/")[2]: np.asarray(v)[middle] for n, v in surface.values.items()}},
    )
    numbers = {"rise": up - start, "random_rise": aside - start, "curvature": (up + down - 2 * start) / epsilon**2}
    margins = surface.values.get(f"{name}/margin")
    return numbers | ({} if margins is None else {"margin": float(np.asarray(margins)[middle, middle + step])})
