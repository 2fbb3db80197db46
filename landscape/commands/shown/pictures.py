"""What the commands that draw share: options of a scale, and titled surfaces."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from landscape.errors import UsageError
from landscape.surface.grid import LARGEST

if TYPE_CHECKING:
    from landscape.surface.surface import Surface


def add_scale_options(group: Any, *, cap: str) -> None:
    """Add what decides heights and colours; ``cap`` is the help of that option."""
    choices = ("auto", "log", "linear", "asinh")
    group.add_argument("--scale", choices=choices, default="auto", help="of heights and colours")
    group.add_argument("--cap", metavar="V", type=_cap, help=cap)
    group.add_argument("--eps", metavar="E", type=float, help="of log(L + eps); by default min(0.1, 0.05 median)")
    group.add_argument("--colormap", default="viridis", metavar="MAP", help="one of matplotlib's")
    group.add_argument("--independent", action="store_true", help="a scale for each surface, which is said there")


def _cap(text: str) -> float | str:
    try:
        cap = text if text == "auto" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a cap is a loss or 'auto', not {text!r}") from None
    if isinstance(cap, float) and abs(cap) > LARGEST:
        raise argparse.ArgumentTypeError(f"a cap is at most {LARGEST:g}, not {text!r}")
    return cap


def require_titles(options: argparse.Namespace) -> None:
    """Refuse titles that are not as many as files."""
    if options.title and len(options.title) != len(options.files):
        raise UsageError(
            f"{len(options.title)} times --title for {len(options.files)} files; give one for each, "
            "or --headline for all of them"
        )


def read_titled(options: argparse.Namespace) -> list[Surface]:
    """Return the surfaces of the files, with the titles that were given."""
    import dataclasses

    from landscape.files.store import read_surface

    surfaces = [read_surface(each) for each in options.files]
    titles = options.title or [surface.title for surface in surfaces]
    return [dataclasses.replace(each, title=title) for each, title in zip(surfaces, titles, strict=True)]
