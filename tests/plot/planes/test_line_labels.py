"""Numbers on iso-lines: on their lines, along them, and no more of them than can be read."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from landscape.plot.planes.contours import contour
from landscape.plot.scale.scale import Scale
from landscape.plot.style.labels import label_lines
from landscape.plot.style.placement import Room
from matplotlib.figure import Figure

from tests.helpers.plot_fixtures import random_axis, surface_of, valley, valley_loss


def axes_of(surface, **options):
    figure = Figure(figsize=(5, 4))
    return contour(surface, ax=figure.add_subplot(), **options)


def labels_of(ax):
    return [text for text in ax.texts if text.get_gid() == "level"]


@pytest.mark.parametrize("unit", [1.0, 0.01, 100.0])
def test_labels_stand_on_the_line_of_their_level_whatever_the_axes_unit(unit):
    surface = valley(61, 47)
    axes = tuple(dataclasses.replace(axis, values=unit * axis.values) for axis in surface.axes)
    labels = labels_of(axes_of(dataclasses.replace(surface, axes=axes)))
    assert len(labels) == 8
    for label in labels:
        loss = valley_loss(*(each / unit for each in label.get_position()))
        assert float(label.get_text()) == pytest.approx(loss, rel=0.005)


@pytest.mark.parametrize("slope", [(1, 1), (1, -1), (-1, 1), (-1, -1), (0.1, 2), (-2, -0.3)])
def test_labels_lie_along_their_lines_and_are_read_from_left_to_right(slope):
    x, (a, b) = np.linspace(-1, 1, 41), slope
    xx, yy = np.meshgrid(x, x)
    surface = surface_of({"train/loss": 4 + a * xx + b * yy}, random_axis(x, 0), random_axis(x, 1))
    found = labels_of(axes_of(surface, scale=Scale.of(surface, "train/loss", kind="linear"), colorbar=False))
    turns = [(label.get_rotation() + 180) % 360 - 180 for label in found]
    assert len(found) >= 2, "straight lines have labels like others"
    assert all(-90 < turn <= 90 for turn in turns)
    level = np.rad2deg(np.arctan2(-a, b))  # both axes are drawn to one scale
    assert all(abs((turn - level + 90) % 180 - 90) < 1 for turn in turns)
    for label in found:
        px, py = label.get_position()
        assert float(label.get_text()) == pytest.approx(4 + a * px + b * py, abs=1e-6)


def test_every_second_level_is_labelled_powers_of_ten_first():
    surface = valley(61, 47)
    scale = Scale.of(surface, "train/loss", levels=[0.3, 1, 3, 10, 30, 100, 300, 1000])
    assert {label.get_text() for label in labels_of(axes_of(surface, scale=scale))} <= {"1", "10", "100", "1000"}


def test_a_loop_smaller_than_its_label_has_none():
    x = np.linspace(-1, 1, 201)
    xx, yy = np.meshgrid(x, x)
    for flat, written in ((1, {"0.7"}), (12, set())):  # nor has one that is long and narrower than its label
        ax = Figure(figsize=(4, 4)).add_subplot()
        lines = ax.contour(x, x, np.hypot(xx, flat * yy), levels=[0.07, 0.7])
        label_lines(ax, lines, {0.07: "0.07", 0.7: "0.7"}, Room.of(ax))
        assert {text.get_text() for text in labels_of(ax)} == written


def test_labels_can_be_left_out():
    assert not labels_of(axes_of(valley(), labels=False))
