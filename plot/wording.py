"""Words that come from files and from users, made fit for a line of a picture.

A title may hold line breaks, tabs and control characters: drawn as they are, they run off the picture or become
boxes, and an SVG with them is no XML.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from landscape.files import printable
from landscape.grid import Axis
from landscape.surface import Surface


def one_line(text: str) -> str:
    """Return a text without line breaks, tabs and doubled spaces, and with control characters escaped.

    Examples
    --------
    >>> one_line("line one\\n\\tline two\\x07")
    'line one line two\\\\x07'
    """
    return printable(" ".join(text.split()))


def cleaned(surface: Surface) -> Surface:
    """Return a surface all of whose texts are fit to be drawn; the very same one where they are already."""
    fields: dict[str, Any] = {}
    if one_line(surface.title) != surface.title:
        fields["title"] = one_line(surface.title)
    # Paths and the like keep their spaces: somebody may look for the file.
    for name in ("path", "software", "created", "command", "problem", "origin", "quality"):
        old = getattr(surface, name)
        new = _cleaned(old)
        if new is not old:
            fields[name] = new
    axes = tuple(_cleaned_axis(axis) for axis in surface.axes)
    if any(new is not old for new, old in zip(axes, surface.axes, strict=True)):
        fields["axes"] = axes
    if any(one_line(name) != name for name in surface.trajectories):
        fields["trajectories"] = {one_line(name): run for name, run in surface.trajectories.items()}
    return dataclasses.replace(surface, **fields) if fields else surface


def _cleaned_axis(axis: Axis) -> Axis:
    label, recipe = _cleaned_label(axis.label), _cleaned(axis.recipe)
    if label == axis.label and recipe is axis.recipe:
        return axis
    return dataclasses.replace(axis, label=label, recipe=recipe)


def _cleaned_label(label: str) -> str:
    # Two spaces stand between a letter and what it is, "α  (random direction 1)".
    return "  ".join(one_line(part) for part in label.strip().split("  ", 1))


def _cleaned(value: Any) -> Any:
    """Return JSON with its texts cleaned, names too; the very same where nothing changes."""
    if isinstance(value, str):
        new = printable(value)
        return value if new == value else new
    if isinstance(value, Mapping):
        items = {_cleaned(key): _cleaned(each) for key, each in value.items()}
        same = all(new is old for new, old in zip(items.values(), value.values(), strict=False))
        return value if same and list(items) == list(value) else items
    if isinstance(value, list | tuple):
        parts = [_cleaned(each) for each in value]
        return value if all(new is old for new, old in zip(parts, value, strict=True)) else parts
    return value
