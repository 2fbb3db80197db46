"""Films of surfaces: the 3D still from a camera that moves, along paths that grow, or over checkpoints.

Frames are drawn one by one by the still's renderer, wherever: `write_film` takes a function that shares them out, so
that a command can spread them over processes. MP4 and WebM need PyAV (the extra ``[video]``); animated WebP and GIF
only Pillow. Sizes are made even by padding, never by scaling.
"""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from landscape.errors import PlotError, UsageError
from landscape.files.atomic import check_place, replace_file
from landscape.surface.surface import Surface

from ..page.records import frames_of, same_grid
from ..scale.scale import Scale, default_name
from ..style.captions import caption, panel_title, told_apart
from ..style.colorbars import draw_colorbar
from ..style.layout import TITLE_SPACING, fitting_titles, title_lines
from ..style.panels import THROUGH, without_runs_through
from ..style.style import SOFT_INK, look, our_style, text_width, wrapped
from ..surfaces.camera import Camera
from ..surfaces.frame3d import outermost
from ..surfaces.still import Still
from ..surfaces.surfaces3d import BAR_ROOM
from .flights import FLIGHTS, Moment, azimuths, flight

# Suffix -> (container, codec) of PyAV; None where Pillow writes it.
FORMATS: dict[str, tuple[str, str] | None] = {
    ".mp4": ("mp4", "libx264"),
    ".webm": ("webm", "libvpx-vp9"),
    ".webp": None,
    ".gif": None,
}
Array = NDArray[Any]

# A frame is laid out as a picture so many inches wide: its text is as large beside the surface in any resolution, but
# for small ones, where letters would have too few pixels.
INCHES, FEWEST_DOTS = 9.6, 82.0
# Of a frame's height, for the caption: what is left out there is in the file itself.
CAPTION_ROOM = 0.16
# Of a panel's width, what a title in its corner may take.
CORNER = 0.35
MOST_FRAMES = 20_000

Share = Callable[[int, Callable[[int], bytes], Callable[[int, bytes], None]], None]


@dataclass(frozen=True)
class Film:
    """All that decides what a frame shows."""

    surfaces: tuple[Surface, ...]
    name: str
    scale: Scale
    kind: str  # of the flight
    frames: int
    size: tuple[int, int]  # width and height in pixels
    camera: Camera
    text: str  # the caption
    stills: tuple[Still, ...]  # one a surface

    @property
    def dpi(self) -> float:
        """Dots an inch of a frame."""
        return max(FEWEST_DOTS, self.size[0] / INCHES)

    def moment(self, number: int) -> Moment:
        """Return what frame ``number`` shows. A film that goes once around ends one frame before where it began."""
        last = self.frames if self.kind in ("orbit", "tour") else max(1, self.frames - 1)
        return flight(self.kind, number / last, azimuth=self.camera.azimuth, elevation=self.camera.elevation)


def write_film(
    surfaces: Surface | Sequence[Surface],
    path: str | Path,
    *,
    kind: str = "orbit",
    name: str | None = None,
    scale: Scale | None = None,
    camera: Camera | Sequence[float] | str | None = None,
    seconds: float = 8.0,
    rate: int = 24,
    size: tuple[int, int] = (1280, 720),
    interpolate: bool = True,
    share: Share | None = None,
    write: bool = True,
) -> Path:
    """Draw a film and write it.

    Parameters
    ----------
    surfaces : Surface or sequence of Surface
        Planes: side by side, or one after the other where ``kind`` is ``"epochs"``.
    path : path
        Its suffix says as what: .mp4, .webm, .webp or .gif.
    kind : {"orbit", "tour", "path", "epochs"}
        See `landscape.plot.films.flights.flight`.
    name : str, optional
        The values; the training loss where there is one.
    scale : Scale, optional
        Of all frames; by default what suits all surfaces together.
    camera : Camera, (azimuth, elevation) or {"paper", "top", "side", "along"}, optional
        Where the film starts; by default from where most of the surfaces' runs is seen.
    seconds : float
        How long it is.
    rate : int
        Frames a second.
    size : (int, int)
        Width and height in pixels; an odd one gets another row or column of white.
    interpolate : bool
        Draw coarse grids smoothly.
    share : callable, optional
        ``share(number, draw, keep)`` calls ``keep(k, draw(k))`` for every k below ``number``, in any order, anywhere.
    write : bool
        False on a process that only draws frames for another one.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        No such film, suffix, size or length; or PyAV is not installed.
    PlotError
        A surface cannot be drawn, or there is no path to ride.
    StoreError
        The file cannot be written.
    """
    path = Path(path)
    film = plan_film(
        surfaces, path, kind=kind, name=name, scale=scale, camera=camera, seconds=seconds, rate=rate, size=size,
        interpolate=interpolate,
    )  # fmt: skip
    if write:
        check_place(path)
    pictures: dict[int, bytes] = {}
    (share or _one_by_one)(film.frames, lambda number: _as_png(draw_frame(film, number)), pictures.__setitem__)
    if write:
        done = encode(lambda k: _from_png(pictures[k]), film.frames, path.suffix.lower(), rate, film.text)
        replace_file(path, done)
    return path


def plan_film(
    surfaces: Surface | Sequence[Surface],
    path: Path,
    *,
    kind: str,
    name: str | None,
    scale: Scale | None,
    camera: Camera | Sequence[float] | str | None,
    seconds: float,
    rate: int,
    size: tuple[int, int],
    interpolate: bool,
) -> Film:
    """Check everything that can be checked before the first frame is drawn."""
    given = [surfaces] if isinstance(surfaces, Surface) else list(surfaces)
    if kind not in FLIGHTS:
        raise UsageError(f"a film is one of {', '.join(FLIGHTS)}, not {kind!r}")
    check_format(path)
    frames = round(seconds * rate) if np.isfinite(seconds) else 0
    if not 1 <= frames <= MOST_FRAMES or not 1 <= rate <= 120:
        raise UsageError(f"a film has 1 to {MOST_FRAMES} frames at 1 to 120 a second, not {seconds:g} s at {rate}")
    if not all(120 <= side <= 8192 for side in size):
        raise UsageError(f"a film is 120 to 8192 pixels wide and high, not {size[0]} x {size[1]}")
    if not given:
        raise PlotError("there is nothing to film: no surface was given")
    planes = [frame for surface in given for frame in frames_of(surface)[0]]
    if kind == "epochs" and (len(planes) < 2 or not same_grid(planes)):
        raise PlotError("a film over checkpoints needs several surfaces on one grid")
    if kind == "path" and all(run.unordered for plane in planes for run in plane.trajectories.values()):
        if without_runs_through(given)[1]:
            raise PlotError(f"there is no run to follow: {THROUGH}")
        raise PlotError("none of these surfaces has a run to follow; 'landscape trajectory' makes one")
    chosen = name or default_name(planes[0])
    parts = [plane.finished_part() for plane in planes]
    scale = scale or Scale.of(parts, chosen)
    titles = [panel_title(each) for each in given]
    # One after the other they are no panels.
    text = caption(given, scale, chosen, titles=told_apart(titles, "checkpoint") if kind == "epochs" else titles)
    among = [(plane, chosen) for plane in planes]
    start = Camera.of(camera)
    with our_style():
        stills = tuple(
            Still.of(plane, chosen, scale, camera=start, among=among, interpolate=interpolate) for plane in planes
        )
        steady = azimuths(kind, stills[0].camera.azimuth)
        # What is in the picture from all sides: looked for once, not for each frame.
        stills = tuple(dataclasses.replace(still, steady=steady, content=outermost(still.content)) for still in stills)
        size = int(size[0]), int(size[1])
        film = Film(tuple(planes), chosen, scale, kind, frames, size, stills[0].camera, text, stills)
        try:
            # Hundreds of frames are drawn, and a panel may be too small for its labels from anywhere.
            for elevation in {film.moment(number).elevation for number in range(0, frames, max(1, frames // 16))}:
                _lay_out(film, dataclasses.replace(film.moment(0), elevation=elevation))
            # Legend and notes stand below the surface: in a corner that a frame leaves free they would jump.
            strip = max(still.strip for number in (0, frames - 1) for still in _drawn(film, number))
            film = dataclasses.replace(
                film, stills=tuple(dataclasses.replace(still, strip=strip) for still in film.stills)
            )
        except PlotError as error:
            raise UsageError(f"{error}; a film of {size[0]} x {size[1]} pixels has to be larger") from error
    return film


def check_format(path: Path) -> None:
    """Refuse a film that could not be written in the end, before it is drawn."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(f"a film is written as {', '.join(FORMATS)}, not {path.name!r}")
    if FORMATS[suffix] is not None:
        try:
            import av  # noqa: F401
        except ImportError as error:
            raise UsageError(
                f"{suffix} needs PyAV: pip install 'torch-landscape[video]', or write .webp or .gif"
            ) from error


def draw_frame(film: Film, number: int) -> Array:
    """Return frame ``number`` as RGB, shape (height, width, 3) uint8, both even."""
    figure = _lay_out(film, film.moment(number))
    canvas = FigureCanvasAgg(figure)
    with our_style():
        canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return padded(pixels[: film.size[1], : film.size[0], :3])


def _lay_out(film: Film, moment: Moment) -> Figure:
    shown = range(len(film.stills))
    if film.kind == "epochs":
        shown = range(len(shown))[min(len(shown) - 1, int(moment.frame * len(shown))) :][:1]
    width, height = film.size[0] / film.dpi, film.size[1] / film.dpi
    camera = dataclasses.replace(
        film.camera, azimuth=moment.azimuth, elevation=float(np.clip(moment.elevation, 0.0, 90.0))
    )
    with our_style():
        figure = Figure(figsize=(width, height), dpi=film.dpi)
        # Letters of few pixels are drawn wider than they are measured.
        lines = caption_lines(film.text, 0.95 * width - 0.3, CAPTION_ROOM * height)
        foot = (len(lines) * 1.25 * look().caption + 8) / 72 / height
        bar = min(0.3, BAR_ROOM / width)
        columns, rows = _grid(len(shown), (1 - bar) * width, (1 - foot) * height)
        wide, tall = (1 - bar) / columns, (1 - foot) / rows
        large, titles, head = _titles(film, wide * width)
        # What is left of a stamp is refused by the still.
        head = min(head / height, 0.5 * tall)
        for k, number in enumerate(shown):
            row, column = divmod(k, columns)
            place = (column * wide, foot + (rows - 1 - row) * tall, wide, tall - head)
            ax = figure.add_axes(place, label=f"surface {k}", gid="panel")
            dataclasses.replace(film.stills[number], camera=camera, until=moment.step, drawn=[], panel=None).enter(ax)
            ax.annotate(
                "\n".join(titles[number]), (0, 1 + head / (tall - head)), xycoords="axes fraction", xytext=(8, -6),
                textcoords="offset points", va="top", fontsize=large, fontweight="bold", linespacing=TITLE_SPACING,
                parse_math=False, gid="title", annotation_clip=False,
            )  # fmt: skip
        cax = figure.add_axes((1 - 0.9 * bar, foot + 0.2 * (1 - foot), 0.15 * bar, 0.6 * (1 - foot)))
        draw_colorbar(figure, film.scale, cax=cax, lines=True)
        figure.text(
            0.15 / width, 5 / 72 / height, "\n".join(lines), fontsize=look().caption, color=SOFT_INK, va="bottom",
            linespacing=1.25, parse_math=False, gid="caption",
        )  # fmt: skip
    return figure


def _titles(film: Film, width: float) -> tuple[float, list[list[str]], float]:
    """Return the titles' size in points, the lines of each for panels so wide, and the height they take, in inches.

    Short ones take none: they stand beside the surface, in a corner that it never reaches.
    """
    texts = [panel_title(still.scene.sheet.whole) for still in film.stills]
    room = width - 16 / 72
    size, most = fitting_titles(texts, room, most=3)
    short = all(text_width(each, size, "bold") <= CORNER * width for each in texts)
    height = 0.0 if short else (most * TITLE_SPACING * size + 6) / 72
    return size, [title_lines(each, room, size, most) for each in texts], height


def _drawn(film: Film, number: int) -> list[Still]:
    """Return the stills of a frame, with all of their runs."""
    figure = _lay_out(film, dataclasses.replace(film.moment(number), step=1.0))
    return [each for each in (ax.get_axes_locator() for ax in figure.axes) if isinstance(each, Still)]


def _grid(number: int, width: float, height: float) -> tuple[int, int]:
    """Return the columns and rows in which so many panels, a quarter wider than tall, are the largest."""
    columns = max(range(1, number + 1), key=lambda n: min(width / n, 1.25 * height / -(-number // n)))
    return columns, -(-number // columns)


def caption_lines(text: str, width: float, height: float) -> list[str]:
    """Return as many sentences of a caption, and at least the first, as fit into a box in inches.

    A formula is never broken.
    """
    text = re.sub(r"z = \w+\([^()]*\)", lambda found: found[0].replace(" ", "\u00a0"), text)
    sentences = re.split(r"(?<=\.) (?=[A-Z0-9])", text)
    lines: list[str] = []
    for number in range(1, len(sentences) + 1):
        longer = wrapped(" ".join(sentences[:number]), width, look().caption)
        if number > 1 and (len(longer) * 1.25 * look().caption + 8) / 72 > height:
            break
        lines = longer
    return lines


def padded(picture: Array) -> Array:
    """Give a picture even sides: video codecs keep colours for 2 x 2 pixels together."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), constant_values=255)


def encode(picture: Callable[[int], Array], number: int, suffix: str, rate: int, text: str) -> bytes:
    """Return a film of ``number`` pictures, asked for one after the other."""
    known = FORMATS[suffix]
    pictures = (picture(k) for k in range(number))
    if known is not None:
        return _with_av(pictures, *known, rate, text)
    return _as_gif(picture, number, rate, text) if suffix == ".gif" else _as_webp(pictures, rate)


def _with_av(pictures: Any, container: str, codec: str, rate: int, text: str) -> bytes:
    import av

    stream = io.BytesIO()
    with av.open(stream, "w", format=container) as output:
        output.metadata["comment"] = text
        video = output.add_stream(codec, rate=rate)
        # Nearly without loss, and 4:2:0, which every player shows.
        video.options = {"crf": "18", "preset": "medium"} if codec == "libx264" else {"crf": "24", "b:v": "0"}
        video.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            if number == 0:
                video.height, video.width = picture.shape[:2]
            for packet in video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")):
                output.mux(packet)
        for packet in video.encode():
            output.mux(packet)
    return stream.getvalue()


def _as_gif(picture: Callable[[int], Array], number: int, rate: int, text: str) -> bytes:
    """Return a GIF with one palette for all frames, in which white is white: palettes that change flicker."""
    from PIL import Image

    several = np.concatenate([picture(k)[::2, ::2] for k in np.unique(np.linspace(0, number - 1, 6).astype(int))])
    palette = Image.fromarray(np.ascontiguousarray(several)).quantize(255, dither=Image.Dither.NONE)
    colors = (palette.getpalette() or [])[: 3 * 255]
    palette.putpalette([*colors, 255, 255, 255])
    white = len(colors) // 3

    def frame(k: int) -> Any:
        shown = picture(k)
        found = np.array(Image.fromarray(shown).quantize(palette=palette, dither=Image.Dither.NONE))
        # Pillow looks up colours that share their five leading bits as one.
        found[(shown == 255).all(axis=-1)] = white
        image = Image.fromarray(found, "P")
        image.putpalette(palette.getpalette() or [])
        return image

    frames = (frame(k) for k in range(number))
    stream = io.BytesIO()
    next(frames).save(
        stream, "GIF", save_all=True, append_images=list(frames), duration=round(1000 / rate), loop=0, optimize=False,
        comment=text.encode("utf-8")[:4000],
    )  # fmt: skip
    return stream.getvalue()


def _as_webp(pictures: Iterator[Array], rate: int) -> bytes:
    from PIL import Image

    first, *others = (Image.fromarray(each) for each in pictures)
    stream = io.BytesIO()
    first.save(
        stream, "WEBP", save_all=True, append_images=others, duration=round(1000 / rate), loop=0, quality=85, method=4
    )
    return stream.getvalue()


def _one_by_one(number: int, draw: Callable[[int], bytes], keep: Callable[[int, bytes], None]) -> None:
    for k in range(number):
        keep(k, draw(k))


def _as_png(picture: Array) -> bytes:
    """Pack a frame: hundreds of them wait in memory until the last one is drawn."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _from_png(data: bytes) -> Array:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))
