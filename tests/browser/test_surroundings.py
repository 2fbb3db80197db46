"""A page where things are otherwise: no WebGL, a slow machine, dark or embedded, hostile words."""

from __future__ import annotations

from typing import Any

from landscape.plot.page.html import write_page

from browser.conftest import FLAGS, PATIENCE, Opened, browser_path
from browser.looks import Open, differ
from browser.scenes import bowl_of, plain, steeper


def test_less_motion_means_no_flight(open_page: Open) -> None:
    page = open_page(plain(), reduced_motion="reduce")
    page.page.click('[data-preset="top"]')
    assert page.app("app.state.eyes[0].elevation") == 90
    moving = open_page(plain(), reduced_motion="no-preference")
    moving.page.click('[data-preset="top"]')
    assert moving.app("app.state.eyes[0].elevation") < 90
    moving.settle()
    assert moving.app("app.state.eyes[0].elevation") == 90


def test_it_is_dark_where_the_browser_is_dark(open_page: Open) -> None:
    light, dark = (open_page(plain(), dark=dark).picture() for dark in (False, True))
    assert light[-5, -5].min() > 240
    assert dark[-5, -5].max() < 60


def test_without_webgl_there_are_poster_and_a_live_map(playwright: Any, tmp_path: Any) -> None:
    flags = [flag for flag in FLAGS if "gl" not in flag and "swiftshader" not in flag]
    browser = playwright.chromium.launch(
        executable_path=browser_path(), args=[*flags, "--disable-3d-apis"], timeout=PATIENCE
    )
    try:
        page = Opened(browser.new_page(viewport={"width": 1000, "height": 700}))
        page.go(write_page([plain(), steeper()], tmp_path / "page.html"))
        assert page.app("app.stage") is None
        assert page.page.locator("#poster img").is_visible()
        assert page.page.locator(".notice").first.is_visible()
        before = page.picture(".map")
        assert before.std() > 20
        box = page.page.locator(".map .top").first.bounding_box()
        page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.settle()
        assert page.app("app.cursor") is not None
        assert differ(before, page.picture(".map")) > 0.1
        assert not page.errors
    finally:
        browser.close()


def test_a_lost_context_comes_back(open_page: Open) -> None:
    page = open_page(plain(), fresh=True)
    before = page.picture(".scene")
    page.app("window.loser = app.stage.renderer.getContext().getExtension('WEBGL_lose_context'), loser.loseContext()")
    page.page.wait_for_function("window.landscape.then((app) => app.stage.lost)")
    page.app("app.store.set({ eyes: [{ ...app.state.eyes[0], azimuth: 20 }] })")
    page.settle()
    page.app("loser.restoreContext()")
    page.page.wait_for_function("window.landscape.then((app) => !app.stage.lost)")
    page.app("app.store.set({ eyes: [{ ...app.state.eyes[0], azimuth: -52 }] })")
    page.settle()
    assert differ(before, page.picture(".scene")) < 0.01


HOSTILE = [
    "</script><script>window.pwned = 1</script>",
    '"><img src=x onerror="window.pwned = 1">',
    "<!--<script>",
    "{{arrays}}{{script}}",
    "\u202egnp.exe\x00\x1b[2J",
]


def test_hostile_titles_are_only_text(open_page: Open) -> None:
    import dataclasses

    surfaces = [
        dataclasses.replace(
            plain(), title=text, axes=tuple(dataclasses.replace(axis, label=text) for axis in plain().axes),
            command=text, software=text, origin={"checkpoint": text, "values": {}},
        )
        for text in HOSTILE
    ]  # fmt: skip
    page = open_page(surfaces, "drawer=trust", name="".join(HOSTILE), fresh=True)
    assert page.page.evaluate("window.pwned") is None
    for shown, text in zip(page.page.locator(".pane h2").all_inner_texts(), HOSTILE, strict=True):
        assert shown.split() == "".join(letter if letter.isprintable() else " " for letter in text).split()
    assert page.page.locator("img[src=x]").count() == 0


def test_the_policy_stops_scripts_and_the_network(open_page: Open) -> None:
    page = open_page(plain(), fresh=True)
    stopped = page.page.evaluate(
        """new Promise((done) => {
             const stopped = [];
             addEventListener("securitypolicyviolation", (event) => {
               stopped.push(event.effectiveDirective);
               if (stopped.length === 3) done(stopped.sort());
             });
             const script = document.createElement("script");
             script.textContent = "window.pwned = 1";
             document.body.append(script);
             fetch("https://example.invalid/").catch(() => 0);
             const image = document.createElement("img");
             image.src = "https://example.invalid/x.png";
             document.body.append(image);
           })"""
    )
    assert stopped == ["connect-src", "img-src", "script-src-elem"]
    assert page.page.evaluate("window.pwned") is None
    # The browser wrote down what it stopped.
    page.errors.clear()
    page.requests.clear()


def test_embedded_it_shows_the_panes_alone(open_page: Open) -> None:
    page = open_page(plain(), query="?embed")
    assert page.page.locator(".toolbar").count() == 0
    assert page.picture(".scene").std() > 20


def test_grids_of_every_size_are_drawn(open_page: Open) -> None:
    page = open_page([bowl_of(number) for number in (2, 3, 51, 251)], smooth=True)
    assert all(page.picture(".scene", number).std() > 15 for number in range(4))
    assert page.app("app.views.map((view) => view.figure.field.nx)") == [201, 201, 201, 251]


def test_a_slow_machine_gets_fewer_triangles_only_while_it_moves(open_page: Open) -> None:
    page = open_page(bowl_of(251))
    assert page.app("app.slow"), "drawn in software"
    whole = page.app("app.views[0].model.surface.geometry.index.count / 3")
    page.app("(app.setMoving(true), app.turn(0, { azimuth: 10 }))")
    page.page.wait_for_timeout(300)
    coarse = page.app("app.views[0].model.surface.geometry.index.count / 3")
    page.app("app.setMoving(false)")
    page.settle()
    assert whole == 2 * 250 * 250
    assert coarse <= 18_000
    assert page.app("app.views[0].model.surface.geometry.index.count / 3") == whole
