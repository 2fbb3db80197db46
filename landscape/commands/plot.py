"""Draw surfaces: lines, contours, heat maps or 3D stills, several side by side on one scale.

landscape plot net.h5                                    writes net.png beside it
landscape plot plain.h5 skip.h5 -o both.pdf --kind surface
landscape plot net.h5 -o net.png -o net.pdf --name test/loss --cap 100
landscape plot net.h5 -o net.mp4 --film orbit            a film; mpiexec -n 8 draws its frames on 8 processes
landscape plot run.h5 --kind steps                       how far a run is off its plane, and its losses from the plane's
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from landscape.commands.films import add_film_options, write_films
from landscape.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from landscape.surface import Surface

KINDS = ("line", "contour", "heatmap", "surface", "steps")
SCALES = ("auto", "log", "linear", "asinh")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="surfaces, ours or of the 2018 tool")
    parser.add_argument(
        "-o",
        "--output",
        action="append",
        metavar="OUT",
        help="picture to write, .png, .pdf or .svg; repeat it for several; by default a .png beside the first file",
    )
    parser.add_argument(
        "--kind",
        choices=KINDS,
        help="by default line for a line, contour for a plane; steps: of the training runs on one surface",
    )
    parser.add_argument(
        "--name",
        action="append",
        metavar="DATA/METRIC",
        help="values to draw, such as test/loss; repeat it for lines; by default the training loss of a plane, "
        "every loss and accuracy of a line",
    )
    group = parser.add_argument_group("scale, shared by all panels, in loss units")
    group.add_argument("--scale", choices=SCALES, default="auto", help="of heights and colours")
    group.add_argument(
        "--cap", metavar="V", type=_cap, help="hatch what lies above it; 'auto' takes the 99.5 %% quantile where the "
        "loss spans more than 12 e-folds"
    )  # fmt: skip
    group.add_argument("--eps", metavar="E", type=float, help="of log(L + eps); by default min(0.1, 0.05 median)")
    group.add_argument("--colormap", default="viridis", metavar="MAP", help="one of matplotlib's")
    group.add_argument("--levels", metavar="A,B,...", type=_levels, help="iso-lines; by default a 1-2-5 ladder")
    group.add_argument("--independent", action="store_true", help="a scale for each panel; the picture says so")
    group = parser.add_argument_group("picture")
    group.add_argument("--title", action="append", metavar="TEXT", help="of each panel, one for each FILE")
    group.add_argument("--headline", metavar="TEXT", help="above all panels")
    group.add_argument("--columns", type=int, metavar="N", help="panels a row")
    group.add_argument("--dpi", type=float, default=200.0, help="dots an inch")
    group.add_argument("--no-caption", action="store_true", help="keep the caption in the file's metadata only")
    group.add_argument("--hillshade", action="store_true", help="light a contour picture from the north-west")
    group.add_argument("--no-interpolation", action="store_true", help="draw the 3D still of a coarse grid unsmoothed")
    group.add_argument(
        "--marks",
        metavar="STEP,...",
        type=_steps,
        default=[],
        help="steps of training runs to mark on their paths and in --kind steps, beside those where the recorded "
        "learning rate fell",
    )
    add_film_options(parser)


def run(options: argparse.Namespace) -> int:
    """Read, draw, write, and say what the picture shows."""
    from landscape.plot.fields import recall
    from landscape.plot.saving import checked_target, save_figure
    from landscape.store import read_surface

    if options.columns is not None and options.columns < 1:
        raise UsageError(f"--columns is at least 1, not {options.columns}")
    if options.title is not None and len(options.title) != len(options.files):
        raise UsageError(
            f"{len(options.title)} times --title for {len(options.files)} files; give one for each, "
            "or --headline for the whole picture"
        )
    if options.film:
        if options.marks:
            raise UsageError("--marks is for pictures; a film shows how far its run has come")
        return write_films(options)
    outputs = [checked_target(each) for each in options.output or [Path(options.files[0]).with_suffix(".png")]]
    for output in outputs:
        if any(output.exists() and Path(each).exists() and output.samefile(each) for each in options.files):
            raise UsageError(f"{output} is a file that is drawn; write to another one")
    surfaces = [read_surface(each) for each in options.files]
    figure = _draw(surfaces, options)
    for output in outputs:
        save_figure(figure, output, dpi=options.dpi)
    print(f"wrote {', '.join(map(str, outputs))}")
    _say(recall(figure).get("Description", ""))
    if options.cap is None and options.kind not in ("line", "steps") and surfaces[0].shape[1:]:
        _say(_hint(surfaces, options))
    return 0


def _say(text: str) -> None:
    """Print a text from files: without control characters, and in what the terminal can show."""
    from landscape.files import printable

    if text:
        encoding = sys.stdout.encoding or "utf-8"
        print(printable(text).encode(encoding, "backslashreplace").decode(encoding))


def _hint(surfaces: list[Surface], options: argparse.Namespace) -> str:
    """Return what to do where few points far above the others take most of the colours."""
    import numpy as np

    from landscape.plot.scale import Scale, default_name

    name = (options.name or [default_name(surfaces[0])])[0]
    parts = [each.finished_part() for each in surfaces]
    scale = Scale.of(parts, name, kind=options.scale, eps=options.eps, cap="auto")
    if scale.cap is None:
        return ""
    highest = max(float(each[name][np.isfinite(each[name])].max(initial=scale.cap)) for each in parts)
    bottom, capped, top = scale.forward([scale.low, scale.cap, highest])
    if top - capped < 0.25 * (top - bottom):
        return ""
    return "note: few points far above all others take most of the colours; --cap auto hatches them"


def _draw(surfaces: list[Surface], options: argparse.Namespace) -> Figure:
    from landscape.plot.figures import draw

    extra: dict[str, Any] = {}
    if options.hillshade:
        if options.kind not in (None, "contour"):
            raise UsageError(f"--hillshade is for contours, not for a {options.kind}")
        extra["hillshade"] = True
    if options.no_interpolation:
        if options.kind != "surface":
            raise UsageError("--no-interpolation is for --kind surface; nothing else is smoothed")
        extra["interpolate"] = False
    if options.marks:
        if options.kind == "line":
            raise UsageError("--marks is for planes and --kind steps; on a line each step is a dot")
        extra["marks"] = options.marks
    return draw(
        surfaces,
        kind=options.kind,
        name=options.name,
        scale=options.scale,
        cap=options.cap,
        eps=options.eps,
        colormap=options.colormap,
        levels=options.levels,
        independent=options.independent,
        columns=options.columns,
        titles=options.title,
        headline=options.headline or "",
        caption=not options.no_caption,
        **extra,
    )


def _cap(text: str) -> float | Literal["auto"]:
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a cap is a loss or 'auto', not {text!r}") from None


def _steps(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"steps are whole numbers with commas between them, not {text!r}") from None


def _levels(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"levels are numbers with commas between them, not {text!r}") from None
