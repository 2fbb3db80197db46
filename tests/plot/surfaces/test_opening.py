"""The first view of a surface with a run: against a search of its own, and in figures, films and panels."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from landscape.plot.figures import draw
from landscape.plot.films.films import plan_film
from landscape.plot.planes.marks import Sheet
from landscape.plot.scale.scale import Scale
from landscape.plot.surfaces import opening
from landscape.plot.surfaces.camera import Camera
from landscape.plot.surfaces.opening import RISE_COST, TURN_COST, draped, opening_camera
from landscape.plot.surfaces.scenes import make_scene, shared_box

from landscape.surface.surface import Surface, Trajectory
from tests.helpers.panels3d import panel_of
from tests.helpers.plot_fixtures import random_axis, surface_of


def ridge(azimuth: float, points: list[tuple[float, float]]) -> Surface:
    """Return a wall through the middle, at right angles to an azimuth, with a run."""
    x = np.linspace(-1, 1, 31)
    xx, yy = np.meshgrid(x, x)
    across = np.cos(np.deg2rad(azimuth)) * xx + np.sin(np.deg2rad(azimuth)) * yy
    given = surface_of({"train/loss": 0.2 + 9 * np.exp(-40 * across**2)}, random_axis(x, 0), random_axis(x, 1))
    n = len(points)
    run = Trajectory(np.array(points), np.zeros(n), np.full(n, np.nan), np.arange(n, dtype=np.int64))
    return dataclasses.replace(given, trajectories={"run": run})


# Behind the wall as the paper's view has it, and seen past its end from elsewhere.
BEHIND = ridge(-52, [(-0.6, 0.2), (-0.1, 0.6), (0.3, 0.75)])


def length_seen(surface: Surface, camera: Camera) -> float:
    """Return the share of a run's drawn length that a still's own depth buffer leaves visible."""
    panel = panel_of(surface, camera=camera, interpolate=False)
    (run,) = surface.trajectories.values()
    line = panel.drape(*run.coordinates.T)
    place = panel.place(*line)
    middle = (place[1:] + place[:-1]) / 2
    seen = panel.raster.visible(middle + np.array([0, 0, 0.01]))
    lengths = np.linalg.norm(np.diff(place, axis=0), axis=1)
    return float(lengths[seen].sum() / lengths.sum())


def test_the_opening_camera_sees_about_as_much_of_a_run_as_any_in_its_range() -> None:
    sheet = Sheet.of(BEHIND, None, None)
    chosen = opening_camera([make_scene(sheet, shared_box([sheet]), interpolate=False)])
    assert chosen != Camera()

    def score(camera: Camera) -> float:
        cost = TURN_COST * abs(camera.azimuth + 52) + RISE_COST * (camera.elevation - 34)
        return length_seen(BEHIND, camera) - cost

    best = max(score(Camera(azimuth, rise)) for azimuth in (-127, -52, 23) for rise in (34, 50))
    assert score(chosen) > best - 0.06
    assert score(chosen) > score(Camera()) + 0.2


@pytest.mark.parametrize(
    ("by_turn", "by_rise", "azimuth", "elevation"),
    [(0.9, 0.9, -52, 34), (1.1, 0.9, 23, 34), (0.9, 1.1, -52, 50), (1.1, 1.1, 23, 50)],
)
def test_a_view_is_turned_or_raised_only_for_what_is_worth_it(
    monkeypatch, by_turn, by_rise, azimuth, elevation
) -> None:
    sheet = Sheet.of(BEHIND, None, None)

    def seen(runs, camera: Camera) -> float:
        more = by_turn * TURN_COST * abs(camera.azimuth + 52) + by_rise * RISE_COST * (camera.elevation - 34)
        return 0.5 + more

    monkeypatch.setattr(opening, "share_seen", seen)
    chosen = opening_camera([make_scene(sheet, shared_box([sheet]), interpolate=False)])
    assert (chosen.azimuth, chosen.elevation) == (azimuth, elevation)


def test_without_a_run_or_with_one_in_sight_the_view_is_the_papers() -> None:
    bare = dataclasses.replace(BEHIND, trajectories={})
    for given in (bare, ridge(128, [(0.6, -0.2), (0.3, -0.6)])):
        assert panel_of(given, interpolate=False).frame.view.directions == pytest.approx(Camera().directions)


def test_what_a_cap_cuts_away_has_nothing_of_a_run_to_be_seen() -> None:
    over = ridge(0, [(-0.9, 0.1), (0.9, 0.3)])
    sheet = Sheet.of(over, None, Scale.of(over, "train/loss", cap=2.0))
    scene = make_scene(sheet, shared_box([sheet]), interpolate=False)
    segments = draped(scene, over.trajectories["run"].coordinates)
    assert segments[..., 2].max() <= scene.lid
    lengths = np.linalg.norm(np.diff(segments[..., :2], axis=1), axis=-1)
    # The wall is above the cap at 40 x^2 < log(9 / 1.8), for 0.4 of 1.8, up to a cell on each side.
    assert lengths.sum() / np.hypot(1.8, 0.2) == pytest.approx(1 - 0.4 / 1.8, abs=0.08)


def test_panels_and_frames_share_one_opening_camera_and_a_given_one_goes_before() -> None:
    bare = dataclasses.replace(BEHIND, trajectories={})
    figure = draw([bare, BEHIND], kind="surface", interpolate=False, caption=False)
    cameras = [ax.get_axes_locator().camera for ax in figure.axes if ax.get_label().startswith("surface")]
    assert cameras[0] == cameras[1] != Camera()
    plan = {"name": None, "scale": None, "seconds": 1, "rate": 4, "size": (640, 360), "interpolate": False}
    film = plan_film([bare, BEHIND], Path("a.gif"), kind="orbit", camera=None, **plan)
    assert film.moment(0).azimuth == cameras[0].azimuth
    film = plan_film(BEHIND, Path("a.gif"), kind="orbit", camera="20,30", **plan)
    assert (film.moment(0).azimuth, film.moment(0).elevation) == (20, 30)
