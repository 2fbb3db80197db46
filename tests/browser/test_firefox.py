"""The page in another engine, where there is one: Chromium is what every change is tested in."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from landscape.plot.html import write_page
from PIL import Image

from browser.firefox import Firefox
from browser.scenes import plain, steeper

PROGRAM = os.environ.get("LANDSCAPE_FIREFOX") or shutil.which("firefox") or shutil.which("firefox-esr")


@pytest.fixture
def firefox(tmp_path: Path) -> Iterator[Firefox]:
    if not PROGRAM:
        pytest.skip("there is no Firefox; Chromium is tested in any case")
    with Firefox(PROGRAM, tmp_path / "profile", (1000, 700)) as running:
        yield running


def app(firefox: Firefox, expression: str) -> Any:
    return firefox.evaluate(f"window.landscape.then((app) => ({expression}))")


def settled(firefox: Firefox) -> Any:
    """Wait until nothing is left to draw, and return a picture of the page."""
    firefox.evaluate(
        """window.landscape.then((app) => new Promise((done) => {
             let calm = 0;
             const wait = () => {
               calm = app.frameAsked || app.moving ? 0 : calm + 1;
               if (calm > 3) requestAnimationFrame(() => requestAnimationFrame(() => done(true)));
               else setTimeout(wait, 60);
             };
             wait();
           }))"""
    )
    with Image.open(io.BytesIO(firefox.screenshot())) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.int16)


def test_firefox_draws_turns_and_reads_the_same_values(firefox: Firefox, tmp_path: Path) -> None:
    path = write_page([plain(), steeper()], tmp_path / "page.html", smooth=False)
    firefox.go(path.as_uri())
    before = settled(firefox)
    values = app(firefox, "app.views.map((view) => view.figure.height.values[7 * 31 + 5])")
    assert values == [float(each["train/loss"][7, 5]) for each in (plain(), steeper())]
    assert app(firefox, "app.stage ? app.stage.driver : ''") or not firefox.has_display, "no WebGL"
    if not firefox.has_display:
        assert app(firefox, "app.views[0].map.clientHeight") > 100
        return
    assert app(firefox, "app.stage.triangles") > 1000
    scene = [(160, 260), (660, 760)]  # left and right pane, between the axes
    assert all(before[200:350, left:right].std() > 15 for left, right in scene)

    box = app(
        firefox, "(({ x, y, width, height }) => [x, y, width, height])(app.views[0].sceneTop.getBoundingClientRect())"
    )
    middle = (box[0] + box[2] / 2, box[1] + box[3] / 2)
    firefox.drag(middle, (80, 30))
    after = settled(firefox)
    assert app(firefox, "app.state.eyes[0].azimuth") == pytest.approx(-52 - 0.3 * 80)
    assert all(np.abs(after[:, left:right] - before[:, left:right]).mean() > 1 for left, right in scene)

    assert not firefox.said
