"""What a study measures of dropout: the random field that training sees, beside the surface of mode eval."""

from __future__ import annotations

from typing import Any

import numpy as np

from landscape.errors import UsageError
from landscape.studies.measures.basin_width import radii
from landscape.studies.measures.measure_parts import (
    Numbers,
    chosen_data,
    described,
    one_network,
    stage,
    with_log10,
    write_curve,
)
from landscape.studies.measures.path_measures import FILM_SIZE
from landscape.studies.measures.slice_shape import roughness_of
from landscape.studies.study import Context


def noise(
    context: Context,
    *,
    x: str = "-1:1:21",
    draws: int = 8,
    samples: int | None = None,
    data: str = "train",
    rise: float = 1.0,
) -> Numbers:
    """Measure a line in mode train, where dropout makes the surface a random field, and in mode eval.

    Each of several draws uses the same random numbers at every point, so that a draw is one surface of the field; the
    spread over draws is the field's.

    Parameters
    ----------
    x : str
    draws : int
        So many fields.
    samples, data, rise
        As for `landscape.studies.measures.measures.line`.
    Returns
    -------
    dict
        ``spread`` (standard deviation over draws, mean along the line), ``spread_at_0``, ``gap`` (mean loss of mode
        train above that of mode eval, at 0), ``eval_width`` and ``train_width`` (of the mean), with logarithms.
    """
    import dataclasses

    from landscape.directions.construct import random_plane
    from landscape.evaluation.evaluate import evaluate

    if draws < 2:
        raise UsageError(f"{draws} draw(s) of a random field have no spread; give 2 or more")
    network = one_network(context)
    model = network.model()
    about = described(network)
    source = chosen_data(context, [data])[data]
    direction = random_plane(model, seed=context.seed, dimensions=1)
    options: dict[str, Any] = {"samples": samples, "sample_seed": context.seed, **about}
    still = evaluate(
        model, {data: source}, direction, x=x, path=context.folder / "eval.h5", progress=stage(context, 0, 2), **options
    )
    # Noise is seeded by a data set's name: under other names the same samples get other draws.
    named = {f"draw{number}": source for number in range(draws)}
    field = evaluate(
        model,
        named,
        direction,
        x=x,
        mode="train",
        noise="common",
        path=context.folder / "train.h5",
        progress=stage(context, 1, 2),
        **options,
    )
    losses = np.stack([np.asarray(field[f"{name}/loss"]) for name in named])
    at = still.axes[0].values
    middle = int(np.abs(at).argmin())
    mean, spread = losses.mean(0), losses.std(0, ddof=1)
    quiet = np.asarray(still[f"{data}/loss"])
    write_curve(
        context, "field", {"x": at, "eval": quiet, "train": mean, "lower": mean - spread, "upper": mean + spread}
    )
    averaged = dataclasses.replace(still, values={f"{data}/loss": mean}, stderr={}, paired_stderr={}, tails={})
    numbers = {
        "spread": float(spread.mean()),
        "spread_at_0": float(spread[middle]),
        "gap": float(mean[middle] - quiet[middle]),
        "eval_width": radii(still, f"{data}/loss", rise).quantile(0.5),
        "train_width": radii(averaged, f"{data}/loss", rise).quantile(0.5),
    }
    return with_log10(numbers, *numbers) | {"roughness": roughness_of(still, f"{data}/loss")}


def noise_film(
    context: Context,
    *,
    x: str = "-1:1:11",
    draws: int = 6,
    samples: int | None = None,
    data: str = "train",
    seconds: float = 3.0,
) -> Numbers:
    """Film planes of the random field that dropout makes in mode train, a draw a picture, of the first network given.

    Returns
    -------
    dict
        ``plane_spread``: the standard deviation over draws, mean over the plane.
    """
    import dataclasses

    from landscape.directions.construct import random_plane
    from landscape.evaluation.evaluate import evaluate
    from landscape.plot.films.films import write_film

    network = context.networks[0]
    model = network.model()
    source = chosen_data(context, [data])[data]
    named = {f"draw{number}": source for number in range(draws)}
    whole = evaluate(
        model,
        named,
        random_plane(model, seed=context.seed),
        x=x,
        y=x,
        mode="train",
        noise="common",
        samples=samples,
        sample_seed=context.seed,
        path=context.folder / "field.h5",
        progress=context.progress,
        **described(network),
    )
    nothing: dict[str, Any] = {"stderr": {}, "paired_stderr": {}, "counts": {}, "anchored": {}, "tails": {}}
    drawn = [
        dataclasses.replace(whole, values={f"{data}/loss": whole[f"{name}/loss"]}, title=name, **nothing)
        for name in named
    ]
    write_film(drawn, context.folder / "field.webp", kind="epochs", seconds=seconds, rate=8, size=FILM_SIZE)
    return {"plane_spread": float(np.stack([whole[f"{name}/loss"] for name in named]).std(0, ddof=1).mean())}
