"""Pictures of reports and studies, frames of films and pages hold what they held (`tests.helpers.kept`)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from landscape.plot.comparisons.seed_bands import Band, seed_bands
from landscape.plot.comparisons.seed_values import SeedValues, seed_values
from landscape.plot.comparisons.triangles import Triangle, triangles
from landscape.plot.figures import draw
from landscape.plot.films.films import _lay_out, plan_film
from landscape.plot.page.html import page_text, read_page
from landscape.plot.spectra.run_figures import draw_curvature_run
from landscape.plot.spectra.spectrum_figures import draw_curvature
from landscape.plot.style.style import our_style

import landscape
from landscape.surface.grid import Axis
from landscape.surface.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED
from tests.helpers.attacks import robust
from tests.helpers.curvatures import curvature, curvature_run
from tests.helpers.drawn import held_by, sums
from tests.helpers.kept import assert_kept
from tests.helpers.plot_fixtures import half_finished_valley, line_surface, patchy, repeated, surface_of, valley
from tests.helpers.population_results import populations
from tests.helpers.runs_on_planes import principal_surface, run_on, winding, with_steps
from tests.helpers.similarities import similarity

SECOND = Axis(np.linspace(-1, 1, 5), "β (random direction 2)", "random", {"seed": 7, "index": 1}, 2.0)
SPREAD = np.linspace(0.8, 1.2, 5)[:, None] * np.linspace(1, 2, 7)
SCORES, UNKNOWN = np.array([0.5, 0.8, 0.2]), np.full(3, np.nan)


def volume():
    """Return a volume of five slices."""
    axes = [Axis(np.linspace(-1, 1, number), f"direction {k}") for k, number in enumerate((7, 6, 5))]
    z, y, x = np.meshgrid(*(axis.values for axis in reversed(axes)), indexing="ij")
    return surface_of({"train/loss": 0.2 + x**2 + 2 * y**2 + 0.5 * (z - 0.3) ** 2}, *axes, cosines=np.eye(3))


def frame():
    """Return one frame of a film along a run."""
    how = {"name": None, "scale": None, "camera": None, "interpolate": False, "seconds": 1.0, "rate": 3}
    film = plan_film(winding(), Path("film.webp"), kind="path", size=(640, 480), **how)
    return _lay_out(film, film.moment(1))


def line_with_runs():
    """Return a line between networks with a run, whose order is known or not."""
    axis = Axis(np.linspace(-0.5, 1.5, 9), "towards a.pt", "checkpoint", {}, 2.0)
    points = [(1.0,), (0.6,), (0.9,), (0.0,)]
    runs = {"sgd": run_on(points, residual=[0, 1.2, 0.5, 0], own=[2.0, 1.0, 1.0, 0.5])}
    runs["adam"] = run_on(points, own=[1.5, 1.2, 0.9, 0.6], unordered=True)
    return surface_of({"train/loss": 0.5 + axis.values**2}, axis, trajectories=runs)


def mixed_runs():
    """Return a plane with a run, and with samples in no order."""
    sgd = run_on([[0.0, 0.0], [2.0, 1.0], [4.0, 2.0]], own=[1.0, 2.0, 3.0], residual=[0.0, 1.0, 0.0])
    return principal_surface({"sgd": sgd, "draws": run_on([[3.0, -1.0], [1.0, 1.0]], own=[1.5, 2.0], unordered=True)})


def close_robustness():
    """Return attacks that end close to each other."""
    return replace(robust(), course=np.array([[1.0, 1.2, 1.3, 1.31], [1.0, 1.25, 1.3, 1.32]]))


def convex():
    """Return two planes with eigenvalues, of one of which nothing is to be said."""

    def one(largest):
        base = valley(9, 7)
        found = {"eigenvalue_max": np.full((7, 9), 2.0), "eigenvalue_min": -np.linspace(0, largest, 63).reshape(7, 9)}
        found |= {f"{name}_residual": np.full((7, 9), 0.01) for name in found}
        return replace(base, values={**base.values, **{f"train/{name}": each for name, each in found.items()}})

    return [one(0.5), one(4.0)]


def below_zero():
    """Return a plane whose values lie to both sides of zero."""
    base = valley(15, 11)
    return replace(base, values={"train/loss": base["train/loss"] - 1.0})


def flatter():
    """Return the plane of `valley` with half its height."""
    base = valley(9, 7)
    return replace(base, axes=(base.axes[0], replace(base.axes[1], values=base.axes[1].values / 2)), title="flat")


def broken_line(*, title="resnet20"):
    """Return a line with holes of each kind: lost, infinite, interpolated, above a cap, short of samples."""
    base = line_surface(17)
    loss, state = base["train/loss"].copy(), base.state.copy()
    loss[3], loss[8] = np.inf, np.nan
    state[5], state[6], state[8] = NOT_COMPUTED, INTERPOLATED, COMPUTED
    values = {**base.values, "train/loss": loss}
    return replace(base, values=values, state=state, title=title, quality={"unfinished": 4})


PICTURES = {
    "broken line": lambda: draw(broken_line(), cap=3.0),
    "broken lines": lambda: draw([broken_line(), broken_line(title="other")], independent=True),
    "percent": lambda: draw(line_surface(17), name=["train/accuracy", "test/accuracy"]),
    "mixed runs": lambda: draw(mixed_runs()),
    "mixed runs on a solid": lambda: draw(mixed_runs(), kind="surface"),
    "steps of mixed runs": lambda: draw(mixed_runs(), kind="steps"),
    "line with runs": lambda: draw(line_with_runs()),
    "second axis alone": lambda: draw(surface_of({"train/loss": np.arange(5.0) ** 2}, SECOND)),
    "close robustnesses": lambda: landscape.plot.robustness(close_robustness()),
    "two convexities": lambda: draw(convex(), kind="convexity", titles=["one", "other"]),
    "two shapes": lambda: draw([valley(9, 7), flatter()], independent=True),
    "two shapes in a column": lambda: draw([valley(9, 7), flatter()], columns=1, size="single"),
    "cells of accuracy": lambda: draw(valley(9, 7), kind="heatmap", name="train/accuracy"),
    "hillshade": lambda: draw(valley(15, 11), hillshade=True),
    "unsmoothed": lambda: draw(valley(9, 7), interpolate=False),
    "levels and a cap": lambda: draw(valley(15, 11), levels=[0.2, 0.5, 1.0], cap=2.0, kind="contour"),
    "linear": lambda: draw(valley(15, 11), scale="linear", subtitle=False),
    "differences": lambda: draw(below_zero(), scale="asinh"),
    "similarity": lambda: landscape.plot.similarity(similarity()),
    "predictions": lambda: landscape.plot.predictions(populations()),
    "curvature": lambda: draw_curvature({"train": curvature()}),
    "curvature run": lambda: draw_curvature_run(
        {"train": curvature_run()}
    ),
    "bands": lambda: seed_bands(
        [Band(name, np.arange(7.0), *(f * SPREAD.mean(0) for f in (k, 0.8 * k, 1.2 * k)), k * SPREAD)
         for name, k in (("a", 1), ("b", 3))], x="epoch", y="loss", title="t", caption="c"
    ),
    "seed values": lambda: seed_values(
        [SeedValues("a", np.array([1.0, 2, 4]), 2.3, 1.1, 3.9, np.array([7.0])),
         SeedValues("b", np.array([3.0, 5]), 4, np.nan, np.nan)], x="width", title="t", caption="c"
    ),
    "triangles": lambda: triangles(
        [Triangle("a", SCORES, SCORES - 0.1, SCORES + 0.1), Triangle("b", 1 - SCORES, UNKNOWN, UNKNOWN)],
        ("stability", "plasticity", "robustness"), title="t", caption="c"
    ),
    "volume": lambda: draw(volume()),
    "unfinished": lambda: draw(half_finished_valley()),
    "interpolated": lambda: draw(patchy(), kind="heatmap"),
    "seeds of a line": lambda: draw(repeated(line_surface(17), 3)),
    "frame of a film": frame,
}  # fmt: skip

PAGES = {
    "planes": lambda: [valley(9, 7), patchy()],
    "seeds": lambda: [repeated(valley(9, 7), 3)],
    "run": lambda: [with_steps("adam")],
    "unfinished": lambda: [half_finished_valley()],
    "volume": lambda: [volume()],
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_holds_what_it_held(name, pytestconfig):
    figure = PICTURES[name]()
    with our_style():
        figure.draw_without_rendering()
        assert_kept(f"drawn/{name.replace(' ', '-')}", held_by(figure), write=pytestconfig.getoption("keep"))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_told_what_it_was_told(name, tmp_path, pytestconfig):
    (tmp_path / "page.html").write_text(page_text(PAGES[name](), poster=b"\x89PNG"))
    told, arrays = read_page(tmp_path / "page.html")
    told = {name: each for name, each in told.items() if name not in ("software", "colormaps")}
    found = {**told, "arrays": [[np.shape(each), sums(each)] for each in arrays]}
    assert_kept(f"pages/{name}", found, write=pytestconfig.getoption("keep"))
