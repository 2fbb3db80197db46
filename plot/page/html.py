"""The interactive page: one HTML file that opens from disk, without network, and shows landscapes side by side.

The file holds the measured values bit for bit (`packing`), a picture for where there is no script, the program
(`page/bundle.js`, with three.js in it) and its style. Its content security policy allows exactly that program and
that style, by their digests, and nothing from any network. Whatever comes from a file - titles, paths, captions - is
text: it stands in JSON without ``<``, or escaped in the head.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from landscape import __version__
from landscape.errors import FormatError, PlotError, SurfaceMismatch, UsageError
from landscape.files.atomic import read_all, replace_file
from landscape.files.strict_json import from_json, to_json
from landscape.surface.derived.differences import standard_errors
from landscape.surface.reports.curvature import Curvature
from landscape.surface.reports.similarity import Similarity
from landscape.surface.surface import Surface

from ..scale.repeats import outcome, spread
from ..scale.scale import Scale, default_name
from ..style.captions import caption, panel_title
from ..style.wording import plain_text, without_folders
from .curvature_panel import attached, curvature_records, label_of, with_convexity
from .packing import Array, Packer, unpack
from .records import (
    first_frame,
    frames_of,
    holds_checkpoint,
    networks_at,
    same_grid,
    surface_record,
    to_three_digits,
)
from .similarity_records import SIMILARITY_COLORMAP, similarity_poster, similarity_record

FORMAT, VERSION = "landscape page", 1
# Six panes of 700 x 400 fill a large screen; more and nobody compares anything.
MOST_PANES = 6
EXAGGERATIONS = (0.1, 4.0)
# The first five suit losses, the last is for differences, which have a middle.
COLORMAPS = ("viridis", "cividis", "magma", "inferno", "coolwarm", "PuOr_r")
# What a page may start with, as the page's script calls it (web/types.ts, State) but for `independent`, there `shared`.
_SETTINGS = ("height", "colour", "kind", "eps", "cap", "colormap", "exaggeration", "independent", "smooth")


def write_page(
    surfaces: Surface | Sequence[Surface],
    path: str | Path,
    *,
    name: str = "",
    epochs: bool = False,
    similarities: Sequence[Similarity] = (),
    poster: bytes | None = None,
    curvature: Sequence[Curvature] = (),
    **settings: Any,
) -> Path:
    """Write the page of some surfaces.

    Parameters
    ----------
    surfaces : Surface or sequence of Surface
        Planes, one a pane, at most six; the seeds of a plane and the slices of a volume get a slider. None where there
        is similarity.
    path : path
        The file, usually ``*.html``.
    name : str
        What the page is called; the surfaces' titles by default.
    epochs : bool
        Show all surfaces in one pane, with a slider: one network at several times. Their grids must be equal.
    similarities : sequence of Similarity
        A tab each, with maps of all layers and a cross-hair that they share.
    poster : bytes, optional
        A PNG picture, shown where there is no script or no WebGL; drawn here unless given.
    curvature : sequence of Curvature
        Reports of the surfaces' networks, shown in a panel beside the surfaces of the same weights.
    **settings
        What the page starts with: ``height`` and ``colour`` (names of values), ``kind``, ``eps``, ``cap``,
        ``colormap``, ``exaggeration``, ``independent``, ``smooth``, and ``azimuth`` and ``elevation`` in degrees.

    Returns
    -------
    Path

    Raises
    ------
    PlotError
        A surface is not a plane, has no finite value, or there are too many; or a report of curvature is of none of
        their networks.
    UsageError
        A setting does not exist.
    StoreError
        The file cannot be written.
    """
    path = Path(path)
    told: dict[str, Any] = {"epochs": epochs, "similarities": similarities, "curvature": curvature}
    text = page_text(surfaces, name=name, poster=poster, **told, **settings)
    replace_file(path, text.encode("utf-8"))
    return path


def page_text(
    surfaces: Surface | Sequence[Surface],
    *,
    name: str = "",
    epochs: bool = False,
    similarities: Sequence[Similarity] = (),
    poster: bytes | None = None,
    curvature: Sequence[Curvature] = (),
    **settings: Any,
) -> str:
    """Return the text of the page; see `write_page`."""
    given = [surfaces] if isinstance(surfaces, Surface) else list(surfaces)
    if not given and not similarities:
        raise PlotError("there is nothing to show: no surface was given")
    if not given and curvature:
        raise UsageError("curvature is shown beside the surface of its network, and there is none on this page")
    if not given:
        return _similarity_alone(similarities, name, poster, epochs=epochs, settings=settings)
    given = [with_convexity(each) for each in given]
    reports = attached(given, curvature)
    panes, frame_label = _panes(given, epochs)
    names = list(dict.fromkeys(key for pane in panes for frame in pane.frames for key in frame.values))
    start = _start(settings, names, default_name(panes[0].frames[0]))
    if any(pane.first for pane in panes):
        start["frame"] = max(pane.first for pane in panes)
    scale = _scale(panes, start)
    packer = Packer()
    records = [pane.record(packer, start["height"], scale) for pane in panes]
    for number, found in reports.items():
        frames = [records[0]["frames"][number]] if epochs else records[number]["frames"]
        for frame in frames:
            frame["curvature"] = curvature_records(found) if frame["centred"] else []
    title = plain_text(name) or _together([record["title"] for record in records])
    content = {
        "format": FORMAT,
        "version": VERSION,
        "name": title,
        "software": f"landscape {__version__}",
        "captions": _captions(panes, names),
        "frameLabel": frame_label,
        "labels": {plain_text(key): label_of(key) for key in names},
        "colormaps": {each: _colormap_text(each) for each in dict.fromkeys((*COLORMAPS, str(start["colormap"])))},
        "start": start,
        "panes": records,
        "differences": _errors_of_differences(panes, packer),
        **({"similarities": [similarity_record(each, packer) for each in similarities]} if similarities else {}),
        "arrays": packer.index,
    }
    if poster is None:
        from .poster import draw_poster

        poster = draw_poster([pane.at(start.get("frame", 0)) for pane in panes], start["height"], scale)
    return _fill_template(title, _script_json(content), packer.text(), poster)


def _together(titles: Sequence[str]) -> str:
    """Return a headline of several titles; of many two and how many more: each stands above its own pane, too."""
    shown = list(titles) if len(titles) <= 3 else [*titles[:2], f"{len(titles) - 2} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _similarity_alone(
    similarities: Sequence[Similarity], name: str, poster: bytes | None, *, epochs: bool, settings: Mapping[str, Any]
) -> str:
    """Return the text of a page without surfaces."""
    given = [key for key, value in settings.items() if value not in (None, False) and not _is_default(key, value)]
    if epochs or given:
        raise UsageError(f"{'epochs' if epochs else given[0]} is of surfaces, and there is none on this page")
    packer = Packer()
    records = [similarity_record(each, packer) for each in similarities]
    title = plain_text(name) or _together([f"similarity of {record['title']}" for record in records])
    content = {
        "format": FORMAT,
        "version": VERSION,
        "name": title,
        "software": f"landscape {__version__}",
        "captions": {},
        "frameLabel": "",
        "labels": {},
        "colormaps": {SIMILARITY_COLORMAP: _colormap_text(SIMILARITY_COLORMAP)},
        "start": {},
        "panes": [],
        "differences": {},
        "similarities": records,
        "arrays": packer.index,
    }
    return _fill_template(title, _script_json(content), packer.text(), poster or similarity_poster(similarities[0]))


def _is_default(key: str, value: Any) -> bool:
    """Whether a setting is what the command line says where nothing was asked for."""
    return (key, value) in (("exaggeration", 1.0), ("smooth", True), ("kind", "auto"), ("colormap", "viridis"))


def read_page(path: str | Path) -> tuple[dict[str, Any], list[Array]]:
    """Return what a page was told (`web/types.ts`, Content) and its arrays, every bit as it was written.

    Raises
    ------
    FormatError
        The file is not a page of ours, or of a newer version.
    """
    text = read_all(path).decode("utf-8", "replace")
    parts = {
        key: re.search(rf'<script type="[^"]+" id="{key}">(.*?)</script>', text, re.DOTALL)
        for key in ("content", "arrays")
    }
    if not parts["content"] or not parts["arrays"]:
        raise FormatError(f"{path} is not a page of landscape: 'landscape view' writes them")
    content = from_json(parts["content"].group(1))
    if content.get("format") != FORMAT or content.get("version", VERSION + 1) > VERSION:
        raise FormatError(f"{path} is a page of version {content.get('version')}; this landscape reads up to {VERSION}")
    return content, unpack(content["arrays"], parts["arrays"].group(1))


@dataclass(frozen=True, eq=False)
class _Pane:
    """What stands side by side: a title, and one plane or several with a slider."""

    title: str
    frames: list[Surface]
    whole: Surface | None = None  # what the frames are of, where it is one file
    first: int = 0

    def at(self, number: int) -> Surface:
        return self.frames[min(number, len(self.frames) - 1)]

    def record(self, packer: Packer, name: str, scale: Scale) -> dict[str, Any]:
        """Return what the page is told about it."""
        whole = self.whole
        extra: list[tuple[str, str]] = []
        if whole is not None and whole.repeats > 1 and name in whole.values:
            try:
                extra.append(("seeds", outcome(*spread(whole, name, scale))))
            except PlotError:
                extra.append(("seeds", "no point is finite for all of them"))
        return {
            "title": plain_text(self.title),
            "frames": [
                surface_record(
                    frame,
                    packer,
                    centred=whole is None or holds_checkpoint(whole, number),
                    networks=networks_at(whole or frame, number),
                    extra=extra,
                )
                for number, frame in enumerate(self.frames)
            ],
        }


def _panes(surfaces: list[Surface], epochs: bool) -> tuple[list[_Pane], str]:
    """Return the panes, and what a slider over frames counts."""
    if epochs:
        return [_over_checkpoints(surfaces)], "checkpoint"
    if len(surfaces) > MOST_PANES:
        raise PlotError(
            f"a page shows at most {MOST_PANES} surfaces side by side, got {len(surfaces)}; "
            "make several pages, or one with a slider (--epochs)"
        )
    panes, labels = [], []
    for surface in surfaces:
        frames, label = frames_of(surface)
        panes.append(_Pane(panel_title(surface) or "surface", frames, surface, first_frame(surface)))
        labels.append(label)
    return panes, next((label for label in labels if label), "")


def _over_checkpoints(surfaces: list[Surface]) -> _Pane:
    if len(surfaces) < 2:
        raise PlotError(f"a slider over checkpoints needs several surfaces, got {len(surfaces)}")
    for surface in surfaces:
        frames, label = frames_of(surface)
        if label:
            raise PlotError(
                f"{surface.path or surface.title or 'a surface'} holds {len(frames)} planes itself; a slider over "
                "checkpoints takes one plane of each"
            )
    if not same_grid(surfaces):
        raise PlotError("a slider over checkpoints needs equal grids; give --x and --y alike when evaluating")
    ends = [panel_title(each) or "surface" for each in (surfaces[0], surfaces[-1])]
    return _Pane(" to ".join(dict.fromkeys(ends)), surfaces)


def _errors_of_differences(panes: Sequence[_Pane], packer: Packer) -> dict[str, dict[str, int]]:
    """Return the standard errors of differences between panes, by "0-1", where they are of the same samples."""
    found: dict[str, dict[str, int]] = {}
    # A slice or a coarser part has not all that a file says.
    whole = [k for k, pane in enumerate(panes) if len(pane.frames) == 1 and pane.frames[0].complete]
    for a, b in combinations(whole, 2):
        first, second = panes[a].frames[0], panes[b].frames[0]
        for name in first.values:
            with suppress(SurfaceMismatch):
                errors = standard_errors(first, second, name)
                if errors is not None:
                    found.setdefault(f"{a}-{b}", {})[name] = packer.add(to_three_digits(errors))
    return found


def _captions(panes: Sequence[_Pane], names: Sequence[str]) -> dict[str, list[str]]:
    """Return for all that can be drawn as height what the picture shows: once, or once a frame where it differs."""
    kinds = {name: [name] for name in names}
    for name in names:
        other = f"test/{name.removeprefix('train/')}"
        if name.startswith("train/") and other in names:
            kinds[f"gap/{name.removeprefix('train/')}"] = [other, name]
    longest = max(len(pane.frames) for pane in panes)
    found = {}
    for kind, wanted in kinds.items():
        texts = []
        for number in range(longest):
            shown = [pane.at(number) for pane in panes]
            texts.append(without_folders(caption(shown, None, wanted, titles=[pane.title for pane in panes])))
        found[plain_text(kind)] = texts if len(set(texts)) > 1 else texts[:1]
    return found


def _start(settings: Mapping[str, Any], names: Sequence[str], height: str) -> dict[str, Any]:
    unknown = set(settings) - set(_SETTINGS) - {"azimuth", "elevation"}
    if unknown:
        raise UsageError(f"a page has no setting {sorted(unknown)[0]!r}; there are {', '.join(_SETTINGS)}")
    start: dict[str, Any] = {"height": height, "colormap": "viridis"}
    for key, value in settings.items():
        if value is None:
            continue
        if key in ("height", "colour") and value not in names:
            raise PlotError(f"no surface has values called {value!r}; there are {', '.join(names)}")
        if key in _SETTINGS:
            start |= {"shared": not value} if key == "independent" else {key: value}
    if start.get("eps") is not None and not 0 < start["eps"] < np.inf:
        raise UsageError(f"eps must be positive, not {start['eps']:g}")
    low, high = EXAGGERATIONS
    if not low <= start.get("exaggeration", 1.0) <= high:
        raise UsageError(f"heights can be exaggerated {low:g} to {high:g} times, not {start['exaggeration']:g}")
    eye = {key: float(settings[key]) for key in ("azimuth", "elevation") if settings.get(key) is not None}
    if eye:
        start["eyes"] = [{"azimuth": -52.0, "elevation": 34.0, "zoom": 1.0, "panX": 0.0, "panY": 0.0, **eye}]
    return start


def _scale(panes: Sequence[_Pane], start: dict[str, Any]) -> Scale:
    """Check what was asked of the scale as for a still, and return it; the page's script chooses its own, the same."""
    name, colormap = start["height"], start["colormap"]
    # An accuracy's scale is always the same; what was asked for is of the losses that the reader may choose.
    keys = () if name.endswith("accuracy") else ("kind", "cap", "eps")
    asked = {key: start[key] for key in keys if key in start}
    parts = [frame.finished_part() for pane in panes for frame in pane.frames if name in frame.values]
    scale = Scale.of(parts, name, colormap=colormap, **asked)
    start["colormap"] = scale.colormap
    return scale


def _colormap_text(name: str) -> str:
    from matplotlib import colormaps

    try:
        colors = colormaps[name](np.linspace(0, 1, 256), bytes=True)[:, :3]
    except KeyError:
        raise UsageError(f"matplotlib has no colour map {name!r}; {', '.join(COLORMAPS[:4])} are good") from None
    return base64.b64encode(np.ascontiguousarray(colors).tobytes()).decode("ascii")


def _script_json(content: Any) -> str:
    """Write JSON that can stand in a script element: no ``<``, ``>``, ``&`` nor anything outside ASCII."""
    text = json.dumps(json.loads(to_json(content)), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _fill_template(title: str, content: str, arrays: str, poster: bytes) -> str:
    folder = files("landscape.plot").joinpath("page", "web")
    template, style, script = (
        folder.joinpath(name).read_text(encoding="utf-8") for name in ("template.html", "style.css", "bundle.js")
    )
    fields = {
        "title": escape(title),
        "software": escape(f"landscape {__version__}"),
        "policy": security_policy(style, script),
        "poster": base64.b64encode(poster).decode("ascii"),
        "style": style,
        "content": content,
        "arrays": arrays,
        "script": script,
    }
    # One pass: what was filled in is never looked at again, whatever it says.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match.group(1)], template)


def security_policy(style: str, script: str = "") -> str:
    """Return a content security policy that allows this style, this script, pictures in the page, and nothing else."""
    scripts = f"script-src '{_digest(script)}'; " if script else ""
    return (
        f"default-src 'none'; {scripts}style-src '{_digest(style)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
