from __future__ import annotations

import dataclasses
import json
import re
import shlex
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
from landscape.plot.style.wording import plain_text

from landscape.errors import FormatError, PlotError, StoreError, UsageError
from landscape.files.store import write_surface
from landscape.surface.grid import Axis
from landscape.surface.surface import Surface
from tests.helpers.plot_fixtures import noisy, random_axis, seeded, surface_of, valley
from tests.helpers.similarities import similarity


class Elements(HTMLParser):
    """Every start tag of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


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


@pytest.mark.parametrize(("number", "headline"), [(1, "1"), (2, "1 and 2"), (3, "1, 2 and 3"), (4, "1, 2 and 2 more")])
def test_a_headline_names_three_surfaces_at_most(number: int, headline: str) -> None:
    planes = [dataclasses.replace(valley(4, 3), title=str(k + 1)) for k in range(number)]
    assert f"<title>{headline}</title>" in page_text(planes, poster=b"")


def test_a_title_keeps_no_control_characters() -> None:
    assert plain_text("a\x00b\x1b[2J\u202ec\nd") == "a b [2J c d"
    assert plain_text("Größe α — 5·10⁶") == "Größe α — 5·10⁶"


@pytest.mark.parametrize("name", ["wonderland", "wonder land"])
def test_folders_of_the_author_stay_at_home(name: str) -> None:
    home = f"/home/{name}"
    surface = dataclasses.replace(
        valley(),
        path=f"{home}/secret/net.h5",
        origin={"checkpoint": f"{home}/secret/net.pt", "values": {}},
        problem={"data": {"train": {"reference": f"npz:{home}/x.npz", "size": 9}}},
        command=shlex.join(["landscape", "evaluate", f"{home}/net.pt", f"--data=npz:{home}/x.npz", "-o", "out/net.h5"]),
    )
    text = page_text(surface)
    assert "wonder" not in text
    assert "land/" not in text
    assert "landscape evaluate net.pt" in text.replace("'", "")
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


def test_a_slider_over_checkpoints_takes_several_single_planes() -> None:
    with pytest.raises(PlotError, match="holds 2 planes itself"):
        page_text([seeded(1, 2), seeded(1, 2)], epochs=True)
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
    write_surface(runs / "Index.h5", dataclasses.replace(valley(9, 8), title="the third"))
    write_surface(runs / "line.h5", line())
    (runs / "broken.h5").write_bytes(b"not a surface")
    made = write_gallery(runs, tmp_path / "site", name="Mine")
    assert sorted(path.name for path in made.pages) == ["Index-2.html", "a-2.html", "a.html", "together.html"]
    assert {path.name for path, _ in made.left_out} == {"broken.h5", "line.h5"}
    text = made.index.read_text()
    elements = Elements(text).found
    assert sorted(a["href"] for tag, a in elements if tag == "a") == [
        "Index-2.html",
        "a-2.html",
        "a.html",
        "together.html",
    ]
    assert "<b>the third</b>" in text
    assert not [tag for tag, _ in elements if tag == "script"]
    assert all((a["src"] or "").startswith("data:image/png") for tag, a in elements if tag == "img")
    content, _ = read_page(tmp_path / "site" / "together.html")
    assert len(content["panes"]) == 3


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
