"""What somebody does with a page, done in a real browser: look, turn, read, switch, copy, come back."""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np
import pytest

from browser.conftest import Opened
from browser.looks import SIZES, TWO_SIZES, Open, differ
from browser.scenes import broken, plain, steeper, with_path


def drag(page: Opened, selector: str, number: int, dx: float, dy: float) -> None:
    box = page.page.locator(selector).nth(number).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    for part in (0.3, 0.7, 1.0):
        page.page.mouse.move(x + dx * part, y + dy * part)
    page.page.mouse.up()
    page.settle()


def test_surfaces_are_drawn_by_webgl_and_every_time_alike(open_page: Open) -> None:
    page, again = (open_page([plain(), steeper()], fresh=True) for _ in range(2))
    assert page.app("app.stage.driver"), "no WebGL: every test of the scene would pass on nothing"
    np.testing.assert_array_equal(page.picture(), again.picture())
    for number in (0, 1):
        picture = page.picture(".scene", number)
        assert picture.std() > 20
        colours = len(np.unique(picture.reshape(-1, 3), axis=0))
        assert colours > 500, "a lit surface has many colours"
    assert page.app("app.stage.triangles") > 1000


def test_a_drag_turns_both_panes_until_they_are_unlinked(open_page: Open) -> None:
    page = open_page([plain(), steeper()])
    before = [page.picture(".scene", number) for number in (0, 1)]
    drag(page, ".scene .top", 0, 80, 30)
    page.away()
    after = [page.picture(".scene", number) for number in (0, 1)]
    assert all(differ(one, other) > 3 for one, other in zip(before, after, strict=True))
    page.app("app.store.set({ linked: false })")
    drag(page, ".scene .top", 1, -120, 0)
    page.away()
    assert differ(after[0], page.picture(".scene", 0)) < 0.01
    assert differ(after[1], page.picture(".scene", 1)) > 3


def test_the_wheel_enlarges_and_a_double_click_comes_back(open_page: Open) -> None:
    page = open_page(plain())
    box = page.page.locator(".scene .top").bounding_box()
    page.page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.page.mouse.wheel(0, -400)
    page.settle()
    assert page.app("app.state.eyes[0].zoom") > 1.5
    page.page.mouse.dblclick(box["x"] + 8, box["y"] + 8)
    page.settle()
    assert page.app("app.state.eyes[0]") == {"azimuth": -52, "elevation": 34, "zoom": 1, "panX": 0, "panY": 0}


@SIZES
def test_the_scale_changes_picture_and_ticks(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page(plain(), size=size)
    pictures, ticks = [], []
    for kind in ("log", "linear", "asinh"):
        page.page.click(f'[data-kind="{kind}"]')
        page.settle()
        pictures.append(page.picture(".scene"))
        ticks.append(page.app("app.scales[0].height.ticks.map((tick) => app.scales[0].height.text(tick))"))
        assert page.app("app.scales[0].height.kind") == kind
    assert differ(pictures[0], pictures[1]) > 3
    assert ticks[0] != ticks[1]
    assert {"1", "10", "100"} <= set(ticks[0]), "ticks are in loss units"


@SIZES
def test_the_read_out_is_the_stored_value(open_page: Open, size: tuple[int, int]) -> None:
    surface = plain()
    page = open_page(surface, size=size)
    for i, j in ((5, 7), (16, 3), (25, 19)):
        place = page.app(
            """(() => { const view = app.views[0], at = view.pointOf(given);
                 const [x, y] = view.view.project(at), box = view.sceneTop.getBoundingClientRect();
                 return [x + box.left, y + box.top]; })()""",
            {"i": i, "j": j},
        )
        page.page.mouse.move(*place)
        page.settle()
        assert page.app("app.cursor") == {"i": i, "j": j}
        loss = float(surface["train/loss"][j, i])
        assert page.app("app.views[0].figure.height.values[given]", j * 31 + i) == loss
        row = page.page.locator(".readout tr.strong td").first.inner_text()
        assert float(
            row.replace("−", "-").replace("·10", "e").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
        ) == (pytest.approx(loss, rel=1e-4))
        text = page.page.locator(".readout .place").inner_text().replace("−", "-")
        x, y = (float(each) for each in re.findall(r"-?[\d.]+", text))
        assert (x, y) == pytest.approx((surface.axes[0].values[i], surface.axes[1].values[j]), abs=1e-4)


@SIZES
def test_the_map_points_at_the_same_value_as_the_surface(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page([plain(), steeper()], size=size)
    place = page.app(
        """(() => { const view = app.views[0], box = view.mapTop.getBoundingClientRect(), { field } = view.figure;
             const f = field.factor, wide = view.map.clientWidth;
             const at = view.mapPlace().toPixel(field.x[9 * f], field.y[14 * f]);
             return [at[0] + box.left, at[1] + box.top]; })()"""
    )
    page.page.mouse.move(*place)
    page.settle()
    assert page.app("app.cursor") == {"i": 9, "j": 14}
    for number, surface in enumerate((plain(), steeper())):
        value = page.app("app.cursorOf(app.views[given])", number)
        assert value == {"i": 9, "j": 14}
        shown = page.app("app.views[given].figure.height.values[14 * 31 + 9]", number)
        assert shown == surface["train/loss"][14, 9]


def test_every_bit_of_the_measured_values_reaches_the_page(open_page: Open) -> None:
    surface = broken()
    page = open_page(surface)
    for name, array in surface.values.items():
        text = page.app(
            """btoa(String.fromCharCode(...new Uint8Array(app.panes[0].frames[0].values[given].buffer)))""", name
        )
        assert base64.b64decode(text) == array.tobytes(), name


@TWO_SIZES
def test_height_and_colour_are_chosen_apart(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page(plain(), size=size)
    before = page.picture(".scene")
    page.page.select_option('[data-key="colour"]', "test/accuracy")
    coloured = page.settle().picture(".scene")
    assert differ(before, coloured) > 3
    assert page.app("app.scales[0].colour.axisLabel()") == "test accuracy (%)"
    assert page.app("app.scales[0].height.label") == "training loss"
    page.page.select_option('[data-key="height"]', "gap/loss")
    page.settle()
    gap = page.app("app.views[0].figure.height.values[40]")
    assert gap == plain()["test/loss"].ravel()[40] - plain()["train/loss"].ravel()[40]


def test_scaled_apart_two_networks_look_alike_and_the_page_says_so(open_page: Open) -> None:
    page = open_page([plain(), steeper()])
    assert (
        page.app("app.views.map((view) => view.figure.scales.height.high)")
        == [page.app("app.scales[0].height.high")] * 2
    )
    assert "scale of its own" not in page.page.locator("main").inner_text()
    page.page.click('[aria-label="Adjust"]')
    page.page.click('[data-key="shared"]')
    page.settle()
    high = page.app("app.views.map((view) => view.figure.scales.height.high)")
    assert high[1] == pytest.approx(10 * high[0])
    assert page.page.locator(".notes", has_text="scale of its own").count() == 2


def test_a_difference_is_shown_beside_its_parts(open_page: Open) -> None:
    page = open_page([plain(), steeper()])
    page.app("app.store.set({ difference: '1-0' })")
    page.settle()
    assert page.page.locator(".pane").count() == 3
    values = page.app("Array.from(app.extra.figure.height.values.slice(0, 31))")
    np.testing.assert_array_equal(values, (steeper()["train/loss"] - plain()["train/loss"])[0])
    assert page.app("app.extra.figure.scales.colour.normalized(0)") == 0.5


def test_what_cannot_be_drawn_is_counted_and_left_open(open_page: Open) -> None:
    page = open_page(broken(), cap=50.0)
    said = page.page.locator(".notes").inner_text()
    assert "13 of 713 not finite" in said
    assert "4 of 713 interpolated" in said
    capped = int((broken()["train/loss"][np.isfinite(broken()["train/loss"])] > 50).sum())
    assert f"{capped} of 713 above 50" in said
    # The hole: no triangle touches a point that is not finite.
    touched = page.app(
        """(() => { const { field } = app.views[0].figure, { index } = app.views[0].model.surface.geometry;
             return Array.from(index.array).some((k) => !Number.isFinite(field.z[k])); })()"""
    )
    assert touched is False
    assert page.app("app.views[0].pointOf({ i: 9, j: 4 })") is None


@TWO_SIZES
def test_the_slider_draws_exactly_so_many_segments(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page(with_path(), size=size)
    path = with_path().trajectories["SGD"]
    for k in (0, 1, 5, 11):
        page.app("app.store.set({ step: given })", k / 11)
        page.settle()
        drawn = page.app(
            """(() => { const view = app.views[0], { geometry, visible } = view.model.lines("path 0").mesh;
                 const count = visible ? geometry.instanceCount : 0, end = geometry.getAttribute("end");
                 const last = count ? [end.getX(count - 1), end.getY(count - 1)] : null;
                 return [count, view.paths[0].upTo[given], last]; })()""",
            k,
        )
        assert drawn[0] == drawn[1]
        if k:
            x, y = (axis.values for axis in with_path().axes)
            unit = 2 / (x[-1] - x[0])
            expected = (path.coordinates[k] - [(x[0] + x[-1]) / 2, (y[0] + y[-1]) / 2]) * unit
            assert drawn[2] == pytest.approx(expected.tolist(), abs=1e-5)
        else:
            assert drawn[0] == 0
    assert page.app("app.views[0].paths[0].path.drops") == [5]


def test_the_path_plays_and_stops(open_page: Open) -> None:
    page = open_page(with_path(), "step=0", fresh=True)
    page.page.select_option('[aria-label="Speed"]', "4")
    page.page.click('[aria-label="Play Step"]')
    page.page.wait_for_function("window.landscape.then((app) => app.state.step > 0.2)")
    page.page.click('[aria-label="Play Step"]')
    page.settle()
    stopped = page.app("app.state.step")
    page.page.wait_for_timeout(300)
    assert page.app("app.state.step") == stopped


@TWO_SIZES
def test_drop_lines_end_at_the_true_loss(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page(with_path(), "drops=1", size=size)
    height = page.app("app.views[0].paths[0].truth[3]")
    loss = float(with_path().trajectories["SGD"].loss[3])
    expected = page.app("app.scales[0].height.normalized(given)", loss) * 1.1
    assert height == pytest.approx(expected, rel=1e-9)
    assert page.app("app.views[0].model.lines('drops').count") == 12
    assert page.app("app.views[0].paths[1].truth[3]") is None, "where the true loss is not known there is no line"


def test_a_slider_goes_through_checkpoints(open_page: Open) -> None:
    page = open_page([plain(), steeper()], epochs=True)
    assert page.page.locator(".pane").count() == 1
    assert page.app("app.frames") == 2
    first = page.picture(".scene")
    page.page.locator('input[data-key="frame"]').fill("1")
    second = page.settle().picture(".scene")
    assert differ(first, second) > 2
    assert page.app("app.views[0].figure.surface.title") == "steeper"
    high = page.app("app.scales[0].height.high")
    assert high == steeper()["train/loss"].max(), "one scale for all frames"


@SIZES
def test_a_section_dragged_on_the_map_is_the_profile_along_it(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page([plain(), steeper()], size=size)
    drag(page, ".map .top", 0, 50, -30)
    assert page.page.locator(".section").is_visible()
    x, y = (axis.values.tolist() for axis in plain().axes)
    page.app("app.store.set({ section: given })", [x[0], y[8], x[-1], y[8]])
    page.settle()
    values = page.app("app.profiles().map(({ values }) => [values[0], values[400]])")
    row = plain()["train/loss"][8]
    assert values[0] == pytest.approx([row[0], row[-1]], rel=1e-12)
    assert values[2] == pytest.approx([10 * row[0], 10 * row[-1]], rel=1e-12)
    page.page.keyboard.press("Escape")
    page.settle()
    assert page.page.locator(".section").is_hidden()


def test_the_address_brings_back_the_same_picture(open_page: Open) -> None:
    page = open_page([plain(), steeper()])
    drag(page, ".scene .top", 0, 63, 21)
    page.page.select_option('[data-key="colour"]', "test/accuracy")
    page.page.click('[data-kind="asinh"]')
    page.app(
        "app.store.set({ pins: [[-0.5, 0.25], [0.1, 0]], section: [-1, 0, 1, 0.5], "
        "exaggeration: 1.4, cap: 30, drawer: 'adjust' })"
    )
    page.away()
    page.page.wait_for_timeout(400)
    url = page.page.evaluate("location.hash")
    assert "eyes=" in url
    again = open_page([plain(), steeper()], url[1:], fresh=True)
    assert again.app("JSON.stringify(app.state)") == page.app("JSON.stringify(app.state)")
    # But for a few edges: panes are laid out to fractions of a pixel, on other ways there.
    assert differ(again.picture("main"), page.picture("main")) < 0.01
    assert again.app("app.store.hash") == page.app("app.store.hash")


def test_what_makes_no_sense_or_is_not_there_is_left_out_of_an_address(open_page: Open) -> None:
    page = open_page([plain(), steeper()])
    start = page.app("JSON.stringify(app.state)")
    for text in (
        "kind=cubic", "eyes=1,2", "step=nan&frame=-3&pins=a,b", "eps=-1&cap=", "__proto__=1", "section=1,2,3",
        "height=nope", "colour=constructor", "colormap=nope", "difference=7-8", "frame=99",
    ):  # fmt: skip
        page.page.evaluate("(text) => { location.hash = text; }", text)
        page.page.wait_for_function("(text) => location.hash === '' || location.hash.slice(1) === text", arg=text)
        page.settle()
        assert page.app("JSON.stringify(app.state)") == start, text
    assert page.picture(".scene").std() > 20
    page.page.evaluate("() => { location.hash = 'kind=log'; }")
    page.page.wait_for_timeout(100)
    assert page.app("app.state.kind") == "log"


@SIZES
def test_points_are_kept_and_copied_with_all_their_digits(open_page: Open, size: tuple[int, int]) -> None:
    page = open_page([plain(), steeper()], size=size)
    page.page.focus(".map .top")
    for _ in range(3):
        page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("Enter")
    page.settle()
    cursor = page.app("app.cursor")
    (text,) = [page.app("app.csv()")]
    rows = [line.split(",") for line in text.splitlines()]
    assert rows[0][:4] == ["surface", "alpha", "beta", "train/loss"]
    assert [row[0] for row in rows[1:]] == ["valley", "steeper"]
    assert float(rows[1][3]) == plain()["train/loss"][cursor["j"], cursor["i"]]
    assert float(rows[1][1]) == plain().axes[0].values[cursor["i"]]
    page.app("app.store.set({ section: [-1, 0, 1, 0] })")
    page.page.keyboard.press("Escape")
    page.settle()
    assert page.app("[app.state.pins, app.state.section]") == [[], None]


def test_the_python_call_draws_and_saves_what_is_on_the_screen(
    open_page: Open, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import landscape
    from landscape.files.store import write_surface

    page = open_page([plain(), steeper()], "eyes=31.5,0,1,0,0&kind=asinh&cap=30&colormap=cividis&headlight=1")
    for surface in (plain(), steeper()):
        write_surface(tmp_path / f"{surface.title}.h5", surface)
    drawn: list[Any] = []
    draw = landscape.plot.draw

    def watched(surfaces: Any, **options: Any) -> Any:
        drawn.append(([each.title for each in surfaces], options))
        return draw(surfaces, **options)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("landscape.plot.figures.draw", watched)
    exec(compile(page.app("app.pythonCall()"), "call", "exec"), {})
    ((titles, options),) = drawn
    assert titles == options["titles"] == ["valley", "steeper"]
    camera = options["camera"]
    assert (camera.azimuth, camera.elevation, options["light"], options["columns"]) == (31.5, 0.0, "camera", 2)
    assert (options["kind"], options["scale"], options["cap"], options["colormap"]) == (
        "surface",
        "asinh",
        30,
        "cividis",
    )
    said = {"independent": False, "interpolate": False, "name": "train/loss"}
    assert {key: options[key] for key in said} == said
    assert "eps" not in options, "what the page chose itself, a still chooses too"
    page.app("app.store.set({ shared: false, smooth: true, headlight: false, eps: 0.25, cap: 'auto' })")
    call = page.app("app.pythonCall()")
    for key, value in {"independent": True, "interpolate": True, "eps": 0.25}.items():
        assert f" {key}={value}," in call
    assert all(f' {key}="{value}",' in call for key, value in {"light": "scene", "cap": "auto"}.items())
    assert (tmp_path / "valley-and-steeper.png").read_bytes().startswith(b"\x89PNG")
    assert "# Of the page alone" not in page.app("app.pythonCall()")
    page.app(
        "app.store.set({ lines: false, linked: false, section: [-1, 0, 1, 0.5], "
        "eyes: [1, 2].map((zoom) => ({ ...app.eyeOf(0), zoom: 2 })) })"
    )
    assert "not in a still: the section, the enlarged part, a camera for each pane, what is switched off." in page.app(
        "app.pythonCall()"
    )


def test_everything_is_reached_by_keyboard(open_page: Open) -> None:
    page = open_page([plain(), steeper()])
    page.page.focus(".scene .top")
    page.page.keyboard.press("ArrowLeft")
    page.page.keyboard.press("ArrowUp")
    page.page.keyboard.press("+")
    page.settle()
    assert page.app("app.state.eyes[0]") == {"azimuth": -57, "elevation": 39, "zoom": 1.15, "panX": 0, "panY": 0}
    page.page.keyboard.press("Tab")
    assert page.page.evaluate("document.activeElement.matches('.map .top')")
    page.page.keyboard.press("ArrowUp")
    page.settle()
    spoken = page.page.locator("[role=status]").last.inner_text()
    assert "training loss" in spoken
    page.page.keyboard.press("Enter")
    page.settle()
    assert len(page.app("app.state.pins")) == 1
    names = page.page.eval_on_selector_all(
        "button, select, input, summary, [tabindex]",
        """(found) => found.filter((each) => !(each.getAttribute("aria-label") || each.textContent.trim() ||
             each.labels?.[0]?.textContent.trim())).map((each) => each.outerHTML)""",
    )
    assert names == [], "a control without a name says nothing to a screen reader"


def test_a_picture_is_saved_at_the_size_asked_for(open_page: Open, tmp_path: Any) -> None:
    from PIL import Image

    page = open_page(plain(), fresh=True)
    page.page.click("summary")
    sizes = {}
    for factor in ("1", "3"):
        page.page.select_option('[aria-label="Size of the picture"]', factor)
        with page.page.expect_download() as download:
            page.page.click("button.png")
        download.value.save_as(tmp_path / f"{factor}.png")
        with Image.open(tmp_path / f"{factor}.png") as picture:
            sizes[factor] = picture.size
            assert np.asarray(picture.convert("RGB")).std() > 20
    assert download.value.suggested_filename == "valley.png"
    assert sizes["3"] == pytest.approx(tuple(3 * side for side in sizes["1"]), abs=2)
    page.page.check(".popover input[type=checkbox]")
    with page.page.expect_download() as download:
        page.page.click("button.png")
    download.value.save_as(tmp_path / "clear.png")
    with Image.open(tmp_path / "clear.png") as picture:
        assert np.asarray(picture)[3, 3, 3] == 0
