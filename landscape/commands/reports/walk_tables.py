"""What `landscape walk` and `landscape info` say of walks along the gradient: as plain values, and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from landscape.commands.printed import print_heading, print_pairs, print_table
from landscape.commands.reports.plain_facts import about, made, numbers
from landscape.surface.reports.gradient_walks import GradientWalks

# Of more steps than this, so many are printed; --json has all.
_MOST = 24
_DERIVED = ("low", "high", "span", "change", "relative_change", "smoothness")
_COLUMNS = ("loss", "span", "gradient", "change", "relative_change", "smoothness")


def walk_facts(found: GradientWalks) -> dict[str, Any]:
    """Return what there is to say of a result, as JSON; numbers that do not exist are None."""
    values = {"loss": found.losses[:, 0], "gradient": found.gradients}
    values |= {name: getattr(found, name) for name in _DERIVED}
    return {
        "path": found.path,
        "kind": "walk",
        "walk": {
            "data": found.data,
            "run": found.run,
            "unit": found.unit,
            "steps": found.steps.tolist(),
            "rates": numbers(found.rates),
            "without_rate": found.without_rate,
            "not_known": found.not_known,
            "multiples": found.multiples.tolist(),
            "losses": numbers(found.losses),
            "changes": numbers(found.changes),
            **{name: numbers(each) for name, each in values.items()},
        },
        **about(found),
    }


def print_walk(console: Console, facts: Mapping[str, Any]) -> None:
    """Print what there is to say."""
    said = facts["walk"]
    number, rates = len(said["steps"]), [each for each in said["rates"] if each is not None]
    samples = facts["settings"].get("samples")
    print_heading(console, f"walks along the gradient of {said['data']} at {number:,} steps of {said['run']}")
    far = ", ".join(f"{each:g}" for each in said["multiples"])
    print_pairs(
        console,
        [
            made(facts),
            ("loss", f"{facts['problem'].get('loss', '')}, mean over {samples} samples, mode {_mode(facts)}"),
            ("walked", f"{far} steps of gradient descent, at {_rates(rates)}"),
            *_frozen(facts),
        ],
    )  # fmt: skip
    shown = range(number) if number <= _MOST else sorted({round(k * (number - 1) / (_MOST - 1)) for k in range(_MOST)})
    print_table(
        console,
        [said["unit"], "rate", *(each.replace("_", " ") for each in _COLUMNS)],
        [[str(said["steps"][k]), *(_text(said[name][k]) for name in ("rates", *_COLUMNS))] for k in shown],
    )
    pairs = [
        ("span", "range of the loss along the walk, its start included"),
        ("change", "of the gradient, the greatest; relative: in units of its length; smoothness: per distance walked"),
    ]
    if number > len(shown):
        pairs.append(("steps", f"{len(shown)} of {number:,}, --json has each"))
    if none := said["without_rate"]:
        pairs.append(("not walked", f"{none:,} {'step' if none == 1 else 'steps'} without a learning rate above 0"))
    if lost := said["not_known"]:
        changes = "is not finite, or changes by less than resolved"
        pairs.append(("not known", f"of {lost:,} {'walk' if lost == 1 else 'walks'}: a loss or a gradient {changes}"))
    print_pairs(console, pairs)


def _rates(rates: Sequence[float]) -> str:
    least, greatest = f"{min(rates):.4g}", f"{max(rates):.4g}"
    return f"a rate of {least}" if least == greatest else f"rates from {least} to {greatest}"


def _frozen(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    number = facts["settings"].get("frozen", 0)
    return [("frozen", f"{number:,} weights, which are in no gradient")] if number else []


def _mode(facts: Mapping[str, Any]) -> str:
    return str(facts["settings"].get("mode", ""))


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
