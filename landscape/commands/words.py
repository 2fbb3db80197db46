"""Numbers and texts as a terminal shows them."""

from __future__ import annotations

import re
import sys

from landscape.files.atomic import printable

_LONG_WORD = re.compile(r"(\S{100})\S{200,}(\S{100})")


def for_terminal(text: str) -> str:
    """Return a text from a file or a user without control characters, and with what the terminal lacks escaped."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)


def one_line(text: str) -> str:
    """Return what is wrong on one line; a value of thousands of letters in the middle of it would hide the rest.

    Examples
    --------
    >>> len(one_line("there is no file " + 5000 * "a"))
    222
    """
    return _LONG_WORD.sub(r"\1 ... \2", " ".join(text.split()))


def say(text: str) -> None:
    """Print lines in which there may be text of that kind: names of files, for one."""
    for line in text.split("\n"):
        print(for_terminal(line))  # noqa: T201 - the place where the rest of the commands print


def number_of_bytes(number: float, step: int = 1024) -> str:
    """Return a number of bytes in units of 1,024, or, as files are given, of 1,000."""
    units = ("B", "KiB", "MiB", "GiB", "TiB") if step == 1024 else ("bytes", "kB", "MB", "GB")
    for unit in units[:-1]:
        if number < step:
            return f"{number:.3g} {unit}"
        number /= step
    return f"{number:.3g} {units[-1]}"
