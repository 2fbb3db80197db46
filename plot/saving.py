"""Pictures as files: PNG, PDF and SVG by suffix, with where they come from inside, whole or not at all.

The same picture gives the same bytes: no date, no random names.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib

from landscape.errors import StoreError, UsageError
from landscape.files.atomic import check_place, replace_file
from landscape.surface.surface import Surface

from .style.fields import recall
from .style.style import SETTINGS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .figures import Given

SUFFIXES = (".png", ".pdf", ".svg")
# A column of a paper is 3.3 inches wide: 200 dots an inch show no steps there, and the file stays small.
DPI = 200.0
VECTOR_DPI = 300.0


def save(
    picture: Given | Sequence[Given] | Figure,
    path: str | Path,
    *,
    dpi: float = DPI,
    **options: Any,
) -> Path:
    """Draw surfaces and write the picture; its suffix says as what.

    Parameters
    ----------
    picture : Surface, str, Path, sequence of these, or Figure
        A figure is written as it is, surfaces, or names of their files, are drawn by `landscape.plot.draw` first.
    path : str or Path
        Ends in .png, .pdf or .svg; for surfaces also in .html (an interactive page), .mp4, .webm, .webp or .gif (a
        film), and for a single one in .vts, .vtp, .ply, .stl or .glb (a mesh). A file that is there is replaced, in
        one step.
    dpi : float
        Dots an inch, of a PNG and, at least 300, of what is a raster inside a PDF or SVG.
    **options
        As for `landscape.plot.draw`, or `landscape.plot.page.html.write_page`, `landscape.plot.films.films.write_film`,
        `landscape.plot.surfaces.meshes.build_mesh_file`.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    UsageError
        An unknown suffix.
    StoreError
        The folder is missing, or the file cannot be written; what was there is kept.
    PlotError
        There is nothing to draw.
    """
    from matplotlib.figure import Figure

    from .figures import draw, opened_all

    if Path(path).suffix.lower() in SUFFIXES:
        checked_target(path)
    surfaces = [] if isinstance(picture, Figure) else opened_all(picture)
    if not isinstance(picture, Figure) and _save_other(surfaces, Path(path), options):
        return Path(path)
    target = checked_target(path)
    if isinstance(picture, Figure):
        if options:
            raise TypeError(f"a figure is already drawn; {', '.join(options)} cannot change it")
        figure = picture
    else:
        figure = draw(surfaces, **options)
    save_figure(figure, target, dpi=dpi)
    return target


def _save_other(surfaces: Sequence[Surface], path: Path, options: dict[str, Any]) -> bool:
    """Write what is not a figure: a page, a film, a mesh. Return whether the suffix said so."""
    from .films.films import FORMATS, write_film
    from .surfaces.meshes import MESH_SUFFIXES, build_mesh_file

    suffix = path.suffix.lower()
    if suffix in (".html", ".htm"):
        from .page.html import write_page

        write_page(surfaces, path, **options)
    elif suffix in FORMATS:
        write_film(surfaces, path, **options)
    elif suffix in MESH_SUFFIXES:
        if len(surfaces) != 1:
            raise UsageError(f"a mesh is of one surface, {len(surfaces)} were given")
        replace_file(path, build_mesh_file(surfaces[0], suffix, **options))
    else:
        return False
    return True


def checked_target(path: str | Path) -> Path:
    """Return the path if a picture can be written there, before anything is drawn.

    Raises
    ------
    UsageError
        An unknown suffix.
    StoreError
        The folder is missing, or nothing can be written in it.
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{str(path)!r} is not a kind of picture that can be written; end it in {', '.join(SUFFIXES[:-1])} "
            f"or {SUFFIXES[-1]}"
        )
    if not target.parent.is_dir():
        raise StoreError(f"{path} cannot be written: there is no folder {target.parent}")
    check_place(target)
    return target


def save_figure(
    figure: Figure, path: str | Path, metadata: Mapping[str, str] | None = None, *, dpi: float = DPI
) -> None:
    """Write a figure, with its metadata inside, in one step.

    Parameters
    ----------
    figure : Figure
    path : str or Path
        Ends in .png, .pdf or .svg.
    metadata : mapping of str to str, optional
        Fields to write: text chunks of a PNG, keywords of a PDF or SVG. By default what the figure was drawn with.
    dpi : float
        Dots an inch.

    Raises
    ------
    UsageError
        An unknown suffix, or a resolution that is not positive.
    StoreError
        The file cannot be written.
    """
    target = checked_target(path)
    if not 10 <= dpi <= 2400:
        raise UsageError(f"a picture has 10 to 2400 dots an inch, not {dpi:g}")
    replace_file(target, rendered(figure, target.suffix.lower()[1:], metadata, dpi=dpi))


def rendered(figure: Figure, kind: str, metadata: Mapping[str, str] | None = None, *, dpi: float = DPI) -> bytes:
    """Return a figure as the bytes of a PNG, PDF or SVG file."""
    fields = recall(figure) if metadata is None else dict(metadata)
    buffer = io.BytesIO()
    kept = ("pdf.fonttype", "svg.fonttype", "svg.hashsalt", "savefig.bbox", "text.hinting")
    settings: Any = {key: SETTINGS[key] for key in kept}
    with matplotlib.rc_context(settings):
        # A browser scales the surface inside an SVG without smoothing: it is made as fine as print needs at once.
        resolution = dpi if kind == "png" else max(dpi, VECTOR_DPI)
        figure.savefig(buffer, format=kind, dpi=resolution, metadata=_native(fields, kind))
    return buffer.getvalue()


def _native(fields: Mapping[str, str], kind: str) -> dict[str, Any]:
    """Return metadata in the words of a format."""
    title, text = fields.get("Title", ""), fields.get("Description", "")
    software = fields.get("Software", "landscape")
    if kind == "png":
        # Names of text chunks are Latin-1 of at most 79 bytes; ours are.
        return {**fields, "Software": software}
    words = [f"{key}: {value}" for key, value in fields.items() if key not in ("Title", "Description", "Software")]
    if kind == "pdf":
        return {
            "Title": title,
            "Subject": text,
            "Keywords": "; ".join(words),
            "Creator": software,
            # A date would make every file differ.
            "CreationDate": None,
        }
    return {"Title": title, "Description": text, "Keywords": words, "Creator": software, "Date": None}
