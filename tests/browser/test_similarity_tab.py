"""The tab of similarity: what is read at the cross-hair is what was measured, in every map at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from browser.conftest import Opened
from browser.scenes import plain
from tests.helpers.similarities import LAYERS, similarity

Open = Callable[..., Opened]


def point(page: Opened, number: int, row: int, column: int) -> None:
    """Move the mouse to a row and a column of a map."""
    box = page.page.locator(".maps canvas").nth(number).bounding_box()
    panel = "app.panels ? app.panels[0] : app"
    inner = page.app(f"({panel}).maps[{number}].box")
    x = box["x"] + inner["left"] + (column + 0.5) / len(LAYERS) * inner["width"]
    y = box["y"] + inner["top"] + inner["height"] * (1 - (row + 0.5) / len(LAYERS))
    page.page.mouse.move(x, y)
    page.settle()


def table(page: Opened) -> dict[str, str]:
    rows = page.page.locator(".told tr").all()
    return {row.locator("th").inner_text(): " ".join(row.locator("td").all_inner_texts()).strip() for row in rows}


def test_the_cross_hair_reads_the_same_layers_in_all_maps_with_their_errors(open_page: Open) -> None:
    found = similarity()
    page = open_page(plain(), similarities=[found], fresh=True)
    page.page.click('[role="tab"]:has-text("Similarity")')
    page.page.wait_for_selector(".maps canvas")
    page.page.wait_for_function("window.landscape.then((app) => app.panels[0].maps[2].box.width > 1)")
    point(page, 0, 2, 7)
    said = table(page)
    assert said["a × b"] == f"{found.between(0, 1)[2, 7]:.3f} ± 0.01"
    assert said["a"] == f"{found.between(0, 0)[2, 7]:.3f} ± 0.01"
    assert said["b"] == f"{found.between(1, 1)[2, 7]:.3f} ± 0.01"
    assert said[f"PC 1 of {LAYERS[7]}, b"] == f"{100 * found.pc_share[len(LAYERS) + 7]:.0f} %"
    assert LAYERS[2] in page.page.locator(".told .place").inner_text()
    page.page.locator(".maps canvas").nth(1).press("ArrowUp")
    page.settle()
    assert table(page)["a × b"].startswith(f"{found.between(0, 1)[3, 7]:.3f}")
    page.page.select_option('select[aria-label="Show"]', label="|cosine| of first components")
    page.settle()
    assert table(page)["a × b"] == f"{found.pc_cosine[3, len(LAYERS) + 7]:.3f}"
    page.page.click('[role="tab"]:has-text("Landscape")')
    page.settle()
    assert page.page.locator(".panel").is_hidden()
    assert page.page.locator(".scene").first.is_visible()


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_similarity_alone_is_a_page_and_what_a_file_says_stays_text(open_page: Open, size: tuple[int, int]) -> None:
    found = similarity(networks=1)
    bad = '<img src=x onerror="alert(1)">'
    network = dataclasses.replace(found.networks[0], name=bad, layers=(bad, *LAYERS[1:]))
    page = open_page([], similarities=[dataclasses.replace(found, networks=(network,))], size=size, fresh=True)
    page.page.wait_for_function("window.landscape.then((panel) => panel.maps[0].box.width > 1)")
    assert page.page.locator(".maps figcaption").inner_text() == bad
    assert page.page.locator(".maps canvas").count() == 1
    point(page, 0, 0, 3)
    assert bad in page.page.locator(".told .place").inner_text()
    assert page.page.evaluate("document.documentElement.scrollWidth") <= size[0]
