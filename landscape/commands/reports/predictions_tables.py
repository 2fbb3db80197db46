"""What `landscape predictions` and `landscape info` say of populations: as plain values, and as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
from rich.console import Console

from landscape.commands.printed import print_heading, print_pairs, print_table
from landscape.commands.reports.plain_facts import about, made, numbers
from landscape.surface.reports.population_statistics import compare, summary
from landscape.surface.reports.populations import Excess, Populations

# Classes and examples that a terminal shows; all are in --json.
_CLASSES, _EXAMPLES = 12, 8


def predictions_facts(found: Populations) -> dict[str, Any]:
    """Return what there is to say of a result, as JSON; numbers that do not exist are None."""
    known = [
        group for group in found.group_names if any(found.done[k] for k, g in enumerate(found.groups) if g == group)
    ]
    return {
        "path": found.path,
        "kind": "predictions",
        "complete": found.complete,
        "predictions": {
            "networks": list(found.names),
            "groups": list(found.groups),
            "done": found.done.tolist(),
            "examples": len(found.labels),
            "classes": found.classes,
            "accuracy": [
                numbers(float(row.mean())) if ok else None for row, ok in zip(found.correct, found.done, strict=True)
            ],
            "summaries": [numbers(asdict(summary(found, group))) for group in known],
            "comparisons": [_comparison(found, *pair) for pair in combinations(known, 2)],
        },
        **about(found, {name: dict(each) for name, each in zip(found.names, found.about, strict=False)}),
    }


def _comparison(found: Populations, first: str, second: str) -> dict[str, Any]:
    said = compare(found, first, second)
    facts: dict[str, Any] = numbers(asdict(said))
    shares = [found.shares(group) for group in (first, second)]
    facts["examples"] = [
        {
            "sample": int(found.numbers[place]),
            "label": int(found.labels[place]),
            "shares": [float(each[place]) for each in shares],
        }
        for place in said.examples
    ]
    facts["excess"]["found"] = said.excess.is_found
    return facts


def print_predictions(console: Console, facts: Mapping[str, Any]) -> None:
    """Print what there is to say."""
    said = facts["predictions"]
    state = "" if facts["complete"] else f", {sum(said['done'])} done"
    print_heading(console, f"Predictions of {len(said['networks'])} networks for {said['examples']:,} examples{state}")
    problem = facts["problem"]
    print_pairs(
        console,
        [
            made(facts),
            ("samples", f"{problem.get('data', '')} ({problem.get('reference', '')}), {said['classes']} classes"),
        ],
    )
    print_table(
        console,
        ["group", "networks", "accuracy", "calibration error"],
        [
            [
                each["name"],
                str(each["networks"]),
                _with(each["accuracy"], each["accuracy_half_width"]),
                _with(each["calibration_error"], each["calibration_half_width"]),
            ]
            for each in said["summaries"]
        ],
    )
    print_table(
        console,
        ["within a group", "agreement", "Hellinger", "null: two halves"],
        [
            [
                each["name"],
                _short(each["agreement"]),
                _short(each["hellinger"]),
                "too few networks" if each["null"] is None else _short(each["null"]["value"]),
            ]
            for each in said["summaries"]
        ],
    )
    for each in said["comparisons"]:
        _print_comparison(console, each)


def _print_comparison(console: Console, each: Mapping[str, Any]) -> None:
    first, second = each["first"], each["second"]
    print_pairs(
        console,
        [
            (f"{first} - {second}", excess_words(Excess(**_floats(each["excess"])))),
            ("agreement", f"{_short(each['agreement'])}; Hellinger distance {_short(each['hellinger'])}"),
        ],
    )
    sure = [one for one in each["classes"] if one["p_value"] is not None and one["p_value"] < 0.05]
    rows = sorted(each["classes"], key=lambda one: -abs(one["difference"]))[:_CLASSES]
    print_table(
        console,
        ["class", first, second, "difference", "from", "to", "p"],
        [
            [
                str(one["label"]),
                *(_with(*pair) for pair in zip(one["accuracy"], one["half_width"], strict=True)),
                f"{one['difference']:+.3f}",
                *("" if one[end] is None else f"{one[end]:+.3f}" for end in ("low", "high")),
                _short(one["p_value"]),
            ]
            for one in rows
        ],
    )
    print_pairs(
        console, [("classes", f"{len(sure)} of {len(each['classes'])} differ after correction for all of them")]
    )
    print_table(
        console,
        ["differ most: sample", "class", first, second],
        [
            [str(one["sample"]), str(one["label"]), *(_short(share) for share in one["shares"])]
            for one in each["examples"][:_EXAMPLES]
        ],
    )


def _floats(said: Mapping[str, Any]) -> dict[str, float]:
    return {name: np.nan if value is None else value for name, value in said.items() if name != "found"}


def excess_words(excess: Excess) -> str:
    """Say how far two groups differ, and whether that is more than the draw of their networks."""
    text = f"variance of the difference {excess.observed:.3g}"
    if not np.isfinite(excess.value):
        return f"{text}; of one network a group the noise cannot be told"
    share = excess.noise / excess.observed if excess.observed else 1.0
    verdict = "beyond the draw of networks" if excess.is_found else "no more than the draw of networks explains"
    return (
        f"{text}, {100 * share:.0f} % of it binomial noise; left over {excess.value:.3g} "
        f"({excess.low:.3g} to {excess.high:.3g}): {verdict}"
    )


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _with(value: float | None, width: float | None) -> str:
    return _short(value) + ("" if width is None else f" ± {width:.2g}")
