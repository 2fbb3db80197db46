"""Pictures of walks, attacks and filters hold the numbers of their reports, and say what these leave out."""

from __future__ import annotations

import dataclasses
import re

import landscape.plot
import numpy as np
import pytest
from landscape.plot.style.fields import recall

from landscape.errors import UsageError
from tests.helpers.attacks import filtered, robust
from tests.helpers.walks import walks


def line(ax, label):
    (found,) = (each for each in ax.lines if each.get_label() == label)
    return found


def band(collection, x):
    """Return the ends of a filled band at places where it is known, shape (k, 2)."""
    points = np.concatenate([path.vertices for path in collection.get_paths()])
    return np.array([(points[points[:, 0] == each, 1].min(), points[points[:, 0] == each, 1].max()) for each in x])


def test_walks_are_bands_from_the_least_to_the_greatest_loss_and_lines_of_smoothness():
    first, second = walks(), walks(3)
    figure = landscape.plot.walk([first, second], labels=["one", "two"])
    losses, smoothness = figure.axes[:2]
    for found, name, filled in zip((first, second), ("one", "two"), losses.collections, strict=True):
        np.testing.assert_allclose(line(losses, name).get_ydata(), found.losses[:, 0])
        ends = found.losses[:3, [1, 2]]  # the last walk is not finite
        np.testing.assert_allclose(band(filled, range(3)), ends)
        np.testing.assert_allclose(line(smoothness, name).get_ydata(), found.smoothness)
        assert line(smoothness, name).get_color() == line(losses, name).get_color()
    # On a logarithmic axis, but not what reaches 0 or below it.
    below = dataclasses.replace(first, losses=first.losses - 0.2)
    near = dataclasses.replace(first, losses=first.losses + 1.0)  # nor where the greatest is twice the least
    scales = [ax.get_yscale() for ax in (losses, *(landscape.plot.walk(each).axes[0] for each in (below, near)))]
    assert scales == ["log", "linear", "linear"]
    # What a walk reaches counts, too, not only what it starts from.
    reached = dataclasses.replace(first, losses=np.where(first.losses == first.losses[1, 1], -0.1, first.losses))
    assert (reached.losses[:, 0] > 0).all()
    assert landscape.plot.walk(reached).axes[0].get_yscale() == "linear"
    text = recall(figure)["Description"]
    assert text.startswith("sgd: 4 steps, 40 samples of train, mode eval; walked by 0.5, 2 steps of gradient descent")
    assert "at a rate of 0.1; 1 of them is not finite, or changes by less than is resolved, and has no band" in text
    rates = np.array([0.1, 0.5, np.nan, 0.1])
    other = dataclasses.replace(first, rates=rates, settings={"frozen": 7})
    text = recall(landscape.plot.walk(other))["Description"]
    assert text.startswith("sgd: 4 steps, train; walked by"), "of samples and a mode that nobody knows nothing is said"
    assert "a rate of 0.1 to 0.5; 1 step has no learning rate, nothing was walked there; 1 of them" in text
    assert "7 frozen weights are in no gradient" in text
    with pytest.raises(UsageError, match="counted in epoch and step share no axis"):
        landscape.plot.walk([first, dataclasses.replace(second, unit="step")])


def test_attacks_are_shares_in_percent_from_no_change_on_and_losses_the_stronger_the_darker():
    course = np.array([[-0.5, 1.2, 1.3, 1.4], [1.0, 2.0, 3.0, 4.0]])
    found = dataclasses.replace(robust(), course=course)
    figure = landscape.plot.robustness(found)
    shares, losses = figure.axes[:2]
    together = line(shares, "all that follow gradients")
    np.testing.assert_allclose(together.get_xdata(), [0, 0.1, 0.2])
    np.testing.assert_allclose(together.get_ydata(), 100 * np.append(found.clean.mean(), found.accuracy()))
    ends = 100 * np.vstack([found.clean_interval, found.interval()])
    np.testing.assert_allclose(band(shares.collections[0], together.get_xdata()), ends)
    for attack, name in (("fgsm", "FGSM, one step"), ("pgd", "PGD")):
        np.testing.assert_allclose(line(shares, name).get_ydata()[1:], 100 * found.accuracy(attack))
    curves = [each for each in losses.lines if len(each.get_xdata()) == 4]
    np.testing.assert_allclose([each.get_ydata() for each in curves], course)
    assert curves[0].get_alpha() < curves[1].get_alpha() == 1
    assert losses.get_ylim()[0] == -0.5
    words = {each.get_text(): each.xy for each in losses.texts}
    assert words == {"0.1": (3, 1.4), "0.2": (3, 4.0)}
    assert "3 samples of test, inputs within 0 to 1; PGD with 3 steps from 2 starts." in recall(figure)["Description"]
    told = [dataclasses.replace(found, settings=each) for each in ({"steps": 1, "restarts": 1}, {})]
    for each, said in zip(told, ("PGD with 1 step from 1 start.", "3 samples of test; PGD."), strict=True):
        assert said in recall(landscape.plot.robustness(each))["Description"]
    weak = dataclasses.replace(found, clean=np.array([True, False, False]), epsilons=np.array([0.2, 0.4]))
    (ax,) = landscape.plot.robustness([found, weak], labels=["a", "b"]).axes
    for each, name, filled in zip((found, weak), "ab", ax.collections, strict=True):
        np.testing.assert_allclose(line(ax, name).get_xdata(), [0, *each.epsilons])
        np.testing.assert_allclose(line(ax, name).get_ydata(), 100 * np.append(each.clean.mean(), each.accuracy()))
        ends = 100 * np.vstack([each.clean_interval, each.interval()])
        np.testing.assert_allclose(band(filled, [0, *each.epsilons]), ends)
    assert line(ax, "a").get_color() != line(ax, "b").get_color()
    assert ax.get_xlim()[1] == pytest.approx(1.02 * 0.4)
    dull = dataclasses.replace(found, far=np.ones(3, dtype=bool))
    assert found.verdict != dull.verdict
    said = recall(landscape.plot.robustness([found, dull], labels=["a", "b"]))["Description"]
    assert f"a: {found.verdict} b: {dull.verdict}" in " ".join(said.split())
    with pytest.raises(UsageError, match="different norms"):
        landscape.plot.robustness([found, dataclasses.replace(found, norm="l2")])


def test_filters_are_shares_in_percent_beside_the_unfiltered_one():
    found = filtered()
    figure = landscape.plot.frequencies(found)
    for ax, kind in zip(figure.axes, ("low", "high"), strict=False):
        drawn = line(ax, "images")
        np.testing.assert_allclose(drawn.get_xdata(), found.cutoffs)
        np.testing.assert_allclose(drawn.get_ydata(), 100 * found.accuracy(kind))
        np.testing.assert_allclose(band(ax.collections[0], found.cutoffs), 100 * found.interval(kind))
        level = next(each for each in ax.lines if each is not drawn)
        np.testing.assert_allclose(level.get_ydata(), 100 * 2 / 3)
    text = recall(figure)["Description"]
    assert text.startswith("3 images of test, 66.7 % right unfiltered. Radial"), "nothing is said of an attack"


def test_filtered_changes_are_dashed_beside_the_images_with_a_band_of_their_own():
    found = filtered(attacked=True)
    figure = landscape.plot.frequencies(found)
    for ax, kind in zip(figure.axes, ("low", "high"), strict=False):
        drawn = zip(("images", "changes by an attack"), (kind, f"{kind} change"), ax.collections, strict=True)
        for name, which, filled in drawn:
            np.testing.assert_allclose(line(ax, name).get_ydata(), 100 * found.accuracy(which))
            np.testing.assert_allclose(band(filled, found.cutoffs), 100 * found.interval(which))
        looks = [line(ax, name).get_linestyle() for name in ("images", "changes by an attack")]
        assert looks == ["-", "--"]
    said = "66.7 % right unfiltered. Attack: PGD at 0.1 (linf), 33.3 % right under all of it; parts of it are applied."
    assert said in recall(figure)["Description"]
    # Of several networks a colour is a network, and the axis ends where the last of them does.
    short = dataclasses.replace(found, cutoffs=found.cutoffs / 2)
    figure = landscape.plot.frequencies([short, found], labels=["a", "b"])
    ax = figure.axes[0]
    assert ax.get_xlim() == (0, 2)
    for name in ("a", "b"):
        assert line(ax, f"{name}, changes by an attack").get_color() == line(ax, f"{name}, images").get_color()
    assert line(ax, "a, images").get_color() != line(ax, "b, images").get_color()
    np.testing.assert_allclose(line(ax, "a, images").get_xdata(), short.cutoffs)


@pytest.mark.parametrize("width", [2.6, 7.0])
def test_the_height_that_a_refusal_asks_for_suffices_and_no_much_lower_one_does(width):
    course = np.array([[1.0, 1.2, 1.3, 1.4], [1.0, 2.0, 3.0, 4.0]])
    found = dataclasses.replace(robust(), course=course)

    def drawn(height):
        return landscape.plot.robustness(found, size=(width, height), caption=False)

    with pytest.raises(UsageError, match="with this width it takes a height of") as refused:
        drawn(1.0)
    height = float(re.search(r"a height of ([\d.]+)", str(refused.value))[1])
    first, second = drawn(height).axes[:2]
    places = [ax.get_position() for ax in (first, second)]
    assert (places[0].y0 == places[1].y0) == (width == 7.0), "one above the other where narrow"
    for place in places:
        assert 0 < place.y0 < place.y1 < 1
        assert 0.6 <= place.height * height < 0.71, "as low as a panel may be"
    with pytest.raises(UsageError, match=f"a height of {height}"):
        drawn(height - 0.2)
