"""Films of surfaces: the 3D still from a camera that moves, along paths that grow, or over checkpoints.

Frames are drawn one by one by the still's renderer, wherever: `write_film` takes a function that shares them out, so
that a command can spread them over processes. MP4 and WebM need PyAV (the extra ``[video]``); animated WebP and GIF
only Pillow. Sizes are made even by padding, never by scaling.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape.errors import PlotError, UsageError
from landscape.files import check_place, replace_file
from landscape.surface import Surface

from .captions import caption, panel_title
from .flights import FLIGHTS, Moment, flight
from .packing import Array
from .records import frames_of, same_grid
from .scale import Scale, default_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .camera import Camera

# Suffix -> (container, codec) of PyAV; None where Pillow writes it.
FORMATS: dict[str, tuple[str, str] | None] = {
    ".mp4": ("mp4", "libx264"),
    ".webm": ("webm", "libvpx-vp9"),
    ".webp": None,
    ".gif": None,
}
# Dots an inch of a frame: text of a still at this size is readable in a film.
DPI = 110
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
    interpolate: bool
    text: str  # the caption

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
    camera: Camera | None = None,
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
        See `landscape.plot.flights.flight`.
    name : str, optional
        The values; the training loss where there is one.
    scale : Scale, optional
        Of all frames; by default what suits all surfaces together.
    camera : Camera, optional
        Where the film starts.
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
        ordered = (_from_png(pictures[number]) for number in range(film.frames))
        replace_file(path, encode(ordered, path.suffix.lower(), rate, film.text))
    return path


def plan_film(
    surfaces: Surface | Sequence[Surface],
    path: Path,
    *,
    kind: str,
    name: str | None,
    scale: Scale | None,
    camera: Camera | None,
    seconds: float,
    rate: int,
    size: tuple[int, int],
    interpolate: bool,
) -> Film:
    """Check everything that can be checked before the first frame is drawn."""
    from .camera import Camera

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
    if kind == "path" and not any(plane.trajectories for plane in planes):
        raise PlotError("none of these surfaces has a run to follow; 'landscape trajectory' makes one")
    chosen = name or default_name(planes[0])
    parts = [plane.finished_part() for plane in planes]
    scale = scale or Scale.of(parts, chosen)
    shown = given[:1] if kind == "epochs" else given
    text = caption([frames_of(each)[0][0] for each in shown], scale, chosen)
    film = Film(
        tuple(planes), chosen, scale, kind, frames, (int(size[0]), int(size[1])), camera or Camera(), interpolate, text
    )
    _check_room(film)
    return film


def _check_room(film: Film) -> None:
    """Lay a frame out before hundreds are drawn: a panel may be too small for its labels."""
    try:
        _lay_out(film, film.moment(0))
    except ValueError as error:
        raise UsageError(f"{error}; a film of {film.size[0]} x {film.size[1]} pixels has to be larger") from error


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from .style import our_style

    figure = _lay_out(film, film.moment(number))
    canvas = FigureCanvasAgg(figure)
    with our_style():
        canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return padded(pixels[: film.size[1], : film.size[0], :3])


def _lay_out(film: Film, moment: Moment) -> Figure:
    import dataclasses

    from matplotlib.figure import Figure

    from .colorbars import draw_colorbar
    from .style import CAPTION_SIZE, SOFT_INK, our_style, wrapped
    from .surfaces3d import BAR_ROOM, draw_panel

    count = len(film.surfaces)
    shown = list(film.surfaces)
    if film.kind == "epochs":
        shown = [film.surfaces[min(count - 1, int(moment.frame * count))]]
    width, height = film.size[0] / DPI, film.size[1] / DPI
    camera = dataclasses.replace(
        film.camera, azimuth=moment.azimuth, elevation=float(np.clip(moment.elevation, 5.0, 90.0))
    )
    with our_style():
        figure = Figure(figsize=(width, height), dpi=DPI)
        lines = wrapped(film.text, width - 0.3, CAPTION_SIZE)
        foot = min(0.3, (len(lines) * 1.25 * CAPTION_SIZE + 8) / 72 / height)
        bar = min(0.3, BAR_ROOM / width)
        wide = (1 - bar) / len(shown)
        among = [(each, film.name) for each in film.surfaces]
        for k, surface in enumerate(shown):
            rect = (k * wide, foot, wide, 1 - foot - 0.02)
            draw_panel(
                figure, rect, surface, film.name, film.scale, camera=camera, title=panel_title(surface), among=among,
                interpolate=film.interpolate, steady=True, until=moment.step,
            )  # fmt: skip
        cax = figure.add_axes((1 - 0.9 * bar, foot + 0.2 * (1 - foot), 0.15 * bar, 0.6 * (1 - foot)))
        draw_colorbar(figure, film.scale, cax=cax, lines=True)
        figure.text(
            0.15 / width, 5 / 72 / height, "\n".join(lines), fontsize=CAPTION_SIZE, color=SOFT_INK, va="bottom",
            linespacing=1.25, parse_math=False,
        )  # fmt: skip
    return figure


def padded(picture: Array) -> Array:
    """Give a picture even sides: video codecs keep colours for 2 x 2 pixels together."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), constant_values=255)


def encode(pictures: Any, suffix: str, rate: int, text: str) -> bytes:
    """Return a film of pictures, which are taken one after the other."""
    known = FORMATS[suffix]
    return _with_pillow(pictures, suffix, rate, text) if known is None else _with_av(pictures, *known, rate, text)


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


def _with_pillow(pictures: Any, suffix: str, rate: int, text: str) -> bytes:
    from PIL import Image

    frames = (Image.fromarray(picture) for picture in pictures)
    stream = io.BytesIO()
    duration = round(1000 / rate)
    if suffix == ".gif":
        # One palette for all frames, from the first: palettes that change make still parts flicker.
        first = next(frames).quantize(256, dither=Image.Dither.NONE)
        others = [each.quantize(palette=first, dither=Image.Dither.NONE) for each in frames]
        first.save(
            stream, "GIF", save_all=True, append_images=others, duration=duration, loop=0, optimize=False,
            comment=text.encode("utf-8")[:4000],
        )  # fmt: skip
    else:
        next(frames).save(
            stream, "WEBP", save_all=True, append_images=list(frames), duration=duration, loop=0, quality=85, method=4
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
