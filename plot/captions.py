"""What a picture shows, in two or three sentences, and the same as fields for the file's metadata.

Only what the surface records is said: a file of the 2018 tool knows neither its data nor its seeds, and then nothing
is said about them.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape.surface import INTERPOLATED, NOT_COMPUTED, Surface

from .ladders import number_text
from .scale import CAPPED, MISSING, NOT_FINITE, Scale, default_name, values_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NORMS = {
    "filter": "filter-normalised",
    "layer": "layer-normalised",
    "weight": "scaled by the weights",
    "dfilter": "of unit length in each filter",
    "dlayer": "of unit length in each layer",
    "model": "scaled to the whole network",
    "none": "not normalised",
}
_COUNT_WORDS = {1: "one", 2: "two", 3: "three"}

# A figure's metadata, for whoever saves it later; gone with the figure.
_METADATA: weakref.WeakKeyDictionary[Figure, dict[str, str]] = weakref.WeakKeyDictionary()


def caption(
    surfaces: Surface | Sequence[Surface],
    scale: Scale | None = None,
    name: str | Sequence[str] | None = None,
    *,
    notes: Sequence[str] = (),
) -> str:
    """Say what a picture of these surfaces shows, how it was measured, and what it does not show.

    Parameters
    ----------
    surfaces : Surface or sequence of Surface
        The panels. What they share is said once.
    scale : Scale, optional
        How they are drawn; without it nothing is said about the scale.
    name : str or sequence of str, optional
        The values; the training loss where there is one.
    notes : sequence of str
        Further sentences, such as what the marks mean.

    Examples
    --------
    >>> caption(surface, scale)                                               # doctest: +SKIP
    'Training loss (cross entropy) of net.pt on 1,000 of 50,000 samples (seed 3), along two random directions ...'
    """
    panels = [surfaces] if isinstance(surfaces, Surface) else list(surfaces)
    names = _names(panels, name)
    label = values_label(names)
    first = label[:1].upper() + label[1:]
    loss = _shared(panels, lambda each: str(each.problem.get("loss") or "").replace("_", " "))
    if loss and any(each.endswith("loss") for each in names):
        first += f" ({loss})"
    parts = [first, *_origins(panels)]
    for describe in (lambda each: _samples(each, names), _batch_norm, _directions):
        text = _merged(panels, describe)
        if text:
            parts.append(text)
    second = [_merged(panels, _points), *_holes_of_all(panels, names, scale)]
    if scale is not None and scale.formula():
        second.append(f"drawn as {scale.formula()}")
    precision = _merged(panels, _precision)
    if precision:
        second.append(precision)
    sentences = [_joined(parts), "; ".join(second), *notes]
    if scale is not None and scale.independent:
        sentences.append("Each panel has a scale of its own (independent scales)")
    return " ".join(each + ("" if each.endswith(".") else ".") for each in sentences if each)


def panel_title(surface: Surface) -> str:
    """Return what to write above a panel: the title, or else the file's stem."""
    return surface.title or (Path(surface.path).stem if surface.path else "")


def metadata(
    surfaces: Surface | Sequence[Surface],
    scale: Scale | None = None,
    name: str | Sequence[str] | None = None,
    *,
    text: str = "",
    notes: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return what to write into a picture's file: field to text. Several surfaces are told apart by " | ".

    Fields that nothing is known about are left out.
    """
    panels = [surfaces] if isinstance(surfaces, Surface) else list(surfaces)
    names = _names(panels, name)

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
        return lambda each: str(sum(_codes(each, one, scale)[code] for one in names if one in each.values))

    fields: dict[str, Callable[[Surface], str]] = {
        "Title": panel_title,
        "Checkpoint": lambda each: _plain(each.origin.get("checkpoint")),
        "Checkpoint SHA-256": lambda each: _plain(each.origin.get("sha256")),
        "File": lambda each: each.path,
        "File SHA-256": lambda each: each.digest,
        "Model": lambda each: _plain(_mapping(each.problem.get("model")).get("reference")),
        "Data": lambda each: _plain(each.problem.get("data")),
        "Samples": lambda each: _samples(each, names).removeprefix("on "),
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
    if scale is not None:
        found["Scale"] = scale.axis_label()
        found["Eps"] = f"{scale.eps:g}"
        found["Cap"] = "none" if scale.cap is None else f"{scale.cap:g}"
        found["Scale shared"] = "no" if scale.independent else "yes"
    # Of the drawing, not of the measuring; a renderer that smooths its geometry overrides it.
    found["Interpolation"] = "none"
    found.update(notes or {})
    if text:
        found["Description"] = text
    from landscape import __version__

    found["Software"] = f"landscape {__version__}"
    return found


def remember(figure: Figure, fields: Mapping[str, str]) -> None:
    """Keep a figure's metadata until it is saved."""
    _METADATA[figure] = dict(fields)


def recall(figure: Figure) -> dict[str, str]:
    """Return the metadata of a figure that was drawn here; nothing for any other."""
    return dict(_METADATA.get(figure, {}))


def origin_text(surface: Surface) -> str:
    """Return the values at the checkpoint that are known, such as "loss 0.41, accuracy 85.0 %, test loss 0.5"."""
    values = surface.origin.get("values")
    if not isinstance(values, Mapping):
        return ""
    texts = []
    order = sorted(values, key=lambda each: (not each.startswith("train/"), not each.endswith("loss"), each))
    for name in order:
        value = values[name]
        if not isinstance(value, int | float) or not name.endswith(("/loss", "/accuracy")):
            continue
        label = values_label(name).replace("training", "train")
        texts.append(f"{label} " + (f"{100 * value:.1f} %" if name.endswith("accuracy") else number_text(value, 3)))
    return ", ".join(texts)


def _names(panels: Sequence[Surface], name: str | Sequence[str] | None) -> list[str]:
    if name is None:
        return [default_name(panels[0])]
    return [name] if isinstance(name, str) else list(name)


def _plain(value: Any) -> str:
    if value is None or value == "":
        return ""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _shared(panels: Sequence[Surface], describe: Callable[[Surface], str]) -> str:
    texts = {describe(each) for each in panels}
    return texts.pop() if len(texts) == 1 else ""


def _merged(panels: Sequence[Surface], describe: Callable[[Surface], str]) -> str:
    """Say it once where all panels agree, else for each panel with its title."""
    texts = [describe(each) for each in panels]
    if len(set(texts)) == 1:
        return texts[0]
    return "; ".join(
        f"{panel_title(each) or f'panel {number + 1}'}: {text or 'not recorded'}"
        for number, (each, text) in enumerate(zip(panels, texts, strict=True))
    )


def _joined(parts: Iterable[str]) -> str:
    """Join the parts of a sentence: phrases that belong together by a space, others by a comma."""
    sentence = ""
    for part in parts:
        close = part.startswith(("of ", "on ")) and ":" not in part
        sentence += part if not sentence else (" " if close else ", ") + part
    return sentence


def _origins(panels: Sequence[Surface]) -> list[str]:
    paths = list(dict.fromkeys(str(each.origin.get("checkpoint") or "") for each in panels))
    paths = [path for path in paths if path]
    if not paths:
        return []
    if len(paths) > 3:
        return [f"of {len(paths)} checkpoints"]
    short = [Path(path).name for path in paths]
    if len(set(short)) < len(short):
        short = ["/".join(Path(path).parts[-2:]) for path in paths]
    return ["of " + (short[0] if len(short) == 1 else f"{', '.join(short[:-1])} and {short[-1]}")]


def _samples(surface: Surface, names: Sequence[str]) -> str:
    texts = []
    sets = list(dict.fromkeys(each.rpartition("/")[0] for each in names))
    for data in sets:
        known = _mapping(_mapping(surface.problem.get("data")).get(data))
        size = known.get("size")
        counts = surface.counts.get(data)
        used = known.get("samples") or surface.problem.get("samples")
        if counts is not None and counts.size and int(counts.max()) > 0:
            used = int(counts.max())
        if used is None and size is None:
            continue
        if used is None or used == size:
            text = f"all {size:,} samples" if size is not None else ""
        else:
            text = f"{used:,} of {size:,} samples" if size is not None else f"{used:,} samples"
            seed = surface.problem.get("sample_seed")
            text += f" (seed {seed})" if seed is not None and size is not None else ""
        texts.append(f"{text} ({data})" if len(sets) > 1 else text)
    return f"on {' and '.join(texts)}" if texts else ""


def _batch_norm(surface: Surface) -> str:
    texts = []
    kind = surface.problem.get("batch_norm")
    if kind == "recompute":
        source = surface.problem.get("batch_norm_data")
        texts.append("batch-norm statistics recomputed at each point" + (f" on {source}" if source else ""))
    elif kind:
        texts.append("batch-norm statistics " + ("interpolated" if _moves_states(surface) else f"{kind}"))
    if surface.problem.get("mode") == "train":
        texts.append("network in training mode")
    return ", ".join(texts)


def _moves_states(surface: Surface) -> bool:
    return any(axis.recipe.get("move") == "states" for axis in surface.directions)


def _directions(surface: Surface) -> str:
    axes = [axis for axis in surface.axes if axis.kind == "direction"]
    sources = {axis.source for axis in axes}
    plural = "direction" if len(axes) == 1 else "directions"
    many = _COUNT_WORDS.get(len(axes), str(len(axes)))
    if sources == {"random"} and all(axis.recipe for axis in axes):
        text = f"along {many} random {plural}"
        norms = {str(axis.recipe.get("norm")) for axis in axes if axis.recipe.get("norm")}
        if len(norms) == 1:
            norm = norms.pop()
            text = f"along {many} random {plural}, {_NORMS.get(norm, norm)}"
        details = []
        seeds = _seeds(surface)
        if seeds:
            details.append(seeds)
        details += _angles(surface)
        if all(axis.recipe.get("ignore") == "biasbn" for axis in axes):
            details.append("biases and batch norm not moved")
        text += f" ({'; '.join(details)})" if details else ""
    elif sources == {"checkpoint"}:
        ends = [Path(str(axis.recipe.get("path") or axis.label.removeprefix("towards "))).name for axis in axes]
        text = f"from the checkpoint (0) to {' and '.join(ends)} (1)"
        text += "".join(f" ({angle})" for angle in _angles(surface))
    elif any(axis.source for axis in axes) and any(axis.label or axis.recipe for axis in axes):
        files = dict.fromkeys(Path(str(axis.recipe["path"])).name for axis in axes if axis.recipe.get("path"))
        labels = [axis.label or axis.source for axis in axes]
        text = f"along {many} {plural} of {', '.join(files)}" if files else f"along {' and '.join(labels)}"
        text += "".join(f" ({angle})" for angle in _angles(surface))
    else:
        text = f"along {many} {plural}"
    chosen = [f"{key} {surface.problem[key]!r}" for key in ("include", "exclude") if surface.problem.get(key)]
    return text + (f", only parameters that {' and '.join(chosen)}" if chosen else "")


def _seeds(surface: Surface) -> str:
    seeds = [axis.recipe.get("seed") for axis in surface.directions]
    if surface.repeats > 1:
        seeds = [axis.recipe.get("seed") for number in range(surface.repeats) for axis in surface.repeat(number).axes]
    known = [seed for seed in dict.fromkeys(seeds) if seed is not None]
    if not known:
        return f"{surface.repeats} seeds" if surface.repeats > 1 else ""
    if len(known) > 1 and isinstance(known[0], int) and known == list(range(known[0], known[0] + len(known))):
        return f"seeds {known[0]} to {known[-1]}"
    return f"seed{'s' if len(known) > 1 else ''} {', '.join(map(str, known))}"


def _angles(surface: Surface) -> list[str]:
    if surface.cosines is None or surface.repeats > 1 or len(surface.cosines) < 2:
        return []
    above = surface.cosines[np.triu_indices(len(surface.cosines), 1)]
    return [f"cosine {', '.join(_signed(each) for each in above)}"]


def _signed(value: float) -> str:
    return "0" if abs(value) < 5e-4 else number_text(round(float(value), 3), 3)


def _codes(surface: Surface, name: str, scale: Scale | None) -> dict[int, int]:
    values = surface[name]
    scale = scale or Scale("linear", 0.0, 0.0, 1.0, None, "viridis", "", (), ())
    codes = scale.classify(values, surface.state)
    return {code: int((codes == code).sum()) for code in (MISSING, CAPPED, NOT_FINITE)}


def _points(surface: Surface) -> str:
    part = surface.finished_part()
    shape = _shape_text(part)
    if part is surface:
        return f"{shape} points"
    done = float((surface.state != NOT_COMPUTED).mean())
    return f"Coarse picture of an unfinished run: {shape} of {_shape_text(surface)} points ({100 * done:.0f} % done)"


def _shape_text(surface: Surface) -> str:
    shape = " × ".join(str(len(axis)) for axis in surface.axes if axis.kind == "direction")
    return f"{surface.repeats} times {shape}" if surface.repeats > 1 else shape


def _holes_of_all(panels: Sequence[Surface], names: Sequence[str], scale: Scale | None) -> list[str]:
    """Say for every panel that has holes what they are; nothing where there are none."""
    texts = [(panel_title(each) or f"panel {k + 1}", _holes(each, names, scale)) for k, each in enumerate(panels)]
    return [text if len(panels) == 1 else f"{title}: {text}" for title, text in texts if text]


def _holes(surface: Surface, names: Sequence[str], scale: Scale | None) -> str:
    part = surface.finished_part()
    found = [_codes(part, name, scale) for name in names if name in part.values]
    missing, capped, broken = (sum(each[code] for each in found) for code in (MISSING, CAPPED, NOT_FINITE))
    details = []
    if missing:
        details.append(f"{missing} not computed")
    if capped and scale is not None and scale.cap is not None:
        details.append(f"{capped} above the cap of {number_text(scale.cap)} (hatched)")
    if broken:
        details.append(f"{broken} not finite")
    filled = int((part.state == INTERPOLATED).sum())
    if filled:
        error = surface.quality.get("interpolation_error")
        known = f" (error {error:.2g})" if isinstance(error, int | float) else ""
        details.append(f"{filled} interpolated, not measured{known}")
    return ", ".join(details)


def _precision(surface: Surface) -> str:
    precision = str(surface.quality.get("precision") or "")
    return "" if precision in ("", "float32", "float64", "fp32", "fp64") else f"computed in {precision}"
