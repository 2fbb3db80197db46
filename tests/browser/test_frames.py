"""What a page says of what it shows: which frame, which run, what was measured and what was not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from browser.conftest import Opened
from browser.scenes import broken, plain, steeper, unfinished, with_path
from landscape.surface.grid import Axis
from landscape.surface.surface import NOT_COMPUTED, Surface, Trajectory
from tests.helpers.plot_fixtures import random_axis, surface_of, uneven, valley, valley_loss

Open = Callable[..., Opened]


def between() -> Surface:
    """The valley on a grid that has no point at the checkpoint."""
    x, y = np.linspace(-1.0, 1.2, 6), np.linspace(-0.8, 0.9, 5)
    return surface_of({"train/loss": valley_loss(*np.meshgrid(x, y))}, random_axis(x, 0), random_axis(y, 1))


def volume() -> Surface:
    plane = valley(9, 8)
    third = Axis(np.array([-1.0, 0.0, 2.0]), "third", "random")
    loss = np.stack([plane["train/loss"] + shift for shift in (5.0, 0.0, 9.0)])
    return Surface(
        (*plane.axes, third), {"train/loss": loss}, np.ones((3, 8, 9), np.uint8),
        origin={"values": {"train/loss": 0.41}}, title="net",
    )  # fmt: skip


def test_the_star_stands_at_the_checkpoint_and_not_at_a_point_of_the_grid_beside_it(open_page: Open) -> None:
    page = open_page(between(), "lines=0")
    x, y = page.app(
        """(() => {
             const { surface, field } = app.views[0].figure;
             const scene = (axis, at) => at[0] + (-axis[0] / (axis.at(-1) - axis[0])) * (at.at(-1) - at[0]);
             const sx = scene(surface.x, field.x), sy = scene(surface.y, field.y);
             const i = field.x.findIndex((each) => each > sx) - 1, j = field.y.findIndex((each) => each > sy) - 1;
             const u = (sx - field.x[i]) / (field.x[i + 1] - field.x[i]);
             const v = (sy - field.y[j]) / (field.y[j + 1] - field.y[j]);
             const row = (b) => (1 - u) * field.z[b * field.nx + i] + u * field.z[b * field.nx + i + 1];
             return app.views[0].view.project([sx, sy, (1 - v) * row(j) + v * row(j + 1)]).slice(0, 2);
           })()"""
    )
    pixels = page.picture(".scene")
    near = pixels[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4]
    # White in the middle of the star, and nowhere else on the surface.
    assert (near.min(axis=-1) > 225).sum() >= 6


def test_a_slice_beside_the_checkpoint_claims_nothing_of_it(open_page: Open) -> None:
    page = open_page(volume())
    assert page.app("app.state.frame") == 1
    assert page.page.locator("h2").first.inner_text() == "net, γ = 0"
    assert "loss 0.41" in page.page.locator(".notes").first.inner_text()
    page.page.locator('input[data-key="frame"]').fill("2")
    page.settle()
    assert page.page.locator("h2").first.inner_text() == "net, γ = 2"
    assert "loss" not in page.page.locator(".notes").first.inner_text()
    assert page.page.locator(".timeline output").inner_text() == "γ = 2 (3 of 3)"


def test_the_caption_follows_what_is_drawn(open_page: Open) -> None:
    page = open_page(plain())
    assert page.page.locator("footer").inner_text().startswith("Training loss")
    page.page.select_option('[data-key="height"]', "test/accuracy")
    page.settle()
    assert page.page.locator("footer").inner_text().startswith("Test accuracy")


def test_an_unfinished_run_says_so_beside_its_picture(open_page: Open) -> None:
    page = open_page(unfinished(), "drawer=trust")
    assert page.app("app.views[0].figure.surface.ny") < 23, "drawn is the complete, coarser grid"
    assert "unfinished" in page.page.locator("#drawer").inner_text()
    assert "unfinished: 341 of 713 points to come" in page.page.locator(".notes").first.inner_text()
    assert "unfinished" in str(page.page.locator("#summary-0").text_content())


def test_the_cross_hair_survives_a_frame_on_a_coarser_grid(open_page: Open) -> None:
    page = open_page([plain(), unfinished()], epochs=True)
    page.page.focus(".map .top")
    page.page.keyboard.press("Shift+ArrowRight")
    page.settle()
    assert page.app("app.cursor.i") > 10
    page.page.locator('input[data-key="frame"]').fill("1")
    page.settle()
    assert page.app("app.views[0].figure.surface.nx") < 10
    assert page.app("app.cursorOf(app.views[0])") is None


def test_several_runs_have_a_legend_and_keep_the_same_step(open_page: Open) -> None:
    surface = with_path(11)
    t = np.linspace(0, 0.5, 5)
    short = Trajectory(
        np.stack([-0.5 + t, 0.2 - t], axis=1), np.zeros(5), np.full(5, np.nan), np.arange(5) * 10, {"unit": "step"}
    )
    surface = dataclasses.replace(surface, trajectories={"SGD": surface.trajectories["SGD"], "Adam": short})
    page = open_page(surface, "step=0.3")
    assert page.page.locator(".runs span").all_inner_texts()[:2] == ["SGD", "Adam"]
    colours = page.page.eval_on_selector_all(
        ".runs i", "(all) => all.map((each) => getComputedStyle(each).borderTopColor)"
    )
    assert len(set(colours)) == 2
    assert page.page.locator(".timeline output").inner_text() == "30 of 100"
    assert page.app("[0, 1].map((run) => app.views[0].passed(run, app.state))") == [3, 3]
    page.app("app.store.set({ paths: false })")
    page.settle()
    assert page.page.locator(".runs span").count() == 0


def test_what_was_not_computed_is_not_shown_as_not_finite(open_page: Open) -> None:
    surface = plain()
    state = surface.state.copy()
    state[12:, :] = NOT_COMPUTED
    state[0, 0] = NOT_COMPUTED  # so that no coarser grid is whole
    values = {name: np.where(state == NOT_COMPUTED, np.nan, array) for name, array in surface.values.items()}
    page = open_page(dataclasses.replace(surface, values=values, state=state))
    pixels = page.picture(".map")
    assert (np.abs(pixels - 0xDB).max(axis=2) < 2).sum() > 500, "the grey of what is missing"
    grey = np.abs(pixels - 0x8C).max(axis=2) < 2  # a letter's edge may have it, at single pixels
    assert not (grey[1:, 1:] & grey[1:, :-1] & grey[:-1, 1:] & grey[:-1, :-1]).any(), "the grey of what is not finite"


def test_a_point_shows_its_errors_and_what_it_was_not_measured_with(open_page: Open) -> None:
    surface = broken()
    count = surface.counts["train"].copy()
    count[2, 3] = 4096
    values = surface.origin["values"]
    surface = dataclasses.replace(
        surface,
        paired_stderr={"train/loss": np.full(surface.shape, 0.0123)},
        counts={"train": count},
        quality={"interpolation_error": 0.0123, "interpolation": {"held_out": 60}},
    )
    page = open_page(surface, size=(1300, 700))

    def rows(i: int, j: int) -> tuple[dict[str, list[str]], str]:
        page.app("(app.point(app.views[0], given), 0)", {"i": i, "j": j})
        page.settle()
        cells: dict[str, list[str]] = {}
        for row in page.page.locator(".readout tr").all():
            cells[str(row.locator("th").get_attribute("title"))] = row.locator("td").all_inner_texts()
        return cells, page.page.locator(".readout .note").inner_text()

    found, _ = rows(4, 2)
    assert float(found["above the checkpoint"][0]) == pytest.approx(
        float(surface["train/loss"][2, 4]) - values["train/loss"], rel=1e-4
    )
    assert found["above the checkpoint"][1] == "± 0.012"
    assert float(found["training loss"][1].lstrip("± ")) == pytest.approx(
        float(surface.stderr["train/loss"][2, 4]), rel=0.06
    )
    # On other samples than theta* the paired error is of another difference than this one.
    found, note = rows(3, 2)
    assert "above the checkpoint" not in found
    assert note == "on 4096 samples"
    _, note = rows(22, 10)
    assert note == "interpolated, not measured (95 % of them to 1.2 % of loss + eps, by 60 held out)"


def test_differences_are_offered_only_where_the_grids_are_equal(open_page: Open) -> None:
    other = dataclasses.replace(valley(9, 8), title="other")
    page = open_page([plain(), steeper(), other], "drawer=adjust")
    texts = page.page.locator('[data-key="difference"] option').all_inner_texts()
    assert texts == ["none", "valley − steeper", "steeper − valley"]


def test_a_section_through_nothing_says_so(open_page: Open) -> None:
    surface = broken()
    page = open_page(dataclasses.replace(surface, values={"train/loss": surface["train/loss"]}, stderr={}))
    x, y = uneven(-1.0, 1.2, 31), uneven(-0.8, 0.9, 23)
    page.app("app.store.set({ section: given })", [x[9], y[4], x[10], y[4]])
    page.settle()
    assert "Nothing finite" in str(page.page.locator(".section canvas").get_attribute("aria-label"))


def test_no_point_is_copied_where_none_was_kept(open_page: Open) -> None:
    page = open_page(plain())
    page.page.click("summary")
    page.page.click("text=Copy points as CSV")
    assert page.page.locator(".said").inner_text() == "Click a point first"


def test_the_call_of_a_slice_draws_that_slice(open_page: Open, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import landscape
    from landscape.files.store import write_surface

    surface = dataclasses.replace(volume(), path="volume.h5")
    write_surface(tmp_path / "volume.h5", surface)
    page = open_page(surface, "frame=2")
    drawn: list[Any] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        landscape.plot, "save", lambda each, *_, **options: drawn.append((each, options)), raising=False
    )
    exec(compile(page.app("app.pythonCall()"), "call", "exec"), {})
    (planes, options) = drawn[0]
    np.testing.assert_array_equal(planes[0]["train/loss"], surface["train/loss"][2])
    # One scale for all slices, as on the page.
    assert options["scale"].high == surface["train/loss"].max()


def test_the_page_records_a_film(open_page: Open, tmp_path: Any) -> None:
    import av

    page = open_page(valley(9, 8), size=(421, 361))
    page.page.click("summary")
    assert page.page.locator('[aria-label="Flight"] option').all_inner_texts() == ["Orbit", "Tour"]
    page.page.select_option('[aria-label="Flight"]', "orbit")
    page.app("(app.player.speed = 4, 0)")  # the browser records by the clock: time for some pictures on a busy machine
    with page.page.expect_download(timeout=90_000) as download:
        page.page.click("button.film")
    download.value.save_as(tmp_path / "film.webm")
    assert download.value.suggested_filename == "resnet20.webm"
    with av.open(str(tmp_path / "film.webm")) as film:
        stream = film.streams.video[0]
        pictures = [frame.to_ndarray(format="rgb24").astype(int) for frame in film.decode(stream)]
    assert len(pictures) >= 4
    assert all(side % 2 == 0 for side in pictures[0].shape[:2])
    assert pictures[0].std() > 15, "the surface is in it"
    assert max(np.abs(each - pictures[0]).mean() for each in pictures) > 2, "and it turns"
    turned = page.app("app.state.eyes[0].azimuth")
    assert turned == pytest.approx(-52, abs=0.01), "once around"
