"""What a gallery shows of a page stands the right way up, also where nothing can be drawn but points."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
from landscape.plot.page.poster import GAP, HEIGHT, WIDTH, draw_poster
from PIL import Image

from tests.helpers.plot_fixtures import valley


def test_points_without_neighbours_are_squares_with_x_to_the_right_and_y_upwards() -> None:
    surface = valley(5, 4)
    loss = np.full((4, 5), np.nan)
    loss[0, 1], loss[3, 4], loss[1, 3] = 0.1, 1.0, 3.0
    surface = dataclasses.replace(surface, values={"train/loss": loss})
    with Image.open(io.BytesIO(draw_poster([surface, surface], "train/loss"))) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape == (HEIGHT, 2 * WIDTH + GAP, 3)
    for left in (0, WIDTH + GAP):
        panel = pixels[:, left : left + WIDTH]
        middles = [(np.arange(n) * 2 + 1) * size // (2 * n) for n, size in ((4, HEIGHT), (5, WIDTH))]
        seen = panel[np.ix_(*middles)][::-1]  # the lowest row first
        coloured = np.ptp(seen, axis=-1) > 20
        np.testing.assert_array_equal(coloured, np.isfinite(loss))
