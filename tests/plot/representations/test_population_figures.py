"""What a picture of populations shows, read from its artists."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from landscape.plot.style.fields import recall

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


def test_of_many_classes_those_at_both_ends_are_shown(monkeypatch):
    found = populations(shift=0.5)
    said = compare(found, "A", "B")
    many = tuple(dataclasses.replace(said.classes[k % 4], label=k) for k in range(30))
    several = dataclasses.replace(said, classes=many)
    monkeypatch.setattr("landscape.plot.representations.population_figures.compare", lambda *_: several)
    (classes,) = [ax for ax in landscape.plot.predictions(found).axes if ax.get_gid() == "classes"]
    shown = [int(label.get_text()) for label in classes.get_yticklabels()]
    assert shown == [*range(12), *range(17, 30)]


def test_one_group_and_what_does_not_fit_are_refused_and_few_networks_have_no_null():
    found = populations(networks=3)
    figure = landscape.plot.predictions(found, size=7)
    assert figure.get_size_inches()[0] == pytest.approx(7)
    assert any("no null" in text.get_text() for ax in figure.axes for text in ax.texts)
    with pytest.raises(UsageError, match="there is one"):
        landscape.plot.predictions(dataclasses.replace(found, groups=("A",) * 6))
    with pytest.raises(UsageError, match="do not fit"):
        landscape.plot.predictions(found, size=2)


def test_shares_of_groups_of_other_sizes_have_bins_of_their_own_and_examples_say_both():
    whole = populations(shift=0.5)
    found = dataclasses.replace(whole, done=np.array([True] * 6 + [True] * 4 + [False] * 2))
    figure = landscape.plot.predictions(found)
    counts = figure.axes[0].collections[0].get_array().filled(0)
    assert counts.shape == (5, 7)  # rows are of the second group's four networks, columns of the first one's six
    a, b = found.shares("A"), found.shares("B")
    assert all(counts[j, i] == (np.isclose(a, i / 6) & np.isclose(b, j / 4)).sum() for j in range(5) for i in range(7))
    words = [text.get_text() for text in figure.texts]
    for place in found.pictured:
        assert f"{found.labels[place]}\n{a[place]:.2g} | {b[place]:.2g}" in words
    said = compare(found, "A", "B")
    text = recall(figure)["Description"]
    assert f"{said.excess.observed:.3g}, {100 * said.excess.noise / said.excess.observed:.0f} % of it binomial" in text
    left = f"left over {said.excess.value:.3g}, 95 % interval {said.excess.low:.3g} to {said.excess.high:.3g}: more"
    assert left in text
    assert "6 networks of A, 4 of B" in text
