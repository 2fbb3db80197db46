"""Words that come from files and from users, made fit for a line of a picture.

A title may hold line breaks, tabs and control characters: drawn as they are, they run off the picture or become
boxes, and an SVG with them is no XML.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from landscape.files.atomic import printable
from landscape.surface.grid import Axis
from landscape.surface.surface import Surface

# Of the name of a network beside its mark, in letters.
LONGEST_NAME = 24


def one_line(text: str) -> str:
    """Return a text without line breaks, tabs and doubled spaces, and with control characters escaped.

    Examples
    --------
    >>> one_line("line one\\n\\tline two\\x07")
    'line one line two\\\\x07'
    """
    return printable(" ".join(text.split()))


def plain_text(text: object) -> str:
    """Return text from a file as one line without control characters or marks that turn the direction of writing."""
    letters = [each if unicodedata.category(each)[0] != "C" else " " for each in str(text)]
    return " ".join("".join(letters).split())


def short_name(name: str) -> str:
    """Return a checkpoint's name as it stands beside its mark: without suffix, and no longer than there is room.

    Examples
    --------
    >>> short_name("epoch10.pt")
    'epoch10'
    """
    stem = name.partition(".")[0] or name
    return stem if len(stem) <= LONGEST_NAME else f"{stem[: LONGEST_NAME - 9]}…{stem[-8:]}"


def without_folders(text: object) -> str:
    """Return text in which absolute paths are cut to the files' names: a page is sent to others."""
    # Within quotes a folder's name may have spaces in it, as in '--data=npz:/my files/x.npz'.
    quoted = re.sub(r"(?<=['\"])((?:[^'\"/\s]*[:=])?)/[^'\"]*/", r"\1", plain_text(text))
    return re.sub(r"(?<![\w./])/(?:[^\s/'\"]+/)+", "", quoted)


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
    # Two spaces stand between a letter and what it is, "α  (random direction 1)".
    label = "  ".join(one_line(part) for part in axis.label.strip().split("  ", 1))
    recipe = _cleaned(axis.recipe)
    if label == axis.label and recipe is axis.recipe:
        return axis
    return dataclasses.replace(axis, label=label, recipe=recipe)


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
