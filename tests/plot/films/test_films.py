from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from landscape.plot.films.films import _lay_out, caption_lines, draw_frame, encode, padded, plan_film, write_film
from landscape.plot.films.flights import FLIGHTS, azimuths, flight
from landscape.plot.scale.scale import Scale
from landscape.plot.style.captions import caption
from landscape.plot.surfaces.camera import Camera
from landscape.plot.surfaces.scenes import SurfaceImage
from PIL import Image

from landscape.cli import main
from landscape.errors import PlotError, UsageError
from landscape.files.store import write_surface
from landscape.surface.surface import Surface, Trajectory
from tests.helpers.plot_fixtures import random_axis, repeated, surface_of, valley

SMALL: dict[str, Any] = {"seconds": 0.5, "rate": 8, "size": (421, 321)}


def with_run() -> Surface:
    t = np.linspace(0, 1, 9)
    run = Trajectory(
        np.stack([-0.8 + t, 0.6 - 0.8 * t], axis=1), 0.1 * t, np.full(9, np.nan), np.arange(9, dtype=np.int64) * 10
    )
    return dataclasses.replace(valley(15, 12), trajectories={"SGD": run})


def planned(surfaces: Any, **changes: Any) -> Any:
    options: dict[str, Any] = {
        "kind": "orbit", "name": None, "scale": None, "camera": None, "interpolate": False, **SMALL, **changes,
    }  # fmt: skip
    return plan_film(surfaces, Path("film.webp"), **options)


def title_of(figure: Any) -> str:
    (title,) = [each for ax in figure.axes for each in ax.texts if each.get_gid() == "title"]
    return str(title.get_text())


def decoded(path: Path) -> tuple[list[Any], float]:
    """Return the pictures of a film and its rate, read by another library than wrote it where there is one."""
    if path.suffix in (".mp4", ".webm"):
        av = pytest.importorskip("av")
        with av.open(str(path)) as film:
            stream = film.streams.video[0]
            return [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)], float(stream.average_rate)
    with Image.open(path) as film:
        pictures = []
        for number in range(film.n_frames):
            film.seek(number)
            pictures.append(np.asarray(film.convert("RGB")))
        return pictures, 1000 / film.info["duration"]


@pytest.fixture(scope="module")
def frames() -> list[Any]:
    film = planned(valley(15, 12))
    return [draw_frame(film, number) for number in range(film.frames)]


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".webp", ".gif"])
def test_a_film_has_the_frames_the_size_and_the_rate_asked_for(frames: list[Any], tmp_path: Path, suffix: str) -> None:
    if suffix in (".mp4", ".webm"):
        pytest.importorskip("av")
    path = tmp_path / f"film{suffix}"
    path.write_bytes(encode(frames.__getitem__, len(frames), suffix, SMALL["rate"], "Training loss of net.pt"))
    if suffix in (".mp4", ".webm"):
        import av

        with av.open(str(path)) as film:
            assert {name.lower(): text for name, text in film.metadata.items()}["comment"] == "Training loss of net.pt"
    pictures, rate = decoded(path)
    assert len(pictures) == 4
    assert rate == pytest.approx(8, rel=0.05)
    assert pictures[0].shape == (322, 422, 3), "padded to even sides, not scaled"
    assert np.abs(pictures[0].astype(float).mean((0, 1)) - frames[0].mean((0, 1))).max() < 3
    assert np.abs(pictures[0].astype(int) - pictures[2]).mean() > 2, "the camera moves"


def test_a_film_over_checkpoints_shows_each_of_them(tmp_path: Path) -> None:
    later = {"problem": {**valley().problem, "batch_norm": "recompute"}, "origin": {"checkpoint": "later.pt"}}
    surfaces = [valley(15, 12), dataclasses.replace(valley(15, 12), title="later", **later)]
    film = planned(surfaces, kind="epochs")
    assert film.text.startswith("Training loss (cross entropy) of net.pt and later.pt on 1,000")
    assert "statistics frozen (resnet20), batch-norm statistics recomputed at each point (later)" in film.text
    frames = [film.moment(k).frame for k in range(film.frames)]
    assert frames[0] == 0.0
    assert frames[-1] == 1.0
    titles = [title_of(_lay_out(film, dataclasses.replace(film.moment(0), frame=k / 10))) for k in range(11)]
    assert titles == 5 * [titles[0]] + 6 * ["later"]  # each as long as the other
    # Legend and notes have one place in all frames, whichever network has the most of them.
    run = Trajectory(np.array([[0.5, 0.4], [0.2, 0.3], [0.0, 0.0]]), np.zeros(3), np.ones(3), np.arange(3))
    told = [*surfaces, dataclasses.replace(valley(15, 12), trajectories={"sgd": run, "a run with a long name": run})]
    most = planned(told[::-1], kind="epochs").stills[0].strip
    assert {still.strip for still in planned(told, kind="epochs").stills} == {most}
    assert most > film.stills[0].strip
    with pytest.raises(PlotError, match="one grid"):
        planned([valley(15, 12), valley(9, 9)], kind="epochs")


def test_a_path_grows_from_nothing_to_all_of_it() -> None:
    film = planned(with_run(), kind="path", seconds=1.0)
    steps = [film.moment(k).step for k in range(film.frames)]
    assert steps[0] == 0.0
    assert steps[-1] == 1.0
    assert (np.diff(steps) >= 0).all()
    first, last = draw_frame(film, 0).astype(int), draw_frame(film, film.frames - 1).astype(int)
    orange = [(np.abs(each - [213, 94, 0]).max(axis=-1) < 60).sum() for each in (first, last)]
    assert orange[1] > orange[0] + 20
    with pytest.raises(PlotError, match="landscape trajectory"):
        planned(valley(15, 12), kind="path")
    t = np.linspace(-1, 1, 3)
    volume = surface_of({"train/loss": np.ones((3, 3, 3))}, *(random_axis(t, k) for k in range(3)))
    run = Trajectory(np.zeros((2, 3)), np.zeros(2), np.zeros(2), np.arange(2))
    with pytest.raises(PlotError, match="no run to follow: runs through a volume lie in none of its slices"):
        planned(dataclasses.replace(volume, trajectories={"SGD": run}), kind="path")


@pytest.mark.parametrize("name", FLIGHTS)
def test_a_flight_never_jumps(name: str) -> None:
    moments = [flight(name, k / 400) for k in range(401)]
    turns = np.diff([each.azimuth for each in moments])
    rises = np.diff([each.elevation for each in moments])
    assert np.abs(turns).max() < 4
    assert np.abs(rises).max() < 1
    assert all(5 <= each.elevation <= 90 for each in moments)


@pytest.mark.parametrize("name", FLIGHTS)
def test_a_flight_stays_between_its_azimuths_and_turns_to_the_left(name: str) -> None:
    seen = [flight(name, t, azimuth=100.0).azimuth for t in np.linspace(0, 1, 41)]
    low, high = azimuths(name, 100.0)
    assert low - 1e-9 <= min(seen) <= max(seen) <= high + 1e-9
    assert (seen[0], seen[-1]) == pytest.approx((low, high))


def test_a_path_is_whole_before_its_film_ends() -> None:
    assert [flight("path", t).step for t in (0.0, 0.45, 0.9, 1.0)] == [0.0, 0.5, 1.0, 1.0]


def test_going_around_ends_where_it_began() -> None:
    for name in ("orbit", "tour"):
        first, last = flight(name, 0.0), flight(name, 1.0)
        assert last.azimuth - first.azimuth == pytest.approx(360)
        assert last.elevation == pytest.approx(first.elevation)


@pytest.mark.parametrize("shape", [(4, 6), (5, 6), (4, 7), (5, 7)])
def test_padding_adds_white_and_changes_nothing(shape: tuple[int, int]) -> None:
    picture = np.arange(shape[0] * shape[1] * 3, dtype=np.uint8).reshape(*shape, 3) % 200
    out = padded(picture)
    assert all(side % 2 == 0 for side in out.shape[:2])
    np.testing.assert_array_equal(out[: shape[0], : shape[1]], picture)
    assert (out[shape[0] :] == 255).all()


def test_the_white_of_a_gif_is_white_in_every_frame(tmp_path: Path) -> None:
    # Of many colours a palette keeps means, and white becomes a grey that the first frame alone has.
    rng = np.random.default_rng(0)
    pictures = [np.full((40, 60, 3), 255, np.uint8) for _ in range(3)]
    for number, picture in enumerate(pictures):
        picture[8:30, 10:50] = 0
        picture[8:30, 10:50, number] = rng.integers(0, 256, (22, 40))  # each of its own hue
        picture[30:, 10:50] = rng.integers(250, 256, (10, 40, 3))
    (tmp_path / "film.gif").write_bytes(encode(pictures.__getitem__, 3, ".gif", 10, "Training loss of net.pt"))
    with Image.open(tmp_path / "film.gif") as film:
        assert b"Training loss" in film.info["comment"]
    found, _ = decoded(tmp_path / "film.gif")
    for got, picture in zip(found, pictures, strict=True):
        assert (got[:8] == 255).all()
        assert np.abs(got.astype(int) - picture).mean() < 12, "the colours are those of all frames"


@pytest.mark.parametrize("width", [4.0, 5.2, 11.0])
def test_a_film_never_breaks_a_formula_and_keeps_whole_sentences(width: float) -> None:
    text = "Training loss of net.pt on 1,000 of 50,000 samples; drawn as z = log(L + 0.1). " + "A sentence more. " * 40
    lines = caption_lines(text, width, 0.5)
    assert len(lines) * 1.25 * 6.8 / 72 < 0.5
    assert sum("z\u00a0=\u00a0log(L\u00a0+\u00a00.1)" in line for line in lines) == 1
    assert lines[-1].endswith("A sentence more.")


def test_a_small_film_is_drawn_from_every_side_its_surface_fills_it_and_nothing_pulses() -> None:
    # At 320 x 240 the panel had room for its labels from one side, and half-way round had none.
    film, views = planned(valley(15, 12), size=(320, 240)), []
    for number in range(film.frames):
        figure = _lay_out(film, film.moment(number))
        (ax,) = (each for each in figure.axes if each.get_gid() == "panel")
        (image,) = (each for each in ax.artists if isinstance(each, SurfaceImage))
        spots = image.view.project(image.scene.content)[:, :2] / image.view.size
        assert (spots >= 0).all()
        assert (spots <= 1).all()
        assert np.ptp(spots, axis=0).max() > 0.5
        views.append((image.view.scale, *image.view.centre))
    np.testing.assert_allclose(views, [views[0]] * film.frames, rtol=1e-6)


def test_long_titles_of_a_film_are_whole_and_on_nothing() -> None:
    titles = "a network with a title so long that no one would cut it, and even longer", "plain"
    planes = [dataclasses.replace(valley(9, 7), title=each) for each in titles]
    film = planned(planes, size=(640, 300))
    figure = _lay_out(film, film.moment(1))
    figure.canvas.draw()
    drawn = [text for ax in figure.axes for text in ax.texts if text.get_gid() == "title"]
    assert [text.get_text().replace("\n", " ") for text in drawn] == list(titles)
    first, second = (text.get_window_extent() for text in drawn)
    assert first.x1 < second.x0
    for ax, box in zip(figure.axes, (first, second), strict=False):
        assert box.y0 >= ax.get_window_extent().y1 - 1


def test_all_seeds_of_one_file_are_filmed_side_by_side() -> None:
    film = planned(repeated(valley(9, 8)), size=(1280, 720))
    assert "(seeds 10 to 14;" in film.text
    figure = _lay_out(film, film.moment(0))
    places = [ax.get_position() for ax in figure.axes if ax.get_gid() == "panel"]
    # In rows: five in one row would be as small as five stamps.
    assert len(places) == 5
    assert all(0.9 < place.width * 1280 / (place.height * 720) < 1.5 for place in places)
    assert not any(one.overlaps(other.padded(-0.01)) for k, one in enumerate(places) for other in places[:k])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "spiral"}, "orbit, tour, path, epochs"),
        ({"seconds": 0.0}, "frames"),
        ({"seconds": float("nan")}, "frames"),
        ({"rate": 1000}, "a second"),
        ({"size": (10, 10)}, "pixels"),
        ({"size": (121, 120)}, "larger"),
    ],
)
def test_what_is_no_film_is_a_misuse(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        planned(valley(15, 12), **changes)


def test_without_pyav_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"torch-landscape\[video\].*\.webp"):
        write_film(valley(15, 12), tmp_path / "film.mp4", **SMALL)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "film.avi"], "written as"),
        ([], "name one film"),
        (["-o", "a.gif", "-o", "b.gif"], "name one film"),
        (["-o", "a.gif", "--kind", "contour"], "3D still"),
        (["-o", "a.gif", "--size", "big"], "1280x720"),
        (["-o", "a.gif", "--independent"], "one scale"),
    ],
)
def test_the_command_refuses_what_is_no_film(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    write_surface(tmp_path / "net.h5", valley(9, 8))
    assert main(["plot", str(tmp_path / "net.h5"), "--film", "orbit", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["net.gif", "net.mp4"])
def test_the_command_writes_a_film(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    if name.endswith(".mp4"):
        pytest.importorskip("av")
    write_surface(tmp_path / "net.h5", valley(9, 8))
    words = ["--film", "tour", "--seconds", "0.4", "--fps", "5", "--size", "420x320", "--no-interpolation"]
    assert main(["plot", str(tmp_path / "net.h5"), "-o", str(tmp_path / name), *words]) == 0
    pictures, rate = decoded(tmp_path / name)
    assert [each.shape for each in pictures] == [(320, 420, 3)] * 2
    assert rate == pytest.approx(5)
    assert "2 frames" in capsys.readouterr().out


def test_the_command_hands_on_what_was_asked_of_a_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def film(surfaces: Any, path: Path, **options: Any) -> None:
        asked.update(options, surfaces=surfaces)
        path.write_bytes(b"film")

    monkeypatch.setattr("landscape.plot.films.films.write_film", film)
    higher = {name: 0.9 * values for name, values in valley(7, 8).values.items()}
    for surface, title in ((valley(9, 8), "a"), (dataclasses.replace(valley(7, 8), values=higher), "b")):
        write_surface(tmp_path / f"{title}.h5", surface)
    words = ["plot", str(tmp_path / "b.h5"), str(tmp_path / "a.h5"), "-o", str(tmp_path / "film.gif"), "--film"]
    look = ["--name", "train/accuracy", "--colormap", "cividis", "--scale", "linear"]
    how = ["--camera", "10,20", "--seconds", "3", "--fps", "7", "--size", "420x320", "--no-interpolation"]
    assert main([*words, "epochs", *look, *how]) == 0
    assert [each.shape for each in asked["surfaces"]] == [(8, 7), (8, 9)]
    scale = asked["scale"]
    assert (asked["name"], scale.kind, scale.colormap) == ("train/accuracy", "linear", "cividis")
    assert scale.percent
    assert [asked[each] for each in ("kind", "seconds", "rate", "size")] == ["epochs", 3.0, 7, (420, 320)]
    assert Camera.of(asked["camera"]) == Camera(10, 20)
    assert not asked["interpolate"]
    assert asked["write"]
    assert main([*words, "orbit", "--cap", "0.5", "--eps", "0.2", "--levels", "0.3,0.4"]) == 0
    scale = asked["scale"]
    assert (asked["name"], scale.kind, scale.cap, scale.eps) == ("train/loss", "log", 0.5, 0.2)
    assert list(scale.levels) == [0.3, 0.4]
    assert [asked[each] for each in ("kind", "seconds", "rate", "size")] == ["orbit", 8.0, 24, (1280, 720)]
    assert asked["camera"] is None
    assert asked["interpolate"]
    assert main([*words, "epochs", "--scale", "linear"]) == 0
    both, first = (Scale.of(given, "train/loss", kind="linear") for given in (asked["surfaces"], asked["surfaces"][0]))
    assert asked["scale"].high == both.high > first.high


@pytest.mark.slow
def test_a_film_does_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    from tests.helpers.jobs import run

    write_surface(tmp_path / "net.h5", valley(9, 8))
    words = ["--film", "orbit", "--seconds", "0.75", "--fps", "4", "--size", "420x320", "--no-interpolation", "-o"]
    for name, ranks in (("one.webp", 1), ("two.webp", 2)):
        command = ["-m", "landscape", "plot", tmp_path / "net.h5", *words, tmp_path / name]
        code, out, error = run(command, mpi="mpich" if ranks > 1 else None, ranks=ranks)
        assert code == 0, error
        assert out.count("3 frames") == 1, "only one process says what was written"
    assert (tmp_path / "one.webp").read_bytes() == (tmp_path / "two.webp").read_bytes()


def test_runs_of_different_lengths_grow_at_one_pace() -> None:
    from landscape.plot.paths.trajectories import paths_of

    def run(steps: list[int], unit: str = "step") -> Trajectory:
        n, about = len(steps), {"unit": unit}
        return Trajectory(np.linspace(0, 0.5, 2 * n).reshape(n, 2), np.zeros(n), np.zeros(n), np.array(steps), about)

    surface = dataclasses.replace(
        valley(15, 12), trajectories={"long": run([0, 10, 20, 30, 40]), "short": run([0, 10, 20])}
    )
    for until, drawn in ((0.0, (1, 1)), (0.25, (2, 2)), (0.5, (3, 3)), (0.75, (4, 3)), (1.0, (5, 3))):
        assert tuple(path.drawn for path in paths_of(surface, until=until)) == drawn
    # Steps and epochs have no common pace: each run grows to its own end.
    runs = {**surface.trajectories, "short": run([0, 10, 20], "epoch")}
    assert [path.drawn for path in paths_of(dataclasses.replace(surface, trajectories=runs), until=0.5)] == [3, 2]


def test_the_caption_speaks_of_all_surfaces_that_are_in_the_film():
    first, second = (dataclasses.replace(valley(15, 12), origin={"checkpoint": f"{name}.pt"}) for name in "ab")
    film = planned([first, second])
    assert film.text == caption([first, second], film.scale, "train/loss")
    assert film.text != caption([first], film.scale, "train/loss")


def test_checkpoints_of_one_title_are_told_apart_by_their_places_in_the_film():
    few = dataclasses.replace(valley(9, 7), problem={**valley().problem, "sample_seed": 8})
    for kind, words in (("epochs", "(checkpoint 2)"), ("orbit", "(panel 2)")):
        film = planned([valley(9, 7), few], kind=kind)
        assert f"(seed 8) {words}" in film.text
