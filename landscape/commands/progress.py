"""Progress on stderr: a bar with rate, points done and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from landscape.comm import connected
from landscape.leaving import before_leaving

# Between two plain lines, seconds: a log of an hour's run stays readable.
LINE_EVERY = 10.0


@contextmanager
def progress_bar(what: str, unit: str = "points") -> Iterator[Callable[[int, int], None]]:
    """Give a function (done, in all) that shows how far something is."""
    with progress_bars() as show:
        yield lambda done, total: show(what, unit, done, total)


@contextmanager
def progress_bars() -> Iterator[Callable[[str, str, int, int], None]]:
    """Give a function (what, unit, done, in all) that shows how far several things are, a bar each."""
    comm = connected()
    if comm is not None and comm.rank:
        yield lambda what, unit, done, total: None  # the first process speaks for all
        return
    if sys.stderr.isatty():
        with _rich_bars() as show:
            yield show
        return
    lines: dict[str, _Lines] = {}

    def say(what: str, unit: str, done: int, total: int) -> None:
        lines.setdefault(what, _Lines(what, unit))(done, total)

    yield say


@contextmanager
def _rich_bars() -> Iterator[Callable[[str, str, int, int], None]]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            rate = task.finished_speed or task.speed
            unit = task.fields["unit"]
            return Text("" if rate is None else f"{rate:,.3g} {unit}/s", style="progress.data.speed")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    # A bar hides the cursor: it has to be stopped even where the process ends in the middle.
    with Progress(*columns, console=Console(stderr=True)) as bars, before_leaving(bars.stop):

        def show(what: str, unit: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(escape(what), total=total, unit=unit)
            bars.update(tasks[what], completed=done, total=total)

        yield show


class _Lines:
    """Says how far it is every few seconds, and at the end."""

    def __init__(self, what: str, unit: str) -> None:
        self._what, self._unit = what, unit
        self._first: int | None = None
        self._began = self._said = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first, self._began = done, now
            return
        if now - self._said < LINE_EVERY and done < total:
            return
        self._said = now
        rate = (done - self._first) / max(now - self._began, 1e-9)
        left = f", {_duration((total - done) / rate)} left" if rate and done < total else ""
        print(f"{self._what}: {done} of {total} {self._unit}, {rate:.3g} a second{left}", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
