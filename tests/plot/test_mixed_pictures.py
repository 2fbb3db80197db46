"""Pictures, pages and captions of surfaces that a seed mixed hold and say what they did (`tests.helpers.kept`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from landscape.plot.figures import draw
from landscape.plot.page.html import page_text, read_page
from landscape.plot.style.captions import caption
from landscape.plot.style.fields import metadata
from landscape.plot.style.style import our_style

from landscape.errors import LandscapeError
from tests.helpers.drawn import held_by, sums
from tests.helpers.kept import assert_kept, steady
from tests.helpers.mixed_surfaces import mixed, mixed_options


def drawn(seed: int) -> dict[str, Any]:
    """Return what a picture holds, or why there is none."""
    surfaces = mixed(seed)
    try:
        figure = draw(surfaces, **mixed_options(seed, surfaces))
    except LandscapeError as error:
        return {"refused": str(error)}
    with our_style():
        figure.draw_without_rendering()
        return held_by(figure)


@pytest.mark.parametrize("start", range(0, 40, 4))
def test_mixed_pictures_hold_what_they_held(start, pytestconfig):
    found = {f"{seed}: {name}": each for seed in range(start, start + 4) for name, each in drawn(seed).items()}
    assert_kept(f"mixed/drawn-{start}", found, write=pytestconfig.getoption("keep"))


@pytest.mark.parametrize("start", [100, 110, 120])
def test_mixed_pages_are_told_what_they_were_told(start, tmp_path, pytestconfig):
    found = {}
    for seed in range(start, start + 10):
        try:
            (tmp_path / "page.html").write_text(page_text(mixed(seed), poster=b"\x89PNG"))
        except LandscapeError as error:
            found[f"{seed}"] = str(error)
            continue
        told, arrays = read_page(tmp_path / "page.html")
        found |= {f"{seed}: {key}": each for key, each in told.items() if key not in ("software", "colormaps")}
        found[f"{seed}: arrays"] = [[np.shape(each), sums(each)] for each in arrays]
    assert_kept(f"mixed/pages-{start}", found, write=pytestconfig.getoption("keep"))


def test_mixed_captions_and_fields_say_what_they_said(pytestconfig):
    found = {}
    for seed in range(200, 320):
        surfaces = mixed(seed)
        name = "train/accuracy" if seed % 3 == 0 else "train/loss"
        found[seed] = steady([caption(surfaces, None, name), metadata(surfaces, None, name)])
    assert_kept("mixed/captions", found, write=pytestconfig.getoption("keep"))
