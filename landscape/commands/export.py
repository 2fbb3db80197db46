"""Write a surface in another format.

landscape export net.h5 -o net.csv                       one row a point
landscape export net.h5 -o net.npz                       NumPy arrays
landscape export net.h5 -o net.vtp                       a mesh: .vts, .vtp, .ply, .stl or .glb
landscape export net.h5 -o old.h5 --format original      as the 2018 tool writes it, for its plots
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from landscape.errors import StoreError, UsageError

if TYPE_CHECKING:
    from landscape.surface import Surface


def _original(surface: Surface) -> bytes:
    from landscape.original import build_original

    return build_original(surface)


def _csv(surface: Surface) -> bytes:
    from landscape.exports import build_csv

    return build_csv(surface)


def _npz(surface: Surface) -> bytes:
    from landscape.exports import build_npz

    return build_npz(surface)


def _mesh(suffix: str) -> Callable[[Surface], bytes]:
    def build(surface: Surface) -> bytes:
        from landscape.plot.meshes import build_mesh_file

        return build_mesh_file(surface, suffix)

    return build


# Format -> (what makes it, suffixes that mean it). An .h5 may be many things, so it has to be asked for by name.
FORMATS: dict[str, tuple[Callable[[Surface], bytes], tuple[str, ...]]] = {
    "original": (_original, ()),
    "csv": (_csv, (".csv",)),
    "npz": (_npz, (".npz",)),
    **{name: (_mesh(f".{name}"), (f".{name}",)) for name in ("vts", "vtp", "ply", "stl", "glb")},
}


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
    there = os.path.exists(output)
    if there and os.path.exists(options.file) and os.path.samefile(output, options.file):
        raise UsageError(f"{output} is the file that is exported; write to another one")
    if there and not options.overwrite:
        raise StoreError(f"{output} exists and is left as it is; write to another file, or add --overwrite")
    from landscape.files import replace_file
    from landscape.store import read_surface

    surface = read_surface(options.file)
    replace_file(output, FORMATS[name][0](surface))
    print(f"wrote {output}{'' if surface.complete else ' (the surface is not complete)'}")
    for note in _notes(name, surface):
        print(f"note: {note}")
    return 0


def _format_of(output: str) -> str:
    suffix = Path(output).suffix.lower()
    for name, (_, suffixes) in FORMATS.items():
        if suffix in suffixes:
            return name
    known = ", ".join(suffix for _, suffixes in FORMATS.values() for suffix in suffixes)
    raise UsageError(
        f"the suffix of {output} does not say in which format: use one of {known}, or add --format "
        f"{'|'.join(FORMATS)} ('original' is the .h5 of the 2018 tool)"
    )


def _notes(name: str, surface: Surface) -> list[str]:
    from landscape.surface import INTERPOLATED

    interpolated = int((surface.state == INTERPOLATED).sum())
    alike = [f"{interpolated:,} interpolated points look like computed ones there"] if interpolated else []
    if name in ("ply", "stl", "glb"):
        return alike
    if name != "original":
        return []
    from landscape.original import left_out

    notes = []
    if left_out(surface):
        notes.append(f"the format has no place for {', '.join(left_out(surface))}")
    if len(set(surface.shape)) > 1:
        notes.append("the 2018 tool can read a grid that is not square, but its own plots of one fail")
    return notes + alike
