"""What a surface, or a report of curvature, shows of itself in a notebook: a small table and a picture."""

from __future__ import annotations

import base64
import html

import numpy as np

from landscape.errors import LandscapeError
from landscape.surface.reports.curvature import Curvature, CurvatureRun
from landscape.surface.reports.matrix_spectrum import Spectrum
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


def curvature_html(report: Curvature) -> str:
    """Return HTML that shows a report of curvature: its verdict, its numbers with their errors, and both spectra.

    Nothing in it comes from anywhere else, and whatever the report says is escaped.
    """
    from .saving import rendered
    from .spectra.spectrum_figures import draw_curvature

    rows = "".join(
        f"<tr><th>{_escaped(name)}</th>{''.join(f'<td>{_escaped(each)}</td>' for each in cells)}</tr>"
        for name, cells in (
            ("", ("Hessian", "in filter lengths")),
            ("greatest", tuple(map(_greatest, (report.raw, report.normalised)))),
            ("least", tuple(map(_least, (report.raw, report.normalised)))),
            ("trace", tuple(_give(each.trace, each.trace_stderr) for each in (report.raw, report.normalised))),
            ("weights", tuple(f"{each.size:,}" for each in (report.raw, report.normalised))),
        )
    )
    gradient = f"gradient {report.gradient_norm:.3g}, its sampling error {report.gradient_noise:.2g}"
    said = f"{report.verdict} Loss {_give(report.loss, report.loss_stderr)} on {report.samples:,} samples of "
    try:
        picture = _image(
            rendered(draw_curvature({report.data: report}, caption=False), "png", {}, dpi=DPI), "curvature"
        )
    except LandscapeError as error:
        picture = f"<p>No picture: {_escaped(error)}</p>"
    return (
        f'<div class="landscape-curvature"><p>{_escaped(f"{said}{report.data}; {gradient}.")}</p>'
        f'<table style="font-size:90%">{rows}</table>{picture}</div>'
    )


def curvature_run_html(run: CurvatureRun) -> str:
    """Return HTML that shows curvature over the steps of a run, as a picture under what it is of."""
    from .saving import rendered
    from .spectra.run_figures import draw_curvature_run, run_caption

    try:
        figure = draw_curvature_run({run.reports[0].data if run.reports else "": run}, caption=False)
        picture = _image(rendered(figure, "png", {}, dpi=DPI), "curvature over steps")
    except LandscapeError as error:
        return f"<p>No picture: {_escaped(error)}</p>"
    return f'<div class="landscape-curvature"><p>{_escaped(run_caption(run))}</p>{picture}</div>'


def _greatest(spectrum: Spectrum) -> str:
    return _pair(spectrum, 0) if spectrum.greatest else "unknown"


def _least(spectrum: Spectrum) -> str:
    return _pair(spectrum, -1) if len(spectrum.eigenvalues) > spectrum.greatest else "unknown"


def _pair(spectrum: Spectrum, k: int) -> str:
    sure = "" if spectrum.converged[k] else ", not converged"
    return f"{spectrum.eigenvalues[k]:.4g} (residual {spectrum.residuals[k]:.2g}{sure})"


def _give(value: float, error: float) -> str:
    return f"{value:.4g}" + (f" ± {error:.2g}" if np.isfinite(error) else "")


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
    return _image(image, panel_title(surface) or "the surface")


def _image(image: bytes, what: str) -> str:
    data = base64.b64encode(image).decode("ascii")
    text = _escaped(f"Picture of {what}")
    return f'<img alt="{text}" style="max-width:100%;width:560px" src="data:image/png;base64,{data}">'


def _escaped(text: object) -> str:
    return html.escape(str(text), quote=True)
