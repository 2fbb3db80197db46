"""Pictures, pages and captions of surfaces that a seed mixed hold and say what they did (`tests.helpers.kept`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from landscape.plot.figures import draw
from landscape.plot.page.html import page_text, read_page
from landscape.plot.style.captions import caption
from landscape.plot.style.fields import metadata, recall
from landscape.plot.style.style import our_style
from matplotlib.figure import Figure

from landscape.errors import LandscapeError
from tests.helpers.drawn import held_by, sums
from tests.helpers.kept import assert_kept, steady
from tests.helpers.mixed_reports import DRAWN, curvature, similarity
from tests.helpers.mixed_surfaces import mixed, mixed_options


def drawn(seed: int) -> Figure:
    """Return a picture of the surfaces of a seed."""
    surfaces = mixed(seed)
    return draw(surfaces, **mixed_options(seed, surfaces))


def held(make: Callable[[], Figure]) -> dict[str, Any]:
    """Return what a picture holds, or why there is none."""
    try:
        figure = make()
    except LandscapeError as error:
        return {"refused": str(error)}
    with our_style():
        figure.draw_without_rendering()
        return {**held_by(figure), "fields": steady({**recall(figure), "Description": ""})}


@pytest.mark.parametrize("start", range(0, 40, 4))
def test_mixed_pictures_hold_what_they_held(start, pytestconfig):
    all_held = {seed: held(lambda seed=seed: drawn(seed)) for seed in range(start, start + 4)}
    found = {f"{seed}: {name}": each for seed, figure in all_held.items() for name, each in figure.items()}
    assert_kept(f"mixed/drawn-{start}", found, write=pytestconfig.getoption("keep"))


@pytest.mark.parametrize("kind", DRAWN)
def test_pictures_of_mixed_reports_hold_what_they_held(kind, pytestconfig):
    all_held = {seed: held(lambda seed=seed: DRAWN[kind](Random(seed))) for seed in range(6)}
    found = {f"{seed}: {name}": each for seed, figure in all_held.items() for name, each in figure.items()}
    assert_kept(f"mixed/{kind.replace(' ', '-')}", found, write=pytestconfig.getoption("keep"))


def page(seed: int) -> str:
    """Return a page of the surfaces of a seed, some with curvature or similarity beside them."""
    surfaces, chance = mixed(seed), Random(seed)
    number = chance.choice([0, 0, 1, 2]) if surfaces[0].origin else 0
    reports = [dataclasses.replace(curvature(chance), origin=surfaces[0].origin) for _ in range(number)]
    others = [similarity(chance)] if chance.random() < 0.2 else []
    return page_text(surfaces, curvature=reports, similarities=others, epochs=chance.random() < 0.2, poster=b"\x89PNG")


@pytest.mark.parametrize("start", [100, 115, 130])
def test_mixed_pages_are_told_what_they_were_told(start, tmp_path, pytestconfig):
    found = {}
    for seed in range(start, start + 15):
        try:
            (tmp_path / "page.html").write_text(page(seed))
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
