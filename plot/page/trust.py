"""How far a picture can be trusted: what a surface knows about itself, as rows of a table.

The page shows these rows beside the picture. Counts that depend on the scale (what is above a cap) are added there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from landscape.surface.derived.stated_error import stated_error, stated_words
from landscape.surface.derived.unseen import left_to_chance
from landscape.surface.grid import Axis
from landscape.surface.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED, Surface
from landscape.surface.unmeasured import not_measured_yet

from ..paths.path_words import explained
from ..scale.levels import number_text
from ..scale.scale import values_label
from ..style.direction_words import GREEK, bare_label
from ..style.shortcuts import alike_words, anchor_words, interpolation_words, lacking_samples

Row = tuple[str, str]


def trust_rows(surface: Surface, name: str) -> list[Row]:
    """Return what is known about how a surface was made and how exact it is: label and text, most telling first.

    Parameters
    ----------
    surface : Surface
    name : str
        The values whose errors are summed up, such as ``"train/loss"``.
    """
    rows = [*_coverage(surface, name), *_errors(surface, name), *_directions(surface.directions)]
    if surface.cosines is not None and surface.cosines.shape[0] > 1:
        rows.append(("cosine of the axes", number_text(float(surface.cosines[0, 1]), 3)))
    shares = explained(surface)
    if shares is not None:
        inside = min(1.0, sum(shares[: len(surface.directions)]))
        # The components are those of all runs at once: no share of a single run is known.
        whose = "the run's variance" if len(surface.trajectories) == 1 else "all runs' variance together"
        rows.append(
            ("variance", f"{100 * inside:.1f} % of {whose} lies in this plane, {100 - 100 * inside:.1f} % outside")
        )
    return [*rows, *_origin(surface), *_settings(surface)]


def _coverage(surface: Surface, name: str) -> list[Row]:
    total = surface.state.size
    missing, filled = (int((surface.state == code).sum()) for code in (NOT_COMPUTED, INTERPOLATED))
    ny, nx = surface.shape[-2:]
    rows = [("points", f"{nx} × {ny}, {total - missing - filled} of {total} measured")]
    if missing:
        rows.append(("not computed", f"{missing} of {total}"))
    if filled:
        rows.append(("interpolated", f"{filled} of {total}{interpolation_words(surface, [name])}"))
    if lacking := lacking_samples(surface):
        rows.append(("unfinished", f"{lacking} of {total} still lack samples"))
    known = surface.state != NOT_COMPUTED
    to_come = {each: not_measured_yet(surface, each) & ~np.isfinite(array) for each, array in surface.values.items()}
    strange = {
        each: int((~np.isfinite(array) & known & ~to_come[each]).sum()) for each, array in surface.values.items()
    }
    texts = [f"{number} of {total} ({values_label(each)})" for each, number in strange.items() if number]
    rows.append(("not finite", ", ".join(texts) or "none"))
    if most := max((int(each.sum()) for each in to_come.values()), default=0):
        rows.append(("not measured yet", f"curvature at {most} of {total}"))
    return rows


def _errors(surface: Surface, name: str) -> list[Row]:
    rows = []
    data = surface.problem.get("data")
    measured = surface.state == COMPUTED
    for each, count in surface.counts.items():
        if not measured.any():
            continue
        low, high = int(count[measured].min()), int(count[measured].max())
        used = f"{high}" if low == high else f"{low} to {high}"
        size = data.get(each, {}).get("size") if isinstance(data, Mapping) else None
        rows.append((f"samples of {each}", f"{used} of {size}" if size else used))
    if words := anchor_words(surface, [name]):
        rows.append(("values", f"{words}, points at which all were measured"))
    for label, paired in (("standard error", False), ("error of differences", True)):
        if (left := left_to_chance(surface, name, paired=paired)) is not None:
            finite = left[np.isfinite(left) & measured]
            if finite.size:
                middle, largest = number_text(float(np.median(finite)), 3), number_text(float(finite.max()), 3)
                rows.append((label, f"± {middle} (median) of the {values_label(name)}, at most ± {largest}"))
    if words := alike_words(surface, name):
        rows.append(("not seen", words))
    if name.endswith("/loss") and (found := stated_error(surface, name)) is not None and found.total != 0:
        rows.append(("error in all", stated_words(found)))
    aimed = surface.quality.get("standard_error")
    if isinstance(aimed, Mapping) and isinstance(aimed.get("target"), int | float):
        rows.append(("samples until", f"standard error of {100 * aimed['target']:.2g} % of loss + eps"))
    precision = surface.quality.get("precision")
    if precision:
        error = surface.quality.get("precision_error")
        text = f"{precision}, measured error {error:.1e}" if isinstance(error, float) else str(precision)
        rows.append(("precision", text))
    return rows


def _directions(axes: Sequence[Axis]) -> list[Row]:
    rows = []
    for number, axis in enumerate(axes[:3]):
        recipe = axis.recipe
        parts = [bare_label(axis) or axis.source]
        # As the pictures and the read-outs call it.
        name = f"PC {number + 1}" if axis.source == "pca" else GREEK[number]
        if recipe.get("norm"):
            parts.append(f"{recipe['norm']}-normalised")
        if recipe.get("seed") is not None:
            parts.append(f"seed {recipe['seed']}")
        if recipe.get("ignore") == "biasbn":
            parts.append("biases and batch norm left out")
        if np.isfinite(axis.length):
            parts.append(f"length {number_text(axis.length, 3)}")
        rows.append((f"direction {name}", ", ".join(parts)))
    return rows


def _origin(surface: Surface) -> list[Row]:
    rows = []
    checkpoint, digest = surface.origin.get("checkpoint"), surface.origin.get("sha256")
    if checkpoint:
        # Only the file's name: a page is sent to others, and a folder may carry somebody's name.
        rows.append(("checkpoint", Path(str(checkpoint)).name + (f", SHA-256 {str(digest)[:12]}…" if digest else "")))
    values = surface.origin.get("values")
    if isinstance(values, Mapping):
        texts = [f"{values_label(str(key))} {_value_text(str(key), value)}" for key, value in values.items()]
        rows.append(("at the checkpoint", ", ".join(texts)))
    return rows


def _value_text(name: str, value: Any) -> str:
    if not isinstance(value, int | float):
        return str(value)
    return f"{100 * value:.2f} %" if name.endswith("accuracy") else number_text(float(value))


def _settings(surface: Surface) -> list[Row]:
    problem, quality = surface.problem, surface.quality
    rows = []
    model = problem.get("model")
    if isinstance(model, Mapping) and (model.get("class") or model.get("reference")):
        rows.append(("model", str(model.get("class") or model.get("reference"))))
    for key, label in (
        ("loss", "loss"),
        ("batch_norm", "batch norm"),
        ("mode", "mode"),
        ("move", "moved"),
        ("weight_decay", "weight decay"),
    ):
        if problem.get(key) not in (None, "", 0, 0.0):
            rows.append((label, str(problem[key])))
    for key in ("engine", "batch_size", "device"):
        if quality.get(key) not in (None, ""):
            rows.append((key.replace("_", " "), str(quality[key])))
    if surface.digest:
        rows.append(("file", f"SHA-256 {surface.digest[:12]}…"))
    for label, text in (("made by", surface.software), ("on", surface.created), ("command", surface.command)):
        if text:
            rows.append((label, text))
    return rows
