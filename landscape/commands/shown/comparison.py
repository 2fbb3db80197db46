"""How two surfaces differ on the same samples, for `landscape info --compare`: as plain values, and as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console

from landscape.commands.printed import plain, print_heading, print_table
from landscape.errors import SurfaceMismatch
from landscape.surface.derived.differences import Difference, difference
from landscape.surface.surface import Surface


def comparison_facts(first: Surface, second: Surface) -> dict[str, Any]:
    """Return how much higher each value of both is on the second; numbers that do not exist are None.

    Raises
    ------
    SurfaceMismatch
        They are not of the same grid, samples and loss, or have no value in common.
    """
    names = [name for name in first.values if name in second.values]
    if not names:
        raise SurfaceMismatch(
            f"{first.path} and {second.path} have no value in common: {', '.join(first.values) or 'none'} and "
            f"{', '.join(second.values) or 'none'}"
        )
    return {
        "kind": "difference",
        "first": first.path,
        "second": second.path,
        "sha256": [first.digest, second.digest],
        "values": {name: _facts(difference(first, second, name)) for name in names},
    }


def _facts(found: Difference) -> dict[str, Any]:
    there = np.isfinite(found.values)
    known = there & np.isfinite(found.half_widths)
    return {
        "at_origin": _number(found.at_start),
        "half_width_at_origin": _number(found.half_width_at_start),
        "points": int(there.sum()),
        "median": _median(found.values[there]),
        "least": _number(found.values[there].min()) if there.any() else None,
        "greatest": _number(found.values[there].max()) if there.any() else None,
        "median_half_width": _median(found.half_widths[known]),
        "higher": int((found.higher & known).sum()),
        "lower": int((found.lower & known).sum()),
        "undecided": int((known & ~found.higher & ~found.lower).sum()),
        "error_not_known": int((there & ~known).sum()),
        "error_is_a_bound": int((known & found.at_most).sum()),
    }


def print_comparison(console: Console, facts: Mapping[str, Any]) -> None:
    """Print how two surfaces differ."""
    print_heading(console, f"{facts['second']} less {facts['first']}: differences on the same samples")
    rows = [
        [
            name,
            _with_error(name, entry["at_origin"], entry["half_width_at_origin"]),
            _with_error(name, entry["median"], entry["median_half_width"]),
            *(f"{entry[key]:,}" for key in ("higher", "lower", "undecided")),
        ]
        for name, entry in facts["values"].items()
    ]
    print_table(console, ["values", "at theta*", "median\nover points", "points\nhigher", "lower", "undecided"], rows)
    console.print(plain("  ± half an interval of 95 %; higher and lower: by more than that", "dim"))
    for name, entry in facts["values"].items():
        texts = []
        if entry["error_is_a_bound"]:
            texts.append(
                f"at {_points(entry['error_is_a_bound'])} both intervals added up: no sample differs there, or "
                "the files do not say what their samples have in common"
            )
        if entry["error_not_known"]:
            texts.append(f"at {_points(entry['error_not_known'])} no error is known")
        if texts:
            console.print(plain(f"  {name}: {'; '.join(texts)}", "dim"))


def _points(number: int) -> str:
    return f"{number:,} point{'' if number == 1 else 's'}"


def _with_error(name: str, value: float | None, width: float | None) -> str:
    if value is None:
        return "-"
    scale, unit = (100, " %") if name.endswith("accuracy") else (1, "")
    if width == 0:
        return f"{scale * value:+.4g}{unit} exact"
    return f"{scale * value:+.4g}{'' if width is None else f' ± {scale * width:.2g}'}{unit}"


def _median(values: Any) -> float | None:
    return _number(np.median(values)) if values.size else None


def _number(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None
