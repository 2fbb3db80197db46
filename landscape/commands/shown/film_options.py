"""Films for ``landscape plot``: its options, and drawing the frames on all processes of a job."""

from __future__ import annotations

import argparse
from pathlib import Path

from landscape.commands.shown.pictures import read_titled
from landscape.commands.words import say
from landscape.errors import UsageError

FILMS = ("orbit", "tour", "path", "epochs")
SECONDS, RATE = 8.0, 24
# As in landscape/plot/films/films.py, which loads what help has no time for.
FILM_SUFFIXES = (".mp4", ".webm", ".webp", ".gif")
# What a picture has and a film has not.
_OF_PICTURES = ("headline", "columns", "dpi", "no_subtitle", "no_caption", "venue", "font", "hillshade")


def add_film_options(parser: argparse.ArgumentParser) -> None:
    """Add what a film needs beside a picture's options."""
    group = parser.add_argument_group("film, of the 3D still; under mpiexec all processes draw frames")
    group.add_argument(
        "--film",
        choices=FILMS,
        help="once around; around, low and high; along a training run; over the FILEs as checkpoints. OUT is .mp4 or "
        ".webm (with PyAV), .webp or .gif",
    )
    group.add_argument("--seconds", type=float, metavar="S", help=f"how long it is (default: {SECONDS:g})")
    group.add_argument("--fps", type=int, metavar="N", help=f"frames a second (default: {RATE})")


def refuse_film_options(options: argparse.Namespace) -> None:
    """Refuse, for a picture, what only a film has.

    Raises
    ------
    UsageError
        A film's option, or a file of that kind, without ``--film``.
    """
    kinds = "|".join(FILMS)
    for name in ("seconds", "fps"):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name} is for films: add --film {kinds}")
    if film := next((each for each in options.output or [] if Path(each).suffix.lower() in FILM_SUFFIXES), None):
        raise UsageError(f"{film!r} is a film: add --film {kinds}")


def write_film_file(options: argparse.Namespace) -> int:
    """Draw a film and say where it is."""
    from landscape.parallel.comm import current_comm
    from landscape.plot.films.films import check_format, write_film
    from landscape.plot.scale.scale import Scale, default_name

    if options.marks:
        raise UsageError("--marks is for pictures; a film shows how far its run has come")
    if options.kind not in (None, "surface"):
        raise UsageError(f"a film is of the 3D still, not of a {options.kind}")
    if options.color is not None:
        raise UsageError("--color is for pictures; a film is coloured by height")
    if options.independent:
        raise UsageError("panels of a film share one scale; --independent is for pictures")
    if useless := next((name for name in _OF_PICTURES if getattr(options, name) not in (None, False)), None):
        named = "for" if useless == "venue" else useless.replace("_", "-")
        raise UsageError(f"--{named} is for pictures; leave it out for a film")
    if not options.output or len(options.output) != 1:
        raise UsageError("name one film: -o film.mp4")
    if options.name is not None and len(options.name) > 1:
        raise UsageError("a film shows one kind of values; give --name once")
    output = Path(options.output[0])
    check_format(output)
    surfaces = read_titled(options)
    name = options.name[0] if options.name else default_name(surfaces[0])
    chosen = {key: getattr(options, key) for key in ("cap", "eps", "colormap", "levels")}
    scale = Scale.of([each.finished_part() for each in surfaces], name, kind=options.scale, **chosen)
    seconds = SECONDS if options.seconds is None else options.seconds
    rate = RATE if options.fps is None else options.fps
    comm = current_comm()
    write_film(
        surfaces,
        output,
        name=name,
        scale=scale,
        kind=options.film,
        camera=options.camera,
        seconds=seconds,
        rate=rate,
        size=_size(options.size or "1280x720"),
        interpolate=not options.no_interpolation,
        share=comm.each,
        write=comm.rank == 0,
    )
    if comm.rank == 0:
        say(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB, {round(seconds * rate)} frames)")
    return 0


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise UsageError(f"a size is WIDTHxHEIGHT in pixels, as in 1280x720, not {text!r}")
    return int(width), int(height)
