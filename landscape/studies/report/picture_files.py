"""The files of a report's pictures: each drawn once, and again only where it would be of something else."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape import __version__
from landscape.errors import LandscapeError
from landscape.files.atomic import replace_file
from landscape.files.strict_json import from_json, to_json
from landscape.studies.report.study_results import StudyResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_log = logging.getLogger(__name__)

PICTURES = "pictures"
_KEYS = "drawn.json"


@dataclass(frozen=True)
class ReportPicture:
    """A picture of the report."""

    section: str  # "verdicts", "surfaces", "lines", "training", "relations", "more"
    title: str
    caption: str = ""
    image: str = ""  # file for the screen, below the study's folder
    paper: str = ""  # the PDF
    page: str = ""  # a page to turn
    trouble: str = ""  # why there is no picture


class PictureFiles:
    """Collects pictures, and writes their files below the study's folder."""

    def __init__(self, result: StudyResult) -> None:
        self.result = result
        self.pictures: list[ReportPicture] = []
        self._taken: set[str] = set()
        self._keys = _read_keys(result.folder / PICTURES / _KEYS)  # file -> digest of what it was drawn of
        self._new: dict[str, str] = {}

    def save(self, section: str, title: str, draw: Any, of: Sequence[Any], caption: str = "", page: str = "") -> None:
        """Draw and write one picture, or keep the reason why not; what is there already, of the same, stays."""
        from landscape.plot.saving import save

        stem = self.stem(title)
        image, paper = f"{PICTURES}/{stem}.png", f"{PICTURES}/{stem}.pdf"
        try:
            if self.is_new([section, title, caption, *of], image, paper):
                figure: Figure = draw()
                save(figure, self.result.folder / image)
                save(figure, self.result.folder / paper)
                self.remember()
        except (LandscapeError, ValueError) as error:
            _log.info("%s: %s", title, error)
            self.pictures.append(ReportPicture(section, title, trouble=str(error)))
            return
        self.pictures.append(ReportPicture(section, title, caption, image, paper, page))

    def is_new(self, of: Sequence[Any], *names: str) -> bool:
        """Return whether files have to be made, being of something else than when they were made last."""
        key = hashlib.sha256(repr([__version__, *map(_told, of)]).encode()).hexdigest()
        self._new = dict.fromkeys(names, key)
        return any(self._keys.get(name) != key or not (self.result.folder / name).exists() for name in names)

    def remember(self) -> None:
        """Keep what the files just made are of: written at once, so that a killed run draws none twice."""
        self._keys |= self._new
        replace_file(self.result.folder / PICTURES / _KEYS, (to_json(self._keys) + "\n").encode())

    def stem(self, title: str) -> str:
        """Return the name of a picture's files, which no other picture has."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-.").lower() or "picture"
        name, number = plain, 2
        while name in self._taken:
            name, number = f"{plain}-{number}", number + 1
        self._taken.add(name)
        return name

    def title(self, variant: str) -> str:
        """Return what a variant is called in pictures."""
        return next((each.shown for each in self.result.study.variants if each.name == variant), variant)


def _told(value: Any) -> str:
    """Return all of a value that a picture shows as text, arrays with every number."""
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    if is_dataclass(value):
        return repr([_told(getattr(value, each.name)) for each in fields(value)])
    return repr(value)


def _read_keys(path: Path) -> dict[str, str]:
    try:
        found = from_json(path.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(key) for name, key in found.items()} if isinstance(found, dict) else {}


def words_of(value: str) -> str:
    """Return the name of a number as it stands in a picture."""
    return value.removeprefix("training/").replace("_", " ").replace("/", ": ")


def sections(pictures: Sequence[ReportPicture]) -> Mapping[str, list[ReportPicture]]:
    """Return the pictures by section, in the order in which they were drawn."""
    found: dict[str, list[ReportPicture]] = {}
    for picture in pictures:
        found.setdefault(picture.section, []).append(picture)
    return found
