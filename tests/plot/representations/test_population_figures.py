"""What a picture of populations shows, read from its artists."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import landscape
from landscape.errors import UsageError
from landscape.surface.reports.population_statistics import compare
from tests.helpers.population_results import populations


def test_the_density_counts_every_example_where_its_shares_are():
    found = populations(shift=0.5)
    ax = landscape.plot.predictions(found).axes[0]
    counts = ax.collections[0].get_array()
    assert counts.shape == (7, 7)
    assert counts.filled(0).sum() == 200
    a, b = found.shares("A"), found.shares("B")
    assert counts.filled(0)[2, 5] == ((a == 5 / 6) & np.isclose(b, 2 / 6)).sum()
    assert "P(A)" in ax.get_xlabel()


def test_classes_are_sorted_intervals_and_the_null_is_beside():
    found = populations(shift=0.5)
    figure = landscape.plot.predictions(found)
    (classes,) = [ax for ax in figure.axes if ax.get_gid() == "classes"]
    said = compare(found, "A", "B").classes
    drawn = [line.get_xdata() for line in classes.lines if line.get_gid() == "interval"]
    np.testing.assert_allclose(drawn, [(one.low, one.high) for one in said])
    assert [label.get_text() for label in classes.get_yticklabels()] == [str(one.label) for one in said]
    assert any(ax.get_gid() == "null" and ax.collections for ax in figure.axes)
    assert sum(ax.get_gid() == "example" for ax in figure.axes) == 3


def test_one_group_and_what_does_not_fit_are_refused_and_few_networks_have_no_null():
    found = populations(networks=3)
    figure = landscape.plot.predictions(found, size=7)
    assert figure.get_size_inches()[0] == pytest.approx(7)
    assert any("no null" in text.get_text() for ax in figure.axes for text in ax.texts)
    with pytest.raises(UsageError, match="there is one"):
        landscape.plot.predictions(dataclasses.replace(found, groups=("A",) * 6))
    with pytest.raises(UsageError, match="do not fit"):
        landscape.plot.predictions(found, size=2)
