"""Pages in the system's Chromium: real WebGL drawn in software, no network, nothing downloaded.

A missing browser is an error, not a reason to skip: a suite that opened nothing would be green. Who has none says so
with ``LANDSCAPE_NO_BROWSER=1``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from landscape.plot.page.html import page_text

FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    # What is around a surface is drawn without WebGL's slow detour: a page is there in two thirds of the time.
    "--disable-gpu-compositing",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Several times what a page takes here, since other tests run beside it.
PATIENCE = 60_000
# A browser draws in sixteen pages at most, and pages take memory.
MOST_OPEN = 8
# What shows where nothing runs: to draw the real one takes longer than most tests.
POSTER = b"\x89PNG"
RESET = """(hash) => window.landscape.then((app) => {
  app.player.stop();
  for (const view of app.allViews) delete view.marks;
  for (const menu of document.querySelectorAll("details[open]")) menu.open = false;
  document.activeElement?.blur();
  scrollTo(0, 0);
  [app.cursor, app.live.textContent] = [null, ""];
  app.store.read(hash);
  app.redraw("figures");
})"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        item.add_marker(pytest.mark.slow)
        if os.environ.get("LANDSCAPE_NO_BROWSER"):
            item.add_marker(pytest.mark.skip(reason="LANDSCAPE_NO_BROWSER is set"))


def browser_path() -> str:
    """Return where the system's browser is."""
    found = os.environ.get("LANDSCAPE_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.fail(
            "no Chromium: 'sh tests/browser/install.sh' installs it on Debian and Ubuntu, LANDSCAPE_BROWSER=PATH names "
            "one, LANDSCAPE_NO_BROWSER=1 does without these tests"
        )
    return found


def is_fault(said: Any) -> bool:
    """Whether what the console shows is one: not that pixels are read back, which is how these browsers draw."""
    return said.type in ("error", "warning") and "GPU stall due to ReadPixels" not in said.text


class Opened:
    """A page that is open, and what happened in it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.address = "about:"
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if is_fault(said) else None)
        page.on("request", lambda request: self.requests.append(request.url))

    def go(self, path: Path, hash: str = "", query: str = "") -> Opened:
        self.address = path.resolve().as_uri()
        self.page.goto(self.address + query + (f"#{hash}" if hash else ""))
        return self.settle()

    def reset(self, hash: str, size: tuple[int, int]) -> Opened:
        """Bring a page that another test has used back to where it began, and then to what an address says."""
        self.page.bring_to_front()
        self.page.mouse.move(1, 1)
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.evaluate(RESET, hash)
        self.errors.clear()
        self.requests.clear()
        return self.settle()

    def settle(self) -> Opened:
        """Wait until nothing is left to draw and what was drawn last has reached the screen."""
        self.page.evaluate(
            """window.landscape.then((app) => new Promise((done) => {
                 let calm = 0;
                 const wait = () => {
                   calm = app.frameAsked || app.moving ? 0 : calm + 1;
                   if (calm > 4) done(true);
                   else requestAnimationFrame(wait);
                 };
                 wait();
               }))"""
        )
        return self

    def away(self) -> Opened:
        """Take the pointer off every surface and map."""
        self.page.mouse.move(1, 1)
        self.page.wait_for_function("window.landscape.then((app) => app.cursor === null)")
        return self.settle()

    def app(self, expression: str, argument: Any = None) -> Any:
        """Evaluate an expression in which ``app`` is the running page and ``given`` the argument."""
        return self.page.evaluate(f"(given) => window.landscape.then((app) => ({expression}))", argument)

    def canvas(self, expression: str) -> Any:
        """Return the pixels of a canvas as an array of RGBA, straight alpha."""
        import base64
        import io

        import numpy as np
        from PIL import Image

        png = base64.b64decode(self.app(f"{expression}.toDataURL()").partition(",")[2])
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"), dtype=np.float64)

    def picture(self, selector: str = "body", number: int = 0) -> Any:
        """Return a screenshot of an element as an array of RGB."""
        import io

        import numpy as np
        from PIL import Image

        png = self.page.locator(selector).nth(number).screenshot()
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=np.int16)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Any) -> Iterator[Any]:
    browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS, timeout=PATIENCE)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def tabs(browser: Any) -> Iterator[Any]:
    """Where pages are opened: in one context they share a process, which starts and reads the script once."""
    context = browser.new_context(accept_downloads=True)
    yield context
    context.close()


@pytest.fixture(scope="session")
def used_pages() -> dict[Any, Opened]:
    """Pages that are open, by what they show: most tests need no new one, and loading one takes a second."""
    return {}


@pytest.fixture
def open_page(tabs: Any, tmp_path: Path, used_pages: dict[Any, Opened]) -> Iterator[Callable[..., Opened]]:
    """Write a page of surfaces and open it; at the end no error was seen, and nothing was asked for but the file."""
    once: list[Opened] = []
    opened: list[Opened] = []

    def opener(
        surfaces: Any,
        hash: str = "",
        query: str = "",
        *,
        size: tuple[int, int] = (900, 640),
        # Smoothed, a grid of the tests has a hundred times the triangles: without a graphics card that takes a while.
        smooth: bool = False,
        dark: bool = False,
        reduced_motion: str = "reduce",
        fresh: bool = False,  # for tests of how a page starts, of two at once, or that leave one as it was not
        **options: Any,
    ) -> Opened:
        text = page_text(surfaces, smooth=smooth, poster=POSTER, **options)
        key = (text, query, dark, reduced_motion)
        if not fresh and key in used_pages:
            page = used_pages[key] = used_pages.pop(key)
            opened.append(page)
            return page.reset(hash, size)
        path = tmp_path / f"{len(opened)}.html"
        path.write_text(text)
        page = Opened(tabs.new_page())
        page.page.set_viewport_size({"width": size[0], "height": size[1]})
        page.page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion=reduced_motion)
        opened.append(page)
        if fresh:
            once.append(page)
        else:
            used_pages[key] = page
            if len(used_pages) > MOST_OPEN:
                used_pages.pop(next(iter(used_pages))).page.close()
        return page.go(path, hash, query)

    yield opener
    for page in opened:
        assert not page.errors, page.errors
        others = [url for url in page.requests if not url.startswith(("data:", "blob:", page.address))]
        assert not others, "a page asks for nothing but itself"
    for page in once:
        page.page.close()
