"""What a study's report draws: of which networks, in which order, and of which columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from landscape.plot.comparisons.groups import look_of
from landscape.plot.comparisons.seed_bands import spans_decades

from landscape.errors import PlotError
from landscape.studies.report.report_pictures import _Drawn, read_columns
from landscape.studies.statistics.seed_intervals import seed_interval
from landscape.surface.grid import Axis
from landscape.surface.surface import Surface

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


@pytest.mark.parametrize("logarithmic", [True, False])
def test_a_band_is_drawn_through_where_all_seeds_agree_and_the_caption_says_what_that_is(tmp_path, logarithmic):
    given, saved = runs([1.0, 0.7, 2.0], [3.0, 0.7, 4.0], [2.0, 0.7, 3.0]), []
    (band,) = drawn(tmp_path)._grouped(given, logarithmic=logarithmic)
    assert (band.low < band.high).tolist() == [True, False, True]
    assert band.low[1] == band.middle[1] == band.high[1]
    listed = drawn(tmp_path)
    listed.save = lambda section, title, figure, content, caption: saved.append(caption)
    for each in (given, runs([1.0, 2.0, 3.0], [2.0, 1.0, 4.0]), runs([1.0, 2.0, 3.0])):
        listed._bands("lines", "loss", each, x="x", y="y")
    assert ["all seeds agree, which tells no spread" in each for each in saved] == [True, False, False]


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


class Listed(_Drawn):
    """Draws nothing: what would be drawn, of what, and with which words."""

    def __init__(self, result) -> None:
        super().__init__(result)
        self.listed = {}

    def is_new(self, of, *names):
        return False

    def save(self, section, title, draw, of, caption="", page=""):
        self.listed[title] = (section, of, caption)


@pytest.fixture
def listed(tmp_path):
    made = drawn(tmp_path)
    made.result.untrained = frozenset({("a", 0), ("b", 1)})
    return Listed(made.result)


def task(variant, seed, folder=""):
    return SimpleNamespace(variant=variant, seed=seed, folder=folder, name=f"{variant} {seed}")


def plane(digest):
    axes = tuple(Axis(X, recipe={"seed": k}) for k in range(2))
    return replace(Surface(axes, {"train/loss": np.ones((3, 3))}, np.ones((3, 3), np.uint8)), digest=digest)


def test_of_each_variant_the_first_network_that_trained_is_shown_in_the_studys_order(listed):
    given = [("b", 0, "b0"), ("a", 0, "a0"), ("a", 1, "a1"), ("a", 2, "a2")]
    listed._planes("plane", [(task(variant, seed), plane(digest)) for variant, seed, digest in given])
    section, of, _ = listed.listed["plane"]
    assert (section, of) == ("surfaces", [["a1", "a, seed 1"], ["b0", "b, seed 0"]])


def test_where_no_network_of_a_variant_trained_one_that_did_not_is_shown_and_called_so(listed):
    listed._planes("plane", [(task("a", 0), plane("a0")), (task("b", None), plane("all"))])
    assert listed.listed["plane"][1] == [["a0", "a, seed 0, not trained"], ["all", "b"]]


def test_a_band_is_of_runs_at_the_same_places_and_networks_that_did_not_train_have_their_own(listed):
    runs = [
        (task("a", 1), X, np.array([1.0, 2.0, 3.0])),
        (task("a", 2), X + 0.5, np.array([7.0, 7.0, 7.0])),
        (task("a", 3), X, np.array([3.0, 4.0, 5.0])),
        (task("a", 0), X, np.array([9.0, 9.0, 9.0])),
    ]
    trained, failed = listed._grouped(runs, logarithmic=False)
    np.testing.assert_allclose(trained.middle, [2, 3, 4])
    assert (trained.label, failed.label) == ("a", "a, not trained")
    np.testing.assert_allclose(failed.middle, 9)
    listed._bands("lines", "loss", [*runs, (task("b", 0), X, np.zeros(3))], x="x", y="y")
    assert listed.listed["loss"][2].startswith("Mean over 1 to 2 seeds, ")


def test_a_training_is_drawn_over_its_steps_and_of_the_clock_there_is_no_picture(listed, tmp_path):
    for seed in (1, 2):
        (tmp_path / f"a{seed}").mkdir()
        text = f"epoch,step,seconds,learning_rate,loss,accuracy\n1,10,3,0.1,{seed},0.5\n2,20,6,0.1,,0.7\n3,30\n"
        (tmp_path / f"a{seed}" / "history.csv").write_text(text)
    tasks = [task("a", 1, "a1"), task("a", 2, "a2")]
    listed.curves("Training", "history.csv", tasks, "training", x="step")
    assert list(listed.listed) == ["Training, loss", "Training, accuracy"]
    section, (band, x, y), _ = listed.listed["Training, loss"]
    assert (section, x, y) == ("training", "step", "loss")
    np.testing.assert_array_equal(band.x, [10, 20])
    np.testing.assert_array_equal(band.runs, [[1, np.nan], [2, np.nan]])
    listed.curves("Table", "history.csv", tasks, "more")
    assert [each.removeprefix("Table, ") for each in list(listed.listed)[2:]] == [
        *("step", "seconds", "learning rate", "loss", "accuracy")
    ]


def test_a_table_without_a_row_is_refused(tmp_path):
    (tmp_path / "empty.csv").write_text("a,b\n")
    with pytest.raises(PlotError, match=r"empty\.csv holds no row"):
        read_columns(tmp_path / "empty.csv")


def test_a_line_of_several_directions_is_their_mean(listed):
    axes = (Axis(X, label="along"), Axis(np.arange(2.0), recipe={"repeats": [[], []]}, kind="repeat"))
    surface = Surface(axes, {"train/loss": np.array([[1.0, 2, 3], [5, 6, 7]])}, np.ones((2, 3), np.uint8))
    listed._lines("line", [(task("a", 1), surface)], "")
    (band, *_) = listed.listed["line, train/loss"][1]
    np.testing.assert_allclose(band.runs, [[3, 4, 5]])
