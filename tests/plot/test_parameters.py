"""Every parameter of what draws, called from Python, changes the picture: none is lost on the way."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from landscape.plot.scale.scale import Scale
from landscape.plot.style.style import our_style
from matplotlib.figure import Figure

from landscape import plot
from tests.helpers.attacks import filtered, robust
from tests.helpers.curvatures import curvature
from tests.helpers.drawn import held_by
from tests.helpers.plot_fixtures import line_surface, valley
from tests.helpers.population_results import populations
from tests.helpers.runs_on_planes import with_steps
from tests.helpers.similarities import similarity
from tests.helpers.walks import walks


def plane() -> Any:
    """Return a plane that says enough for every kind of picture."""
    base = valley(9, 7)
    x, y = np.meshgrid(base.axes[0].values, base.axes[1].values)
    more = {"eigenvalue_max": np.full((7, 9), 2.0), "eigenvalue_min": -np.linspace(0, 0.6, 63).reshape(7, 9)}
    more |= {f"{name}_residual": np.full((7, 9), 0.01) for name in more}
    more |= {"predicted_class": (x > 0.2) + 2.0 * (y > 0.3), "margin": 0.2 - x, "clipped_share": 0 * x}
    return replace(base, values={**base.values, **{f"train/{name}": each for name, each in more.items()}})


def lines() -> Any:
    """Return a line with two data sets."""
    base = line_surface(17)
    return replace(base, values={**base.values, "test/loss": 2 * base["train/loss"]})


LINEAR = Scale.of(valley(9, 7), "train/loss", kind="linear")
RUN, PAIR = with_steps("adam"), [valley(9, 7), replace(valley(9, 7), title="other")]
PAGE = {"headline": "Above", "caption": False, "size": (6.0, 5.0), "font": "DejaVu Serif"}
TWO = {"labels": ["one", "two"], **PAGE}
FLAT = {"name": "train/accuracy", "scale": LINEAR, "equal": False, "colorbar": False}
# What each function draws, and its parameters with a value that makes another picture.
DRAWN: dict[str, tuple[Any, dict[str, Any]]] = {
    "contour": (plane(), {**FLAT, "hillshade": True, "labels": False, "interpolate": True}),
    "contour of a run": (RUN, {"marks": (20,)}),
    "heatmap": (plane(), FLAT),
    "heatmap of a run": (RUN, {"marks": (20,)}),
    "convexity": (plane(), {"contours": False, "colorbar": False}),
    "regions": (plane(), {"margins": False, "colorbar": False}),
    "line": (lines(), {"names": ["train/loss"], "scale": LINEAR, "legend": False}),
    "surface": (plane(), {"name": "train/accuracy", "scale": LINEAR, "camera": "side", "colorbar": False,
                          "interpolate": True, "color": "convexity"}),
    "surface of a run": (RUN, {"marks": (20,)}),
    "spectrum": (curvature(), {"matrix": "normalised"}),
    "layer_bars": (curvature(), {"matrix": "normalised"}),
    "similarity": (similarity(networks=3), {"values": "stderr", "networks": ["a"], "against": "b",
                                            "colormap": "viridis", **PAGE}),
    "predictions": (populations(), PAGE),
    "robustness": ([robust()] * 2, TWO),
    "frequencies": ([filtered()] * 2, TWO),
    "walk": ([walks(), walks(3)], TWO),
    "steps": (RUN, {"title": "Another", "caption": False, "marks": (20,), "size": (7.0, 9.0), "font": "DejaVu Serif"}),
    "draw": (PAIR, {"kind": "heatmap", "name": "train/accuracy", "scale": "linear", "cap": 2.0, "eps": 0.01,
                    "colormap": "magma", "levels": [0.3, 1.0], "independent": True, "columns": 1,
                    "titles": ["a", "b"], "subtitle": False, "hillshade": True, **PAGE}),
}  # fmt: skip
# What tests of their own are about: light on a solid, what is drawn, on what, and names that only some files have.
OTHERS = {
    "surface", "surfaces", "found", "report", "ax", "figure", "shown", "options", "picture", "path", "dpi", "notes",
    "first", "second", "light",
}  # fmt: skip


# Without it a plane is drawn on a grid of thousands of points.
COARSE = {name: {"interpolate": False} for name in ("contour", "surface")}
# Of pictures that are put onto axes of the user's.
BESIDE = {"colorbar", "legend"}


def drawn(name: str, /, **options: Any) -> str:
    """Return what a picture holds."""
    what, _ = DRAWN[name]
    function: Callable[..., Any] = getattr(plot, name.partition(" ")[0])
    options = COARSE.get(function.__name__, {}) | options
    if BESIDE & set(options):
        options["ax"] = Figure((5, 4)).subplots()
    made = function(what, **options)
    figure = made if isinstance(made, Figure) else made.figure
    with our_style():
        figure.draw_without_rendering()
        return json.dumps(held_by(figure), default=str)


@pytest.fixture(scope="module")
def plain() -> dict[str, str]:
    """Return the pictures without parameters, once each is drawn."""
    return {}


@pytest.mark.parametrize(("name", "parameter"), [(name, one) for name in DRAWN for one in DRAWN[name][1]])
def test_a_parameter_changes_the_picture(name, parameter, plain):
    beside = {parameter: True} if parameter in BESIDE else {}
    if (key := f"{name} {sorted(beside)}") not in plain:
        plain[key] = drawn(name, **beside)
    assert drawn(name, **{parameter: DRAWN[name][1][parameter]}) != plain[key]


@pytest.mark.parametrize("kind", ["convexity", "regions"])
def test_steps_of_a_run_are_marked_on_maps_of_other_values(kind):
    def held(**options: Any) -> str:
        figure = plot.draw(replace(plane(), trajectories=RUN.trajectories), kind=kind, **options)
        with our_style():
            figure.draw_without_rendering()
            return json.dumps({name: each for name, each in held_by(figure).items() if "text" not in name}, default=str)

    assert held(marks=(20,)) != held()


def test_every_parameter_is_tried():
    for name in plot.__all__:
        function = getattr(plot, name)
        if inspect.isfunction(function) and name not in ("caption", "save"):
            tried = {one for each, (_, table) in DRAWN.items() if each.partition(" ")[0] == name for one in table}
            missing = set(inspect.signature(function).parameters) - tried - OTHERS
            assert missing <= ({"name", "names"} if name in ("convexity", "regions", "predictions", "steps") else set())
