"""What a study measures of populations of networks: whether two variants are right about the same examples.

Each variant's networks, one a seed, are draws from one recipe. Numbers are of all of them together, so they come with
an interval of their own, ``NAME_low`` and ``NAME_high``, for hypotheses with ``interval = "own"``.

References
----------
.. [1] Nguyen, Raghu, Kornblith, "Do Wide and Deep Networks Learn the Same Things?", ICLR 2021, Section 6.
"""

from __future__ import annotations

from landscape.errors import UsageError
from landscape.studies.measures.measure_parts import Numbers, chosen_data
from landscape.studies.study import Context

# Pixels to an inch of the picture.
_DPI = 200
_LEVEL = 0.05


def populations(
    context: Context,
    *,
    data: str = "test",
    samples: int | None = None,
    batch_size: int = 256,
    outputs: str = "logits",
    resamples: int = 500,
) -> Numbers:
    r"""Compare two variants example by example, beyond what the draw of their seeds explains (`landscape.predictions`).

    Parameters
    ----------
    context : Context
        Of the whole study, ``per = "study"``, and two variants.
    data, samples, batch_size, outputs
        As of `landscape.predictions`.
    resamples : int
        Of the bootstrap for intervals.

    Returns
    -------
    dict
        ``excess``, with its own interval: the variance over examples of :math:`P_A - P_B`, the shares of networks that
        are right, left over when the noise of so many networks is taken off; 0 where both are draws of one recipe.
        ``observed`` and ``noise`` are its two parts. ``class_difference``, with its own interval: the greatest
        difference of accuracy on a class (`greatest_class_difference`); ``significant_classes``: on how many it is
        beyond chance at 5 % for all together. ``agreement`` of a network of each. Of each variant ``accuracy``,
        ``agreement`` of two of its networks, ``calibration_error``, and, of four networks or more, ``null`` with its
        own interval: the excess between two halves of it.
    """
    from landscape.files.reports.predictions_file import write_predictions
    from landscape.plot.representations.population_figures import predictions as draw
    from landscape.plot.saving import save
    from landscape.similarity.class_probabilities import predictions
    from landscape.surface.reports.population_statistics import compare, greatest_class_difference, summary

    groups: dict[str, dict[str, object]] = {}
    about: dict[str, dict[str, object]] = {}
    for network in context.networks:
        name = f"{network.variant}/{network.seed}"
        groups.setdefault(network.variant, {})[name] = network.model()
        about[name] = {"checkpoint": str(network.checkpoint)}
    if len(groups) != 2 or min(map(len, groups.values())) < 2:
        raise UsageError(
            'populations are compared in pairs: per = "study", two variants, two seeds or more of each; got '
            + ", ".join(f"{name} with {len(each)}" for name, each in groups.items())
        )
    found = predictions(
        groups,  # type: ignore[arg-type]
        chosen_data(context, [data]),
        samples=samples,
        sample_seed=context.seed,
        batch_size=batch_size,
        outputs=outputs,
        about=about,
        progress=context.progress,
    )
    write_predictions(context.folder / "predictions.h5", found)
    save(draw(found), context.folder / "predictions.png", dpi=_DPI)
    first, second = groups
    said = compare(found, first, second, seed=context.seed, resamples=resamples)
    widest = greatest_class_difference(found, first, second)
    numbers: Numbers = {
        "excess": said.excess.value,
        "excess_low": said.excess.low,
        "excess_high": said.excess.high,
        "observed": said.excess.observed,
        "noise": said.excess.noise,
        "class_difference": widest.value,
        "class_difference_low": widest.low,
        "class_difference_high": widest.high,
        "significant_classes": float(sum(each.p_value < _LEVEL for each in said.classes)),
        "agreement": said.agreement,
    }
    for name in groups:
        own = summary(found, name, seed=context.seed, resamples=resamples)
        numbers |= {
            f"{name}/accuracy": own.accuracy,
            f"{name}/agreement": own.agreement,
            f"{name}/calibration_error": own.calibration_error,
        }
        if own.null is not None:
            numbers |= {
                f"{name}/null": own.null.value,
                f"{name}/null_low": own.null.low,
                f"{name}/null_high": own.null.high,
            }
    return numbers
