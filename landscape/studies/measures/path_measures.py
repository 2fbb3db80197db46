"""What a study measures of a training as it went: its path, the surfaces it saw, its curvature.

The recipe has to keep checkpoints: ``checkpoints = 1`` is every epoch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from landscape.errors import UsageError
from landscape.studies.measures.measure_parts import (
    Numbers,
    chosen_data,
    described,
    ends_of_spectrum,
    one_network,
    with_log10,
    write_curve,
)
from landscape.studies.study import Context, TrainedNetwork

# Width and height of films, in pixels: enough for a report's page.
FILM_SIZE = (480, 360)


def path(
    context: Context,
    *,
    surface: bool = False,
    points: int = 21,
    samples: int | None = None,
    data: str = "train",
    random_planes: int = 5,
) -> Numbers:
    """Measure how flat the path of a training is: its variance in principal and in random planes.

    Parameters
    ----------
    surface : bool
        Also measure the surface on the principal plane, with the path on it.
    points, samples, data
        Of that surface.
    random_planes : int
        Of how many random planes the mean share is taken.

    Returns
    -------
    dict
        ``first_share`` and ``two_shares`` of the path's variance in its principal components, ``walk_shares`` (what two
        components of a random walk of as many points have), ``random_share`` (mean over random planes) with its
        logarithm, ``length`` (sum of the steps' lengths) and ``straightness`` (distance of the ends over the length).
    """
    from landscape.directions.construct import random_plane
    from landscape.surface.derived.variance_shares import random_walk_shares
    from landscape.trajectory.principal_plane import principal_plane
    from landscape.trajectory.run_surface import evaluate_runs

    network = one_network(context)
    model, run = network.model(), _run(network)
    principal = principal_plane(model, run)
    shares = []
    for number in range(random_planes):
        drawn = random_plane(model, seed=context.seed + number, norm="none", ignore="none")
        shares.append(plane_share(model, run, drawn, principal.total))
    places = [flat_weights(record.fitted(model, [n for n, _ in model.named_parameters()])) for record in run.records]
    steps = [float(np.linalg.norm(b - a)) for a, b in itertools.pairwise(places)]
    if surface:
        evaluate_runs(
            model,
            chosen_data(context, [data]),
            run,
            principal,
            points=points,
            samples=samples,
            sample_seed=context.seed,
            path=context.folder / "path.h5",
            progress=context.progress,
            **described(network),
        )
    length = sum(steps)
    numbers = {
        "first_share": float(principal.shares[0]),
        "two_shares": float(principal.shares[:2].sum()),
        "walk_shares": float(random_walk_shares(len(places))[:2].sum()),
        "length": length,
        "straightness": float(np.linalg.norm(places[-1] - places[0])) / length if length else math.nan,
    }
    return numbers | with_log10({"random_share": float(np.mean(shares))}, "random_share")


def paths(
    context: Context, *, points: int = 21, samples: int | None = None, data: str = "train", margin: float = 0.15
) -> Numbers:
    """Measure the surface on the principal plane of the trainings of several variants from one start, with their paths.

    Returns
    -------
    dict
        ``two_shares``: of the variance of all paths together.
    """
    from landscape.trajectory.principal_plane import principal_plane
    from landscape.trajectory.run_surface import evaluate_runs

    first = context.networks[0]
    model = first.model()
    runs = [_run(network) for network in context.networks]
    principal = principal_plane(model, runs)
    evaluate_runs(
        model,
        chosen_data(context, [data]),
        runs,
        principal,
        points=points,
        margin=margin,
        samples=samples,
        sample_seed=context.seed,
        path=context.folder / "paths.h5",
        progress=context.progress,
        **described(first),
    )
    return {"two_shares": float(principal.shares[:2].sum())}


def local(
    context: Context, *, at: float = 0.25, points: int = 17, samples: int | None = None, data: str = "train"
) -> Numbers:
    """Measure the walls beside a path at one of its steps: the plane of its velocity and acceleration there.

    See `landscape.trajectory.local_plane`. The surface, with the path on it, reaches twice as far as the next records.

    Parameters
    ----------
    at : float
        Which record, as a share of the run, from 0 to 1; the first and the last have no velocity, and the next counts.
    points : int
        Along each axis, 4 k + 1, so that the distance of the farther neighbour is among them.
    samples, data
        Of that surface.

    Returns
    -------
    dict
        ``along`` and ``across``: second differences of the loss at that distance, (L(r) + L(-r) - 2 L(0)) / r^2, along
        the velocity and across it; ``wall``, the latter less the former; ``share`` of the path's variance in the plane;
        ``speed`` (distance a step) and ``radius`` of the path's curvature, with logarithms.
    """
    from landscape.trajectory.local_plane import local_plane
    from landscape.trajectory.principal_plane import principal_plane
    from landscape.trajectory.record_losses import put_record
    from landscape.trajectory.run_surface import evaluate_runs

    if not 0 <= at <= 1 or points < 5 or points % 4 != 1:
        raise UsageError(f"a local plane is at a share from 0 to 1 with 5, 9, 13 ... points, got {at:g} and {points}")
    network = one_network(context)
    model, run = network.model(), _run(network)
    total = principal_plane(model, run).total
    record = run.records[min(max(round(at * (len(run.records) - 1)), 1), len(run.records) - 2)]
    put_record(model, record)
    plane = local_plane(model, run, record.step)
    recipe = plane.directions[0].recipe
    reach = float(np.abs(np.array(recipe["neighbours"])).max())
    values = np.linspace(-2 * reach, 2 * reach, points)
    surface = evaluate_runs(
        model,
        chosen_data(context, [data]),
        run,
        plane,
        x=values,
        y=values,
        samples=samples,
        sample_seed=context.seed,
        path=context.folder / "local.h5",
        progress=context.progress,
        **{**described(network), "checkpoint": str(record.path)},
    )
    losses = np.asarray(surface[f"{data}/loss"])
    middle, step = points // 2, points // 4
    bent = [
        float(line[middle + step] + line[middle - step] - 2 * line[middle]) / reach**2
        for line in (losses[middle], losses[:, middle])
    ]
    numbers = {"along": bent[0], "across": bent[1], "wall": bent[1] - bent[0]}
    numbers["share"] = plane_share(model, run, plane, total)
    return numbers | with_log10({"speed": recipe["speed"], "radius": recipe["radius"]}, "speed", "radius")


def plane_share(model: nn.Module, run: Any, drawn: Any, total: float) -> float:
    """Return which part of a run's variance lies in a plane.

    Parameters
    ----------
    model : Module
        Of the run's network.
    run : TrainingRun
    drawn : Plane
        Of directions of any length and at any angle.
    total : float
        The variance in all directions, a sum over components.
    """
    from landscape.trajectory.principal_plane import project

    lengths = np.array([each.length for each in drawn.directions])
    gram = drawn.cosines * np.outer(lengths, lengths)
    at = project(model, run, drawn).coordinates
    centred = at - at.mean(0)
    return float(np.einsum("ni,ij,nj->", centred, gram, centred)) / (len(at) - 1) / total


def film(
    context: Context,
    *,
    x: str = "-1:1:15",
    samples: int | None = None,
    data: str = "train",
    every: int = 1,
    seconds: float = 3.0,
    write: bool = False,
) -> Numbers:
    """Measure a surface at every recorded step, with directions that stay and a centre that moves with the training.

    Parameters
    ----------
    x : str
        Of both axes, in filter lengths of the weights at the end: the same plane of directions for all steps.
    samples, data
    every : int
        Only every so many-th record, and the last.
    seconds : float
        How long the film is.
    write : bool
        Write films of the moving centre, and of the path over the surface about the end on its principal plane, as
        WebP, which needs no other library; of the first network given. They take longer than all that is measured.

    Returns
    -------
    dict
        ``moved``: 1 less the mean correlation of ranks between the first surface and the last, both about their own
        centre; ``last_moved``, the same between the last two; ``first_range`` and ``last_range`` (median loss above the
        centre's) and their ratio, ``growth``, with logarithms.
    """
    from landscape.directions.construct import random_plane
    from landscape.evaluation.evaluate import evaluate
    from landscape.trajectory.record_losses import put_record

    network = context.networks[0] if write else one_network(context)
    model, run = network.model(), _run(network)
    fixed = random_plane(model, seed=context.seed)
    chosen = chosen_data(context, [data])
    about = described(network)
    records = [*run.records[:-1:every], run.records[-1]]
    surfaces: list[Any] = []
    for number, record in enumerate(records):
        put_record(model, record)
        surfaces.append(
            evaluate(
                model,
                chosen,
                fixed,
                x=x,
                y=x,
                samples=samples,
                sample_seed=context.seed,
                progress=False,
                path=context.folder / f"step-{record.step:06d}.h5",
                **{**about, "checkpoint": str(record.path)},
            )
        )
        context.progress(number + 1, len(records) + 1)
    if write:
        _write_films(context, network, surfaces, chosen, samples, seconds)
    name = f"{data}/loss"
    losses = [np.asarray(each[name]).ravel() for each in surfaces]
    middle = len(losses[0]) // 2
    rises = [float(np.median(each - each[middle])) for each in losses]
    write_curve(context, "rise", {"step": [record.step for record in records], "median_rise": rises})
    numbers = {
        "moved": 1 - _ranks(losses[0], losses[-1]),
        "last_moved": 1 - _ranks(losses[-2], losses[-1]),
    }
    growth = rises[-1] / rises[0] if rises[0] > 0 else math.nan
    ranges = {"first_range": rises[0], "last_range": rises[-1], "growth": growth}
    return numbers | with_log10(ranges, *ranges)


def _write_films(
    context: Context,
    network: TrainedNetwork,
    moving: Sequence[Any],
    data: Any,
    samples: int | None,
    seconds: float,
) -> None:
    from landscape.plot.films.films import write_film
    from landscape.trajectory.run_surface import evaluate_runs

    standing = evaluate_runs(
        network.model(),
        data,
        _run(network),
        points=15,
        samples=samples,
        sample_seed=context.seed,
        progress=False,
        path=context.folder / "standing.h5",
        **described(network),
    )
    how: dict[str, Any] = {"seconds": seconds, "rate": 8, "size": FILM_SIZE}
    write_film(moving, context.folder / "moving.webp", kind="epochs", **how)
    write_film(standing, context.folder / "standing.webp", kind="path", **how)


def sharpening(
    context: Context, *, data: str = "train", samples: int | None = None, most: int = 40, early: float = 0.2
) -> Numbers:
    """Measure the greatest eigenvalue of the Hessian at every recorded step.

    Parameters
    ----------
    early : float
        Which share of the steps counts as early.

    Returns
    -------
    dict
        ``early`` (greatest of the early steps), ``first``, ``last``, each with its logarithm, and ``first_ratio``:
        -lambda_min / lambda_max at the first record, where above 0 is not convex.
    """
    from landscape.trajectory.record_losses import put_record

    network = one_network(context)
    model, run = network.model(), _run(network)
    chosen = chosen_data(context, [data])
    most_curved, least_curved = [], []
    for number, record in enumerate(run.records):
        put_record(model, record)
        found = ends_of_spectrum(context, model, chosen, samples=samples, most=most, tolerance=0.05)
        most_curved.append(found.greatest_eigenvalue)
        least_curved.append(found.least_eigenvalue)
        context.progress(number + 1, len(run.records))
    steps = np.array([record.step for record in run.records])
    high, low = np.array(most_curved), np.array(least_curved)
    write_curve(context, "sharpness", {"step": steps, "greatest_eigenvalue": high, "least_eigenvalue": low})
    sooner = steps <= steps[0] + early * (steps[-1] - steps[0])
    numbers = {"early": float(high[sooner].max()), "first": float(high[0]), "last": float(high[-1])}
    ratio = max(-low[0], 0.0) / high[0] if high[0] > 0 else math.inf
    return with_log10(numbers, *numbers) | {"first_ratio": float(ratio)}


def _run(network: TrainedNetwork) -> Any:
    from landscape.trajectory.runs import find_run

    steps = network.steps()
    if len(steps) < 3:
        raise UsageError("a path takes three checkpoints at least: set checkpoints in the recipe, 1 for every epoch")
    return find_run(steps, name=network.variant)


def flat_weights(tensors: Any) -> np.ndarray:
    """Return tensors by name as one vector of float64, in their order."""
    return np.concatenate([each.detach().double().cpu().numpy().ravel() for each in tensors.values()])


def _ranks(first: np.ndarray, second: np.ndarray) -> float:
    from scipy import stats

    known = np.isfinite(first) & np.isfinite(second)
    return float(stats.spearmanr(first[known], second[known]).statistic) if known.sum() > 2 else math.nan
