"""Tables on a terminal or in a pipe, of what `landscape.commands.shown.facts` found.

Text that comes from files goes through `for_terminal` and never through rich's markup.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from landscape.commands.printed import NOTHING, plain, print_heading, print_pairs, print_table, show
from landscape.commands.reports.curvature_tables import print_curvature, print_curvature_run
from landscape.commands.reports.frequencies_tables import print_frequencies
from landscape.commands.reports.plain_facts import made
from landscape.commands.reports.predictions_tables import print_predictions
from landscape.commands.reports.robustness_tables import print_robustness
from landscape.commands.reports.similarity_tables import print_similarity
from landscape.commands.reports.walk_tables import print_walk
from landscape.commands.words import number_of_bytes
from landscape.surface.derived.unseen import alike_text

# Enough of a SHA-256 to tell two files apart by eye; all of it is in --json.
_DIGEST = 16
_SHA256 = re.compile("[0-9a-f]{64}")


def show_file(facts: Mapping[str, Any], *, after_another: bool = False) -> None:
    """Print what `landscape.commands.shown.facts` found of a file, of any kind."""
    shows = {
        "surface": _surface,
        "checkpoint": _checkpoint,
        "curvature": print_curvature,
        "curvature run": print_curvature_run,
        "similarity": print_similarity,
        "predictions": print_predictions,
        "robustness": print_robustness,
        "frequencies": print_frequencies,
        "walk": print_walk,
    }
    show(shows.get(facts["kind"], _directions), facts, after_another=after_another)


def _surface(console: Console, facts: Mapping[str, Any]) -> None:
    size = " x ".join(f"{axis['points']}" for axis in facts["axes"])
    points = facts["points"]
    total = sum(points.values())
    done = total - points["missing"]
    lacking = facts["quality"].get("unfinished", 0)
    complete = facts["complete"] and not lacking
    state = "complete" if complete else f"{_percent(done, total)} done"
    if lacking:
        state += f", {lacking:,} points lack samples"
    print_heading(console, f"{facts['path'] or facts['title']}: surface of {size} points, {state}")
    origin, problem, quality = (dict(facts[name]) for name in ("origin", "problem", "quality"))
    origin.pop("values", None)  # in the table of values
    print_pairs(
        console,
        [
            ("title", facts["title"]),
            made(facts),
            ("checkpoint", _with_digest(origin.pop("checkpoint", ""), origin.pop("sha256", ""))),
            ("file", f"SHA-256 {facts['sha256'][:_DIGEST]}"),
            ("points", _points(points)),
            ("without holes", _finished(facts)),
            *(
                (f"{'batches' if entry.get('unit') == 'batch' else 'samples'} {name}", _samples(entry))
                for name, entry in facts["samples"].items()
            ),
            *((f"anchors {name}", _anchors(entry)) for name, entry in facts.get("anchors", {}).items()),
        ],
    )
    _values_table(console, facts["values"])
    _axes_table(console, facts)
    _settings(console, "what was measured", problem)
    _settings(console, "from", origin)
    _settings(console, "computed with", quality)
    _settings(console, "trajectories", {name: _run(entry) for name, entry in facts["trajectories"].items()})
    if facts["command"]:
        console.print()
        console.print(plain("made with" if complete else "to continue", "dim"))
        command = facts["command"] if complete else _continuing(facts["command"])
        console.print(plain(command), soft_wrap=True)  # in one piece, to be copied


def _continuing(command: str) -> str:
    """Return a command without the option that would make it start over."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    return shlex.join([word for word in words if word != "--overwrite"]) if "--overwrite" in words else command


def _run(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what fits into a few lines: not the values of every step."""
    short = {key: value for key, value in entry.items() if not isinstance(value, (list, tuple, Mapping))}
    shares = entry.get("explained_variance")
    if isinstance(shares, (list, tuple)):
        short["explained_variance"] = [*shares[:3], f"and {len(shares) - 3} more"] if len(shares) > 3 else shares
    return short


def _values_table(console: Console, values: Mapping[str, Any]) -> None:
    columns = ["values", "at theta*", "least", "at", "greatest", "std.\nerror", "not\nfinite", "not measured\nyet"]
    rows = []
    for name, entry in values.items():
        least, greatest = entry["min"] or {}, entry["max"] or {}
        error = entry.get("paired_stderr") or entry.get("stderr") or {}
        place = ", ".join(f"{value:.3g}" for key, value in least.items() if key != "value")
        numbers = (entry["at_origin"], least.get("value"), greatest.get("value"), error.get("median"))
        here, low, high, spread = (_value(name, number) for number in numbers)
        holes = [str(entry[key] or "-") for key in ("not_finite", "not_measured_yet")]
        rows.append([name, here, low, place or "-", high, spread, *holes])
    # The last three only where they say something.
    for number in (7, 6, 5):
        if all(row[number] == "-" for row in rows):
            columns.pop(number)
            rows = [row[:number] + row[number + 1 :] for row in rows]
    if rows:
        print_table(console, columns, rows)
    for name, entry in values.items():
        if top := entry.get("barrier"):
            text = f"{top['height']:.4g} above the line between both networks, at {top['x']:.4g}"
            console.print(plain(f"  barrier of {name}: {text if top['height'] else 'none'}", "dim"))
    if "std.\nerror" in columns:
        paired = any("paired_stderr" in entry for entry in values.values())
        of = ", of the difference to theta* where that is known" if paired else ""
        console.print(plain(f"  error: median over points{of}", "dim"))
    for name, entry in values.items():
        if stated := entry.get("stated_error"):
            console.print(plain(f"  {name} is off by at most {stated['words']}", "dim"))
        if words := _interval(name, entry.get("interval")):
            console.print(plain(f"  {name}: {words}", "dim"))
        for key, what in (("stderr", "samples are"), ("paired_stderr", "samples' differences to theta* are")):
            if words := _all_alike(what, entry.get(key) or {}):
                console.print(plain(f"  {name}: {words}", "dim"))


def _all_alike(what: str, error: Mapping[str, Any]) -> str:
    """Return at how many points samples do not scatter, and what that leaves open; empty where they do at all."""
    if not error.get("all_alike"):
        return ""
    most = math.inf if error["unlike_by"] is None else error["unlike_by"]
    return alike_text(error["all_alike"], what, error["unlike_at_most"] or 0.0, most)


def _interval(name: str, interval: Mapping[str, Any] | None) -> str:
    """Return how wide intervals are, and how many samples they go by, where that is few."""
    if interval is None or interval["carried_by"] is None or interval["median_half_width"] is None:
        return ""
    middle, most = (_value(name, interval[key]) for key in ("median_half_width", "greatest_half_width"))
    text = f"95 % interval ± {middle} in the median, at most ± {most}"
    few, fewest = interval["carried_by"], interval["carried_by_at_least"]
    text += f"; means are carried by {few:.3g} samples, at least {fewest:.2g}"
    if number := interval["unreliable"]:
        text += f"; at {number:,} points by so few that the interval is not to be relied on: take more --samples"
    return text


def _axes_table(console: Console, facts: Mapping[str, Any]) -> None:
    rows = [
        [
            axis["name"],
            f"{axis['first']:g} to {axis['last']:g}",
            axis["points"],
            "-" if axis["length"] is None else f"{axis['length']:.4g}",
            axis["sha256"][:_DIGEST] or "-",
        ]
        for axis in facts["axes"]
    ]
    print_table(console, ["axis", "range", "points", "length", "SHA-256"], rows)
    pairs = [(f"  {axis['name']}", _direction(axis)) for axis in facts["axes"]]
    rules = [axis["recipe"].get("filters") for axis in facts["axes"]]
    for rule, names in next((each for each in rules if isinstance(each, Mapping)), {}).items():
        pairs.append(("  a filter is", f"one of the {rule}: {', '.join(map(str, names))}"))
    cosines = facts["cosines"] or []
    for i, row in enumerate(cosines):
        for j in range(i):
            pairs.append((f"  cosine {facts['axes'][j]['name']}, {facts['axes'][i]['name']}", _value("", row[j])))
    print_pairs(console, pairs)


def _direction(axis: Mapping[str, Any]) -> str:
    recipe = {key: value for key, value in axis["recipe"].items() if value not in NOTHING and value is not False}
    if axis["kind"] != "direction":
        return f"{axis['label'] or axis['kind']}: {_compact(recipe.get('seeds', ''))}"
    source = str(recipe.pop("source", axis["source"]))
    path = str(recipe.pop("path", ""))
    sha256 = str(recipe.pop("sha256", ""))
    recipe.pop("axis", None), recipe.pop("filters", None)
    words = [f"{source} {path}".strip(), *(f"{key} {_compact(value)}" for key, value in recipe.items())]
    return ", ".join(words + ([f"SHA-256 {sha256[:_DIGEST]}"] if sha256 else []))


def _settings(console: Console, heading: str, settings: Mapping[str, Any]) -> None:
    pairs = []
    for name, value in settings.items():
        if isinstance(value, Mapping) and value and all(isinstance(item, Mapping) for item in value.values()):
            pairs += [(f"  {name} {key}", _compact(item)) for key, item in value.items()]
        elif value not in NOTHING:
            pairs.append((f"  {name}", _compact(value)))
    if pairs:
        console.print()
        console.print(plain(f"  {heading}", "dim"))
        print_pairs(console, pairs)


def _directions(console: Console, facts: Mapping[str, Any]) -> None:
    number = len(facts["directions"])
    print_heading(console, f"{facts['path']}: {number} direction{'s' * (number > 1)} of the 2018 tool")
    ratio = facts["explained_variance_ratio"]
    print_pairs(
        console,
        [
            ("file", f"SHA-256 {facts['sha256'][:_DIGEST]}"),
            ("explained variance", "" if ratio is None else ", ".join(f"{100 * part:.4g} %" for part in ratio)),
        ],
    )
    for letter, tensors in zip("xyz", facts["directions"], strict=False):
        _tensor_table(console, f"{letter} tensor", tensors)


def _checkpoint(console: Console, facts: Mapping[str, Any]) -> None:
    print_heading(console, f"{facts['path']}: checkpoint, {facts['description']}")
    pairs = [("tensors", f"SHA-256 {facts['sha256'][:_DIGEST]}")]
    if len(facts["candidates"]) > 1:
        pairs.append(("networks", ", ".join(facts["candidates"])))
    pairs += [(name, _compact(value)) for name, value in facts["metadata"].items()]
    print_pairs(console, pairs)
    _tensor_table(console, "tensor", facts["tensors"])


def _tensor_table(console: Console, heading: str, tensors: Sequence[Mapping[str, Any]]) -> None:
    rows: list[Sequence[Any]] = [
        [entry["name"], " x ".join(map(str, entry["shape"])) or "scalar", entry["dtype"], f"{entry['count']:,}"]
        for entry in tensors
    ]
    total, size = (sum(entry[key] for entry in tensors) for key in ("count", "bytes"))
    print_table(
        console, [heading, "shape", "type", "numbers"], [*rows, [f"{len(tensors)} in all", "", "", f"{total:,}"]], 3
    )
    console.print(plain(f"  {number_of_bytes(size, 1000)}", "dim"))


def _points(points: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in points.items() if number or name == "computed")


def _finished(facts: Mapping[str, Any]) -> str:
    part = facts["finished_part"]
    return "" if facts["complete"] or part is None else f"a coarser grid of {' x '.join(map(str, reversed(part)))}"


def _samples(entry: Mapping[str, Any]) -> str:
    least, most, size = entry["least"], entry["most"], entry["size"]
    if least is None or most is None:
        return ""
    return (f"{least:,}" if least == most else f"{least:,} to {most:,}") + (f" of {size:,}" if size else "")


def _anchors(entry: Mapping[str, Any]) -> str:
    """Return which estimator made the values of how many points."""
    least, number = entry["fewest_anchors_of_an_estimate"], entry["number"]
    of = (f"{number}" if least in (None, number) else f"{least} to {number}") + (
        " anchor" if number == 1 else " anchors"
    )
    texts = [
        f"{entry['points_estimated']:,} points estimated for all samples from {of}"
        if entry["points_estimated"]
        else "",
        f"{entry['points_measured_in_full']:,} measured in full" if entry["points_measured_in_full"] else "",
        f"{entry['points_of_plain_means']:,} still plain means" if entry["points_of_plain_means"] else "",
    ]
    return ", ".join(filter(None, texts))


def _value(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.4g} %" if name.endswith("accuracy") else f"{value:.4g}"


def _with_digest(path: Any, sha256: Any) -> str:
    return f"{path or '(no name)'} (SHA-256 {str(sha256)[:_DIGEST]})" if sha256 else str(path)


def _compact(value: Any) -> str:
    """Return a setting in words: mappings as "key value", long lists by their ends, digests by their start."""
    if isinstance(value, str):
        return value[:_DIGEST] if _SHA256.fullmatch(value) else value
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_compact(item)}" for key, item in value.items() if item not in NOTHING)
    if isinstance(value, list | tuple):
        if len(value) > 12:
            return f"{_compact(list(value[:3]))}, ... {_compact(value[-1])} ({len(value)} entries)"
        # Lists of lists as options are written: MEAN/STD.
        return (" / " if any(isinstance(item, list | tuple) for item in value) else ", ").join(map(_compact, value))
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value)


def _percent(part: int, total: int) -> str:
    # Rounded down: 99.96 % is not 100.0 %.
    return f"{int(1000 * part / max(total, 1)) / 10:g} %"
