"""Boxes and what they meet, against points spread over them."""

from __future__ import annotations

import numpy as np
import pytest
from landscape.plot.style.placement import LINE_HEIGHT, SCREEN, Box, Room, box_of
from landscape.plot.style.style import text_width
from matplotlib.figure import Figure


def points_in(box: Box) -> np.ndarray:
    """Return points all over a box, by complex numbers: a turn is a product."""
    side = np.linspace(-1, 1, 25)
    flat = (side[:, None] * box.half[0] + 1j * side * box.half[1]).ravel() * np.exp(1j * box.turn)
    return np.stack([flat.real, flat.imag], axis=1) + box.middle


def test_a_text_turns_about_its_anchor() -> None:
    for align in ((0, 0), (-1, -1), (1, -1), (1, 0)):
        for turn in (0.0, 0.5, -1.2):
            box = Box.of_text("abc\nlonger", 9.0, (30.0, 50.0), align, turn=turn, pad=2.0)
            assert box.half[0] == pytest.approx(36 * SCREEN * text_width("longer", 9.0) + 2)
            assert box.half[1] == pytest.approx(LINE_HEIGHT * 9.0 + 2)
            # Turned back, the anchor stands where it is aligned.
            away = complex(*(np.array([30.0, 50.0]) - box.middle)) * np.exp(-1j * turn)
            np.testing.assert_allclose((away.real / box.half[0], away.imag / box.half[1]), align, atol=1e-12)
            spread = points_in(box)
            np.testing.assert_allclose(box.corners.min(0), spread.min(0))
            np.testing.assert_allclose(box.corners.max(0), spread.max(0))


def test_a_box_is_as_deep_in_spots_and_boxes_as_its_nearest_point() -> None:
    chance = np.random.default_rng(5)
    for _ in range(15):
        middle, turn = chance.uniform(0, 60, 2), chance.uniform(-2, 2)
        box, other = Box(middle, (14.0, 5.0), turn), Box(chance.uniform(0, 60, 2), (9.0, 6.0), chance.uniform(-2, 2))
        spot, spread = chance.uniform(0, 60, 2), points_in(box)
        room = Room()
        room.take_spots([spot], 3.0)
        gap = np.hypot(*(spread - spot).T).min()
        if 1 < gap < 10:
            assert room.depth(box) == pytest.approx(3.0 - gap, abs=0.5)
        room = Room()
        room.take(other)
        apart = np.hypot(*(spread[:, None] - points_in(other)[None]).transpose(2, 0, 1)).min()
        assert (room.depth(box) > 0) == (apart < 1.2) or abs(room.depth(box)) < 1.2


def test_a_turned_box_beside_a_corner_is_apart_from_it() -> None:
    # A strip along the diagonal, 8.5 from the middle of a square, whose corner reaches 5 times the root of 2.
    strip = Box(np.array([-8.5, 8.5]) / np.sqrt(2), (20.0, 1.0), np.pi / 4)
    square = Box(np.zeros(2), (5.0, 5.0))
    for taken, asked in ((strip, square), (square, strip)):
        room = Room()
        room.take(taken)
        assert room.depth(asked) == pytest.approx(5 * np.sqrt(2) + 1 - 8.5)


def test_nothing_leaves_the_frame_and_the_first_free_place_is_taken() -> None:
    room = Room(((0, 0), (100, 50)))
    assert room.depth(Box(np.array([50.0, 25.0]), (50.0, 25.0))) <= 0
    assert room.depth(Box(np.array([50.0, 25.0]), (10.0, 26.0))) == pytest.approx(1)
    # Upright it is taller than the frame.
    assert room.depth(Box(np.array([50.0, 25.0]), (30.0, 5.0), np.pi / 2)) == pytest.approx(5)
    room.take_line([[0, 10], [100, 10]], 1.0)
    places = [Box(np.array([50.0, y]), (10.0, 4.0)) for y in (8, 12, 20, 30)]
    assert room.choose(places) == 2
    assert room.choose(places) == 3, "what was chosen is taken"
    room = Room(((0, 0), (100, 50)))
    room.take_line([[0, 10], [100, 10]], 1.0)
    assert room.choose(places[:2], take=False) in (0, 1)
    for clear, expected in ((0.5, (1, -1)), (1.5, (2, -2))):
        assert room.first_free([(50, 8), (50, 16), (50, 17)], (10.0, 4.0), clear=clear) == pytest.approx(expected)


def test_what_is_invisible_takes_no_room() -> None:
    ax = Figure(figsize=(4, 3)).add_subplot()
    drawn = [*ax.plot([0, 1], [0, 1]), *ax.plot([0, 1], [1, 0], "o", ls="none"), ax.scatter([0.5], [0.2])]
    drawn.append(ax.text(0.1, 0.5, "level 0.5"))
    for number, each in enumerate(drawn):
        for other in drawn:
            other.set_visible(other is each)
        taken = Room.of(ax)
        assert len(taken.spots) + len(taken.boxes) > 0, number
        each.set_visible(False)
        empty = Room.of(ax)
        assert len(empty.spots) + len(empty.boxes) == 0, number


def test_a_text_that_is_drawn_is_taken_as_it_stands() -> None:
    ax = Figure(figsize=(4, 3), dpi=150).add_subplot()
    for turn in (0, 30, 90):
        text = ax.text(0.4, 0.3, "level 0.5", rotation=turn, rotation_mode="anchor", ha="center", va="center")
        box = box_of(text)
        extent = text.get_window_extent().get_points() * 72 / 150
        np.testing.assert_allclose((box.corners.min(0) + box.corners.max(0)) / 2, extent.mean(0), atol=0.5)
        np.testing.assert_allclose(np.ptp(box.corners, axis=0), np.ptp(extent, axis=0), atol=1.0)
        assert text.get_rotation() == turn
