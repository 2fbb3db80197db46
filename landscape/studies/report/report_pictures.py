"""The pictures of a report, drawn from what the tasks left in their folders.

Files of one name in the folders of one measurement belong together: lines become one picture with a band over seeds for
each variant, planes stand side by side on one scale, curves in ``NAME.curve.csv`` are drawn like lines. Each variant's
plane is that of its first seed that trained; the page to turn holds the same.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landscape.errors import LandscapeError, PlotError
from landscape.files.atomic import read_all
from landscape.studies.report.number_pictures import draw_numbers, draw_relations, draw_triangles
from landscape.studies.report.picture_files import PICTURES, PictureFiles, ReportPicture, words_of
from landscape.studies.report.study_results import StudyResult
from landscape.studies.statistics.seed_intervals import seed_interval
from landscape.studies.tasks.tasks import Task
from landscape.surface.grid import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from landscape.plot.comparisons.seed_bands import Band
    from landscape.surface.surface import Surface

_MOST_PANES = 6
_SHOWN = (".png", ".svg", ".gif", ".webp")
_LINKED = (*_SHOWN, ".pdf", ".mp4", ".webm", ".html")
# What of a line is drawn, where it is there.
_LINE_NAMES = ("train/loss", "test/loss", "test/accuracy")


def draw_pictures(result: StudyResult) -> list[ReportPicture]:
    """Draw everything there is; what cannot be drawn says why."""
    (result.folder / PICTURES).mkdir(exist_ok=True)
    drawn = _Drawn(result)
    draw_numbers(drawn)
    draw_triangles(drawn)
    draw_relations(drawn)
    for measurement in result.study.measurements:
        tasks = [t for t in result.tasks if t.measurement is measurement and _done(result, t)]
        for name in dict.fromkeys(f for t in tasks for f in result.outcomes[t.folder].files):
            having = [task for task in tasks if name in result.outcomes[task.folder].files]
            if name.endswith(".h5"):
                drawn.surfaces(measurement.name, name, having)
            elif name.endswith(".curve.csv"):
                drawn.curves(f"{measurement.name}: {name.removesuffix('.curve.csv')}", name, having, "lines")
            elif name.endswith(_LINKED):
                drawn.others(measurement.name, name, having)
    trained = [task for task in result.tasks if task.measurement is None and _done(result, task)]
    drawn.curves("Training", "history.csv", trained, "training", x="epoch")
    tables = (f for t in trained for f in result.outcomes[t.folder].files if f.endswith(".csv") and f != "history.csv")
    for name in dict.fromkeys(tables):
        having = [task for task in trained if name in result.outcomes[task.folder].files]
        drawn.curves(f"Training, {name.removesuffix('.csv')}", name, having, "training", x="step")
    return drawn.pictures


def _done(result: StudyResult, task: Task) -> bool:
    return result.outcomes[task.folder].state == "done"


class _Drawn(PictureFiles):
    """Draws the files that tasks left, those of one name together."""

    def surfaces(self, measurement: str, name: str, tasks: Sequence[Task]) -> None:
        """Draw files of one name: lines with bands, planes side by side; anything else is another room's."""
        from landscape.files.store import read_surface

        found: list[tuple[Task, Surface]] = []
        for task in tasks:
            try:
                found.append((task, read_surface(self.result.folder / task.folder / name)))
            except LandscapeError as error:
                if _is_ours(self.result.folder / task.folder / name):
                    continue  # not surfaces: their numbers are in the tables
                self.pictures.append(ReportPicture("surfaces", f"{measurement}: {task.name}", trouble=str(error)))
        stem = name.removesuffix(".h5")
        title = measurement if stem == measurement else f"{measurement}: {stem}"
        lines = [(task, surface) for task, surface in found if len(surface.directions) == 1]
        planes = [(task, surface) for task, surface in found if len(surface.directions) == 2]
        if lines:
            self._lines(title, lines, self._ends(measurement))
        if planes:
            self._planes(title, planes)

    def _ends(self, measurement: str) -> str:
        """Return which networks lie at 0 and 1 of the lines of a measurement between two variants."""
        for each in self.result.study.measurements:
            if each.name == measurement and each.measure == "between" and len(each.variants) == 2:
                first, second = map(self.title, each.variants)
                return f"from {first} (0) to {second} (1)"
        return ""

    def _lines(self, title: str, lines: Sequence[tuple[Task, Surface]], ends: str) -> None:
        from landscape.plot.planes.marks import axis_text

        for value in _LINE_NAMES:
            runs = [
                (task, surface.axes[0].values, surface[value].reshape(-1, surface.shape[-1]).mean(0))
                for task, surface in lines
                if value in surface.values
            ]
            if runs:
                named = {axis_text(surface.axes[0], 0) for _, surface in lines}
                x = ends or (named.pop() if len(named) == 1 else "distance along the direction")
                self._bands("lines", f"{title}, {value}", runs, x=x, y=words_of(value))

    def curves(self, title: str, name: str, tasks: Sequence[Task], section: str, x: str = "") -> None:
        """Draw tables of numbers: the first column, or the one called ``x``, against each of the others."""
        tables: list[tuple[Task, dict[str, Floats]]] = []
        for task in tasks:
            try:
                tables.append((task, read_columns(self.result.folder / task.folder / name)))
            except (LandscapeError, ValueError) as error:
                self.pictures.append(ReportPicture(section, f"{title}: {task.name}", trouble=str(error)))
        names = dict.fromkeys(column for _, table in tables for column in table)
        across = x if x in names else next(iter(names), "")
        skipped = {across, "epoch", "step", "seconds", "learning_rate"} if section == "training" else {across}
        for column in (each for each in names if each not in skipped):
            runs = [(task, t[across], t[column]) for task, t in tables if across in t and column in t]
            self._bands(section, f"{title}, {words_of(column)}", runs, x=words_of(across), y=words_of(column))

    def _bands(self, section: str, title: str, runs: Sequence[tuple[Task, Floats, Floats]], *, x: str, y: str) -> None:
        from landscape.plot.comparisons.seed_bands import seed_bands, spans_decades

        logarithmic = spans_decades(np.concatenate([values for *_, values in runs]))
        bands = list(self._grouped(runs, logarithmic))
        if not bands:
            return
        fewest, number = min(len(band.runs) for band in bands), max(len(band.runs) for band in bands)
        seeds = f"{number}" if fewest == number else f"{fewest} to {number}"
        mean, of = ("Geometric mean", "Student's t of the logarithms") if logarithmic else ("Mean", "Student's t")
        caption = (
            f"{mean} over {seeds} seeds, band: its interval of 95 % ({of} over seeds), thin: each seed."
            if number > 1
            else "One seed: there is no interval."
        )
        if any(len(band.runs) > 1 and (band.low == band.high).any() for band in bands):
            caption += " Where it has no width all seeds agree, which tells no spread."

        def figure() -> Figure:
            return seed_bands(bands, x=x, y=y, title=title, caption=caption, logarithmic=logarithmic)

        self.save(section, title, figure, [*bands, x, y], caption)

    def _grouped(self, runs: Sequence[tuple[Task, Floats, Floats]], logarithmic: bool) -> Iterator[Band]:
        from landscape.plot.comparisons.seed_bands import Band

        groups: dict[tuple[str, bool], list[tuple[Floats, Floats]]] = {}
        for task, x, y in runs:
            failed = task.seed is not None and (task.variant, task.seed) in self.result.untrained
            groups.setdefault((task.variant, failed), []).append((x, y))
        for (variant, failed), members in groups.items():
            x = members[0][0]
            same = [y for other, y in members if other.shape == x.shape and np.allclose(other, x)]
            stack = np.array(same)
            averaged = np.log(stack) if logarithmic else stack
            found = [seed_interval(column) for column in averaged.T]
            middle, low, high = np.array([each.with_ends for each in found]).reshape(-1, 3).T
            # Where all seeds agree nothing is known of others: the band is drawn through, without a width.
            alike = np.array([each.deviation == 0 for each in found], dtype=bool)
            low, high = (np.where(alike, middle, end) for end in (low, high))
            if logarithmic:
                middle, low, high = np.exp(np.clip([middle, low, high], -700, 700))  # of two seeds they may be huge
            yield Band(self.title(variant) + (", not trained" if failed else ""), x, middle, low, high, stack)

    def _planes(self, title: str, planes: Sequence[tuple[Task, Surface]]) -> None:
        from landscape.plot import draw
        from landscape.plot.page.html import write_page

        chosen: dict[str, Surface] = {}
        for failed in (False, True):
            for task, surface in planes:
                untrained = task.seed is not None and (task.variant, task.seed) in self.result.untrained
                if untrained == failed and task.variant not in chosen:
                    seed = "" if task.seed is None else f", seed {task.seed}"
                    shown = self.title(task.variant) + seed + (", not trained" if failed else "")
                    chosen[task.variant] = replace(surface, title=shown)
        order = [each.name for each in self.result.study.variants]
        surfaces = [chosen[name] for name in sorted(chosen, key=lambda n: order.index(n) if n in order else len(order))]
        for start in range(0, len(surfaces), _MOST_PANES):
            part = surfaces[start : start + _MOST_PANES]
            shown = title if len(surfaces) <= _MOST_PANES else f"{title}, {start + 1} to {start + len(part)}"
            page = f"{PICTURES}/{self.stem(shown + ' to turn')}.html"
            digests = [[surface.digest, surface.title] for surface in part]
            try:
                if self.is_new(digests, page):
                    write_page(part, self.result.folder / page, name=shown)
                    self.remember()
            except (LandscapeError, ValueError) as error:
                self.pictures.append(ReportPicture("surfaces", shown, trouble=str(error)))
                page = ""
            self.save("surfaces", shown, lambda part=part: draw(part, kind="surface"), digests, "", page)
            losses = [name for name in part[0].values if name.endswith("/loss")]
            if len(part) > 1 or len(losses) < 2:
                self.save("surfaces", f"{shown}, from above", lambda part=part: draw(part, kind="contour"), digests)
                continue
            # Of a single plane the loss on each of its data sets: of several tasks, say.
            for name in losses:
                self.save(
                    "surfaces",
                    f"{shown}, from above, {name.removesuffix('/loss')}",
                    lambda part=part, name=name: draw(part, kind="contour", name=name),
                    [*digests, name],
                )

    def others(self, measurement: str, name: str, tasks: Sequence[Task]) -> None:
        """List pictures, films and pages that a measurement made itself."""
        for task in tasks:
            path = f"{task.folder}/{name}"
            shown = path if name.endswith(_SHOWN) else ""
            seed = "" if task.seed is None else f", seed {task.seed}"
            title = f"{measurement}, {self.title(task.variant)}{seed}: {name}"
            self.pictures.append(ReportPicture("more", title, image=shown, page="" if shown else path))


def read_columns(path: Path) -> dict[str, Floats]:
    """Return the columns of a table of numbers by their names; what is no number is NaN.

    Raises
    ------
    FormatError
        It cannot be read.
    PlotError
        It holds no row.
    """
    rows = list(csv.reader(io.StringIO(read_all(path).decode("utf-8", "replace"))))
    if len(rows) < 2:
        raise PlotError(f"{path.name} holds no row of numbers")
    head, *body = rows
    numbers = [[_number(cell) for cell in row] for row in body if len(row) == len(head)]
    return {name: np.array([row[place] for row in numbers]) for place, name in enumerate(head)} if numbers else {}


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _is_ours(path: Path) -> bool:
    from landscape.files.atomic import read_start

    kinds = ("curvature", "similarity", "predictions", "robustness", "frequencies")
    return read_start(path, 64).startswith(tuple(f"landscape {kind}".encode() for kind in kinds))
