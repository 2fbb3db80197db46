"""Write a surface in another format.

landscape export net.h5 -o net.csv                       one row a point
landscape export net.h5 -o net.npz                       NumPy arrays
landscape export net.h5 -o net.vtp                       a mesh: .vts, .vtp, .ply, .stl or .glb
landscape export net.h5 -o old.h5 --format original      as the 2018 tool writes it, for its plots
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from landscape.commands.words import say
from landscape.errors import PlotError, StoreError, UsageError

if TYPE_CHECKING:
    from landscape.surface.surface import Surface


MESHES = ("vts", "vtp", "ply", "stl", "glb")
# Format -> suffixes that mean it. An .h5 may be many things, so that format has to be asked for by name.
FORMATS = {"original": "", "csv": ".csv", "npz": ".npz", **{mesh: f".{mesh}" for mesh in MESHES}}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("file", metavar="FILE", help="a surface, ours or of the 2018 tool")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="the file to write")
    parser.add_argument("--format", choices=tuple(FORMATS), help="by default what the suffix of OUT says")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT where it exists")


def run(options: argparse.Namespace) -> int:
    """Read, convert, write, and say what did not fit."""
    name = options.format or _format_of(options.output)
    output = Path(options.output)
    if output.exists() and not options.overwrite:
        raise StoreError(f"{output} exists and is left as it is; write to another file, or add --overwrite")
    from landscape.files.atomic import replace_file
    from landscape.files.store import read_surface

    surface = read_surface(options.file)
    replace_file(output, _content(name, surface))
    say(f"wrote {output}{'' if surface.complete else ' (the surface is not complete)'}")
    for note in _notes(name, surface):
        say(f"note: {note}")
    return 0


def _content(name: str, surface: Surface) -> bytes:
    from landscape.files.exports import build_csv, build_npz
    from landscape.files.li2018 import build_original

    if name in MESHES:
        from landscape.plot.surfaces.meshes import build_mesh_file

        takes = "a plane or volume" if name == "vts" else "a plane"
        for number, shape, other in ((1, "line", ".csv"), (3, "volume", ".vts")):
            if len(surface.directions) == number and shape not in takes:
                raise PlotError(f"{FORMATS[name]} is of {takes}, {surface.path} is a {shape}; {other} holds it")
        return build_mesh_file(surface, FORMATS[name])
    return {"csv": build_csv, "npz": build_npz, "original": build_original}[name](surface)


def _format_of(output: str) -> str:
    suffix = Path(output).suffix.lower()
    for name, known in FORMATS.items():
        if suffix == known != "":
            return name
    raise UsageError(
        f"the suffix of {output} does not say in which format: use one of {', '.join(filter(None, FORMATS.values()))}, "
        f"or add --format {'|'.join(FORMATS)} ('original' is the .h5 of the 2018 tool)"
    )


def _notes(name: str, surface: Surface) -> list[str]:
    from landscape.surface.surface import INTERPOLATED

    interpolated = int((surface.state == INTERPOLATED).sum())
    alike = [f"{interpolated:,} interpolated points look like computed ones there"] if interpolated else []
    if name != "original":
        return alike if name in ("ply", "stl", "glb") else []
    from landscape.files.li2018 import left_out

    notes = []
    if left_out(surface):
        notes.append(f"the format has no place for {', '.join(left_out(surface))}")
    if len(set(surface.shape)) > 1:
        notes.append("the 2018 tool can read a grid that is not square, but its own plots of one fail")
    return notes + alike
