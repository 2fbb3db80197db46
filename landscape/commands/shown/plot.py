"""Draw surfaces: lines, contours, heat maps or 3D stills, several side by side on one scale.

landscape plot net.h5                                    writes net.png beside it
landscape plot plain.h5 skip.h5 -o both.pdf --kind surface
landscape plot net.h5 -o net.png -o net.pdf --name test/loss --cap 100
landscape plot net.h5 -o net.mp4 --film orbit            a film; mpiexec -n 8 draws its frames on 8 processes
landscape plot net.curvature.h5 -o spectrum.pdf          curvature: spectra, and traces by layer
landscape plot sim.h5 -o sim.pdf                         similarity: a map of each network, and of each pair
landscape plot pred.h5 -o pred.pdf                       populations: example by example, with the null, and classes
landscape plot net.h5 -o net.pdf --for neurips           as wide as a paper's text, caption printed, not drawn
landscape plot run.h5 --kind steps                       how far a run is off its plane, its losses off the plane's
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape.commands.options import list_of
from landscape.commands.shown.film_options import add_film_options, refuse_film_options, write_film_file
from landscape.commands.shown.pictures import add_scale_options, require_titles
from landscape.commands.words import say
from landscape.errors import UsageError
from landscape.plot import KINDS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from landscape.surface.surface import Surface

DOTS = 200.0
# As in landscape/plot/style/paper.py, which loads what help has no time for.
VENUES = ("neurips", "iclr", "jmlr", "icml", "icml-wide", "cvpr", "cvpr-wide", "single", "double")


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
        help="by default line for a line, contour for a plane; steps: of the training runs on one surface; "
        "convexity: both ends of the Hessian's spectrum, measured with evaluate --curvature; regions: classes around "
        "one example, measured with evaluate --space input --sample K",
    )
    parser.add_argument(
        "--name",
        action="append",
        metavar="DATA/METRIC",
        help="values to draw, such as test/loss, or networks of similarity; repeat it for several; by default the "
        "training loss of a plane, every loss and accuracy of a line",
    )
    group = parser.add_argument_group("scale, shared by all panels, in loss units")
    cap = "hatch what lies above it; 'auto' takes the 99.5 %% quantile where the loss spans more than 12 e-folds"
    add_scale_options(group, cap=cap)
    levels = list_of(float, "levels are numbers")
    group.add_argument("--levels", metavar="A,B,...", type=levels, help="iso-lines; by default a 1-2-5 ladder")
    group = parser.add_argument_group("picture")
    group.add_argument("--title", action="append", metavar="TEXT", help="of each panel, one for each FILE")
    group.add_argument("--headline", metavar="TEXT", help="above all panels")
    group.add_argument("--columns", type=int, metavar="N", help="panels a row")
    group.add_argument("--dpi", type=float, metavar="N", help=f"dots an inch (default: {DOTS:g})")
    group.add_argument("--no-subtitle", action="store_true", help="leave out the values at the checkpoint under titles")
    group.add_argument("--no-caption", action="store_true", help="keep the caption in the file's metadata only")
    sized = group.add_mutually_exclusive_group()
    sized.add_argument(
        "--size",
        metavar="WxH",
        help="of the figure in inches, such as 5.5x3, or 5.5 for its width; of a film in pixels, 1280x720 by default",
    )
    sized.add_argument(
        "--for",
        dest="venue",
        choices=VENUES,
        help="as wide as such a paper's text (single, icml, cvpr: one column, 3.25 in; neurips, iclr: 5.5 in); the "
        "caption is left to the paper, and printed here",
    )
    group.add_argument("--font", metavar="FAMILY", help="such as 'Times New Roman' or serif; by default DejaVu Sans")
    group.add_argument("--hillshade", action="store_true", help="light a contour picture from the north-west")
    group.add_argument(
        "--camera",
        metavar="AZ,EL",
        help="where from a 3D still or a film is seen, in degrees: around, counted from the first axis towards the "
        "second, and above the floor, 0 to 90; or paper (-52,34), top, side, along; by default paper, or near there, "
        "where more of a training run is seen",
    )
    group.add_argument(
        "--color",
        choices=("convexity",),
        help="colour a 3D still by the ratio of the Hessian's least to its greatest eigenvalue, measured with evaluate "
        "--curvature, and not by its height",
    )
    group.add_argument(
        "--no-interpolation", action="store_true", help="draw contours and the 3D still of a coarse grid unsmoothed"
    )
    group.add_argument(
        "--marks",
        metavar="STEP,...",
        type=list_of(int, "steps are whole numbers"),
        default=[],
        help="steps of training runs to mark on their paths and in --kind steps, beside those where the recorded "
        "learning rate fell",
    )
    add_film_options(parser)


def run(options: argparse.Namespace) -> int:
    """Read, draw, write, and say what the picture shows."""
    from landscape.commands.reports.report_kinds import report_kind
    from landscape.commands.shown.plot_others import draw_report
    from landscape.files.reports.curvature_file import is_curvature
    from landscape.files.reports.curvature_run_file import is_curvature_run
    from landscape.files.store import read_surface
    from landscape.plot.saving import checked_target, save_figure
    from landscape.plot.style.fields import recall

    if options.columns is not None and options.columns < 1:
        raise UsageError(f"--columns is at least 1, not {options.columns}")
    require_titles(options)
    if options.film:
        return write_film_file(options)
    refuse_film_options(options)
    outputs = [checked_target(each) for each in options.output or [Path(options.files[0]).with_suffix(".png")]]
    if any(is_curvature(each) or is_curvature_run(each) for each in options.files):
        kind: str | None = "curvature"
    else:
        kind = next((kind for kind in map(report_kind, options.files) if kind is not None), None)
    surfaces = [] if kind else [read_surface(each) for each in options.files]
    figure = draw_report(kind, options) if kind else _draw(surfaces, options)
    for output in outputs:
        save_figure(figure, output, dpi=DOTS if options.dpi is None else options.dpi)
    say(f"wrote {', '.join(map(str, outputs))}")
    for text in filter(None, [recall(figure).get("Description", ""), _hint(surfaces, options)]):
        say(text)
    return 0


def _hint(surfaces: list[Surface], options: argparse.Namespace) -> str:
    """Return what to do where few points far above the others take most of the colours."""
    import numpy as np

    from landscape.plot.scale.scale import Scale, default_name

    if not surfaces or options.cap is not None or options.kind not in (None, "contour", "heatmap", "surface"):
        return ""
    if not surfaces[0].shape[1:]:
        return ""
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
        if options.kind not in (None, "contour", "surface"):
            raise UsageError("--no-interpolation is for contours and --kind surface; nothing else is smoothed")
        extra["interpolate"] = False
    if options.camera is not None:
        if options.kind != "surface":
            raise UsageError("--camera is for --kind surface and films; nothing else is seen from somewhere")
        extra["camera"] = options.camera
    if options.color is not None:
        if options.kind != "surface":
            raise UsageError("--color is for --kind surface; the flat map of it is --kind convexity")
        extra["color"] = options.color
    if options.marks:
        if options.kind == "line":
            raise UsageError("--marks is for planes and --kind steps; on a line each step is a dot")
        extra["marks"] = options.marks
    names = ("kind", "name", "scale", "cap", "eps", "colormap", "levels", "independent", "columns")
    extra |= {name: getattr(options, name) for name in names}
    extra |= {"size": options.venue or options.size, "font": options.font, "subtitle": not options.no_subtitle}
    headline, caption = options.headline or "", not (options.no_caption or options.venue)
    return draw(surfaces, titles=options.title, headline=headline, caption=caption, **extra)
