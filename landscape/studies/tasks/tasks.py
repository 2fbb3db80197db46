"""The tasks of a study: each network that is trained, each measurement of it; with keys of what they depend on.

A task's key is a digest of all that can change its result: the recipe, the seed, the samples' content, a
measurement's arguments, the user's own code, and the keys of the tasks before it. So a changed recipe gives other keys
to what depends on it and to nothing else; titles, hypotheses and names of files are in no key.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape.errors import ProblemError, UsageError
from landscape.studies.study import ALL, TRAINING, Measurement, Recipe, Study, TrainedNetwork

if TYPE_CHECKING:
    from landscape.problem.data.datasets import Data

# Goes into every key: another one where the meaning of a file or number changes.
VERSION = 1
FOLDER = "tasks"


@dataclass(frozen=True)
class StudyData:
    """Which samples a study is about, as a worker opens them."""

    references: tuple[tuple[str, str], ...]
    samples: tuple[tuple[str, int], ...] = ()
    normalize: str = ""

    @classmethod
    def of(cls, study: Study) -> StudyData:
        """Return that of a study."""
        return cls(tuple(study.data.items()), tuple(sorted(study.samples.items())), study.normalize)

    def open(self) -> dict[str, Data]:
        """Return the data sets by name; opened once in a process.

        Raises
        ------
        ProblemError, UsageError
            A data set cannot be found or read.
        """
        return dict(_opened(self))


@lru_cache(maxsize=4)
def _opened(wanted: StudyData) -> tuple[tuple[str, Data], ...]:
    from landscape.problem.data.datasets import as_data, choose
    from landscape.problem.data.sources import parse_normalize, resolve_data

    normalize = parse_normalize(wanted.normalize) if wanted.normalize else None
    found = resolve_data([f"{name}={reference}" for name, reference in wanted.references], normalize=normalize)
    for name, number in wanted.samples:
        data = found[name]
        if number < data.size:
            found[name] = as_data(data.fetch(choose(data, number, 0)), name, data.reference)
    return tuple(found.items())


@dataclass(frozen=True)
class Task:
    """One thing to do, with a folder of its own."""

    name: str  # "train/VARIANT/SEED", "MEASUREMENT/VARIANT/SEED", "MEASUREMENT/seed/SEED", ...
    key: str
    folder: str  # below the study's
    networks: tuple[TrainedNetwork, ...]  # to be trained, or measured; their folders are below the study's
    data: StudyData
    measurement: Measurement | None = None  # None: training
    direction_seed: int = 0
    needs: tuple[str, ...] = ()  # folders of the tasks before it

    @property
    def variant(self) -> str:
        """The variant it is of; ``all`` where it is of several."""
        return self.networks[0].variant if len({each.variant for each in self.networks}) == 1 else ALL

    @property
    def seed(self) -> int | None:
        """The seed it is of, None where it is of several."""
        return self.networks[0].seed if len({each.seed for each in self.networks}) == 1 else None


def plan_tasks(study: Study) -> tuple[Task, ...]:
    """Return all tasks of a study, what is needed first.

    Raises
    ------
    ProblemError, UsageError
        The data or the user's code cannot be found.
    """
    from landscape.problem.data.datasets import choose, fingerprint

    data = StudyData.of(study)
    content = {name: fingerprint(each, choose(each)) for name, each in data.open().items()}
    trained: dict[tuple[str, int], tuple[TrainedNetwork, Task]] = {}
    for variant in study.variants:
        for seed in study.seeds:
            key = _key({"train": _described(variant.recipe), "seed": seed, "data": content})
            folder = f"{FOLDER}/train-{variant.name}-s{seed}-{key[:8]}"
            network = TrainedNetwork(variant.name, variant.shown, seed, variant.recipe, Path(folder))
            task = Task(f"train/{variant.name}/{seed}", key, folder, (network,), data)
            trained[variant.name, seed] = network, task
    tasks = [task for _, task in trained.values()]
    for measurement in study.measurements:
        for name, places in _groups(study, measurement):
            networks = tuple(trained[place][0] for place in places)
            before = [trained[place][1] for place in places]
            what = {
                "measure": measurement.measure,
                "arguments": dict(measurement.arguments),
                "code": _code(measurement.measure),
                "per": measurement.per,
                "networks": [[task.networks[0].variant, task.networks[0].seed, task.key] for task in before],
                "data": content,
                "direction_seed": study.direction_seed,
            }
            key = _key(what)
            folder = f"{FOLDER}/{name.replace('/', '-')}-{key[:8]}"
            needs = tuple(task.folder for task in before)
            tasks.append(Task(name, key, folder, networks, data, measurement, study.direction_seed, needs))
    return tuple(tasks)


def _groups(study: Study, measurement: Measurement) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return the names of a measurement's tasks and the networks, as (variant, seed), that each is of."""
    variants = measurement.variants or tuple(each.name for each in study.variants)
    if measurement.per == "network":
        return [(f"{measurement.name}/{v}/{seed}", [(v, seed)]) for v in variants for seed in study.seeds]
    if measurement.per == "seed":
        return [(f"{measurement.name}/seed/{seed}", [(v, seed) for v in variants]) for seed in study.seeds]
    if measurement.per == "variant":
        return [(f"{measurement.name}/{v}", [(v, seed) for seed in study.seeds]) for v in variants]
    return [(measurement.name, [(v, seed) for v in variants for seed in study.seeds])]


def chosen_tasks(tasks: Sequence[Task], only: Sequence[str]) -> tuple[Task, ...]:
    """Return the tasks that ``--only`` names, and those they need; all where it names none.

    Parameters
    ----------
    tasks : sequence of Task
    only : sequence of str
        A task's name or the start of one, up to a ``/``: ``plane``, ``train/plain20``, ``plane/plain20/0``; ``*``
        stands for any one part.

    Raises
    ------
    UsageError
        No task bears such a name.
    """
    if not only:
        return tuple(tasks)
    wanted: set[str] = set()
    for pattern in only:
        found = [task for task in tasks if _matches(task.name, pattern)]
        if not found:
            starts = {"/".join(t.name.split("/")[:n]) for t in tasks for n in (1, 2, 3)}
            near = difflib.get_close_matches(pattern, sorted(starts), n=1)
            first = dict.fromkeys(task.name.partition("/")[0] for task in tasks)
            offer = f"did you mean {near[0]}?" if near else f"they begin with {', '.join(first)}"
            raise UsageError(f"--only {pattern!r} is the name of no task; {offer}")
        wanted |= {task.folder for task in found} | {need for task in found for need in task.needs}
    return tuple(task for task in tasks if task.folder in wanted)


def is_named(task: Task, only: Sequence[str]) -> bool:
    """Return whether ``--only`` names a task itself, and not one that needs it."""
    return not only or any(_matches(task.name, pattern) for pattern in only)


def _matches(name: str, pattern: str) -> bool:
    parts, wanted = name.split("/"), pattern.rstrip("/").split("/")
    return len(wanted) <= len(parts) and all(w in (p, "*") for w, p in zip(wanted, parts, strict=False))


def _described(recipe: Recipe) -> dict[str, Any]:
    described = asdict(recipe)
    described["code"] = {name: _code(getattr(recipe, name)) for name in ("network", "training", "loss")}
    return described


def _code(reference: str) -> str:
    """Return the digest of the file that a reference names; nothing for a module, whose version is its package's."""
    place = reference.rpartition(":")[0]
    if not place.endswith(".py"):
        return ""
    try:
        return hashlib.sha256(Path(os.path.expanduser(place)).read_bytes()).hexdigest()
    except OSError as error:
        raise ProblemError(f"{place} cannot be read: {error.strerror}; {reference!r} names it") from error


def _key(what: Mapping[str, Any]) -> str:
    try:
        text = json.dumps({"version": VERSION, **what}, sort_keys=True)
    except TypeError as error:
        raise UsageError(f"an argument of a study is no plain value (text, number, list or table): {error}") from None
    # The folder that a file of code lies in is no part of what it does: its content is, and that is in the key.
    return hashlib.sha256(re.sub(r'"(?:[^"\\]|\\.)*/([^"/\\]+\.py:)', r'"\1', text).encode()).hexdigest()


def in_folder(task: Task, output: Path) -> Task:
    """Return a task with the folders of its networks made absolute."""
    placed = tuple(replace(each, folder=output / each.folder) for each in task.networks)
    return replace(task, networks=placed)


def split_number(text: str, variants: Sequence[str], task: Task) -> tuple[str, str, int]:
    """Return the name, the variant and the seed that a number of a measurement belongs to.

    Parameters
    ----------
    text : str
        ``NUMBER``, ``VARIANT/NUMBER``, either with ``@SEED`` behind it.
    variants : sequence of str
    task : Task
        What the number belongs to where the text does not say; -1 is the seed of what is of several.

    Raises
    ------
    ProblemError
        It is none of these.
    """
    match = re.fullmatch(r"(?:([A-Za-z]\w*)/)?([A-Za-z_][\w.]*)(?:@(\d+))?", text)
    what = task.measurement.measure if task.measurement else TRAINING
    if match is None or (match[1] and match[1] not in (*variants, ALL)):
        raise ProblemError(f"{what} returned a number called {text!r}; NUMBER or VARIANT/NUMBER was wanted")
    seed = int(match[3]) if match[3] else -1 if task.seed is None else task.seed
    return match[2], match[1] or task.variant, seed
