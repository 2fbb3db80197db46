"""Pictures of a study's numbers: every seed a dot, what trades against what, and what goes together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from landscape.studies.report.picture_files import PictureFiles, words_of
from landscape.studies.report.study_results import own_intervals
from landscape.studies.statistics.seed_intervals import correlation, seed_interval
from landscape.studies.study import ALL, TRAINING

TEST_ACCURACY = f"{TRAINING}/test_accuracy"
# Three numbers of one measurement that are drawn against each other.
CORNERS = ("stability", "plasticity", "robustness")


def draw_numbers(made: PictureFiles) -> None:
    """Draw the numbers that hypotheses are about, every seed a dot."""
    from landscape.plot.comparisons.seed_values import SeedValues, seed_values

    hypotheses = made.result.study.hypotheses
    wanted = dict.fromkeys(value for each in hypotheses for value in each.values)
    own = {each.value for each in hypotheses if each.interval == "own"}
    for value in wanted:
        rows = []
        if value in own:
            _draw_own(made, value)
            continue
        for variant, seeds in made.result.values.get(value, {}).items():
            kept = [n for seed, n in seeds.items() if (variant, seed) not in made.result.untrained]
            hollow = [n for seed, n in seeds.items() if (variant, seed) in made.result.untrained]
            middle = seed_interval(kept).with_ends
            rows.append(SeedValues(made.title(variant), np.array(kept), *middle, np.array(hollow)))
        if rows:
            caption = _seeds_words(rows)
            made.save(
                "numbers",
                value,
                lambda rows=rows, value=value, caption=caption: seed_values(
                    rows, x=words_of(value), title=words_of(value), caption=caption
                ),
                rows,
                caption,
            )


def _draw_own(made: PictureFiles, value: str) -> None:
    from landscape.plot.comparisons.seed_values import SeedValues, seed_values

    found = own_intervals(made.result, value)
    rows = [
        SeedValues(
            "all together" if variant == ALL else made.title(variant),
            np.array([each.estimate]),
            each.estimate,
            *each.interval,
        )
        for variant, each in found.items()
    ]
    if rows:
        seeds = next(iter(found.values())).seeds
        caption = f"Of {seeds} seeds together, with the interval of 95 % that it was measured with."
        made.save(
            "numbers",
            value,
            lambda: seed_values(rows, x=words_of(value), title=words_of(value), caption=caption),
            rows,
            caption,
        )


def draw_triangles(made: PictureFiles) -> None:
    """Draw what trades stability, plasticity and robustness against each other, where it was measured."""
    from landscape.plot.comparisons.triangles import Triangle, triangles

    for measurement in made.result.study.measurements:
        scores = [made.result.numbers(f"{measurement.name}/{name}") for name in CORNERS]
        groups = []
        for variant in scores[0]:
            numbers = [[n for n in each.get(variant, {}).values() if math.isfinite(n)] for each in scores]
            if all(numbers):
                middles = np.array([seed_interval(each).with_ends for each in numbers])
                groups.append(Triangle(made.title(variant), *middles.T))
        if groups:
            caption = (
                "Corners: means over seeds; marks beside the spokes: the same with intervals of 95 % (Student's t over "
                "seeds), cut at 0 and 1. Stability: 1 less what was forgotten; plasticity: accuracy right after "
                "learning; robustness: the same under attack."
            )
            title = f"{measurement.name}: stability, plasticity, robustness"
            made.save(
                "numbers",
                title,
                lambda groups=groups, title=title, caption=caption: triangles(
                    groups, CORNERS, title=title, caption=caption
                ),
                groups,
                caption,
            )


def draw_relations(made: PictureFiles) -> None:
    """Draw test accuracy against each number that hypotheses are about, and what they correlate."""
    from landscape.plot.comparisons.seed_values import Cloud, scatter

    hypotheses = made.result.study.hypotheses
    pairs = [(each.correlate[0], each.correlate[1]) for each in hypotheses if each.correlate]
    pairs += [(each.value, TEST_ACCURACY) for each in hypotheses if each.value.partition("/")[0] != TRAINING]
    for first, second in dict.fromkeys(pair for pair in pairs if pair[0] and pair[0] != pair[1]):
        one, other = made.result.numbers(first), made.result.numbers(second)
        clouds, groups = [], []
        for variant in one:
            both = [seed for seed in one[variant] if seed in other.get(variant, {})]
            x, y = (np.array([numbers[variant][seed] for seed in both]) for numbers in (one, other))
            finite = np.isfinite(x) & np.isfinite(y)
            if finite.any() and variant != ALL:
                clouds.append(Cloud(made.title(variant), x[finite], y[finite]))
                groups += [variant] * int(finite.sum())
        if len(groups) < 2:
            continue
        caption = _correlation_words(clouds)
        made.save(
            "relations",
            f"{words_of(second)} against {words_of(first)}",
            lambda c=clouds, x=first, y=second, w=caption: scatter(
                c, x=words_of(x), y=words_of(y), title=f"{words_of(y)} against {words_of(x)}", caption=w
            ),
            clouds,
            caption,
        )


def _seeds_words(rows: Sequence[Any]) -> str:
    said = "Dots: seeds. Above them their mean with its interval of 95 % (Student's t over seeds)."
    if any(row.hollow is not None and len(row.hollow) for row in rows):
        said += " Hollow: networks that did not train, which are in no mean."
    return said


def _correlation_words(clouds: Sequence[Any]) -> str:
    x, y = np.concatenate([c.x for c in clouds]), np.concatenate([c.y for c in clouds])
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return f"{len(x)} networks: too few, or too equal, for a correlation."
    found = correlation(x, y)
    said = f"Correlation over {found.networks} networks {found.estimate:.2f} [{found.low:.2f}, {found.high:.2f}]"
    groups = [cloud.label for cloud in clouds for _ in cloud.x]
    if min(map(groups.count, set(groups))) >= 3 and len(set(groups)) > 1:
        inside = correlation(x, y, groups)
        said += f", within variants {inside.estimate:.2f} [{inside.low:.2f}, {inside.high:.2f}]"
    return f"{said} (95 %)."
