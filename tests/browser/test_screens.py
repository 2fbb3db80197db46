"""The page on a large screen, a small one and a phone: what lines up, what is reached, what is said."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from browser.looks import SIZES, Open
from browser.scenes import plain, steeper, with_networks, with_path
from landscape.surface.surface import Surface

LONG = "a network without shortcuts whose title is so long that it wraps where the other one's does not"
# The pixel of the page at which a point of a pane's scene lands.
PIXEL = """(() => { const view = app.views[given[0]], box = view.sceneTop.getBoundingClientRect();
  const [x, y] = view.view.project(given[1]); return [x + box.left + scrollX, y + box.top + scrollY]; })()"""


def ridge() -> Surface:
    """A wall along y, and a run that crosses it: from every side one half of the run is behind."""
    surface = plain()
    x = surface.axes[0].values[None, :]
    loss = 0.2 + 20 * np.exp(-30 * (x - 0.1) ** 2) + 0 * surface["train/loss"]
    run = with_path(11).trajectories["SGD"]
    points = np.stack([np.linspace(-0.9, 1.1, 11), np.full(11, 0.05)], axis=1)
    run = dataclasses.replace(run, coordinates=points, attributes={**run.attributes, "lr_drops": []})
    # Unevenly recorded, as runs are.
    steps = np.array([0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])
    runs = {"SGD": dataclasses.replace(run, step=steps)}
    return dataclasses.replace(surface, values={"train/loss": loss}, stderr={}, trajectories=runs, title="ridge")


def components() -> Surface:
    """The plane of a run's principal components."""
    surface = with_path()
    axes = [dataclasses.replace(axis, source="pca", label=f"PC {k + 1}") for k, axis in enumerate(surface.axes)]
    return dataclasses.replace(surface, axes=tuple(axes))


def equal_scenes(picture: Any, columns: int, width: int, height: int) -> int:
    """How many rows in one run are alike in both scenes of a picture: beside each other, or one below the other."""
    if columns == 2:
        alike = same_rows(picture[:, :width], picture[:, width : 2 * width])
        ink = picture[:, :width].std(axis=(1, 2)) > 0
        return longest(alike, ink, height)
    # How far apart they stand: where most rows have one brightness.
    light = picture[:, :width].mean(axis=(1, 2))
    shift = max(range(height, height + 160), key=lambda k: (np.abs(light[:-k] - light[k:]) < 0.5).sum())
    first, second = picture[:-shift, :width], picture[shift:, :width]
    return longest(same_rows(first, second), first.std(axis=(1, 2)) > 0, height)


def same_rows(first: Any, second: Any) -> Any:
    """Whether each row is alike, but for how an edge is softened at another place of the canvas."""
    return (np.abs(first - second) <= 24).all(axis=(1, 2))


def longest(alike: Any, ink: Any, height: int) -> int:
    """The longest run of rows that are alike and of which at least a third have something on them."""
    best, start = 0, 0
    for k in range(len(alike) + 1):
        if k == len(alike) or not alike[k]:
            if ink[start:k].sum() > height / 3:
                best = max(best, k - start)
            start = k + 1
    return best


def test_equal_surfaces_are_drawn_equally_at_every_width_on_the_page_and_in_its_picture(open_page: Open) -> None:
    page = open_page([dataclasses.replace(plain(), title=LONG), dataclasses.replace(plain(), title="short")])
    for width in [360, *range(420, 1920, 83), 1920]:
        page.page.set_viewport_size({"width": width, "height": 760})
        page.settle()
        axes = page.app(
            """app.views.map(({ view, scene }) => [0, 1.1].flatMap((z) => {
                 const [x, y] = view.project([-1, -0.5, z]);
                 return [x, y + (app.columns > 1 ? scene.getBoundingClientRect().top : 0)];
               }))"""
        )
        assert axes[0] == pytest.approx(axes[1], abs=0.01), width
        columns, room = page.app("[app.columns, app.room]")
        assert columns == (1 if width <= 760 else 2)
        picture = page.canvas("app.picture()")
        tall, wide = picture.shape[:2]
        assert wide == columns * room["width"] + 96, width
        assert tall < (2 // columns) * (room["height"] + 130) + 150, f"{width}: no room is left empty"
        assert equal_scenes(picture, columns, room["width"], room["height"]) >= room["height"], width
        inner = page.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert inner[0] <= inner[1], f"{width}: nothing is wider than the window"


@SIZES
def test_an_axis_has_one_name_in_pictures_and_read_outs(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page(components(), "drawer=adjust&section=-1,0,1,0", size=size)
    assert page.app("app.views[0].figure.frame.xTitle").startswith("PC 1 (90.0 %")
    assert "PC\u00a01\u00a00.232" in page.page.locator(".readout .place").inner_text()
    assert "PC 2 from" in str(page.page.locator("#summary-0").text_content())
    assert page.page.locator(".views").inner_text().endswith("Along PC 1")
    assert page.page.get_by_role("button", name="Section along PC 2").count() == 1
    assert page.app("app.csv().split('\\n')[0]").startswith("surface,PC 1,PC 2,")
    words = page.page.locator("body").inner_text()
    assert "α" not in words.replace("Section along α", ""), "no second name"


@SIZES
def test_no_name_in_a_read_out_is_cut(open_page: Open, size: tuple[int, int]) -> None:
    """Small losses have long numbers."""
    tiny = {name: 1.234e-4 * array if "loss" in name else array for name, array in plain().values.items()}
    errors = {name: 3.47e-5 * array if "loss" in name else 0.01 * array for name, array in plain().values.items()}
    page = open_page([dataclasses.replace(plain(), values=tiny, stderr=errors), steeper()], size=size)
    cut = page.page.eval_on_selector_all(
        ".readout th, .readout",
        """(all) => all.filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.textContent)""",
    )
    assert cut == []
    heights = page.page.eval_on_selector_all(
        ".readout", "(all) => all.map((each) => [each.scrollHeight, each.clientHeight])"
    )
    assert all(whole <= seen for whole, seen in heights), "nor is its last line"


@SIZES
def test_seen_from_the_top_and_the_sides_a_place_stands_at_its_ticks(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page(plain(), "lines=0&floor=0", size=size)
    for preset, flat in (("top", 2), ("side", 1), ("along", 0)):
        page.page.click(f'[data-preset="{preset}"]')
        page.settle()
        # What lies on one line of sight lands on one pixel; `flat` is the axis along which one looks.
        for offset in (-0.4, 0.3):
            point = [0.25, -0.15, 0.4]
            moved = [value + offset * (k == flat) for k, value in enumerate(point)]
            assert page.app(PIXEL, [0, moved]) == pytest.approx(page.app(PIXEL, [0, point]), abs=1e-6), preset
    # What WebGL draws covers just the box that the axes stand around.
    page.page.click('[data-preset="top"]')
    page.settle()
    page.app("(app.store.set({ box: false }), app.views[0].marks = () => {}, app.redraw('scenes'))")
    covered = page.settle().canvas("app.views[0].scene")[..., 3] > 127
    rows, columns = np.nonzero(covered)
    corners = np.array(
        page.app(
            """(({ figure, view }) => [-1, 1].map((k) =>
                 view.project([...figure.frame.half.map((each) => k * each), 0.2])))(app.views[0])"""
        )
    )
    wanted = [corners[0, 0], corners[1, 0], corners[1, 1], corners[0, 1]]
    assert [columns.min(), columns.max() + 1, rows.min(), rows.max() + 1] == pytest.approx(wanted, abs=1.01)
    # The pointer meets what is drawn there.
    at = page.app("app.views[0].pick(...app.views[0].view.project(app.views[0].pointOf({ i: 22, j: 5 })))")
    assert at == {"i": 22, "j": 5}


@SIZES
def test_a_run_is_seen_from_the_start_and_where_it_is_hidden_it_is_dashed(
    open_page: Open, size: tuple[int, int]
) -> None:
    page = open_page(with_path(), size=size)
    seen = """app.views[0].paths.flatMap(({ stops }) => stops).filter((at) => at && app.views[0].sees(at)).length"""
    opening = page.app(seen)
    page.app("app.store.set({ eyes: [{ azimuth: -52, elevation: 34, zoom: 1, panX: 0, panY: 0 }] })")
    assert opening > page.settle().app(seen), "more than from where a surface without a run is seen"
    page = open_page(ridge(), "eyes=0,20,1,0,0&lines=0&floor=0&step=0.2", size=size)
    hidden, step = page.app("[app.views[0].sees(app.views[0].paths[0].stops[1]), app.views[0].passed(0, app.state)]")
    assert (hidden, step) == (False, 2)
    marked = page.canvas("app.views[0].scene")
    page.app("(app.views[0].marks = () => {}, app.redraw('scenes'))")
    bare = page.settle().canvas("app.views[0].scene")
    x, y = page.app("app.views[0].view.project(app.views[0].paths[0].stops[2])")[:2]
    spot = np.s_[round(y) - 7 : round(y) + 8, round(x) - 7 : round(x) + 8]
    assert (np.abs(marked - bare)[spot].max(axis=-1) > 25).sum() > 25, "its marker is seen through the ridge"
    # As far as the top of the ridge: after it the run comes down the near side.
    page.app("app.store.set({ step: 0.5 })")
    drawn = page.settle().canvas("app.views[0].scene")
    page.app(
        """(app.views[0].model.lines("hidden 0").material.uniforms.opacity.value = 0,
            app.redraw("scenes"), app.draw(), 0)"""
    )
    ink = np.abs(drawn - page.canvas("app.views[0].scene")).max(axis=-1) > 25
    line = page.app("(({ points, upTo }) => points.slice(6 * upTo[3], 6 * upTo[4]))(app.views[0].paths[0])")
    spots = np.array(page.app("given.map((at) => app.views[0].view.project(at))", np.reshape(line, (-1, 3)).tolist()))
    along = np.linspace(spots[0, :2], spots[-1, :2], 400)
    on = ink[np.rint(along[:, 1]).astype(int), np.rint(along[:, 0]).astype(int)]
    assert 0.25 < on.mean() < 0.85, "in dashes"
    assert np.abs(np.diff(on.astype(int))).sum() >= 6
    # The floor carries it too, point for point.
    floor = page.app(
        """(() => { app.store.set({ floor: true }); app.draw();
             const { geometry } = app.views[0].model.lines("shadow 0").mesh, end = geometry.getAttribute("end");
             return [geometry.instanceCount, end.getX(3), end.getY(3), end.getZ(3)]; })()"""
    )
    points, passed = page.app("[app.views[0].paths[0].points, app.views[0].paths[0].upTo[5]]")
    assert floor == pytest.approx([passed, points[21], points[22], -0.45], abs=1e-6)


@SIZES
def test_scrubbing_reads_out_the_step_and_both_losses(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page(ridge(), size=size)
    slider = page.page.get_by_role("slider", name="Step")
    assert slider.input_value() == "1000"
    assert slider.bounding_box()["width"] > min(240, 0.8 * size[0]), "a finger can tell one step from the next"
    slider.focus()
    for step in ("500", "200", "100"):
        page.page.keyboard.press("ArrowLeft")
        assert slider.input_value() == step, "one press is one recorded step"
    page.settle()
    run = ridge().trajectories["SGD"]
    from landscape.surface.derived.projected_runs import values_below

    below = values_below(ridge(), run, "train/loss")
    own, plane = (f"{float(f'{each:.5g}'):g}" for each in (run.loss[7], below[7]))
    wanted = f"training loss of SGD: its own {own}, the plane's {plane}"
    assert page.page.locator(".losses").inner_text() == wanted
    assert slider.get_attribute("aria-valuetext") == f"Step 100 of 1000; {wanted}"
    # A drag to where nothing was recorded goes to the nearest step.
    slider.fill("160")
    page.settle()
    assert slider.input_value() == "200"
    marks = page.page.locator(".runs").inner_text()
    assert all(word in marks for word in ("start", "step", "end", "checkpoint", "dashed")), "what the marks mean"


@SIZES
def test_every_panel_and_view_is_reached_and_left_by_keyboard(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page([dataclasses.replace(with_path(), title=LONG), steeper()], size=size)
    window = {"x": 0, "y": 0, "width": size[0], "height": size[1]}

    def inside(selector: str) -> bool:
        box = page.page.locator(selector).bounding_box()
        return bool(
            box["x"] >= 0 and box["y"] >= 0 and box["x"] + box["width"] <= window["width"] + 0.5
            and box["y"] + box["height"] <= window["height"] + 0.5 and box["height"] > 80
        )  # fmt: skip

    page.page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
    for name in ("Adjust", "Trust"):
        button = page.page.get_by_role("button", name=name, exact=True)
        button.click()
        page.settle()
        assert inside("#drawer"), f"{name} opens where one is"
        page.page.keyboard.press("Escape")
        page.settle()
        assert page.page.locator("#drawer").is_hidden()
        assert button.evaluate("(each) => each === document.activeElement"), "the focus comes back"
    page.page.click("summary")
    assert inside(".popover")
    page.page.click("text=Play the flight")
    assert page.page.locator(".popover").is_hidden(), "a menu closes when a flight plays"
    page.app("app.player.stop()")
    for preset in ("paper", "top", "side", "along"):
        assert page.page.locator(f'[data-preset="{preset}"]').is_visible()
    cut = page.page.eval_on_selector_all(
        "h1, h2", "(all) => all.filter((each) => each.scrollWidth > each.clientWidth + 1).length"
    )
    assert cut == 0, "titles wrap"
    assert page.page.locator("h2").first.inner_text() == LONG
    page.page.get_by_role("button", name="Adjust", exact=True).click()
    names = page.page.eval_on_selector_all(
        "button, select, input, summary",
        """(found) => found.filter((each) => each.checkVisibility()).map((each) => each.getAttribute("aria-label") ||
             each.labels?.[0]?.textContent.trim() || each.textContent.trim())""",
    )
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


def test_a_swipe_scrolls_or_turns_and_never_both(open_page: Open) -> None:
    page = open_page([plain(), steeper()], size=(390, 844))
    box = page.page.locator(".scene .top").first.bounding_box()
    client = page.page.context.new_cdp_session(page.page)

    def swipe(dx: float, dy: float) -> tuple[float, float, float]:
        before = page.app("[app.state.eyes[0].azimuth, app.state.eyes[0].elevation, scrollY]")
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 - before[2] + page.page.evaluate("scrollY")
        client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        for k in range(1, 9):
            point = {"x": x + dx * k / 8, "y": y + dy * k / 8}
            client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.settle()
        after = page.app("[app.state.eyes[0].azimuth, app.state.eyes[0].elevation, scrollY]")
        return tuple(b - a for a, b in zip(before, after, strict=True))

    turned, risen, scrolled = swipe(120, 20)
    assert turned < -10
    assert scrolled == 0
    turned, risen, scrolled = swipe(12, -150)
    assert (turned, risen) == (0, 0)
    assert scrolled > 60


@SIZES
def test_a_section_has_ticks_and_a_read_out_and_the_picture_has_the_pins(
    open_page: Open, size: tuple[int, int]
) -> None:
    surface = plain()
    x, y = (axis.values for axis in surface.axes)
    page = open_page(surface, f"section={x[2]},{y[8]},{x[28]},{y[8]}", size=size)
    canvas = page.page.locator(".section canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    # The middle of the line: the value there lies on the straight line between the two points of the grid.
    page.page.mouse.move(box["x"] + (58 + box["width"] - 16) / 2, box["y"] + 60)
    page.settle()
    middle = (x[2] + x[28]) / 2
    wanted = np.interp(middle, x, surface["train/loss"][8])
    said = page.page.locator(".section .place").inner_text()
    assert said.startswith(f"α {middle:.3g}".replace("-", "−"))
    value = float(said.split("training loss ")[1].split(";")[0])
    assert value == pytest.approx(wanted, rel=0.02)
    before = page.canvas("app.picture()")
    page.app("app.store.set({ pins: given })", [[float(x[20]), float(y[6])], [float(x[8]), float(y[16])]])
    after = page.settle().canvas("app.picture()")
    head = 34  # of a title in one line
    for i, j in ((20, 6), (8, 16)):
        a, b, _ = page.app("app.views[0].view.project(app.views[0].pointOf(given))", {"i": i, "j": j})
        spot = np.s_[head + round(b) - 32 : head + round(b) - 12, round(a) - 9 : round(a) + 10]
        assert (np.abs(before[spot] - after[spot]).max(axis=-1) > 60).sum() > 40, "a flag with its number"
    assert f"(1) α\u00a0{x[20]:.5g}" in page.app("app.pictureCaption()").replace("−", "-")


@SIZES
def test_the_texts_under_a_section_keep_apart(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page(components(), size=size)
    page.app(
        """(() => {
             const { fillText } = CanvasRenderingContext2D.prototype;
             window.written = [];
             CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
               const wide = this.measureText(text).width, part = { left: 0, center: 0.5, right: 1 };
               const left = x - wide * part[this.textAlign];
               if (this.canvas.closest(".section")) window.written.push([text, y, left, left + wide]);
               return fillText.call(this, text, x, y, ...rest);
             };
             app.store.set({ section: [-0.94321, -0.61234, 0.98765, 0.71234] });
           })()"""
    )
    written = page.settle().page.evaluate("window.written")
    (wide,) = page.page.eval_on_selector_all(".section canvas", "(all) => all.map((each) => each.clientWidth)")
    last = sorted((left, right, text) for text, y, left, right in written if y == max(each[1] for each in written))
    assert [text[:1] for *_, text in last][:: len(last) - 1] == ["A", "B"]
    assert any(text.startswith("PC 1") for *_, text in last)
    for (_, right, text), (left, *_) in pairwise(sorted(set(last))):
        assert right + 4 < left, text
    assert last[0][0] >= 0
    assert max(right for _, right, _ in last) <= wide


@SIZES
def test_a_screen_reader_finds_names_values_and_order(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page(with_path(), size=size)
    tree = [line.strip() for line in page.page.locator("body").aria_snapshot().splitlines()]
    order = [
        '- heading "two runs" [level=1]', '- combobox "Height":', '- combobox "Colour":', '- group "Scale":',
        '- button "Auto" [pressed]', '- button "Paper"', '- button "Top"', '- button "Side"', '- button "Along α"',
        '- button "Adjust"', '- button "Trust"', '- button "Light or dark"', "- main:", '- region "two runs":',
        '- heading "two runs" [level=2]', "- 'img \"two runs: surface. Arrow keys turn it",
        "- 'img \"two runs: map from above. Arrow keys move", "- table:",
        '- rowheader "training loss"', '- button "Play Step"', '- slider "Step"', '- combobox "Speed":',
    ]  # fmt: skip
    at = -1
    for wanted in order:
        found = next((k for k, line in enumerate(tree) if k > at and line.startswith(wanted)), None)
        assert found is not None, (wanted, tree)
        at = found


@SIZES
def test_networks_on_a_plane_are_marked_and_named_in_the_scene_the_map_and_the_picture(
    open_page: Open, size: tuple[int, int]
) -> None:
    page = open_page(with_networks(), "lines=0&eyes=-52,60,1,0,0", size=size)
    legend = page.page.locator(".runs").inner_text().split("\n")
    assert "".join(legend) == "☆ net.pt (checkpoint)◆ b.pt◆ <b>c.pt", "what lies outside is not there"
    at = page.app("app.views[0].pointOf({ i: 24, j: 5 })")

    def is_diamond(pixels: Any, x: float, y: float) -> bool:
        """White in the middle, dark where its edge is, along both diagonals of the picture's axes."""
        rows, columns = (np.s_[int(each) - 9 : int(each) + 10] for each in (y, x))
        cross = [pixels[int(y), columns, :3], pixels[rows, int(x), :3]]
        return all((line[7:12] > 245).all() and (line.sum(axis=-1) < 330).sum() >= 2 for line in cross)

    x, y, _ = page.app("app.views[0].view.project(given)", at)
    assert is_diamond(page.canvas("app.views[0].scene"), x, y)
    assert is_diamond(page.canvas("app.views[0].map"), *page.app("app.views[0].mapPlace().toPixel(...given)", at[:2]))
    head = page.app("(({ shown: [view] }) => 34 + Math.max(...view.legendItems(app.state).map(() => 17)))(app)")
    assert is_diamond(page.canvas("app.picture()"), x, y + head), "in the saved picture"
    page.app("(app.store.set({ pins: [] }), app.point(app.views[0], { i: 24, j: 5 }))")
    assert page.settle().page.locator(".readout .note").inner_text() == "b.pt lies here"


@SIZES
def test_numbers_keep_their_errors_beside_three_surfaces(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page([dataclasses.replace(plain(), title=title) for title in "abc"])
    page.page.set_viewport_size({"width": size[0], "height": size[1]})
    page.settle()
    shown = page.page.locator(".readout .strong td.error").evaluate_all(
        "(cells) => cells.map((cell) => [cell.textContent, getComputedStyle(cell).display])"
    )
    assert len(shown) == 3
    assert all(text.startswith("±") and display != "none" for text, display in shown), shown
