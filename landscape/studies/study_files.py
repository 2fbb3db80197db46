"""Studies as TOML files: read, checked, and with parts of them replaced for other data or a miniature.

The tables ``[smoke]``, ``[digits]``, ``[cifar10]`` and ``[npz]`` hold what is different in a miniature or on such data:
tables in them are merged into those of the study, anything else replaces. An error names the line and the key. A path
in a file is relative to the file's folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from landscape.errors import UsageError, suggestion
from landscape.files.atomic import read_all
from landscape.studies.study import Study
from landscape.studies.study_tables import OVERRIDES, TOP, StudyBuilder, placed
from landscape.studies.toml_document import Source, check_table, merged


def shipped() -> dict[str, Path]:
    """Return the studies that come with the package: name -> file."""
    folder = Path(str(files("landscape.studies"))) / "shipped"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_study(name: str) -> Path:
    """Return the file of a study: a path that ends in .toml, or the name of one that ships.

    Raises
    ------
    UsageError
        There is none of that name; those there are, are listed.
    """
    if name.endswith(".toml"):
        return Path(os.path.expanduser(name))
    known = shipped()
    if name in known:
        return known[name]
    raise UsageError(
        f"no study called {name!r} comes with landscape; {suggestion(name, known)} A file's name ends in .toml"
    )


def read_study(path: str | Path, *, data: Sequence[str] = (), smoke: bool = False) -> Study:
    """Read a study from a TOML file.

    Parameters
    ----------
    path : path
    data : sequence of str
        In the place of the file's: ``cifar10:ROOT`` for both parts, or ``train=...`` and ``test=...``; a path is
        relative to the working folder.
    smoke : bool
        The same in miniature, as the file's ``[smoke]`` says.

    Raises
    ------
    UsageError
        The file is no study: what is wrong, in which line, with which key.
    FormatError
        It cannot be read.
    """
    text = read_all(path)
    source = Source(Path(path), text)
    document = source.document
    check_table(document, TOP, source, ())
    given = {name: placed(reference, Path()) for name, reference in given_data(data).items()}
    chosen = given or dict(document.get("data") or {})
    kind = str(next(iter(chosen.values()), "")).partition(":")[0]
    # What is not asked for now is checked as well: an error in it shows before somebody needs it.
    StudyBuilder(document, source, "").study()
    for part in OVERRIDES:
        if part in document:
            StudyBuilder(merged(document, document[part]), source, part).study()
    for part in (kind, "smoke" if smoke else ""):
        if part in OVERRIDES and part in document:
            document = merged(document, document[part])
    own = str(next(iter((source.document.get("data") or {}).values()), "")).partition(":")[0]
    if smoke or (kind or "digits") != (own or "digits"):
        # How long a miniature takes, or other data, is not what the study itself took.
        part = source.document.get("smoke" if smoke else kind, {})
        document = document | {"minutes": part.get("minutes", 0.0)}
    if smoke and "least_accuracy" not in document.get("smoke", {}):
        document = document | {"least_accuracy": 0.0}  # nothing trains in so short a time
    return StudyBuilder(document | ({"data": given} if given else {}), source, "").study()


def given_data(words: Sequence[str]) -> dict[str, str]:
    """Turn ``--data`` into data sets by name: ``digits`` and ``cifar10:ROOT`` stand for both of their parts."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, reference = word.partition("=")
        if equals and re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            found[name] = reference
            continue
        if word.partition(":")[0] not in ("digits", "cifar10") or word.endswith((":train", ":test")):
            raise UsageError(
                f"--data {word!r}: a study needs to know which part it is; write --data train=REF --data test=REF, "
                "or digits or cifar10:ROOT for both"
            )
        found |= {part: f"{word}:{part}" for part in ("train", "test")}
    if found and "train" not in found:
        raise UsageError(f"--data names {', '.join(found)}; a study trains on what is called 'train'")
    return found
