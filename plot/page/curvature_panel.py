"""Curvature in a page: reports of the networks that its surfaces are of, and the convexity map as values to colour by.

`web/types.ts` describes the same records for the page's script.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import PlotError
from landscape.surface.grid import Floats
from landscape.surface.reports.curvature import Curvature
from landscape.surface.reports.matrix_spectrum import Spectrum
from landscape.surface.surface import Surface

from ..scale.convexity_ratio import OPEN, TOP, ratio_of, ratio_scale
from ..scale.levels import number_text
from ..scale.scale import values_label
from ..style.wording import plain_text

CONVEXITY = "convexity"
_WORDS = {
    CONVEXITY: ratio_scale().label,
    "eigenvalue_max": "greatest eigenvalue",
    "eigenvalue_min": "least eigenvalue",
    "gradient_norm": "gradient",
}
# Layers that are listed: those of the largest traces.
_LAYERS = 12


def with_convexity(surface: Surface) -> Surface:
    """Return a surface with the ratio of both ends of the spectrum among its values, where they were measured."""
    found: dict[str, Floats] = {}
    for name in surface.values:
        data, _, metric = name.rpartition("/")
        if metric != "eigenvalue_min":
            continue
        try:
            found[f"{data}/{CONVEXITY}"] = ratio_of(surface, data)[0]
        except PlotError:
            continue  # without residuals nobody knows what a ratio is worth
    return replace(surface, values={**surface.values, **found}) if found else surface


def open_cells(surface: Surface) -> dict[str, NDArray[np.uint8]]:
    """Return where residuals leave the ratio open, 1 there, by the name of the ratio among the page's values."""
    found = {}
    for name in surface.values:
        data, _, metric = name.rpartition("/")
        if metric == CONVEXITY:
            found[name] = (ratio_of(surface, data)[1] > OPEN).astype(np.uint8)
    return found


def convexity_rows(surface: Surface) -> list[tuple[str, str]]:
    """Return what the table of trust says of a convexity map: what lies above its colours, what is left open."""
    rows = []
    for name in surface.values:
        data, _, metric = name.rpartition("/")
        if metric != CONVEXITY:
            continue
        ratio, open_by = ratio_of(surface, data)
        above, unsure = int((ratio > TOP).sum()), int((open_by > OPEN).sum())
        text = (
            f"{above} of {ratio.size} ratios above {TOP}, in its colour; residuals leave {unsure} open by over {OPEN}"
        )
        rows.append((f"convexity of {data}", text))
    return rows


def label_of(name: str) -> str:
    """Return what values are called in the page."""
    data, _, metric = name.rpartition("/")
    said = _WORDS.get(metric)
    if said is None:
        return plain_text(values_label(name))
    return said if data == "train" else plain_text(f"{data}: {said}")


def attached(surfaces: Sequence[Surface], reports: Sequence[Curvature]) -> dict[int, list[Curvature]]:
    """Return which reports belong to which surface, by the number of the surface: those of the same weights.

    Raises
    ------
    PlotError
        A report is of none of the surfaces' networks, or does not say of which it is.
    """
    found: dict[int, list[Curvature]] = {}
    for report in reports:
        digest = report.origin.get("sha256")
        places = [k for k, each in enumerate(surfaces) if digest and each.origin.get("sha256") == digest]
        if not places:
            where = report.path or "the report"
            raise PlotError(
                f"{where} is about {report.origin.get('checkpoint') or 'weights it does not name'}, which none of the "
                "surfaces was drawn around: a page shows curvature beside the surface of the same network"
            )
        for place in places:
            found.setdefault(place, []).append(report)
    return found


def curvature_records(reports: Sequence[Curvature]) -> list[dict[str, Any]]:
    """Return what the page is told about reports of one network, as JSON."""
    return [_record(report) for report in reports]


def _record(report: Curvature) -> dict[str, Any]:
    mean, spread = report.random_slice
    probes = len(report.normalised.forms)
    facts = [
        f"Random slices show {_number(mean)} on average, spread {_number(spread)} ({probes} probed); no direction as "
        f"long shows more than {_number(report.slice_bound)}.",
        f"{report.products:,} products, {probes} probes of {report.raw.nodes.shape[1]} steps; eval mode.",
    ]
    return {
        "title": plain_text(f"{report.data}, {report.samples:,} samples"),
        "verdict": plain_text(report.verdict),
        "facts": [plain_text(each) for each in facts],
        "rows": [[plain_text(each) for each in row] for row in _rows(report)],
        "spectra": [
            _spectrum("eigenvalues of the Hessian", report.raw),
            _spectrum("in filter lengths", report.normalised),
        ],
        "slice": [[plain_text(each) for each in row] for row in _slice_rows(report)],
        "layers": [
            {
                "name": plain_text(layer.name),
                "trace": _finite(layer.trace),
                "error": _finite(layer.trace_stderr),
                "normalised": _finite(layer.normalised_trace),
                "normalisedError": _finite(layer.normalised_trace_stderr),
            }
            for layer in sorted(report.layers, key=lambda each: (-abs(each.normalised_trace), -abs(each.trace)))[
                :_LAYERS
            ]
        ],
        "left": max(0, len(report.layers) - _LAYERS),
    }


def _rows(report: Curvature) -> list[list[str]]:
    both = (report.raw, report.normalised)
    rows = []
    for label, place in (("greatest", 0), ("least", -1)):
        rows.append([label, *(_pair(each, place) for each in both)])
    rows.append(["trace", *(_with_error(each.trace, each.trace_stderr) for each in both)])
    rows.append(["Frobenius", *(_with_error(each.frobenius, each.frobenius_stderr) for each in both)])
    rows.append(["weights", *(f"{each.size:,}" for each in both)])
    return rows


def _pair(spectrum: Spectrum, place: int) -> str:
    value = spectrum.least_eigenvalue if place else spectrum.greatest_eigenvalue
    if not np.isfinite(value):
        return "unknown"
    sure = "" if spectrum.converged[place] else ", not converged"
    return f"{_number(value)}, residual {number_text(float(spectrum.residuals[place]), 2)}{sure}"


def _slice_rows(report: Curvature) -> list[list[str]]:
    drawn = report.slice
    if drawn is None:
        return []
    rows = []
    for i, label in enumerate(drawn.labels):
        for j in range(i, len(drawn.labels)):
            rank = drawn.rank[i]
            rows.append(
                [
                    label if i == j else f"{label} × {drawn.labels[j]}",
                    _with_error(drawn.hessian[i, j], drawn.samples_stderr[i, j]),
                    _with_error(drawn.fitted[i, j], drawn.fitted_error[i, j]),
                    "" if i != j else "no random one" if np.isnan(rank) else f"{100 * rank:.0f} %",
                ]
            )
    return rows


def _spectrum(title: str, spectrum: Spectrum) -> dict[str, Any]:
    edges, counts, errors = spectrum.density()
    return {
        "title": title,
        "edges": edges.tolist(),
        "counts": counts.tolist(),
        "errors": np.nan_to_num(errors).tolist(),
        "eigenvalues": spectrum.eigenvalues.tolist(),
        "converged": [bool(each) for each in spectrum.converged],
    }


def _number(value: float) -> str:
    return number_text(value, 3) if np.isfinite(value) else "unknown"


def _with_error(value: float, error: float) -> str:
    return _number(value) + (f" ± {number_text(error, 2)}" if np.isfinite(error) and np.isfinite(value) else "")


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else 0.0
