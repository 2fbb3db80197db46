"""The pictures of a report, drawn from what the tasks left in their folders.

Files of one name in the folders of one measurement belong together: lines become one picture with a band over seeds for
each variant, planes stand side by side on one scale, curves in ``NAME.curve.csv`` are drawn like lines. Each variant's
plane is that of its first seed that trained; the page to turn holds the same.
"""

from __future__ import annotations

import csv
import hashlib
import io
import logging
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape import __version__
from landscape.errors import LandscapeError, PlotError
from landscape.files.atomic import read_all, replace_file
from landscape.files.strict_json import from_json, to_json
from landscape.studies.report.study_results import StudyResult, own_intervals
from landscape.studies.statistics.seed_intervals import correlation, seed_interval
from landscape.studies.study import ALL, TRAINING
from landscape.studies.tasks.tasks import Task
from landscape.surface.grid import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from landscape.plot.comparisons.seed_bands import Band
    from landscape.surface.surface import Surface

_log = logging.getLogger(__name__)

PICTURES = "pictures"
_KEYS = "drawn.json"
_MOST_PANES = 6
_SHOWN = (".png", ".svg", ".gif", ".webp")
_LINKED = (*_SHOWN, ".pdf", ".mp4", ".webm", ".html")
TEST_ACCURACY = f"{TRAINING}/test_accuracy"
# Three numbers of one measurement that are drawn against each other.
CORNERS = ("stability", "plasticity", "robustness")
# What of a line is drawn, where it is there.
_LINE_NAMES = ("train/loss", "test/loss", "test/accuracy")


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


def draw_pictures(result: StudyResult) -> list[ReportPicture]:
    """Draw everything there is; what cannot be drawn says why."""
    (result.folder / PICTURES).mkdir(exist_ok=True)
    drawn = _Drawn(result)
    drawn.numbers()
    drawn.triangles()
    drawn.relations()
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


class _Drawn:
    """Collects pictures."""

    def __init__(self, result: StudyResult) -> None:
        self.result = result
        self.pictures: list[ReportPicture] = []
        self._taken: set[str] = set()
        self._keys = _read_keys(result.folder / PICTURES / _KEYS)  # file -> digest of what it was drawn of
        self._new: dict[str, str] = {}

    def _save(self, section: str, title: str, draw: Any, of: Sequence[Any], caption: str = "", page: str = "") -> None:
        """Draw and write one picture, or keep the reason why not; what is there already, of the same, stays."""
        from landscape.plot.saving import save

        stem = self._stem(title)
        image, paper = f"{PICTURES}/{stem}.png", f"{PICTURES}/{stem}.pdf"
        try:
            if self._is_new([section, title, caption, *of], image, paper):
                figure: Figure = draw()
                save(figure, self.result.folder / image)
                save(figure, self.result.folder / paper)
                self._remember()
        except (LandscapeError, ValueError) as error:
            _log.info("%s: %s", title, error)
            self.pictures.append(ReportPicture(section, title, trouble=str(error)))
            return
        self.pictures.append(ReportPicture(section, title, caption, image, paper, page))

    def _is_new(self, of: Sequence[Any], *names: str) -> bool:
        """Return whether files have to be made, being of something else than when they were made last."""
        key = hashlib.sha256(repr([__version__, *map(_told, of)]).encode()).hexdigest()
        self._new = dict.fromkeys(names, key)
        return any(self._keys.get(name) != key or not (self.result.folder / name).exists() for name in names)

    def _remember(self) -> None:
        """Keep what the files just made are of: written at once, so that a killed run draws none twice."""
        self._keys |= self._new
        replace_file(self.result.folder / PICTURES / _KEYS, (to_json(self._keys) + "\n").encode())

    def _stem(self, title: str) -> str:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-.").lower() or "picture"
        name, number = plain, 2
        while name in self._taken:
            name, number = f"{plain}-{number}", number + 1
        self._taken.add(name)
        return name

    def _title(self, variant: str) -> str:
        return next((each.shown for each in self.result.study.variants if each.name == variant), variant)

    def numbers(self) -> None:
        """Draw the numbers that hypotheses are about, every seed a dot."""
        from landscape.plot.comparisons.seed_values import SeedValues, seed_values

        hypotheses = self.result.study.hypotheses
        wanted = dict.fromkeys(value for each in hypotheses for value in each.values)
        own = {each.value for each in hypotheses if each.interval == "own"}
        for value in wanted:
            rows = []
            if value in own:
                self._own_numbers(value)
                continue
            for variant, seeds in self.result.values.get(value, {}).items():
                kept = [n for seed, n in seeds.items() if (variant, seed) not in self.result.untrained]
                hollow = [n for seed, n in seeds.items() if (variant, seed) in self.result.untrained]
                middle = seed_interval(kept).with_ends
                rows.append(SeedValues(self._title(variant), np.array(kept), *middle, np.array(hollow)))
            if rows:
                caption = _seeds_words(rows)
                self._save(
                    "numbers",
                    value,
                    lambda rows=rows, value=value, caption=caption: seed_values(
                        rows, x=_words(value), title=_words(value), caption=caption
                    ),
                    rows,
                    caption,
                )

    def _own_numbers(self, value: str) -> None:
        from landscape.plot.comparisons.seed_values import SeedValues, seed_values

        found = own_intervals(self.result, value)
        rows = [
            SeedValues(
                "all together" if variant == ALL else self._title(variant),
                np.array([each.estimate]),
                each.estimate,
                *each.interval,
            )
            for variant, each in found.items()
        ]
        if rows:
            seeds = next(iter(found.values())).seeds
            caption = f"Of {seeds} seeds together, with the interval of 95 % that it was measured with."
            self._save(
                "numbers",
                value,
                lambda: seed_values(rows, x=_words(value), title=_words(value), caption=caption),
                rows,
                caption,
            )

    def triangles(self) -> None:
        """Draw what trades stability, plasticity and robustness against each other, where it was measured."""
        from landscape.plot.comparisons.triangles import Triangle, triangles

        for measurement in self.result.study.measurements:
            scores = [self.result.numbers(f"{measurement.name}/{name}") for name in CORNERS]
            groups = []
            for variant in scores[0]:
                numbers = [[n for n in each.get(variant, {}).values() if math.isfinite(n)] for each in scores]
                if all(numbers):
                    middles = np.array([seed_interval(each).with_ends for each in numbers])
                    groups.append(Triangle(self._title(variant), *middles.T))
            if groups:
                caption = (
                    "Means over seeds, beside them their intervals of 95 % (Student's t over seeds), cut at 0 and 1. "
                    "Stability: 1 less what was forgotten; plasticity: accuracy right after learning; robustness: the "
                    "same under attack."
                )
                title = f"{measurement.name}: stability, plasticity, robustness"
                self._save(
                    "numbers",
                    title,
                    lambda groups=groups, title=title, caption=caption: triangles(
                        groups, CORNERS, title=title, caption=caption
                    ),
                    groups,
                    caption,
                )

    def relations(self) -> None:
        """Draw test accuracy against each number that hypotheses are about, and what they correlate."""
        from landscape.plot.comparisons.seed_values import Cloud, scatter

        hypotheses = self.result.study.hypotheses
        pairs = [(each.correlate[0], each.correlate[1]) for each in hypotheses if each.correlate]
        pairs += [(each.value, TEST_ACCURACY) for each in hypotheses if each.value.partition("/")[0] != TRAINING]
        for first, second in dict.fromkeys(pair for pair in pairs if pair[0] and pair[0] != pair[1]):
            one, other = self.result.numbers(first), self.result.numbers(second)
            clouds, groups = [], []
            for variant in one:
                both = [seed for seed in one[variant] if seed in other.get(variant, {})]
                x, y = (np.array([numbers[variant][seed] for seed in both]) for numbers in (one, other))
                finite = np.isfinite(x) & np.isfinite(y)
                if finite.any() and variant != ALL:
                    clouds.append(Cloud(self._title(variant), x[finite], y[finite]))
                    groups += [variant] * int(finite.sum())
            if len(groups) < 2:
                continue
            caption = _correlation_words(clouds)
            self._save(
                "relations",
                f"{_words(second)} against {_words(first)}",
                lambda c=clouds, x=first, y=second, w=caption: scatter(
                    c, x=_words(x), y=_words(y), title=f"{_words(y)} against {_words(x)}", caption=w
                ),
                clouds,
                caption,
            )

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
                first, second = map(self._title, each.variants)
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
                self._bands("lines", f"{title}, {value}", runs, x=x, y=_words(value))

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
            self._bands(section, f"{title}, {_words(column)}", runs, x=_words(across), y=_words(column))

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

        def figure() -> Figure:
            return seed_bands(bands, x=x, y=y, title=title, caption=caption, logarithmic=logarithmic)

        self._save(section, title, figure, [*bands, x, y], caption)

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
            middles = [seed_interval(column).with_ends for column in averaged.T]
            middle, low, high = np.array(middles).T if middles else np.zeros((3, 0))
            if logarithmic:
                middle, low, high = np.exp(np.clip([middle, low, high], -700, 700))  # of two seeds they may be huge
            yield Band(self._title(variant) + (", not trained" if failed else ""), x, middle, low, high, stack)

    def _planes(self, title: str, planes: Sequence[tuple[Task, Surface]]) -> None:
        from landscape.plot import draw
        from landscape.plot.page.html import write_page

        chosen: dict[str, Surface] = {}
        for failed in (False, True):
            for task, surface in planes:
                untrained = task.seed is not None and (task.variant, task.seed) in self.result.untrained
                if untrained == failed and task.variant not in chosen:
                    seed = "" if task.seed is None else f", seed {task.seed}"
                    shown = self._title(task.variant) + seed + (", not trained" if failed else "")
                    chosen[task.variant] = replace(surface, title=shown)
        order = [each.name for each in self.result.study.variants]
        surfaces = [chosen[name] for name in sorted(chosen, key=lambda n: order.index(n) if n in order else len(order))]
        for start in range(0, len(surfaces), _MOST_PANES):
            part = surfaces[start : start + _MOST_PANES]
            shown = title if len(surfaces) <= _MOST_PANES else f"{title}, {start + 1} to {start + len(part)}"
            page = f"{PICTURES}/{self._stem(shown + ' to turn')}.html"
            digests = [[surface.digest, surface.title] for surface in part]
            try:
                if self._is_new(digests, page):
                    write_page(part, self.result.folder / page, name=shown)
                    self._remember()
            except (LandscapeError, ValueError) as error:
                self.pictures.append(ReportPicture("surfaces", shown, trouble=str(error)))
                page = ""
            self._save("surfaces", shown, lambda part=part: draw(part, kind="surface"), digests, "", page)
            losses = [name for name in part[0].values if name.endswith("/loss")]
            if len(part) > 1 or len(losses) < 2:
                self._save("surfaces", f"{shown}, from above", lambda part=part: draw(part, kind="contour"), digests)
                continue
            # Of a single plane the loss on each of its data sets: of several tasks, say.
            for name in losses:
                self._save(
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
            title = f"{measurement}, {self._title(task.variant)}{seed}: {name}"
            self.pictures.append(ReportPicture("more", title, image=shown, page="" if shown else path))


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


def _words(value: str) -> str:
    """Return the name of a number as it stands in a picture."""
    return value.removeprefix("training/").replace("_", " ").replace("/", ": ")


def _seeds_words(rows: Sequence[Any]) -> str:
    said = "Dots: seeds. Above them their mean with its interval of 95 % (Student's t over seeds)."
    if any(row.hollow is not None and len(row.hollow) for row in rows):
        said += " Hollow: networks that did not train, which are in no mean."
    return said


def _correlation_words(clouds: Sequence[Any]) -> str:
    x, y = np.concatenate([c.x for c in clouds]), np.concatenate([c.y for c in clouds])
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return f"{len(x)} networks: too few, or too equal, for a correlation."
    found = correlation(x, y)
    said = f"Correlation over {found.networks} networks {found.estimate:.2f} [{found.low:.2f}, {found.high:.2f}]"
    groups = [cloud.label for cloud in clouds for _ in cloud.x]
    if min(map(groups.count, set(groups))) >= 3 and len(set(groups)) > 1:
        inside = correlation(x, y, groups)
        said += f", within variants {inside.estimate:.2f} [{inside.low:.2f}, {inside.high:.2f}]"
    return f"{said} (95 %)."


def sections(pictures: Sequence[ReportPicture]) -> Mapping[str, list[ReportPicture]]:
    """Return the pictures by section, in the order in which they were drawn."""
    found: dict[str, list[ReportPicture]] = {}
    for picture in pictures:
        found.setdefault(picture.section, []).append(picture)
    return found
