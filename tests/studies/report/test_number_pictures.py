"""What a report draws of numbers: which seeds count, which are hollow, and what a caption says of them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from landscape.studies.report.number_pictures import draw_numbers, draw_relations, draw_triangles
from landscape.studies.report.picture_files import words_of
from landscape.studies.statistics.contrasts import OwnInterval
from landscape.studies.statistics.seed_intervals import correlation, seed_interval
from landscape.studies.study import Hypothesis, Relation

ACCURACY = "training/test_accuracy"
VALUES = {
    "line/width": {"plain": {0: 1.0, 1: 2.0, 2: 4.0, 3: 9.0}, "skip": {0: 3.0, 1: 5.0, 2: 4.5}},
    ACCURACY: {"plain": {0: 0.9, 1: 0.8, 2: 0.85, 3: 0.1}, "skip": {0: 0.7, 1: 0.95, 2: 0.6}},
    "tasks/stability": {"plain": {0: 0.9, 1: 0.8}},
    "tasks/plasticity": {"plain": {0: 0.5, 1: 0.7}},
    "tasks/robustness": {"plain": {0: 0.2, 1: 0.4}},
    "pop/excess": {"all": {-1: 0.3}},
}


class Made:
    """Keeps what a report would draw."""

    def __init__(self, *hypotheses):
        self.untrained = frozenset({("plain", 3)})
        measurements = [SimpleNamespace(name="tasks"), SimpleNamespace(name="line")]
        study = SimpleNamespace(hypotheses=hypotheses, measurements=measurements)
        self.result = SimpleNamespace(study=study, values=VALUES, untrained=self.untrained, numbers=self._numbers)
        self.saved = {}
        self.drawn = {}

    def _numbers(self, value):
        found = VALUES.get(value, {})
        return {
            name: {seed: n for seed, n in seeds.items() if (name, seed) not in self.untrained}
            for name, seeds in found.items()
        }

    def title(self, variant):
        return variant.upper()

    def save(self, section, title, figure, what, caption):
        self.saved[title] = (section, what, caption)
        self.drawn[title] = figure()


def asked(value, **more):
    return Hypothesis("h", "said", value=value, relations=(Relation({"plain": 1.0}, ">"),), **more)


def test_means_are_of_networks_that_trained_and_the_others_are_hollow():
    made = Made(asked("line/width"))
    draw_numbers(made)
    section, (plain, skip), caption = made.saved["line/width"]
    assert (section, plain.label, skip.label) == ("numbers", "PLAIN", "SKIP")
    np.testing.assert_allclose(plain.numbers, [1, 2, 4])
    np.testing.assert_allclose(plain.hollow, [9])
    assert (plain.mean, plain.low, plain.high) == pytest.approx(seed_interval([1.0, 2.0, 4.0]).with_ends)
    assert (skip.mean, len(skip.hollow)) == (pytest.approx(12.5 / 3), 0)
    assert "Hollow: networks that did not train" in caption
    assert made.drawn["line/width"].axes[0].get_xlabel() == words_of("line/width")


def test_a_number_with_an_interval_of_its_own_is_drawn_with_it(monkeypatch):
    own = {"all": OwnInterval(0.3, 0.1, 0.6, 7)}
    monkeypatch.setattr("landscape.studies.report.number_pictures.own_intervals", lambda *_: own)
    made = Made(asked("pop/excess", interval="own"))
    draw_numbers(made)
    (row,) = made.saved["pop/excess"][1]
    assert (row.label, row.numbers.tolist(), row.mean, row.low, row.high) == ("all together", [0.3], 0.3, 0.1, 0.6)
    assert made.saved["pop/excess"][2].startswith("Of 7 seeds together")


def test_accuracy_is_drawn_against_each_number_with_both_correlations():
    made = Made(asked("line/width"))
    draw_relations(made)
    ((title, (section, (plain, skip), caption)),) = made.saved.items()
    assert section == "relations"
    np.testing.assert_allclose((plain.x, plain.y), [[1, 2, 4], [0.9, 0.8, 0.85]])
    np.testing.assert_allclose((skip.x, skip.y), [[3, 5, 4.5], [0.7, 0.95, 0.6]])
    (ax,) = made.drawn[title].axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == (words_of("line/width"), words_of(ACCURACY))
    x, y = np.r_[plain.x, skip.x], np.r_[plain.y, skip.y]
    over_all, inside = correlation(x, y), correlation(x, y, ["a"] * 3 + ["b"] * 3)
    assert caption.startswith(
        f"Correlation over 6 networks {over_all.estimate:.2f} [{over_all.low:.2f}, {over_all.high:.2f}], "
        f"within variants {inside.estimate:.2f} [{inside.low:.2f}, {inside.high:.2f}]"
    )
    assert f"{over_all.estimate:.2f}" != f"{inside.estimate:.2f}"


def test_what_tasks_trade_is_a_triangle_of_means_with_their_intervals():
    made = Made(asked("line/width"))
    draw_triangles(made)
    (group,) = made.saved["tasks: stability, plasticity, robustness"][1]
    ends = [seed_interval(each).with_ends for each in ([0.9, 0.8], [0.5, 0.7], [0.2, 0.4])]
    np.testing.assert_allclose(np.transpose([group.means, group.lows, group.highs]), ends)
