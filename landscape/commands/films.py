"""Films for ``landscape plot``: its options, and drawing the frames on all processes of a job."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape.errors import UsageError

if TYPE_CHECKING:
    from landscape.surface import Surface

FILMS = ("orbit", "tour", "path", "epochs")


def add_film_options(parser: argparse.ArgumentParser) -> None:
    """Add what a film needs beside a picture's options."""
    group = parser.add_argument_group("film, of the 3D still; under mpiexec all processes draw frames")
    group.add_argument(
        "--film",
        choices=FILMS,
        help="once around; around, low and high; along a training run; over the FILEs as checkpoints. OUT is .mp4 or "
        ".webm (with PyAV), .webp or .gif",
    )
    group.add_argument("--seconds", type=float, default=8.0, metavar="S", help="how long it is")
    group.add_argument("--fps", type=int, default=24, metavar="N", help="frames a second")
    group.add_argument("--size", default="1280x720", metavar="WxH", help="in pixels; odd sides get a row of white")


def write_films(options: argparse.Namespace) -> int:
    """Draw a film and say where it is."""
    import dataclasses

    from landscape.comm import current_comm
    from landscape.plot.films import check_format, write_film
    from landscape.plot.scale import Scale, default_name
    from landscape.store import read_surface

    if options.kind not in (None, "surface"):
        raise UsageError(f"a film is of the 3D still, not of a {options.kind}")
    if options.independent:
        raise UsageError("panels of a film share one scale; --independent is for pictures")
    if not options.output or len(options.output) != 1:
        raise UsageError("name one film: -o film.mp4")
    output = Path(options.output[0])
    check_format(output)
    if output.exists() and any(Path(each).exists() and output.samefile(each) for each in options.files):
        raise UsageError(f"{output} is a file that is drawn; write to another one")
    if options.name is not None and len(options.name) > 1:
        raise UsageError("a film shows one kind of values; give --name once")
    titles = options.title or []
    surfaces: list[Surface] = [read_surface(each) for each in options.files]
    if titles:
        surfaces = [dataclasses.replace(each, title=title) for each, title in zip(surfaces, titles, strict=True)]
    name = options.name[0] if options.name else default_name(surfaces[0])
    scale = Scale.of(
        [each.finished_part() for each in surfaces],
        name,
        kind=options.scale,
        cap=options.cap,
        eps=options.eps,
        colormap=options.colormap,
        levels=options.levels,
    )
    comm = current_comm()
    settings: dict[str, Any] = {"kind": options.film, "seconds": options.seconds, "rate": options.fps}
    write_film(
        surfaces,
        output,
        name=name,
        scale=scale,
        size=_size(options.size),
        interpolate=not options.no_interpolation,
        share=comm.each,
        write=comm.rank == 0,
        **settings,
    )
    if comm.rank == 0:
        print(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB, {round(options.seconds * options.fps)} frames)")
    return 0


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise UsageError(f"a size is WIDTHxHEIGHT in pixels, as in 1280x720, not {text!r}")
    return int(width), int(height)
