"""The report of a study in a browser: it opens from disk, shows pictures and surfaces, and asks for nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

import landscape
from browser.conftest import PATIENCE, Opened
from tests.helpers import tiny_study
from tests.helpers.small_models import write_coarsely


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study <i> & more")
    path = tiny_study.write(
        folder,
        seeds=("seeds = [0, 1, 2]", "seeds = [0, 1]"),
        plane=('line"\n', 'line"\narguments = { y = "-1:1:3" }\n'),
        fails=("arguments = { width = 5 }", "arguments = { width = 5 }\nrecipe = { options = { fails = 1 } }"),
    )
    with pytest.MonkeyPatch.context() as patch:
        write_coarsely(patch)
        words = "landscape study 'tiny <i>.toml' -o out"
        result = landscape.study(path, folder / "out", executor="here", command=words)
    assert result is not None
    return result.page


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 1000, "height": 800})
    opened = Opened(context.new_page())
    opened.page.goto(report.as_uri())
    yield opened
    assert not opened.errors, opened.errors
    inside = report.parent.as_uri()
    others = [url for url in opened.requests if not url.startswith(("data:", "blob:", inside))]
    assert not others, "a report asks for nothing but what lies beside it"
    context.close()


def test_a_report_shows_verdicts_pictures_and_surfaces_that_turn(page: Opened, report: Path) -> None:
    web = page.page
    assert web.title() == "Tiny <b>study</b>"
    assert web.locator("main b, main i, main u").count() == 0
    assert web.locator(".verdicts li").count() == 2
    assert web.locator(".verdicts li").first.inner_text().startswith(("reproduced", "not re"))
    assert "no <such> luck" in web.locator("#failed + ul").inner_text()
    web.evaluate("for (const each of document.querySelectorAll('img, iframe')) each.loading = 'eager'")
    web.wait_for_function("[...document.images].every((each) => each.complete && each.naturalWidth > 100)")
    assert web.locator("img").count() >= 6
    frame = web.locator("iframe").first.element_handle().content_frame()
    frame.wait_for_function(
        "window.landscape && window.landscape.then((app) => app.panes ? true : true)", timeout=PATIENCE
    )
    assert frame.locator("canvas").count() >= 2
    for link in web.locator("a").evaluate_all("(links) => links.map((each) => each.href)"):
        assert Path(unquote(urlparse(link).path)).exists(), link


def test_a_report_fits_a_phone(page: Opened) -> None:
    page.page.set_viewport_size({"width": 390, "height": 800})
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
