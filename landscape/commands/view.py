"""Make an interactive page: one file that opens from disk, to turn, compare and read surfaces.

landscape view net.h5                                    writes net.html beside it
landscape view plain.h5 skip.h5 -o page.html             side by side, on one scale, turned together
landscape view epoch*.h5 --epochs -o page.html           one pane, with a slider over checkpoints
landscape view runs/ -o site/                            a page for each surface in runs/, and an index of them
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape.errors import UsageError

if TYPE_CHECKING:
    from landscape.surface import Surface

SCALES = ("auto", "log", "linear", "asinh")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="surfaces, ours or of the 2018 tool; or one folder")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="the page, or the folder of a gallery; by default beside the first FILE"
    )
    parser.add_argument("--epochs", action="store_true", help="all FILEs in one pane, with a slider over them")
    parser.add_argument("--title", action="append", metavar="TEXT", help="of each surface, one for each FILE")
    parser.add_argument("--headline", default="", metavar="TEXT", help="of the page")
    group = parser.add_argument_group("what the page starts with; all of it can be changed there")
    group.add_argument("--name", metavar="DATA/METRIC", help="values drawn as height; by default the training loss")
    group.add_argument(
        "--colour", "--color", metavar="DATA/METRIC", help="values drawn as colour; by default those of height"
    )
    group.add_argument("--scale", choices=SCALES, default="auto", help="of the heights")
    group.add_argument("--cap", metavar="V", type=_cap, help="cut the surface there, in loss units, or 'auto'")
    group.add_argument("--eps", metavar="E", type=float, help="of log(L + eps); by default min(0.1, 0.05 median)")
    group.add_argument("--exaggeration", metavar="F", type=float, default=1.0, help="factor on all heights, 0.1 to 4")
    group.add_argument("--colormap", default="viridis", metavar="MAP", help="one of matplotlib's")
    group.add_argument("--independent", action="store_true", help="a scale for each surface; the page says so")
    group.add_argument("--no-interpolation", action="store_true", help="draw coarse grids unsmoothed")


def run(options: argparse.Namespace) -> int:
    """Read, write the page, and say where it is."""
    settings: dict[str, Any] = {
        "height": options.name,
        "colour": options.colour,
        "kind": options.scale,
        "cap": options.cap,
        "eps": options.eps,
        "exaggeration": options.exaggeration,
        "colormap": options.colormap,
        "independent": options.independent,
        "smooth": not options.no_interpolation,
    }
    first = Path(options.files[0])
    if first.is_dir():
        return _gallery(first, options, settings)
    return _page(first, options, settings)


def _page(first: Path, options: argparse.Namespace, settings: dict[str, Any]) -> int:
    from landscape.plot.html import write_page

    output = Path(options.output) if options.output else first.with_suffix(".html")
    if output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"a page is an .html file, not {str(output)!r}; pictures are for 'landscape plot'")
    if any(output.exists() and Path(each).exists() and output.samefile(each) for each in options.files):
        raise UsageError(f"{output} is a file that is shown; write to another one")
    write_page(_read(options), output, name=options.headline, epochs=options.epochs, **settings)
    print(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB); open it in a browser")
    return 0


def _gallery(folder: Path, options: argparse.Namespace, settings: dict[str, Any]) -> int:
    from landscape.plot.gallery import write_gallery

    if len(options.files) > 1 or options.epochs or options.title:
        raise UsageError("a gallery is made of one folder, without --epochs and --title")
    if not options.output:
        raise UsageError("name the folder of the gallery: -o site/")
    made = write_gallery(folder, options.output, name=options.headline, **settings)
    for path, reason in made.left_out:
        print(f"left out {path}: {reason}")
    print(f"wrote {made.index} and {len(made.pages)} page{'s' if len(made.pages) != 1 else ''}")
    return 0


def _read(options: argparse.Namespace) -> list[Surface]:
    import dataclasses

    from landscape.store import read_surface

    titles = options.title or []
    if titles and len(titles) != len(options.files):
        raise UsageError(f"{len(titles)} times --title for {len(options.files)} files; give one for each")
    surfaces = [read_surface(each) for each in options.files]
    return [
        dataclasses.replace(surface, title=titles[number]) if titles else surface
        for number, surface in enumerate(surfaces)
    ]


def _cap(text: str) -> float | str:
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a cap is a loss or 'auto', not {text!r}") from None
