from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from landscape.plot.page.gallery import write_gallery
from landscape.plot.page.html import page_text, read_page, write_page
from landscape.plot.page.packing import Packer, unpack
from landscape.plot.page.records import frames_of, surface_record
from landscape.plot.page.trust import trust_rows
from landscape.plot.style.wording import plain_text

from landscape.errors import FormatError, PlotError, StoreError, UsageError
from landscape.files.store import write_surface
from landscape.surface.grid import Axis
from landscape.surface.surface import INTERPOLATED, NOT_COMPUTED, Surface, Trajectory, sampling_factor
from tests.helpers.plot_fixtures import random_axis, surface_of, valley
from tests.helpers.similarities import similarity


@pytest.fixture(autouse=True)
def poster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no picture for where nothing runs: it takes most of a page's time. Tests of it undo this."""
    monkeypatch.setattr("landscape.plot.page.poster.draw_poster", lambda *_: b"\x89PNG")


class Elements(HTMLParser):
    """Every start tag of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def noisy(number: int, seed: int) -> Surface:
    """A smooth surface whose values have all their bits: what a mean of many single precision losses looks like."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, number)
    loss = np.exp(3 * (x[None, :] ** 2 + 0.7 * x[:, None] ** 2)) * (1 + 1e-4 * rng.normal(size=(number, number)))
    accuracy = np.round(1000 / (1 + loss)) / 1000
    values = {"train/loss": loss, "train/accuracy": accuracy}
    return surface_of(
        values, random_axis(x, 0), random_axis(x, 1), stderr={name: 0.01 * array for name, array in values.items()}
    )


def line() -> Surface:
    return surface_of({"train/loss": np.array([2.0, 1.0, 3.0])}, random_axis(np.array([-1.0, 0.0, 1.0]), 0))


dtypes = st.sampled_from([np.float64, np.float32, np.int64, np.uint8])
shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=7)


@given(st.lists(st.builds(lambda dtype, shape: (dtype, shape), dtypes, shapes), max_size=4), st.data())
def test_packing_keeps_every_bit(kinds: Any, data: Any) -> None:
    given_arrays = []
    for dtype, shape in kinds:
        size = np.dtype(dtype).itemsize
        raw = data.draw(arrays.arrays(np.dtype(f"u{size}"), shape))
        given_arrays.append(np.ascontiguousarray(raw).view(dtype).reshape(shape))
    packer = Packer()
    assert [packer.add(array) for array in given_arrays] == list(range(len(given_arrays)))
    index = json.loads(json.dumps(packer.index))
    for array, back in zip(given_arrays, unpack(index, packer.text()), strict=True):
        assert back.dtype == array.dtype
        assert back.shape == array.shape
        assert back.tobytes() == array.tobytes()


def test_few_distinct_values_take_little_room() -> None:
    accuracy = np.round(np.random.default_rng(0).uniform(size=(100, 100)) * 200) / 200
    packer = Packer()
    packer.add(accuracy)
    assert len(packer.text()) < 0.25 * accuracy.nbytes


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="complex"):
        Packer().add(np.zeros(3, dtype=np.complex128))


def test_a_page_gives_back_what_was_measured(tmp_path: Path) -> None:
    surface = valley()
    loss = surface["train/loss"].copy()
    loss[2, 3], loss[4, 5], loss[6, 7] = np.nan, np.inf, -0.0
    surface = dataclasses.replace(surface, values={**surface.values, "train/loss": loss})
    content, stored = read_page(write_page(surface, tmp_path / "page.html"))
    record = content["panes"][0]["frames"][0]
    for name, array in surface.values.items():
        assert stored[record["values"][name]].tobytes() == array.tobytes()
    for axis, known in zip(record["axes"], surface.axes, strict=True):
        assert stored[axis["values"]].tobytes() == known.values.tobytes()


def test_errors_are_kept_to_three_digits() -> None:
    surface = noisy(9, 0)
    packer = Packer()
    record = surface_record(surface, packer)
    stored = unpack(packer.index, packer.text())[record["stderr"]["train/loss"]]
    shown = surface.stderr["train/loss"] * sampling_factor(surface, "train/loss")
    np.testing.assert_allclose(stored, shown, rtol=5e-4)


def test_the_same_surfaces_give_the_same_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert page_text([valley(), noisy(9, 1)]) == page_text([valley(), noisy(9, 1)])


def test_two_surfaces_of_251_points_a_side_fit_into_a_small_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    surfaces = [noisy(251, 0), noisy(251, 1)]
    page = write_page(surfaces, tmp_path / "page.html")
    assert page.stat().st_size < 2.5e6


def test_the_page_loads_nothing_and_allows_only_its_own_script(tmp_path: Path) -> None:
    text = page_text(valley())
    elements = Elements(text).found
    for tag, attributes in elements:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith("data:"), (tag, name, value)
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
    policies = [a["content"] for tag, a in elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    policy = dict(part.strip().split(" ", 1) for part in policies[0].split(";"))
    assert policy["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]{44}'", policy["script-src"])
    assert "connect-src" not in policy
    scripts = [a.get("type") for tag, a in elements if tag == "script"]
    assert scripts == ["application/json", "text/plain", None]


@pytest.mark.parametrize(
    "text",
    ["</script><script>alert(1)</script>", "<!--<script>", '"><img src=x onerror=alert(1)>', "{{script}}", "a & b"],
)
def test_what_a_file_says_stays_text(text: str) -> None:
    axes = tuple(dataclasses.replace(axis, label=text, recipe={"norm": text}) for axis in valley().axes)
    surface = dataclasses.replace(
        valley(),
        title=text,
        path=f"runs/{text}.h5",
        axes=axes,
        command=text,
        problem={"loss": text, "model": {"class": text}},
    )
    harmless = list(Elements(page_text(valley(), name="x")).found)
    found = Elements(page_text(surface, name=text)).found
    assert [tag for tag, _ in found] == [tag for tag, _ in harmless]
    assert next(a["alt"] for tag, a in found if tag == "img") == text


def test_a_title_keeps_no_control_characters() -> None:
    assert plain_text("a\x00b\x1b[2J\u202ec\nd") == "a b [2J c d"
    assert plain_text("Größe α — 5·10⁶") == "Größe α — 5·10⁶"


def test_folders_of_the_author_stay_at_home() -> None:
    surface = dataclasses.replace(
        valley(),
        path="/home/wonderland/secret/net.h5",
        origin={"checkpoint": "/home/wonderland/secret/net.pt", "values": {}},
        problem={"data": {"train": {"reference": "npz:/home/wonderland/x.npz", "size": 9}}},
        command="landscape evaluate /home/wonderland/net.pt --data=npz:/home/wonderland/x.npz -o out/net.h5",
    )
    text = page_text(surface)
    assert "wonderland" not in text
    assert "landscape evaluate net.pt" in text
    assert "out/net.h5" in text


def test_lines_are_refused_with_what_draws_them(tmp_path: Path) -> None:
    with pytest.raises(PlotError, match="landscape plot"):
        write_page(line(), tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: page_text([]), "nothing to show"),
        (lambda: page_text([valley()] * 7), "at most 6"),
        (lambda: page_text(valley(), height="test/loss"), "no surface has values called 'test/loss'"),
        (lambda: page_text([valley(), valley(9, 9)], epochs=True), "equal grids"),
        (lambda: page_text(surface_of({"train/loss": np.full((3, 4), np.nan)}, *valley(4, 3).axes)), "finite"),
        (lambda: page_text(surface_of({}, *valley(4, 3).axes)), "no values"),
        (
            lambda: page_text(surface_of({"train/loss": np.ones((1, 4))}, valley(4, 3).axes[0], Axis(np.zeros(1)))),
            "2 x 2",
        ),
    ],
)
def test_what_cannot_be_shown_is_said(make: Any, message: str) -> None:
    with pytest.raises(PlotError, match=message):
        make()


@pytest.mark.parametrize("settings", [{"zoom": 3}, {"colormap": "no such map"}])
def test_a_setting_that_does_not_exist_is_a_misuse(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        page_text(valley(), **settings)


def test_a_folder_that_is_missing_is_said_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        write_page(valley(), tmp_path / "missing" / "page.html")


@pytest.mark.parametrize("text", ["", "<html></html>", "<!doctype html><p>not ours"])
def test_other_files_are_not_pages(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.html").write_text(text)
    with pytest.raises(FormatError, match="not a page of landscape"):
        read_page(tmp_path / "other.html")


def test_a_page_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = write_page(valley(), tmp_path / "page.html")
    path.write_text(path.read_text().replace('"version":1', '"version":2'))
    with pytest.raises(FormatError, match="version 2"):
        read_page(path)


def test_seeds_and_slices_become_frames() -> None:
    plane = valley(6, 5)
    seeds = Surface(
        (*plane.axes, Axis(np.arange(3.0), "seed", kind="repeat", recipe={"repeats": [[{}, {}]] * 3})),
        {"train/loss": np.stack([plane["train/loss"] * k for k in (1, 2, 3)])},
        np.ones((3, 5, 6), np.uint8),
    )
    frames, label = frames_of(seeds)
    assert label == "seed"
    np.testing.assert_array_equal(frames[2]["train/loss"], plane["train/loss"] * 3)
    volume = dataclasses.replace(seeds, axes=(*plane.axes, Axis(np.array([-1.0, 0.5, 2.0]), "third")))
    frames, label = frames_of(volume)
    assert (label, frames[1].title) == ("γ", "γ = 0.5")
    np.testing.assert_array_equal(frames[1]["train/loss"], plane["train/loss"] * 2)


def test_an_unfinished_run_is_shown_as_far_as_it_is_whole() -> None:
    surface = valley(31, 23)
    state = surface.state.copy()
    state[1::2] = NOT_COMPUTED
    values = {name: np.where(state == NOT_COMPUTED, np.nan, array) for name, array in surface.values.items()}
    unfinished = dataclasses.replace(surface, values=values, state=state)
    packer = Packer()
    record = surface_record(unfinished, packer)
    arrays = unpack(packer.index, packer.text())
    missing = int((state == NOT_COMPUTED).sum())
    assert record["trust"][0] == (
        ["unfinished", f"{missing} of 713 points to come; drawn is the complete, coarser grid"]
    )
    assert dict(record["trust"])["not computed"] == f"{missing} of 713"
    assert dict(record["trust"])["not finite"] == "none", "what was not computed is not that"
    assert record["unfinished"] == f"{missing} of 713 points to come"
    # What is drawn has no hole, and is the run's own at the same places.
    x, y = (arrays[axis["values"]] for axis in record["axes"])
    assert 2 <= len(y) < 23
    assert (arrays[record["state"]] == 1).all()
    i, j = (np.searchsorted(axis.values, kept) for axis, kept in zip(surface.axes, (x, y), strict=True))
    for name in surface.values:
        np.testing.assert_array_equal(arrays[record["values"][name]], surface[name][np.ix_(j, i)])


def test_trust_says_what_is_known_and_nothing_else() -> None:
    surface = valley(9, 8)
    surface = dataclasses.replace(surface, stderr={"train/loss": 0.05 * surface["train/loss"]})
    rows = dict(trust_rows(surface, "train/loss"))
    assert rows["points"] == "9 × 8, 72 of 72 measured"
    assert rows["samples of train"] == "1000 of 50000"
    assert rows["cosine of the axes"] == "0.0123"
    assert "not computed" not in rows
    assert rows["not finite"] == "none"
    assert rows["checkpoint"].startswith("net.pt")
    assert rows["at the checkpoint"].startswith("training loss 0.41")
    error = 0.05 * surface["train/loss"] * np.sqrt(1 - 1000 / 50000)
    middle, most = (f"{float(f'{each:.3g}'):g}" for each in (np.median(error), error.max()))
    assert rows["standard error"] == f"± {middle} (median) of the training loss, at most ± {most}"
    made = "filter-normalised, seed 7, biases and batch norm left out, length 3.5"
    assert [rows[f"direction {each}"] for each in "αβ"] == [f"random direction {k}, {made}" for k in (1, 2)]
    bare = Surface(valley(4, 3).axes[:2], {"train/loss": np.ones((3, 4))}, np.ones((3, 4), np.uint8))
    assert {label for label, _ in trust_rows(bare, "train/loss")} <= {
        "points",
        "not finite",
        "direction α",
        "direction β",
    }


def repeated(*seeds: int) -> Surface:
    """A plane in several random planes, the loss of each a multiple of the first one's."""
    plane = valley(6, 5)
    recipes = [[{"recipe": {**axis.recipe, "seed": seed}} for axis in plane.axes] for seed in seeds]
    return Surface(
        (*plane.axes, Axis(np.arange(float(len(seeds))), "seed", kind="repeat", recipe={"repeats": recipes})),
        {"train/loss": np.stack([plane["train/loss"] * (k + 1) for k in range(len(seeds))])},
        np.ones((len(seeds), 5, 6), np.uint8),
        title="net",
    )


def volume() -> Surface:
    plane = valley(6, 5)
    third = Axis(np.array([-1.0, 0.0, 2.0]), "third", "random")
    loss = np.stack([plane["train/loss"] + shift for shift in (5.0, 0.0, 9.0)])
    origin = {"values": {"train/loss": 0.41}}
    return Surface((*plane.axes, third), {"train/loss": loss}, np.ones((3, 5, 6), np.uint8), origin=origin, title="net")


def test_each_seed_is_named_and_the_page_says_how_much_they_differ(tmp_path: Path) -> None:
    content, _ = read_page(write_page(repeated(3, 5, 8), tmp_path / "page.html"))
    frames = content["panes"][0]["frames"]
    assert [frame["title"] for frame in frames] == ["net, seed 3", "net, seed 5", "net, seed 8"]
    assert [f"seed {k}" in text for k, text in zip((3, 5, 8), content["captions"]["train/loss"], strict=True)] == [
        True
    ] * 3
    rows = dict(frames[1]["trust"])
    assert "by a factor of" in rows["seeds"]


def test_only_the_slice_that_holds_the_checkpoint_claims_its_values(tmp_path: Path) -> None:
    content, _ = read_page(write_page(volume(), tmp_path / "page.html"))
    frames = content["panes"][0]["frames"]
    assert [frame["centred"] for frame in frames] == [False, True, False]
    assert [frame["origin"] for frame in frames] == [{}, {"train/loss": 0.41}, {}]
    assert content["start"]["frame"] == 1, "the slider starts where the checkpoint is"


def test_a_page_is_told_of_the_networks_on_its_planes_and_only_there(tmp_path: Path) -> None:
    there = Axis(np.linspace(-1.0, 1.0, 3), "", "checkpoint", {"path": "runs/b.pt", "differs": []})
    behind = Axis(np.linspace(0.0, 1.0, 3), "", "checkpoint", {"path": "runs/c.pt", "differs": []})
    volume = surface_of({"train/loss": np.ones((3, 3, 3))}, there, random_axis(np.linspace(-1, 1, 3), 1), behind)
    frames = read_page(write_page(volume, tmp_path / "page.html"))[0]["panes"][0]["frames"]
    told = [[(each["name"], each["short"], each["x"], each["y"]) for each in frame["networks"]] for frame in frames]
    assert told == [[("b.pt", "b", 1.0, 0.0)], [], [("c.pt", "c", 0.0, 0.0)]]
    assert [frame["checkpoint"] for frame in frames] == ["net.pt", "", ""]
    elsewhere = dataclasses.replace(volume, origin={**volume.origin, "elsewhere": True})
    frames = read_page(write_page(elsewhere, tmp_path / "page.html"))[0]["panes"][0]["frames"]
    assert not any(frame["networks"] for frame in frames)


def test_what_is_said_follows_what_is_drawn(tmp_path: Path) -> None:
    surface = valley()
    surface = dataclasses.replace(surface, values={**surface.values, "test/loss": surface["train/loss"] * 2})
    content, _ = read_page(write_page(surface, tmp_path / "page.html"))
    starts = {name: texts[0].split(" of ")[0] for name, texts in content["captions"].items()}
    assert starts["train/loss"] == "Training loss (cross entropy)"
    assert starts["test/loss"] == "Test loss (cross entropy)"
    assert starts["train/accuracy"] == "Training accuracy"
    assert starts["gap/loss"] == "Loss (cross entropy)"


def test_interpolated_points_are_counted_with_their_error() -> None:
    surface = valley()
    state, count = surface.state.copy(), surface.counts["train"].copy()
    state[::2, ::2], count[::2, ::2] = INTERPOLATED, 0
    quality = {"interpolation_error": 0.0123, "interpolation": {"held_out": 60}}
    surface = dataclasses.replace(surface, state=state, counts={"train": count}, quality=quality)
    rows = dict(trust_rows(surface, "train/loss"))
    filled = int((state == INTERPOLATED).sum())
    assert rows["interpolated"] == f"{filled} of 713 (95 % of them to 1.2 % of loss + eps, by 60 held out)"
    assert rows["samples of train"] == "1000 of 50000", "interpolated points have no samples to count"
    record = surface_record(surface, Packer())
    assert record["interpolation"]["train/loss"] == "95 % of them to 1.2 % of loss + eps, by 60 held out"


def test_a_page_is_told_how_many_samples_the_checkpoint_was_measured_on() -> None:
    surface = dataclasses.replace(valley(), quality={"unfinished": 7})
    record = surface_record(surface, Packer())
    assert record["samples"] == {"train": 1000}
    assert record["unfinished"] == "7 of 713 points lack samples"
    assert dict(trust_rows(surface, "train/loss"))["unfinished"] == "7 of 713 still lack samples"


def test_a_page_states_the_errors_that_the_samples_left_out_leave() -> None:
    surface = valley()
    shape = surface.shape
    counts = np.full(shape, 37_500)
    counts[0] = 50_000  # all of them: nothing is left to chance
    errors = {"train/loss": np.full(shape, 0.25)}
    surface = dataclasses.replace(surface, counts={"train": counts}, stderr=errors, paired_stderr=errors)
    packer = Packer()
    record = surface_record(surface, packer)
    for kind in ("stderr", "paired"):
        shown = unpack(packer.index, packer.text())[record[kind]["train/loss"]]
        assert (shown[0] == 0).all()
        np.testing.assert_allclose(shown[1:], 0.125, rtol=1e-3)  # half of it, as a quarter was left out
    assert "at most ± 0.125" in dict(trust_rows(surface, "train/loss"))["standard error"]


def test_trust_names_the_values_that_are_not_finite_and_whose_variance_it_is() -> None:
    surface = valley(9, 8)
    accuracy = surface["train/accuracy"].copy()
    accuracy[1, 2:4] = np.nan
    runs = {
        name: Trajectory(
            np.zeros((2, 2)), np.zeros(2), np.zeros(2), np.arange(2), {"explained_variance": [0.7, 0.2, 0.06]}
        )
        for name in ("SGD", "Adam")
    }
    axes = tuple(dataclasses.replace(axis, source="pca") for axis in surface.axes)
    surface = dataclasses.replace(
        surface, axes=axes, values={**surface.values, "train/accuracy": accuracy}, trajectories=runs
    )
    rows = dict(trust_rows(surface, "train/loss"))
    assert rows["not finite"] == "2 of 72 (training accuracy)"
    assert rows["variance"] == "90.0 % of all runs' variance together lies in this plane, 10.0 % outside"
    alone = dataclasses.replace(surface, trajectories={"SGD": runs["SGD"]})
    assert dict(trust_rows(alone, "train/loss"))["variance"].startswith("90.0 % of the run's variance lies")
    record = surface_record(surface, Packer())
    assert [axis["name"] for axis in record["axes"]] == ["PC 1", "PC 2"], "what read-outs call them"


def test_a_slider_over_checkpoints_takes_several_single_planes() -> None:
    with pytest.raises(PlotError, match="holds 2 planes itself"):
        page_text([repeated(1, 2), repeated(1, 2)], epochs=True)
    with pytest.raises(PlotError, match="several surfaces, got 1"):
        page_text(valley(), epochs=True)
    named = [dataclasses.replace(valley(9, 8), title=f"epoch {k}") for k in (0, 5, 9)]
    assert "<title>epoch 0 to epoch 9</title>" in page_text(named, epochs=True)


def test_a_page_starts_only_with_a_scale_that_a_still_would_take() -> None:
    for settings in ({"cap": float("nan")}, {"eps": -1.0}, {"eps": 0.0}, {"exaggeration": 9.0}, {"kind": "cubic"}):
        with pytest.raises(UsageError):
            page_text(valley(9, 8), **settings)
    with pytest.raises(PlotError, match="hides everything"):
        page_text(valley(9, 8), cap=-5.0)
    with pytest.warns(UserWarning, match="'jet' is not used"):
        text = page_text(valley(9, 8), colormap="jet")
    assert '"colormap":"viridis"' in text


def test_a_folder_with_a_space_stays_at_home_too() -> None:
    surface = dataclasses.replace(
        valley(9, 8),
        path="/home/wonder land/net.h5",
        origin={"checkpoint": "/home/wonder land/net.pt", "values": {}},
        problem={"data": {"train": {"reference": "npz:/home/wonder land/x.npz", "size": 9}}},
        command="landscape evaluate '/home/wonder land/net.pt' -o out/net.h5",
    )
    text = page_text(surface)
    assert "wonder" not in text
    assert "land/" not in text


def test_a_gallery_leaves_out_what_has_nothing_to_show(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    write_surface(runs / "good.h5", valley(9, 8))
    lost = {name: np.full((8, 9), np.nan) for name in valley(9, 8).values}
    write_surface(runs / "diverged.h5", dataclasses.replace(valley(9, 8), values=lost))
    made = write_gallery(runs, tmp_path / "site")
    assert [path.name for path in made.pages] == ["good.html"]
    assert [(path.name, "finite" in reason) for path, reason in made.left_out] == [("diverged.h5", True)]
    with pytest.raises(PlotError, match="no surface has values called 'test/loss'"):
        write_gallery(runs, tmp_path / "other", height="test/loss")
    assert not (tmp_path / "other").exists()


def test_no_module_of_the_page_is_missing_from_the_package() -> None:
    folder = files("landscape.plot").joinpath("page", "web")
    setup = (Path(__file__).parents[3] / "setup.py").read_text()
    for name in ("template.html", "style.css", "bundle.js", "three.LICENSE"):
        assert folder.joinpath(name).is_file()
        assert f'"web/{name}"' in setup


def test_a_gallery_shows_every_plane_and_names_what_it_left_out(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    (runs / "deep").mkdir(parents=True)
    write_surface(runs / "a.h5", dataclasses.replace(valley(), title="</b><script>x</script>"))
    write_surface(runs / "deep" / "a.h5", valley(9, 8))
    write_surface(runs / "line.h5", line())
    (runs / "broken.h5").write_bytes(b"not a surface")
    made = write_gallery(runs, tmp_path / "site", name="Mine")
    assert sorted(path.name for path in made.pages) == ["a-2.html", "a.html", "together.html"]
    assert {path.name for path, _ in made.left_out} == {"broken.h5", "line.h5"}
    text = made.index.read_text()
    elements = Elements(text).found
    assert sorted(a["href"] for tag, a in elements if tag == "a") == ["a-2.html", "a.html", "together.html"]
    assert not [tag for tag, _ in elements if tag == "script"]
    assert all((a["src"] or "").startswith("data:image/png") for tag, a in elements if tag == "img")
    content, _ = read_page(tmp_path / "site" / "together.html")
    assert len(content["panes"]) == 2


def test_a_gallery_of_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlotError, match="no plane"):
        write_gallery(tmp_path / "empty", tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_save_writes_what_the_suffix_says(tmp_path: Path) -> None:
    from landscape.plot import save

    assert read_page(save([valley(9, 8), valley(9, 8)], tmp_path / "page.html", name="Both"))[0]["name"] == "Both"
    assert save(valley(9, 8), tmp_path / "net.ply").read_bytes().startswith(b"ply\n")
    film = save(valley(9, 8), tmp_path / "net.gif", seconds=0.1, rate=10, size=(420, 320), interpolate=False)
    assert film.read_bytes().startswith(b"GIF89a")
    with pytest.raises(UsageError, match="one surface"):
        save([valley(9, 8), valley(9, 8)], tmp_path / "both.glb")


def test_similarity_is_carried_bit_for_bit_beside_surfaces_and_alone(tmp_path: Path) -> None:
    found = similarity()
    for surfaces in ([], [valley(9, 8)]):
        content, carried = read_page(write_page(surfaces, tmp_path / "page.html", similarities=[found], poster=b"png"))
        (record,) = content["similarities"]
        values = {each["name"]: each for each in record["values"]}
        np.testing.assert_array_equal(carried[values["cka"]["values"]], found.cka)
        np.testing.assert_allclose(carried[values["cka"]["errors"]], found.stderr, rtol=1e-6)
        assert values["overlap"]["errors"] == -1
        assert [each["start"] for each in record["networks"]] == list(found.starts[:-1])
        assert record["networks"][0]["block"] == [found.blocks[0].first, found.blocks[0].last]
        assert len(content["panes"]) == len(surfaces)
    with pytest.raises(UsageError, match="eps is of surfaces"):
        write_page([], tmp_path / "page.html", similarities=[found], eps=0.1)
    longer = {name: getattr(found.networks[0], name) * 70 for name in ("layers", "calls", "kinds", "features")}
    many = dataclasses.replace(found.networks[0], **longer)
    with pytest.raises(PlotError, match="1,500 layers at most"):
        write_page([], tmp_path / "page.html", similarities=[dataclasses.replace(found, networks=(many, many))])
