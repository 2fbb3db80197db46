"""What a surface shows of itself in a notebook: a small table and a picture."""

from __future__ import annotations

import base64
import html

import numpy as np

from landscape.errors import LandscapeError
from landscape.surface.surface import NOT_COMPUTED, Surface

from .scale.levels import number_text
from .style.captions import panel_title, samples_text

# Sharp on a screen, and some 60 kB a picture.
DPI = 110.0


def surface_html(surface: Surface) -> str:
    """Return HTML that shows a surface: where it comes from, its values, and a picture if one can be drawn.

    Nothing in it comes from anywhere else, and whatever the surface says is escaped.
    """
    rows = "".join(f"<tr><th>{_escaped(name)}</th><td>{_escaped(value)}</td></tr>" for name, value in _rows(surface))
    return (
        '<div class="landscape-surface" style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">'
        f'<table style="font-size:90%">{rows}</table>{_picture(surface)}</div>'
    )


def _rows(surface: Surface) -> list[tuple[str, str]]:
    rows = [("surface", panel_title(surface) or "untitled")]
    checkpoint = surface.origin.get("checkpoint")
    if checkpoint:
        rows.append(("checkpoint", str(checkpoint)))
    for axis in surface.axes:
        ends = f"{number_text(float(axis.values[0]))} to {number_text(float(axis.values[-1]))}"
        count = f"{len(axis)} seeds" if axis.kind == "repeat" else f"{len(axis)} points, {ends}"
        rows.append((axis.label or "axis", count))
    done = float((surface.state != NOT_COMPUTED).mean())
    rows.append(("computed", "all points" if surface.complete else f"{100 * done:.1f} % of the points"))
    samples = samples_text(surface, list(surface.values))
    if samples:
        rows.append(("measured on", samples))
    for name, values in surface.values.items():
        finite = values[np.isfinite(values)]
        broken = int((~np.isfinite(values[surface.state != NOT_COMPUTED])).sum())
        text = "none finite"
        if finite.size:
            percent = name.endswith("accuracy")
            low, high = (number_text(float(each) * (100 if percent else 1)) for each in (finite.min(), finite.max()))
            text = f"{low} to {high}{' %' if percent else ''}"
        rows.append((name, text + (f", {broken} not finite" if broken else "")))
    return rows


def _picture(surface: Surface) -> str:
    from .figures import draw
    from .saving import rendered

    try:
        image = rendered(draw(surface), "png", {}, dpi=DPI)
    except LandscapeError as error:
        return f"<p>No picture: {_escaped(error)}</p>"
    data = base64.b64encode(image).decode("ascii")
    text = _escaped(f"Picture of {panel_title(surface) or 'the surface'}")
    return f'<img alt="{text}" style="max-width:100%;width:560px" src="data:image/png;base64,{data}">'


def _escaped(text: object) -> str:
    return html.escape(str(text), quote=True)
