"""What a study can measure of its networks, by name: each function gets a `Context`, writes files, returns numbers.

Everything is measured through the public functions of other rooms; here is only what is asked of them. A measure's
options are the arguments of its function, given as a measurement's ``arguments``. Numbers whose ratio matters come with
their decimal logarithm, ``log10_NAME``, in which differences between variants are ratios.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from landscape.errors import UsageError
from landscape.studies.measures.basin_width import Radii, radii
from landscape.studies.measures.forgetting_measures import forgetting, joint_plane, triangle
from landscape.studies.measures.input_measures import frequencies, input_plane
from landscape.studies.measures.measure_parts import (
    Numbers,
    chosen_data,
    described,
    keywords,
    one_network,
    read_table,
    stage,
    with_log10,
    write_curve,
)
from landscape.studies.measures.noise_measures import noise, noise_film
from landscape.studies.measures.path_measures import film, local, path, paths, sharpening
from landscape.studies.measures.population_measures import populations
from landscape.studies.measures.representation_measures import attacks, block
from landscape.studies.measures.slice_shape import nonconvex_shares, roughness_of
from landscape.studies.study import Context

# A line that no quantile of radii is found on is measured this many times as far, and again, at most so often.
_FURTHER, _TIMES = 2.5, 3


def line(
    context: Context,
    *,
    x: str = "-1:1:41",
    repeats: int = 10,
    norm: str = "filter",
    rise: float = 1.0,
    drop: float = 0.1,
    samples: int | None = None,
    data: Sequence[str] = ("train", "test"),
) -> Numbers:
    """Measure lines along random directions: the most-case width of the basin, and how rough the lines are.

    Parameters
    ----------
    context : Context
    x : str
        "MIN:MAX:NUM", with 0 among it. Where fewer than half of the ways leave the basin within it, lines are measured
        further out for the width.
    repeats : int
        So many directions.
    norm : str
        "filter": widths in filter lengths. "model": directions as long as all weights together, so that a width times
        ``weight_norm`` is a Euclidean distance, which no filter normalises.
    rise : float
        Of the loss, in its own unit, at which the basin ends.
    drop : float
        Of the accuracy.
    samples : int, optional
    data : sequence of str
        The width is that of the first.

    Returns
    -------
    dict
        ``width`` (median over directions and both ways), ``width_10`` and ``width_90`` (quantiles), ``distance`` (the
        median as a Euclidean length), ``accuracy_width``, ``roughness``, ``end_loss`` (median at the ends of the
        lines), each logarithm; all of the first data set.
    """
    from landscape.directions.construct import random_plane
    from landscape.evaluation.evaluate import evaluate
    from landscape.surface.grid import parse_range

    network = one_network(context)
    model = network.model()
    about = described(network)
    plane = random_plane(model, seed=context.seed, dimensions=1, norm=norm)
    chosen = chosen_data(context, data)
    options: dict[str, Any] = {"repeats": repeats, "samples": samples, "sample_seed": context.seed, **about}
    surface = evaluate(model, chosen, plane, x=x, path=context.folder / "line.h5", progress=context.progress, **options)
    first = data[0]
    values = parse_range(x)
    found: dict[str, Radii] = {}
    for key, change in (("loss", rise), ("accuracy", -drop)):
        if f"{first}/{key}" not in surface.values:
            continue
        wide, reach = surface, 1.0
        found[key] = radii(wide, f"{first}/{key}", change)
        for _ in range(_TIMES):
            if not math.isnan(found[key].quantile(0.9)):
                break
            reach *= _FURTHER
            wide = evaluate(model, {first: chosen[first]}, plane, x=values * reach, progress=False, **options)
            found[key] = radii(wide, f"{first}/{key}", change)
    lengths = [float(each["length"]) for (each,) in surface.axes[-1].recipe.get("repeats", [])] if repeats > 1 else []
    length = float(np.mean(lengths)) if lengths else surface.axes[0].length
    ends = np.atleast_2d(surface[f"{first}/loss"])[:, [0, -1]]
    numbers = {
        "width": found["loss"].quantile(0.5),
        "width_10": found["loss"].quantile(0.1),
        "width_90": found["loss"].quantile(0.9),
        "distance": found["loss"].quantile(0.5) * length,
        "end_loss": float(np.median(ends)),
        "roughness": roughness_of(surface, f"{first}/loss"),
    }
    if "accuracy" in found:
        numbers["accuracy_width"] = found["accuracy"].quantile(0.5)
    return with_log10(numbers, *(name for name in numbers if name != "roughness"))


def worst_lines(
    context: Context,
    *,
    x: str = "-1:1:101",
    rise: float = 1.0,
    drop: float = 0.1,
    samples: int | None = None,
    data: str = "train",
) -> Numbers:
    """Measure lines along the gradient and the sharpest direction: the worst-case width of the basin.

    Both are as long as a random filter-normalised direction (`landscape.curvature.directions`), so widths compare with
    those of `line`. The smaller of both ways counts.

    Returns
    -------
    dict
        ``gradient_width``, ``sharpest_width``, ``gradient_accuracy_width``, ``sharpest_accuracy_width`` and logarithms.
    """
    from landscape.evaluation.evaluate import evaluate

    network = one_network(context)
    model = network.model()
    about = described(network)
    numbers: Numbers = {}
    for number, source in enumerate(("gradient", "sharpest")):
        surface = evaluate(
            model,
            chosen_data(context, [data]),
            directions=source,
            x=x,
            samples=samples,
            sample_seed=context.seed,
            path=context.folder / f"{source}.h5",
            progress=stage(context, number, 2),
            **about,
        )
        for key, change, name in (("loss", rise, "width"), ("accuracy", -drop, "accuracy_width")):
            if f"{data}/{key}" in surface.values:
                numbers[f"{source}_{name}"] = radii(surface, f"{data}/{key}", change).quantile(0.0)
    return with_log10(numbers, *numbers)


def plane(
    context: Context,
    *,
    x: str = "-1:1:21",
    y: str = "-1:1:21",
    samples: int | None = None,
    data: Sequence[str] = ("train",),
    rise: float = 1.0,
    convexity: bool = False,
    products: int = 30,
    threshold: float = 0.1,
) -> Numbers:
    """Measure a random filter-normalised plane, and, where asked for, both ends of the spectrum at each of its points.

    Parameters
    ----------
    x, y, samples, data
        As for `landscape.evaluate`.
    rise : float
        The basin's area is where the loss is less than so much above that at theta*.
    convexity : bool
        Also measure the map of curvature, of the first data set.
    products : int
        At most so many a point of the map.
    threshold : float
        A point is not convex where -lambda_min / lambda_max is above it.

    Returns
    -------
    dict
        ``basin_share``, ``median_loss``, ``roughness``; ``nonconvex_share``, ``undecided_share``, ``ratio`` (median).
    """
    from landscape.directions.construct import random_plane
    from landscape.evaluation.evaluate import evaluate

    network = one_network(context)
    model = network.model()
    about = described(network)
    quantities = {"curvature": {"products": products}} if convexity else None
    surface = evaluate(
        model,
        chosen_data(context, data),
        random_plane(model, seed=context.seed),
        x=x,
        y=y,
        samples=samples,
        sample_seed=context.seed,
        path=context.folder / "plane.h5",
        quantities=quantities,
        progress=context.progress,
        **about,
    )
    losses = np.asarray(surface[f"{data[0]}/loss"])
    middle = float(losses[np.unravel_index(_nearest_zero(surface), losses.shape)])
    with np.errstate(invalid="ignore"):
        inside = float((losses - middle < rise).mean())
    known = losses[np.isfinite(losses)]
    numbers = {
        "basin_share": inside,
        "median_loss": float(np.median(known)) if len(known) else math.nan,
        "roughness": roughness_of(surface, f"{data[0]}/loss"),
    }
    numbers = with_log10(numbers, "median_loss")
    if convexity:
        share, undecided, ratio = nonconvex_shares(surface, data[0], threshold)
        numbers |= {"nonconvex_share": share, "undecided_share": undecided, "ratio": ratio}
    return numbers


def _nearest_zero(surface: Any) -> int:
    x, y = (axis.values for axis in surface.directions)
    return int((np.square(y)[:, None] + np.square(x)[None, :]).argmin())


def curvature(
    context: Context,
    *,
    data: str = "train",
    samples: int | None = None,
    most: int = 60,
    probes: int = 8,
    steps: int = 8,
    tolerance: float = 0.02,
) -> Numbers:
    """Measure the curvature at the end of training: greatest eigenvalue and trace, raw and in filter lengths.

    Returns
    -------
    dict
        ``eigenvalue`` and ``trace`` of the Hessian, ``normalised_eigenvalue`` and ``expected_curvature`` (the trace) of
        D H D, each with its logarithm; ``least_eigenvalue``, ``gradient``, ``converged`` (share of eigenvalues).
    """
    from landscape.curvature.analysis import measure_curvature
    from landscape.files.reports.curvature_file import write_curvature

    network = one_network(context)
    report = measure_curvature(
        network.model(),
        chosen_data(context, [data]),
        loss=network.recipe.loss,
        samples=samples,
        sample_seed=context.seed,
        eigenvalues=1,
        most=most,
        probes=probes,
        steps=steps,
        tolerance=tolerance,
        gauss_newton=False,
        progress=context.progress,
    )
    write_curvature(context.folder / "curvature.h5", {data: report}, {"checkpoint": str(network.checkpoint)})
    numbers = {
        "eigenvalue": report.raw.greatest_eigenvalue,
        "trace": report.raw.trace,
        "normalised_eigenvalue": report.normalised.greatest_eigenvalue,
        "expected_curvature": report.normalised.trace,
        "least_eigenvalue": report.raw.least_eigenvalue,
        "gradient": report.gradient_norm,
    }
    numbers = with_log10(numbers, *(name for name in numbers if name != "least_eigenvalue"))
    return numbers | {"converged": float(np.mean([*report.raw.converged, *report.normalised.converged]))}


def between(
    context: Context,
    *,
    x: str = "-1:2:61",
    rise: float = 1.0,
    samples: int | None = None,
    data: Sequence[str] = ("train", "test"),
) -> Numbers:
    """Measure the straight line between two solutions of one seed, and how wide each is along it.

    Both widths are along the same line in the same unit, the distance of the two, with no filter normalising anything:
    what one-dimensional interpolation shows (Li et al. 2018, Section 3).

    Parameters
    ----------
    x : str
        0 is the first network, 1 the second; both are among the points.
    rise, samples, data
        As for `line`.

    Returns
    -------
    dict
        ``barrier`` (greatest loss above the chord), ``length`` (distance of the two), and of each variant
        ``VARIANT/width``: the mean of both ways, as a share of the distance, with its logarithm.
    """
    from landscape.directions.construct import checkpoint_plane
    from landscape.evaluation.evaluate import evaluate
    from landscape.surface.derived.loss_barrier import barrier

    if len(context.networks) != 2:
        raise UsageError(f'a line is between two networks: per = "seed" and two variants; got {len(context.networks)}')
    first, second = context.networks
    model = first.model()
    surface = evaluate(
        model,
        chosen_data(context, data),
        checkpoint_plane(model, [second.checkpoint]),
        x=x,
        samples=samples,
        sample_seed=context.seed,
        path=context.folder / "between.h5",
        progress=context.progress,
        **described(first),
    )
    numbers: Numbers = {}
    for place, network in ((0.0, first), (1.0, second)):
        found = radii(_about(surface, place), f"{data[0]}/loss", rise)
        width = float(found.values.mean()) if not found.beyond else math.nan
        numbers |= {f"{network.variant}/{name}": value for name, value in with_log10({"width": width}, "width").items()}
    above = barrier(surface, f"{data[0]}/loss")
    return numbers | {"barrier": above[0] if above else math.nan, "length": surface.axes[0].length}


def _about(surface: Any, place: float) -> Any:
    """Return a line with another point at 0."""
    import dataclasses

    axis = surface.axes[0]
    moved = dataclasses.replace(axis, values=axis.values - place)
    return dataclasses.replace(surface, axes=(moved,))


def weights(context: Context, *, bins: int = 61) -> Numbers:
    """Measure the distribution of the weights: what weight decay and batch size do to it (Li et al. 2018, Figure 3).

    Returns
    -------
    dict
        ``rms`` of tensors of two dimensions and more and its logarithm, ``median_size``, ``kurtosis``.
    """
    network = one_network(context)
    tensors = [p.detach().double().flatten() for p in network.model().parameters() if p.ndim >= 2]
    values = np.concatenate([each.numpy() for each in tensors])
    rms = float(np.sqrt(np.mean(values**2)))
    edges = np.linspace(-0.6, 0.6, bins + 1)
    counts, _ = np.histogram(values, edges)
    # Per weight of all, so that what lies beyond the edges is seen to be missing.
    density = counts / len(values) / (edges[1] - edges[0])
    write_curve(context, "weights", {"weight": (edges[1:] + edges[:-1]) / 2, "density": density})
    numbers = {"rms": rms, "median_size": float(np.median(np.abs(values)))}
    return with_log10(numbers, *numbers) | {"kurtosis": float(np.mean(values**4) / rms**4) if rms else math.nan}


def walk(context: Context, *, after: float = 0.0) -> Numbers:
    """Summarise the walks along the gradient that training recorded (`landscape.trajectory.gradient_walk`).

    Parameters
    ----------
    after : float
        Leave out this share of the training, from its start.

    Returns
    -------
    dict
        Medians over steps: ``span`` (range of the loss), ``change`` and ``relative_change`` of the gradient,
        ``smoothness``; each with its logarithm.
    """
    network = one_network(context)
    path = network.folder / "walk.csv"
    if not path.exists():
        raise UsageError("no walks were recorded: set walk = N in the recipe, a walk every N steps")
    table = read_table(path)
    kept = table["step"] >= after * network.scores.get("steps", table["step"].max())
    names = ("span", "change", "relative_change", "smoothness")
    write_curve(context, "walk", {"step": table["step"], **{name: table[name] for name in names}})
    numbers = {}
    for name in names:
        values = table[name][kept]
        values = values[np.isfinite(values)]
        numbers[name] = float(np.median(values)) if len(values) else math.nan
    return with_log10(numbers, *names)


MEASURES: dict[str, Callable[[Context], Numbers]] = {
    each.__name__: keywords(each)
    for each in (
        line,
        worst_lines,
        plane,
        curvature,
        between,
        weights,
        walk,
        path,
        paths,
        local,
        film,
        noise,
        noise_film,
        sharpening,
        forgetting,
        triangle,
        joint_plane,
        block,
        attacks,
        frequencies,
        input_plane,
        populations,
    )
}
