"""A value that a run has not come to yet is not one that is not finite, wherever points are counted."""

from __future__ import annotations

import dataclasses

import numpy as np
from landscape.plot.page.trust import trust_rows
from landscape.plot.style.captions import caption

from landscape.commands.shown.facts import surface_facts
from landscape.commands.surfaces.summary import describe_result
from landscape.surface.unmeasured import not_measured_yet
from tests.browser.scenes import plain


def test_curvature_that_is_to_come_is_counted_apart_from_what_is_not_finite():
    surface = plain()
    counts = np.full(surface.shape, 100.0)
    counts[0] = np.nan
    values = np.where(np.isnan(counts), np.nan, 2.0)
    values[1, :3] = np.nan  # measured, and not finite
    number = surface.shape[1]
    found = dataclasses.replace(
        surface,
        values={**surface.values, "train/eigenvalue_max": values, "train/curvature_samples": counts},
    )
    assert not_measured_yet(found, "train/eigenvalue_max").sum() == number
    assert not not_measured_yet(found, "train/loss").any()
    other = {"test/eigenvalue_max": values[::-1], "test/curvature_samples": counts[::-1]}
    both = dataclasses.replace(found, values={**found.values, **other})
    for name, row in (("train/eigenvalue_max", 0), ("test/eigenvalue_max", -1), ("test/curvature_samples", -1)):
        assert not_measured_yet(both, name).sum() == not_measured_yet(both, name)[row].sum() == number
    facts = surface_facts(found)["values"]
    assert [facts["train/eigenvalue_max"][key] for key in ("not_finite", "not_measured_yet")] == [3, number]
    assert [facts["train/curvature_samples"][key] for key in ("not_finite", "not_measured_yet")] == [0, number]
    assert facts["train/loss"]["not_measured_yet"] == 0
    assert f"3 not finite, {number} not measured yet" in describe_result(found)
    assert ("not measured yet", f"curvature at {number} of {values.size}") in trust_rows(found, "train/loss")
    assert f"3 not finite, {number} not measured yet" in caption(found, None, "train/eigenvalue_max")
