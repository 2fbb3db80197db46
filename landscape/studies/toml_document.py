"""A TOML document that knows in which line a key stands, for errors about it."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from landscape.errors import UsageError, suggestion

_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "a table", list: "a list"}


class Source:
    """A file's text, to say in which line a key stands."""

    def __init__(self, path: Path, text: bytes) -> None:
        self.path = path
        try:
            self.text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is no TOML file: byte {error.start} is not UTF-8") from None
        try:
            self.document = tomllib.loads(self.text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise UsageError(f"{path} is no TOML file: {error}") from None

    @cached_property
    def lines(self) -> dict[tuple[str, ...], int]:
        """Key, as a path -> the line in which it is first written."""
        found: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        for number, line in enumerate(self.text.splitlines(), 1):
            header = re.match(r"\s*\[+([^\]]+)\]", line)
            assigned = re.match(r"\s*([\w.\"'-]+(?:\s*\.\s*[\w.\"'-]+)*)\s*=", line)
            if header:
                table = _key_path(header[1])
            place = table if header else (*table, *_key_path(assigned[1])) if assigned else ()
            for length in range(1, len(place) + 1):
                found.setdefault(place[:length], number)
        return found

    def error(self, place: Sequence[str], text: str) -> UsageError:
        """Return the error that a key is wrong."""
        for length in range(len(place), 0, -1):
            if tuple(place[:length]) in self.lines:
                line = self.lines[tuple(place[:length])]
                return UsageError(f"{self.path}, line {line}, {'.'.join(place)}: {text}")
        return UsageError(f"{self.path}, {'.'.join(place) or 'the whole file'}: {text}")


def _key_path(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in text.split("."))


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with another merged into it: tables are merged, anything else is replaced."""
    found = dict(base)
    for key, value in change.items():
        old = found.get(key)
        found[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return found


def check_table(table: Any, allowed: Mapping[str, type], source: Source, place: tuple[str, ...]) -> None:
    """Refuse unknown keys and values of another type."""
    if not isinstance(table, dict):
        raise source.error(place, f"a table was wanted, got {table!r}")
    for key, value in table.items():
        here = (*place, key)
        if key not in allowed:
            raise source.error(here, f"there is no such key; {suggestion(key, allowed)}")
        kind = allowed[key]
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if kind is float:
            fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not fits:
            raise source.error(here, f"{_WORDS[kind]} was wanted, got {value!r}")
