"""Tables of words and numbers on a terminal or in a pipe.

Text that comes from files goes through `for_terminal` and never through rich's markup.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from landscape.commands.words import for_terminal

# Settings that say nothing. (0 and False are not among them.)
NOTHING: tuple[Any, ...] = (None, "", [], {})
# Of a table: blanks before it, and what its columns take besides their text.
_INDENT, _BETWEEN = 1, 2
# Names longer than this are broken into lines before columns go to a table of their own.
_NAME = 20


@contextlib.contextmanager
def captured() -> Iterator[Console]:
    """Give a console whose output goes to standard output at the end, without blanks at the ends of lines."""
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    with console.capture() as text:
        yield console
    sys.stdout.write("\n".join(line.rstrip() for line in text.get().split("\n")))


def show(
    print_facts: Callable[[Console, Mapping[str, Any]], None], facts: Mapping[str, Any], *, after_another: bool = False
) -> None:
    """Print what was found of a file in its kind's way, with an empty line after another one."""
    with captured() as console:
        if after_another:
            console.print()
        print_facts(console, facts)


def plain(value: Any, style: str = "") -> Text:
    """Return a text as it may be shown, folded where it is too long."""
    return Text(for_terminal(str(value)), style, overflow="fold")


def print_heading(console: Console, text: str) -> None:
    """Print a line in bold."""
    console.print(plain(text, "bold"), soft_wrap=True)


def print_pairs(console: Console, pairs: Iterable[tuple[str, Any]]) -> None:
    """Print names with what they name, without those that name nothing."""
    table = Table.grid(padding=(0, 2), pad_edge=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value not in NOTHING:
            # A name as long as the line would leave no room for what it names.
            table.add_row(plain(name if len(name) <= 36 else f"{name[:33]}...", "dim"), plain(value))
    if table.row_count:
        console.print(table)


def print_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[Any]], left: int = 1) -> None:
    """Print a table whose first ``left`` columns are words and the others numbers.

    The first column and the headings may be broken into lines, what stands in the others never is. Where they do not
    fit beside each other there are several tables below each other, each with the first column.
    """
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [
        _Widths.of(column, [row[number] for row in cells], in_lines=number == 0)
        for number, column in enumerate(columns)
    ]
    for some in _beside_each_other(widths, console.width - _INDENT):
        table = Table(box=None, padding=(0, 1), header_style="dim")
        room = _shared_out([widths[number] for number in some], console.width - _INDENT)
        for number, width in zip(some, room, strict=True):
            table.add_column(
                Text(columns[number]), justify="left" if number < left else "right", overflow="fold", width=width
            )
        for row in cells:
            table.add_row(*(row[number] for number in some))
        console.print()
        with _wide_enough(console, _INDENT + sum(width + _BETWEEN for width in room)):
            console.print(Padding(table, (0, 0, 0, _INDENT)))


@dataclass(frozen=True)
class _Widths:
    """How wide a column can be: as narrow as its heading's words and what may not be broken, or in one line."""

    least: int
    whole: int

    @classmethod
    def of(cls, heading: str, cells: Sequence[Text], *, in_lines: bool) -> _Widths:
        longest = max((cell.cell_len for cell in cells), default=0)
        whole = max(longest, *(cell_len(line) for line in heading.split("\n")))
        if in_lines:
            return cls(min(whole, _NAME), whole)
        return cls(max(longest, *(cell_len(word) for word in heading.split() or [""])), whole)


def _beside_each_other(widths: Sequence[_Widths], most: int) -> list[list[int]]:
    """Return which columns stand in one table: as many as fit, and at least one besides the first."""
    tables = [[0]]
    for number in range(1, len(widths)):
        there = tables[-1]
        taken = sum(widths[each].least + _BETWEEN for each in [*there, number])
        if len(there) > 1 and taken > most:
            tables.append([0, number])
        else:
            there.append(number)
    return tables


def _shared_out(widths: Sequence[_Widths], most: int) -> list[int]:
    """Return each column's width: the least, and of what is left as much as it can use, from left to right."""
    left = most - sum(width.least + _BETWEEN for width in widths)
    found = []
    for width in widths:
        more = min(max(left, 0), width.whole - width.least)
        found.append(width.least + more)
        left -= more
    return found


@contextlib.contextmanager
def _wide_enough(console: Console, width: int) -> Iterator[None]:
    """Let a console print lines that are longer than it is wide, rather than cut a number."""
    usual = console.width
    console.width = max(usual, width)
    try:
        yield
    finally:
        console.width = usual
