"""Tables of curvature say what has not converged, and what helps."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
from rich.console import Console

from landscape.commands.reports.curvature_tables import curvature_facts, print_curvature, print_curvature_run, run_facts
from landscape.surface.reports.curvature import Curvature, CurvatureRun, LayerCurvature
from tests.helpers import curvatures


def printed(report: Curvature) -> str:
    out = io.StringIO()
    print_curvature(Console(file=out, width=160), curvature_facts("net.curvature.h5", {"train": report}))
    return out.getvalue()


def resolved(report: Curvature) -> Curvature:
    """Return it with residuals that are small enough."""
    raw, normalised = (
        dataclasses.replace(each, residuals=np.zeros(len(each.eigenvalues))) for each in (report.raw, report.normalised)
    )
    return dataclasses.replace(report, raw=raw, normalised=normalised)


def test_eigenvalues_that_have_not_converged_are_counted_and_the_option_is_named():
    report = dataclasses.replace(curvatures.curvature(), settings={"most": 40})
    text = printed(report)
    assert "-0.8?" in text
    assert "not converged within --products 40: 1 of 5 eigenvalues of the Hessian, 1 of 5 eigenvalues" in text
    assert "give more --products" in text
    assert "not converged" not in printed(resolved(report))


def test_the_greatest_of_the_gauss_newton_matrix_is_marked_like_the_others():
    report = dataclasses.replace(resolved(curvatures.curvature()), gauss_newton_residual=0.2)
    text = printed(report)
    assert "greatest 8.5?, residual 0.2" in text
    assert "not converged within the products given: that of the Gauss-Newton matrix" in text
    facts = curvature_facts("", {"train": report})["curvature"]["train"]
    assert facts["gauss_newton"]["converged"] is False


def test_the_layers_that_are_shown_are_those_of_the_largest_traces_of_either_sign():
    layers = tuple(LayerCurvature(f"layer{k:02}", 3, 1, trace, 0.1, trace, 0.1) for k, trace in enumerate(
        [*np.arange(1.0, 13.0), -50.0, 0.5]))  # fmt: skip
    text = printed(dataclasses.replace(curvatures.curvature(), layers=layers))
    shown = [word for word in text.split() if word.startswith("layer") and word[5:].isdigit()]
    assert shown == ["layer12", *(f"layer{k:02}" for k in range(11, 0, -1))]
    assert "and 2 more layers of smaller trace" in text


def test_along_a_run_the_mark_is_explained():
    first, second = curvatures.curvature(), resolved(curvatures.curvature())
    out = io.StringIO()
    run = CurvatureRun("run", "step", (0, 1), (0.1, 0.1), (first, second), True)
    print_curvature_run(Console(file=out, width=160), run_facts("", {"train": run}))
    assert "not converged at 1 of 2 steps; give more --products" in out.getvalue()
