"""A gallery: a page for each surface of a folder, and an index of their pictures to choose from.

The index holds its pictures itself and runs no script; it and the pages open from disk, or from any web server.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from landscape import __version__
from landscape.errors import LandscapeError, PlotError, StoreError
from landscape.files.atomic import replace_file
from landscape.surface.surface import Surface

from ..scale.scale import default_name
from ..style.captions import origin_text, panel_title
from ..style.wording import plain_text
from .html import MOST_PANES, page_text, security_policy
from .poster import draw_poster
from .records import first_frame, frames_of

_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 1180px; padding: 40px 24px 64px; font: 15px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; color: #1c2126; background: #fff; }
h1 { font-size: 26px; font-weight: 650; letter-spacing: -.015em; margin: 0 0 4px; }
p { margin: 0; color: #5d6670; }
ul { list-style: none; margin: 32px 0 0; padding: 0; display: grid; gap: 28px 24px;
  grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); }
li.wide { grid-column: 1 / -1; }
a { display: block; color: inherit; text-decoration: none; border-radius: 12px; outline-offset: 4px; }
figure { margin: 0; }
img { display: block; width: 100%; height: auto; background: #fff; border: 1px solid #e4e7eb; border-radius: 12px;
  padding: 12px; box-sizing: border-box; }
.wide img { max-height: 380px; object-fit: contain; }
a:hover img { border-color: #9aa4ae; }
figcaption { padding: 8px 4px 0; }
b { display: block; font-weight: 600; }
small { font-size: 13px; color: #5d6670; }
footer { margin-top: 48px; font-size: 13px; color: #5d6670; }
@media (prefers-color-scheme: dark) {
  body { background: #101317; color: #e8ebee; }
  p, small, footer { color: #9aa4ae; }
  img { border-color: #2a3037; }
}
"""


@dataclass(frozen=True)
class Gallery:
    """What was written."""

    index: Path
    pages: tuple[Path, ...]
    left_out: tuple[tuple[Path, str], ...]  # files that are no planes, damaged, or hold nothing to show, and why


def write_gallery(folder: str | Path, output: str | Path, *, name: str = "", **settings: Any) -> Gallery:
    """Write a page for each plane below a folder, one of up to six together, and the index.

    Parameters
    ----------
    folder : path
        Searched for ``*.h5``, also in its folders.
    output : path
        A folder, made if it is not there; pages of the same name are replaced, other files stay.
    name : str
        Headline of the index; the folder's name by default.
    **settings
        As for `landscape.plot.page.html.write_page`. A surface that cannot be shown so is left out.

    Raises
    ------
    PlotError
        There is no plane to show.
    StoreError
        Nothing can be written there.
    """
    folder, output = Path(folder), Path(output)
    items, pages, shown, left_out = [], [], [], []
    taken = {"index.html", "together.html"}
    for path, surface, reason in _surfaces(folder):
        try:
            if surface is None:
                raise PlotError(reason)
            poster = _poster([surface], settings)
            title = plain_text(panel_title(surface)) or path.stem
            text = page_text(surface, name=title, poster=poster, **settings)
        except PlotError as error:
            left_out.append((path, plain_text(error)))
            continue
        target = output / _file_name(path.stem, taken)
        _write(target, text)
        items.append(_item(target, poster, title, _subtitle(surface), wide=False))
        pages.append(target)
        shown.append(surface)
    if not shown:
        reasons = "".join(f"; {path}: {reason}" for path, reason in left_out[:3])
        raise PlotError(f"{folder} holds no plane to show{reasons}")
    together = _comparable(shown)
    if len(together) > 1:
        target = output / "together.html"
        poster = _poster(together, settings)
        title = f"{plain_text(name) or 'All'}: {len(together)} on one scale"
        _write(target, page_text(together, name=title, poster=poster, **settings))
        items.insert(0, _item(target, poster, title, "one scale, turned together", wide=True))
        pages.insert(0, target)
    index = output / "index.html"
    headline = plain_text(name) or plain_text(folder.resolve().name)
    replace_file(index, _index_text(headline, items).encode("utf-8"))
    return Gallery(index, tuple(pages), tuple(left_out))


def _surfaces(folder: Path) -> Iterator[tuple[Path, Surface | None, str]]:
    """Read every file that may be a surface; a file that is not one does not stop the others."""
    from landscape.files.store import read_surface

    for path in sorted(folder.rglob("*.h5")):
        try:
            surface = read_surface(path)
            frames_of(surface)
            default_name(surface)
        except LandscapeError as error:
            yield path, None, plain_text(error)
        else:
            yield path, surface, ""


def _comparable(surfaces: list[Surface]) -> list[Surface]:
    """Return the most surfaces, six at most, whose axes are of one kind: random ones beside each other, say."""
    groups: dict[tuple[str, ...], list[Surface]] = {}
    for surface in surfaces:
        groups.setdefault(tuple(axis.source for axis in surface.axes), []).append(surface)
    return max(groups.values(), key=len)[:MOST_PANES]


def _poster(surfaces: list[Surface], settings: dict[str, Any]) -> bytes:
    frames = [frames_of(surface)[0][first_frame(surface)] for surface in surfaces]
    return draw_poster(frames, settings.get("height") or default_name(frames[0]))


def _write(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{target.parent} cannot be made: {error.strerror}; name another folder with -o") from error
    replace_file(target, text.encode("utf-8"))


def _file_name(stem: str, taken: set[str]) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.") or "surface"
    name, number = f"{plain}.html", 2
    while name.lower() in taken:
        name, number = f"{plain}-{number}.html", number + 1
    taken.add(name.lower())
    return name


def _subtitle(surface: Surface) -> str:
    ny, nx = surface.shape[-2:]
    return ", ".join(part for part in (origin_text(surface), f"{nx} × {ny} points") if part)


def _item(target: Path, poster: bytes, title: str, subtitle: str, *, wide: bool) -> str:
    picture = base64.b64encode(poster).decode("ascii")
    return (
        f'<li{" class=wide" if wide else ""}><a href="{escape(target.name)}"><figure>'
        f'<img alt="{escape(title)}" src="data:image/png;base64,{picture}">'
        f"<figcaption><b>{escape(title)}</b><small>{escape(subtitle)}</small></figcaption></figure></a></li>"
    )


def _index_text(headline: str, items: list[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{security_policy(_STYLE)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="landscape {escape(__version__)}">\n<title>{escape(headline)}</title>\n'
        f'<link rel="icon" href="data:,">\n<style>{_STYLE}</style>\n</head>\n<body>\n'
        f"<h1>{escape(headline)}</h1>\n<p>Loss landscapes: choose one, then turn it.</p>\n"
        f"<ul>\n{chr(10).join(items)}\n</ul>\n<footer>Made with landscape {escape(__version__)}</footer>\n"
        "</body>\n</html>\n"
    )
