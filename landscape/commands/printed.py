"""Tables of words and numbers on a terminal or in a pipe.

Text that comes from files goes through `for_terminal` and never through rich's markup.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from landscape.commands.words import for_terminal

# Settings that say nothing. (0 and False are not among them.)
NOTHING: tuple[Any, ...] = (None, "", [], {})


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
    """Print a table whose first ``left`` columns are words and the others numbers."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for number, column in enumerate(columns):
        # The names may be broken into lines, the numbers never.
        table.add_column(
            Text(column),
            justify="left" if number < left else "right",
            overflow="fold",
            no_wrap=number > 0,
            min_width=min(len(column), 8),
        )
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    console.print()
    console.print(Padding(table, (0, 0, 0, 1)))
