"""A surface coloured by the convexity ratio: heights stay the loss, and what is not known is hatched."""

from __future__ import annotations

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest
from landscape.plot.scale.convexity_ratio import OPEN, ratio_of, ratio_scale
from landscape.plot.surfaces.camera import HEIGHT
from landscape.plot.surfaces.scenes import SurfaceImage
from landscape.plot.surfaces.shading import to_linear
from landscape.plot.surfaces.still import Still
from landscape.plot.surfaces.surfaces3d import surface

import landscape
from landscape.cli import main
from landscape.errors import PlotError, UsageError
from landscape.files.store import write_surface
from landscape.surface.surface import Surface
from tests.helpers.plot_fixtures import valley


@pytest.fixture(scope="module")
def curved() -> Surface:
    """Return a plane whose ratios have nothing to do with its losses; those of one row are open, one is missing."""
    base = valley(9, 7)
    ratio = 0.5 * (np.arange(base.values["train/loss"].size) * 29 % 63 / 62).reshape(7, 9)
    greatest = np.full(ratio.shape, 2.0)
    found = {"eigenvalue_max": greatest, "eigenvalue_min": -2.0 * ratio}
    found |= {f"{name}_residual": np.full(ratio.shape, 0.01) for name in found}
    found["eigenvalue_min_residual"][5] = 0.9
    found["eigenvalue_min"][1, 1] = np.nan
    return dataclasses.replace(base, values={**base.values, **{f"train/{name}": each for name, each in found.items()}})


def pixels(given: Surface, places: np.ndarray, **options):
    """Return the linear light of a still at points of the plane, shape (n, 3)."""
    still = Still.of(given, "train/loss", camera="top", **options)
    ax = plt.figure(figsize=(5, 5)).add_axes((0, 0, 1, 1))
    panel = still.enter(ax)
    (image,) = [each for each in ax.get_children() if isinstance(each, SurfaceImage)]
    picture, left, low = image.picture(2.0, 0.0, 0.0)
    seen = [panel.project([x], [y], panel.drape([x], [y])[2])[0] for x, y in places]
    columns, rows = (np.array(seen) * 2 - (left, low)).astype(int).T
    plt.close("all")
    return to_linear(picture[rows, columns, :3] / 255)


def test_each_cell_has_the_ratios_colour_and_its_own_height(curved):
    x, y = (axis.values for axis in curved.axes)
    ratio, open_by = ratio_of(curved, "train")
    known = [(i, j) for i in range(1, 8) for j in range(1, 6) if open_by[j, i] < OPEN and np.isfinite(ratio[j, i])]
    places = np.array([(x[i], y[j]) for i, j in known])
    wanted = to_linear(ratio_scale().colors(np.array([ratio[j, i] for i, j in known]))[:, :3])

    def likeness(found):
        return (found * wanted).sum(axis=1) / np.linalg.norm(found, axis=1) / np.linalg.norm(wanted, axis=1)

    assert likeness(pixels(curved, places, color="convexity")).min() > 0.99
    assert likeness(pixels(curved, places)).min() < 0.9
    plain, tinted = (Still.of(curved, "train/loss", color=color).scene for color in (None, "convexity"))
    np.testing.assert_array_equal(plain.placed, tinted.placed)
    assert tinted.placed[..., 2].max() <= HEIGHT + 1e-9


def test_what_residuals_leave_open_is_hatched_and_a_ratio_that_is_missing_is_grey(curved):
    x, y = (axis.values for axis in curved.axes)
    near = x[4] + np.linspace(-0.4, 0.4, 60) * (x[5] - x[4])
    rows = [np.stack([near, np.full(60, y[j])], axis=1) for j in (5, 4)]
    found = pixels(curved, np.concatenate([*rows, [[x[1], y[1]]]]), color="convexity")
    white = found.min(axis=1) > 0.5
    assert 0.1 < white[:60].mean() < 0.5
    assert not white[60:120].any()
    assert np.ptp(found[120]) < 0.02


def test_bar_floor_and_caption_say_what_colours_mean(curved):
    figure = landscape.plot.draw(curved, kind="surface", color="convexity")
    panel, bar = figure.axes
    assert bar.get_ylabel() == "|least / greatest eigenvalue|"
    assert bar.get_ylim() == (0.0, 0.5)
    floor = [each for each in panel.collections if str(each.get_gid()).startswith("level")]
    assert floor
    assert len({tuple(each.get_color()[0]) for each in floor}) == 1
    text = " ".join(each.get_text() for each in figure.texts).replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")
    assert text.count("Colour: ratio of both ends of the Hessian's spectrum") == 1
    assert "9 hatched: residuals leave the ratio open by more than 0.05, 1 grey, without a ratio." in text
    assert "contours on the floor do not" not in text
    own = plt.figure().add_subplot()
    surface(curved, ax=own, color="convexity")
    assert own.figure.axes[1].get_ylabel() == "|least / greatest eigenvalue|"
    plt.close("all")


def test_what_cannot_be_a_colour_is_refused(curved, tmp_path, capsys):
    with pytest.raises(UsageError, match="or by convexity, not 'loss'"):
        landscape.plot.draw(curved, kind="surface", color="loss")
    with pytest.raises(PlotError, match="evaluate --curvature"):
        landscape.plot.surface(valley(9, 7), color="convexity")
    path = tmp_path / "a.h5"
    write_surface(path, curved)
    for options, end, said in (("--kind contour", "png", "--kind surface"), ("--film orbit", "gif", "a film is")):
        target = str(tmp_path / f"a.{end}")
        assert main(["plot", str(path), "--color", "convexity", *options.split(), "-o", target]) == 2
        assert said in capsys.readouterr().err
    assert main(["plot", str(path), "--kind", "surface", "--color", "convexity", "-o", str(tmp_path / "a.png")]) == 0
    assert "9 hatched" in capsys.readouterr().out
