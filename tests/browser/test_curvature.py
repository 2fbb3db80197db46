"""The panel of curvature in a real browser: seen at two sizes, switching colours, with text as text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.browser.scenes import plain
from tests.helpers.curvatures import curvature

Open = Callable[..., Any]
DIGEST = "ab" * 32


def scene() -> Any:
    surface = plain()
    values = {
        "train/eigenvalue_max": np.full(surface.shape, 2.0),
        "train/eigenvalue_min": np.full(surface.shape, -0.4),
        "train/eigenvalue_max_residual": np.full(surface.shape, 0.01),
        "train/eigenvalue_min_residual": np.full(surface.shape, 0.01),
    }
    origin = {**surface.origin, "sha256": DIGEST}
    return dataclasses.replace(surface, values={**surface.values, **values}, origin=origin)


def reports(**changes: Any) -> list[Any]:
    return [dataclasses.replace(curvature(), origin={"sha256": DIGEST}, **changes)]


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_the_panel_shows_spectra_and_numbers_within_the_window(open_page: Open, size: tuple[int, int]) -> None:
    # Fresh: a canvas that is read a second time is drawn another way, and the browser says so.
    page = open_page(scene(), "drawer=curvature", curvature=reports(), size=size, fresh=True)
    drawer = page.page.locator("#drawer")
    words = drawer.inner_text()
    for said in (
        "Curvature in all directions",
        "Saddle: of a kind.",
        "not converged",
        "layer2.weight",
        "Random slices",
    ):
        assert said in words
    drawn = page.page.eval_on_selector_all(
        "#drawer canvas",
        """(all) => all.map((each) => {
             const { data } = each.getContext("2d").getImageData(0, 0, each.width, each.height);
             const seen = new Set();
             for (let k = 0; k < data.length; k += 4) if (data[k + 3] > 30) seen.add(data.slice(k, k + 3).join());
             return [each.clientWidth, seen.size, [...seen].some((each) => each === "213,94,0")];
           })""",
    )
    assert len(drawn) == 2
    assert all(width > 250 and colours > 5 and ticks for width, colours, ticks in drawn)
    wide, window = page.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= window
    box = drawer.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size[0] + 1


def test_the_map_is_a_colour_that_is_switched_on_and_off(open_page: Open) -> None:
    page = open_page(scene(), "drawer=curvature", curvature=reports(), size=(1440, 900))
    button = page.page.locator('[data-colour="train/convexity"]')
    button.click()
    page.settle()
    scale = "app.scales[0].colour"
    assert page.app("app.state.colour") == "train/convexity"
    assert [page.app(f"{scale}.low"), page.app(f"{scale}.high")] == [0, 0.5], "one range for all maps"
    assert page.app(f"{scale}.normalized(0.2)") == pytest.approx(0.4)
    button.click()
    page.settle()
    assert page.app("app.state.colour") == ""


@pytest.mark.parametrize("extent", [1.0, 0.25])
def test_ratios_that_residuals_leave_open_are_hatched_and_counted(open_page: Open, extent: float) -> None:
    surface = scene()
    axes = tuple(dataclasses.replace(axis, values=extent * axis.values) for axis in surface.axes)
    surface = dataclasses.replace(surface, axes=axes)
    residuals = np.full(surface.shape, 0.01)
    residuals[:, : surface.shape[1] // 2] = 0.3  # of -0.4 and 2.0: the ratio may be 0.05 to 0.35
    values = {**surface.values, "train/eigenvalue_min_residual": residuals}
    page = open_page(
        dataclasses.replace(surface, values=values), "colour=train/convexity", size=(1440, 900), fresh=True
    )
    page.settle()
    number, points = int((residuals > 0.1).sum()), residuals.size
    assert page.app("app.views[0].figure.counts.open") == number
    assert f"{number} of {points} ratios left open by residuals" in page.page.locator("body").inner_text()
    left, right = page.app(
        """(() => {
             const { map } = app.views[0], place = app.views[0].mapPlace(), ratio = map.width / map.clientWidth;
             const { data } = map.getContext("2d").getImageData(0, 0, map.width, map.height);
             const share = (from, to) => {
               let white = 0, all = 0;
               for (let y = place.top + 9; y < place.top + place.height - 9; y += 1 / ratio) {
                 const end = place.left + to * place.width;
                 for (let x = place.left + from * place.width; x < end; x += 1 / ratio, all++) {
                   const k = 4 * (Math.round(y * ratio) * map.width + Math.round(x * ratio));
                   white += Math.min(data[k], data[k + 1], data[k + 2]) > 225;
                 }
               }
               return white / all;
             };
             return [share(0.05, 0.4), share(0.6, 0.95)];
           })()"""
    )
    assert left > 0.08
    assert right < 0.02

    def white() -> int:
        pixels = page.settle().canvas("app.views[0].scene")
        return int(((pixels[..., :3].min(axis=-1) > 240) & (pixels[..., 3] > 250)).sum())

    hatched = white()
    page.app("app.store.set({colour: ''})")
    assert hatched > 2000 + white(), "strokes on the surface, which go with the colour they are about"


def test_without_a_report_and_a_map_there_is_no_button(open_page: Open) -> None:
    page = open_page(plain(), size=(1440, 900))
    assert page.page.get_by_role("button", name="Curvature").count() == 0


def test_what_a_report_says_is_only_text(open_page: Open) -> None:
    said = '<img src=x onerror="window.pwned = 1"></script><script>window.pwned = 1</script>'
    page = open_page(scene(), "drawer=curvature", curvature=reports(verdict=said, data=said), fresh=True)
    assert page.page.evaluate("window.pwned") is None
    assert page.page.locator("img[src=x]").count() == 0
    assert "<img src=x" in page.page.locator("#drawer .verdict").inner_text()
