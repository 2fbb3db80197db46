"""Bands over seeds in a study's report: what spans decades is averaged as it is drawn."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from landscape.plot.comparisons.groups import look_of
from landscape.plot.comparisons.seed_bands import spans_decades

from landscape.studies.report.report_pictures import _Drawn
from landscape.studies.statistics.seed_intervals import seed_interval

X = np.linspace(-1, 1, 3)


def drawn(folder: Path) -> _Drawn:
    measurement = SimpleNamespace(name="between", measure="between", variants=("a", "b"))
    variants = [SimpleNamespace(name=name, shown=name) for name in "ab"]
    study = SimpleNamespace(variants=variants, measurements=[measurement])
    return _Drawn(SimpleNamespace(folder=folder, untrained=frozenset(), study=study))


def runs(*heights: list[float]) -> list:
    return [(SimpleNamespace(seed=k, variant="a"), X, np.array(each)) for k, each in enumerate(heights)]


def test_heights_over_decades_have_geometric_means_and_bands_above_zero(tmp_path):
    given = runs([1e3, 1.0, 1e1], [1e5, 1.0, 1e1], [1e7, 1.0, 1e1])
    (band,) = drawn(tmp_path)._grouped(given, logarithmic=True)
    np.testing.assert_allclose(band.middle, [1e5, 1, 10])
    expected = seed_interval([3.0, 5.0, 7.0])
    np.testing.assert_allclose(np.log10([band.low[0], band.high[0]]), [expected.low, expected.high])
    (arithmetic,) = drawn(tmp_path)._grouped(given, logarithmic=False)
    assert arithmetic.low[0] < 0  # what a logarithmic axis cannot show


@pytest.mark.parametrize(
    ("values", "expected"), [([1.0, 1e3], True), ([1.0, 10.0], False), ([0.0, 1e3], False), ([np.nan, 1.0, 1e3], True)]
)
def test_heights_are_logarithmic_where_all_are_above_zero_and_far_apart(values, expected):
    assert spans_decades(np.array(values)) is expected


def test_a_line_between_variants_says_which_lies_where(tmp_path):
    assert drawn(tmp_path)._ends("between") == "from a (0) to b (1)"
    assert drawn(tmp_path)._ends("line") == ""


def test_groups_are_told_apart_in_clouds_and_in_lines():
    looks = [look_of(number) for number in range(28)]
    assert (
        len({(colour, mark) for colour, mark, _ in looks}) == len({(colour, dash) for colour, _, dash in looks}) == 28
    )
