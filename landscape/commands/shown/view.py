"""Make an interactive page: one file that opens from disk, to turn, compare and read surfaces.

landscape view net.h5                                    writes net.html beside it
landscape view plain.h5 skip.h5 -o page.html             side by side, on one scale, turned together
landscape view epoch*.h5 --epochs -o page.html           one pane, with a slider over checkpoints
landscape view net.h5 net.curvature.h5 -o page.html      with a panel of curvature: spectrum, verdict, plane and space
landscape view sim.h5 net.h5 -o page.html                similarity of layers in a tab of its own
landscape view runs/ -o site/                            a page for each surface in runs/, and an index of them
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape.commands.shown.pictures import add_scale_options, read_titled, require_titles
from landscape.commands.words import say
from landscape.errors import UsageError

if TYPE_CHECKING:
    from landscape.surface.reports.curvature import Curvature


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="surfaces, ours or of the 2018 tool, reports of curvature of their networks, similarity; or one folder",
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="the page, or the folder of a gallery; by default beside the first FILE"
    )
    parser.add_argument("--epochs", action="store_true", help="all FILEs in one pane, with a slider over them")
    parser.add_argument("--title", action="append", metavar="TEXT", help="of each surface, one for each FILE")
    parser.add_argument("--headline", default="", metavar="TEXT", help="of the page; by default the surfaces' titles")
    group = parser.add_argument_group("what the page starts with; all of it can be changed there")
    group.add_argument("--name", metavar="DATA/METRIC", help="values drawn as height; by default the training loss")
    group.add_argument(
        "--colour", "--color", metavar="DATA/METRIC", help="values drawn as colour; by default those of height"
    )
    add_scale_options(group, cap="cut the surface there, in loss units, or 'auto'")
    group.add_argument("--exaggeration", metavar="F", type=float, default=1.0, help="factor on all heights, 0.1 to 4")
    group.add_argument("--no-interpolation", action="store_true", help="draw coarse grids unsmoothed")


def run(options: argparse.Namespace) -> int:
    """Read, write the page, and say where it is."""
    names = ("colour", "cap", "eps", "exaggeration", "colormap", "independent")
    settings: dict[str, Any] = {name: getattr(options, name) for name in names}
    settings |= {"height": options.name, "kind": options.scale, "smooth": not options.no_interpolation}
    first = Path(options.files[0])
    if first.is_dir():
        return _gallery(first, options, settings)
    return _page(first, options, settings)


def _page(first: Path, options: argparse.Namespace, settings: dict[str, Any]) -> int:
    from landscape.files.reports.similarity_file import is_similarity, read_similarity
    from landscape.plot.page.html import write_page

    output = Path(options.output) if options.output else first.with_suffix(".html")
    if output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"a page is an .html file, not {str(output)!r}; pictures are for 'landscape plot'")
    similarities = [read_similarity(each) for each in options.files if is_similarity(each)]
    options.files = [each for each in options.files if not is_similarity(each)]
    reports = _reports(options) if options.files else []
    require_titles(options)
    write_page(
        read_titled(options),
        output,
        name=options.headline,
        epochs=options.epochs,
        curvature=reports,
        similarities=similarities,
        **settings,
    )
    say(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB); open it in a browser")
    return 0


def _reports(options: argparse.Namespace) -> list[Curvature]:
    """Take reports of curvature out of the files that were given, and return them."""
    from landscape.files.reports.curvature_file import is_curvature, read_curvature

    found = [path for path in options.files if is_curvature(path)]
    options.files = [path for path in options.files if path not in found]
    if not options.files:
        raise UsageError(
            f"a page is of surfaces, beside which curvature is shown; add the surface of the network of {found[0]}, or "
            "'landscape plot' it"
        )
    return [report for path in found for report in read_curvature(path).values()]


def _gallery(folder: Path, options: argparse.Namespace, settings: dict[str, Any]) -> int:
    from landscape.plot.page.gallery import write_gallery

    if len(options.files) > 1 or options.epochs or options.title:
        raise UsageError("a gallery is made of one folder, without --epochs and --title")
    if not options.output:
        raise UsageError("name the folder of the gallery: -o site/")
    made = write_gallery(folder, options.output, name=options.headline, **settings)
    for path, reason in made.left_out:
        say(f"left out {path}: {reason}")
    say(f"wrote {made.index} and {len(made.pages)} page{'s' if len(made.pages) != 1 else ''}")
    return 0
