"""What is written into a picture's file: where it comes from, how it was measured, how it is drawn."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape import __version__
from landscape.surface.surface import INTERPOLATED, Surface

from ..scale.scale import CAPPED, MISSING, NOT_FINITE, Scale
from .captions import one_each, panel_title, plotted_names, samples_text, value_codes
from .wording import cleaned

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A figure's metadata, for whoever saves it later; gone with the figure.
_METADATA: weakref.WeakKeyDictionary[Figure, dict[str, str]] = weakref.WeakKeyDictionary()


def metadata(
    surfaces: Surface | Sequence[Surface],
    scale: Scale | Sequence[Scale] | None = None,
    name: str | Sequence[str] | None = None,
    *,
    text: str = "",
    notes: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return what to write into a picture's file: field to text. Several surfaces are told apart by " | ".

    Fields that nothing is known about are left out.
    """
    panels = [cleaned(each) for each in ([surfaces] if isinstance(surfaces, Surface) else surfaces)]
    names = plotted_names(panels, name)
    scales = one_each(scale, len(panels))
    of_panel = {id(each): own for each, own in zip(panels, scales, strict=True)}

    def recipes(surface: Surface) -> str:
        known = [dict(axis.recipe) for axis in surface.directions if axis.recipe]
        return json.dumps(known, default=str) if known else ""

    def from_recipes(key: str) -> Callable[[Surface], str]:
        return lambda each: ", ".join(
            dict.fromkeys(str(axis.recipe[key]) for axis in each.directions if axis.recipe.get(key) is not None)
        )

    def from_problem(key: str) -> Callable[[Surface], str]:
        return lambda each: _plain(each.problem.get(key))

    def number(code: int) -> Callable[[Surface], str]:
        # Beside losses an accuracy has an axis of its own, without a cap.
        counted = [one for one in names if code != CAPPED or not one.endswith("accuracy")]
        return lambda each: str(
            sum(value_codes(each, one, of_panel[id(each)])[code] for one in counted if one in each.values)
        )

    fields: dict[str, Callable[[Surface], str]] = {
        "Title": panel_title,
        "Checkpoint": lambda each: _plain(each.origin.get("checkpoint")),
        "Checkpoint SHA-256": lambda each: _plain(each.origin.get("sha256")),
        "File": lambda each: each.path,
        "File SHA-256": lambda each: each.digest,
        "Model": lambda each: _plain(_mapping(each.problem.get("model")).get("reference")),
        "Data": lambda each: _plain(each.problem.get("data")),
        "Samples": lambda each: samples_text(each, names),
        "Sample seed": from_problem("sample_seed"),
        "Loss function": from_problem("loss"),
        "Batch norm": from_problem("batch_norm"),
        "Mode": from_problem("mode"),
        "Directions": recipes,
        "Normalization": from_recipes("norm"),
        "Ignored": from_recipes("ignore"),
        "Moved": from_recipes("move"),
        "Seeds": from_recipes("seed"),
        "Cosines": lambda each: "" if each.cosines is None else json.dumps(np.round(each.cosines, 6).tolist()),
        "Grid": lambda each: " x ".join(str(len(axis)) for axis in each.axes),
        "Missing": number(MISSING),
        "Above cap": number(CAPPED),
        "Not finite": number(NOT_FINITE),
        "Interpolated": lambda each: str(int((each.state == INTERPOLATED).sum())),
        "Precision": lambda each: _plain(each.quality.get("precision")),
        "Measured with": lambda each: each.software,
        "Measured": lambda each: each.created,
        "Command": lambda each: each.command,
    }
    found: dict[str, str] = {}
    for field, describe in fields.items():
        texts = [describe(each) for each in panels]
        if any(texts):
            found[field] = texts[0] if len(set(texts)) == 1 else " | ".join(texts)
    found["Values"] = ", ".join(names)
    for field, texts in _scale_fields([each for each in scales if each is not None]).items():
        found[field] = texts[0] if len(set(texts)) == 1 else " | ".join(texts)
    # Of the drawing, not of the measuring; a renderer that smooths its geometry overrides it.
    found["Interpolation"] = "none"
    found.update(notes or {})
    if text:
        found["Description"] = text
    found["Software"] = f"landscape {__version__}"
    return found


def remember(figure: Figure, fields: Mapping[str, str]) -> None:
    """Keep a figure's metadata until it is saved."""
    _METADATA[figure] = dict(fields)


def recall(figure: Figure) -> dict[str, str]:
    """Return the metadata of a figure that was drawn here; nothing for any other."""
    return dict(_METADATA.get(figure, {}))


def _scale_fields(scales: Sequence[Scale]) -> dict[str, list[str]]:
    if not scales:
        return {}
    return {
        "Scale": [each.axis_label() for each in scales],
        "Eps": [f"{each.eps:g}" for each in scales],
        "Cap": ["none" if each.cap is None else f"{each.cap:g}" for each in scales],
        "Scale shared": ["no" if each.independent else "yes" for each in scales],
    }


def _plain(value: Any) -> str:
    if value is None or value == "":
        return ""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
