"""What a picture shows, in two or three sentences.

Only what the surface records is said: a file of the 2018 tool knows neither its data nor its seeds, and then nothing
is said about them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from landscape.surface.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED, Surface
from landscape.surface.unmeasured import not_measured_yet

from ..scale.levels import number_text
from ..scale.scale import CAPPED, MISSING, NOT_FINITE, Scale, default_name, values_label
from .direction_words import angles_text, directions_text, seeds_text
from .shortcuts import alike_words, anchor_words, error_words, interpolation_words, lacking_samples
from .wording import cleaned, one_line

# Of a title within a sentence, in letters.
LONGEST_TITLE = 30
# A list of more would be longer than the rest of the caption; the file's metadata has it all.
MOST_LISTED = 4
# Of one panel beside others that say it; alone it says nothing.
_UNKNOWN = "not recorded"


def caption(
    surfaces: Surface | Sequence[Surface],
    scale: Scale | Sequence[Scale] | None = None,
    name: str | Sequence[str] | None = None,
    *,
    notes: Sequence[str] = (),
    titles: Sequence[str] | None = None,
) -> str:
    """Say what a picture of these surfaces shows, how it was measured, and what it does not show.

    Parameters
    ----------
    surfaces : Surface or sequence of Surface
        The panels. What they share is said once.
    scale : Scale or sequence of Scale, optional
        How they are drawn, one for all or one a panel; without it nothing is said about the scale.
    name : str or sequence of str, optional
        The values; the training loss where there is one.
    notes : sequence of str
        Further sentences, such as what the marks mean.
    titles : sequence of str, optional
        What the panels are called; their own titles by default.

    Examples
    --------
    >>> caption(surface, scale)                                               # doctest: +SKIP
    'Training loss (cross entropy) of net.pt on 1,000 of 50,000 samples (seed 3), along two random directions ...'
    """
    panels = [cleaned(each) for each in ([surfaces] if isinstance(surfaces, Surface) else surfaces)]
    scales = one_each(scale, len(panels))
    names = plotted_names(panels, name)
    titles = told_apart(titles or [panel_title(each) for each in panels])
    label = values_label(names)
    first = label[:1].upper() + label[1:]
    losses = {str(each.problem.get("loss") or "").replace("_", " ") for each in panels}
    if len(losses) == 1 and "" not in losses and any(each.endswith("loss") for each in names):
        first += f" ({losses.pop()})"
    samples = _merged([samples_text(each, names) for each in panels], titles, _UNKNOWN)
    parts = [
        " ".join(part for part in (first, _origins(panels), f"on {samples}" if samples else "") if part),
        _merged([anchor_words(each, names) for each in panels], titles),
        _merged(_batch_norms(panels), titles),
        _directions_of_all(panels, titles),
    ]
    known = [each for each in scales if each is not None]
    formulas = [each.formula() for each in known]
    if any(formulas):
        formulas = [each or "z = L" for each in formulas]
    second = [
        _merged([_points(each) for each in panels], titles),
        *_holes_of_all(panels, names, scales, titles),
        f"drawn as {_merged(formulas, titles)}" if any(formulas) else "",
        _merged([_precision(each) for each in panels], titles),
        _merged([error_words(each, names) for each in panels], titles),
        _merged(["; ".join(filter(None, (alike_words(each, name) for name in names))) for each in panels], titles),
    ]
    sentences = [", ".join(filter(None, parts)), "; ".join(filter(None, second)), *notes]
    if any(each.independent for each in known):
        sentences.append("Each panel has a scale of its own (independent scales)")
    return " ".join(each + ("" if each.endswith(".") else ".") for each in sentences if each)


def _brief(title: str) -> str:
    """Cut a title in the middle of a sentence to a few words; where two end in different ways, the end tells them."""
    if len(title) <= LONGEST_TITLE:
        return title
    return f"{title[: LONGEST_TITLE - 12].rstrip()}…{title[-10:].lstrip()}"


def told_apart(titles: Sequence[str], what: str = "panel") -> list[str]:
    """Return what panels are called within a sentence: by their place where they have no title, or that of another."""
    short = [_brief(one_line(each)) for each in titles]
    return [each if each and short.count(each) == 1 else f"{what} {number}" for number, each in enumerate(short, 1)]


def one_each(scale: Scale | Sequence[Scale] | None, number: int) -> list[Scale | None]:
    """Return a scale for each panel."""
    if scale is None or isinstance(scale, Scale):
        return [scale] * number
    return list(scale)


def panel_title(surface: Surface) -> str:
    """Return what to write above a panel: the title, or else the file's stem."""
    return surface.title or (Path(surface.path).stem if surface.path else "")


def origin_text(surface: Surface) -> str:
    """Return the values at the checkpoint that are known, such as "loss 0.41, accuracy 85.0 %, test loss 0.5".

    On a line to another checkpoint it is named: "net.pt (0): loss 0.41".
    """
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
    others = any(axis.source == "checkpoint" for axis in surface.directions)
    whose = f"{Path(str(surface.origin.get('checkpoint') or 'checkpoint')).name} (0): " if others and texts else ""
    return whose + ", ".join(texts)


def plotted_names(panels: Sequence[Surface], name: str | Sequence[str] | None) -> list[str]:
    """Return the values that a picture shows."""
    if name is None:
        return [default_name(panels[0])]
    return [name] if isinstance(name, str) else list(name)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _merged(texts: Sequence[str], titles: Sequence[str], nothing: str = "") -> str:
    """Say it once where all panels agree, else for each panel, with its title; ``nothing`` where nothing is said."""
    if len(set(texts)) <= 1:
        return texts[0] if texts else ""
    told = [f"{text or nothing} ({title})" for text, title in zip(texts, titles, strict=True) if text or nothing]
    return f"{told[0]}, the others differ" if len(told) > MOST_LISTED else ", ".join(told)


def _origins(panels: Sequence[Surface]) -> str:
    paths = list(dict.fromkeys(str(each.origin.get("checkpoint") or "") for each in panels))
    paths = [path for path in paths if path]
    if not paths:
        return ""
    if len(paths) > 3:
        return f"of {len(paths)} checkpoints"
    short = [Path(path).name for path in paths]
    if len(set(short)) < len(short):
        short = ["/".join(Path(path).parts[-2:]) for path in paths]
    return "of " + (short[0] if len(short) == 1 else f"{', '.join(short[:-1])} and {short[-1]}")


def samples_text(surface: Surface, names: Sequence[str]) -> str:
    """Return how much of the data was used, such as "1,000 of 50,000 samples (seed 3)"; empty where not recorded."""
    texts = []
    drawn = False
    sets = list(dict.fromkeys(each.rpartition("/")[0] for each in names))
    for data in sets:
        known = _mapping(_mapping(surface.problem.get("data")).get(data))
        size, used = known.get("size"), known.get("samples") or surface.problem.get("samples")
        counts = surface.counts.get(data)
        fewest = None
        if counts is not None and counts.size and int(counts.max()) > 0:
            used = int(counts.max())
            fewest = int(counts[surface.state == COMPUTED].min(initial=used))
        if used is None and size is None:
            continue
        part = used is not None and size is not None and used < size
        text = f"{used:,} of {size:,}" if part else f"all {size:,}" if size is not None else f"{used:,}"
        if fewest is not None and fewest < (used or 0):
            part = part or size is not None
            text = f"{fewest:,} to {text}"
        drawn = drawn or part
        texts.append(f"{text} {data}" if len(sets) > 1 else text)
    seed = surface.problem.get("sample_seed")
    seeded = f" (seed {seed})" if drawn and seed is not None else ""
    batches = any(_mapping(_mapping(surface.problem.get("data")).get(data)).get("unit") == "batch" for data in sets)
    unit = "batches" if batches else "samples"
    return f"{' and '.join(texts)} {unit}{seeded}".replace("all 1 samples", "one sample") if texts else ""


def _batch_norms(panels: Sequence[Surface]) -> list[str]:
    """Return it for each panel: beside another one also that there is none."""
    texts = [_batch_norm(each) for each in panels]
    layers = [_mapping(each.problem.get("statistics")).get("batch_norm") for each in panels]
    without = ["no batch norm" if number == 0 else _UNKNOWN for number in layers]
    return [text or none for text, none in zip(texts, without, strict=True)] if any(texts) else texts


def _batch_norm(surface: Surface) -> str:
    """Return what became of batch norm's statistics and of other buffers; nothing of what the network does not have."""
    known = _mapping(surface.problem.get("statistics"))
    # Files that do not say how many layers keep statistics may have some.
    layers, others = known.get("batch_norm"), known.get("other") or []
    kind, moved = surface.problem.get("batch_norm"), _moved_states(surface)
    texts = []
    if kind == "recompute" and layers != 0:
        source = surface.problem.get("batch_norm_data") or known.get("recomputed_on")
        texts.append("batch-norm statistics recomputed at each point" + (f" on {source}" if source else ""))
        texts += [f"other buffers {moved}"] if moved and others else []
    elif moved:
        # What moves is every floating buffer, whether batch norm's or, say, a mask.
        named = (["batch-norm statistics"] if layers != 0 else []) + (
            ["other buffers" if layers else "buffers"] if others else []
        )
        texts += [f"{' and '.join(named)} {moved}"] if named else []
    elif kind and layers != 0:
        texts.append(f"batch-norm statistics {kind}")
    whole = "batch norm by each batch alone" if known.get("by_batch") else "each sample's loss by its whole batch"
    texts += [whole] if known.get("by_batch") or surface.problem.get("loss_by_batch") else []
    if surface.problem.get("mode") == "train":
        texts.append("network in training mode")
    return ", ".join(texts)


def _moved_states(surface: Surface) -> str:
    """Return how the directions move floating buffers; empty where they do not."""
    # Of one dimension they are left alone with the biases, whatever else moves.
    moving = [
        axis
        for axis in surface.directions
        if axis.recipe.get("move") == "states" and axis.recipe.get("ignore") != "biasbn"
    ]
    if not moving:
        return ""
    return "interpolated" if all(axis.source == "checkpoint" for axis in moving) else "moved along the directions"


def _directions_of_all(panels: Sequence[Surface], titles: Sequence[str]) -> str:
    """Say what the axes are: once where all panels agree, and then only the seeds and angles for each."""
    kinds = [directions_text(each) for each in panels]
    seeds, angles = ([describe(each) for each in panels] for describe in (seeds_text, angles_text))
    if len(set(kinds)) > 1:
        return _merged([kind + _bracketed(more) for kind, *more in zip(kinds, seeds, angles, strict=True)], titles)
    details = [_merged(seeds, titles, _UNKNOWN), _merged(angles, titles)]
    if all(axis.recipe.get("ignore") == "biasbn" for each in panels for axis in each.directions):
        normed = [_mapping(each.problem.get("statistics")).get("batch_norm") for each in panels]
        what = (
            "biases and other tensors of one dimension"
            if all(number == 0 for number in normed)
            else "biases and batch norm"
        )
        details.append(f"{what} not moved")
    return kinds[0] + _bracketed(details)


def _bracketed(details: Sequence[str]) -> str:
    return f" ({'; '.join(filter(None, details))})" if any(details) else ""


def value_codes(surface: Surface, name: str, scale: Scale | None) -> dict[int, int]:
    """Return how many points are missing, above the cap, not finite."""
    values = surface[name]
    scale = scale or Scale("linear", 0.0, 0.0, 1.0, None, "viridis", "", (), ())
    codes = scale.classify(values, surface.state)
    return {code: int((codes == code).sum()) for code in (MISSING, CAPPED, NOT_FINITE)}


def _points(surface: Surface) -> str:
    part = surface.finished_part()
    shape = _shape_text(part)
    if part is surface:
        return f"{shape} point{'s' * (part.state.size != 1)}"
    done = float((surface.state != NOT_COMPUTED).mean())
    return f"Coarse picture of an unfinished run: {shape} of {_shape_text(surface)} points ({100 * done:.0f} % done)"


def _shape_text(surface: Surface) -> str:
    shape = " × ".join(str(len(axis)) for axis in surface.axes if axis.kind == "direction")
    return f"{surface.repeats} times {shape}" if surface.repeats > 1 else shape


def _holes_of_all(
    panels: Sequence[Surface], names: Sequence[str], scales: Sequence[Scale | None], titles: Sequence[str]
) -> list[str]:
    """Say for every panel that has holes what they are; nothing where there are none."""
    texts = [_holes(each, names, scale) for each, scale in zip(panels, scales, strict=True)]
    if len(panels) == 1:
        return texts
    told = [f"{title}: {text}" for title, text in zip(titles, texts, strict=True) if text]
    if len(told) <= MOST_LISTED:
        return told
    return [*told[:MOST_LISTED], f"{len(told) - MOST_LISTED} others have such points, too"]


def _holes(surface: Surface, names: Sequence[str], scale: Scale | None) -> str:
    part = surface.finished_part()
    found = [value_codes(part, name, scale) for name in names if name in part.values]
    missing, capped, broken = (sum(each[code] for each in found) for code in (MISSING, CAPPED, NOT_FINITE))
    details = []
    if missing:
        details.append(f"{missing} not computed")
    if capped and scale is not None and scale.cap is not None:
        shown = "not drawn" if len(part.directions) == 1 else "hatched"
        details.append(f"{capped} above the cap of {number_text(scale.cap)} ({shown})")
    to_come = sum(
        int((not_measured_yet(part, name) & ~np.isfinite(part[name])).sum()) for name in names if name in part.values
    )
    if broken > to_come:
        details.append(f"{broken - to_come} not finite")
    if to_come:
        details.append(f"{to_come} not measured yet")
    filled = int((part.state == INTERPOLATED).sum())
    if filled:
        details.append(f"{filled} interpolated, not measured{interpolation_words(surface, names)}")
    if lacking := lacking_samples(surface):
        details.append(f"{lacking} still lack samples: the run is unfinished")
    return ", ".join(details)


def _precision(surface: Surface) -> str:
    precision = str(surface.quality.get("precision") or "")
    if precision in ("", "float32", "float64", "fp32", "fp64"):
        return ""
    error = surface.quality.get("precision_error")
    if not isinstance(error, float) or not math.isfinite(error):
        return f"computed in {precision}"
    return f"computed in {precision} (off by at most {100 * error:.2g} % at the probes)"
