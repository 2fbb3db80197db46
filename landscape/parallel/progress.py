"""Progress on stderr: a bar with rate, points done and time left where somebody watches, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Protocol, TypeAlias

from landscape.parallel.comm import connected
from landscape.parallel.shutdown import at_shutdown, on_one_line

# Between two plain lines, seconds: a log of an hour's run stays readable.
LINE_EVERY = 10.0
# Told how many are done, of how many.
Progress: TypeAlias = Callable[[int, int], None]


def duration(seconds: float) -> str:
    """Return a time in the units a person would use."""
    if seconds < 60:
        return f"{seconds:.2g} s"
    minutes = seconds / 60
    if minutes < 60:
        return f"{minutes:.1f} min"
    hours = minutes / 60
    if hours < 48:
        return f"{hours:.1f} h"
    days = hours / 24
    return f"{days:.1f} days" if days < 730 else f"{days / 365.25:,.0f} years"


def progress_of(
    given: Progress | bool | None, what: str, unit: str = "points"
) -> AbstractContextManager[Progress | None]:
    """Return what a function of Python tells how far it is, from what its caller passed as ``progress``.

    Parameters
    ----------
    given : callable, bool or None
        A function is told; ``False`` is silence. By default a bar where somebody watches, a terminal or a notebook,
        and silence elsewhere; ``True`` writes plain lines there.
    what, unit : str
        What is being done, in front of the bar, and what is counted.
    """
    if callable(given):
        return nullcontext(given)
    if given or (given is None and _watched()):
        return progress_bar(what, unit)
    return nullcontext()


@contextmanager
def progresses_of(
    given: Callable[[str, int, int], None] | bool | None, unit_of: Callable[[str], str]
) -> Iterator[Callable[[str, int, int], None] | None]:
    """Give what a function of several stages tells how far it is: which stage, done, in all. See `progress_of`."""
    if callable(given):
        yield given
    elif given or (given is None and _watched()):
        with progress_bars() as show:
            yield lambda what, done, total: show(what, unit_of(what), done, total)
    else:
        yield None


@contextmanager
def progress_bar(what: str, unit: str = "points") -> Iterator[Progress]:
    """Give a function (done, in all) that shows how far something is."""
    with progress_bars() as show:
        yield lambda done, total: show(what, unit, done, total)


class Show(Protocol):
    """Shows how far something is: what, unit, done, in all, and the seconds left where they are known better."""

    def __call__(self, what: str, unit: str, done: int, total: int, left: float = math.nan) -> None:
        """Show it."""


@contextmanager
def progress_bars() -> Iterator[Show]:
    """Give a function that shows how far several things are, a bar each."""
    comm = connected()
    if comm is not None and comm.rank:
        yield lambda what, unit, done, total, left=math.nan: None  # the first process speaks for all
        return
    if _watched():
        with _rich_bars() as show:
            yield show
        return
    lines: dict[str, _Lines] = {}

    def say(what: str, unit: str, done: int, total: int, left: float = math.nan) -> None:
        lines.setdefault(what, _Lines(what, unit))(done, total, left)

    yield say


def _watched() -> bool:
    """Whether stderr is a terminal, or this a notebook, which shows a bar although it is none."""
    if sys.stderr is not None and sys.stderr.isatty():
        return True
    if "IPython" not in sys.modules:
        return False  # Rich need not be loaded to know
    from rich.console import Console

    return Console().is_jupyter


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


@contextmanager
def _rich_bars() -> Iterator[Show]:
    from rich import progress as rich_progress
    from rich.console import Console
    from rich.markup import escape
    from rich.text import Text

    class Rate(rich_progress.ProgressColumn):
        def render(self, task: rich_progress.Task) -> Text:
            rate = task.finished_speed or task.speed
            return Text("" if rate is None else f"{_rate(rate)} {task.fields['unit']}/s", style="progress.data.speed")

    class Left(rich_progress.TimeRemainingColumn):
        def render(self, task: rich_progress.Task) -> Text:
            left = task.fields["left"]
            if math.isnan(left) or task.finished:
                return super().render(task)
            return Text(str(timedelta(seconds=round(left))), style="progress.remaining")

    description, bar = rich_progress.TextColumn("{task.description}"), rich_progress.BarColumn()
    columns = (description, bar, rich_progress.MofNCompleteColumn(), Rate(), Left())
    tasks: dict[str, rich_progress.TaskID] = {}
    # A bar hides the cursor: it has to be stopped even where the process ends in the middle.
    with rich_progress.Progress(*columns, console=Console(stderr=True)) as bars, at_shutdown(bars.stop):

        def show(what: str, unit: str, done: int, total: int, left: float = math.nan) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(escape(on_one_line(what)), total=total, unit=unit, left=left)
            bars.update(tasks[what], completed=done, total=total, left=left)

        yield show


class _Lines:
    """Says how far it is every few seconds, and at the end."""

    def __init__(self, what: str, unit: str) -> None:
        self._what, self._unit = on_one_line(what), unit
        self._first: int | None = None
        self._began = self._said = time.monotonic()

    def __call__(self, done: int, total: int, left: float = math.nan) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first, self._began = done, now
        elif now - self._said >= LINE_EVERY or done >= total:
            self._said = now
            rate = (done - self._first) / max(now - self._began, 1e-9)
            left = (total - done) / rate if math.isnan(left) and rate else left
            shown = "" if math.isnan(left) or done >= total else f", {duration(left)} left"
            line = f"{self._what}: {done} of {total} {self._unit}, {_rate(rate)} a second{shown}"
            print(line, file=sys.stderr, flush=True)  # noqa: T201 - the name in it was escaped
