"""The checkpoints of a training run: which files they are, in which order, at which step.

A run is a folder, a pattern or a list of files: records of `landscape.trajectory.recorder`, or whatever a training
script saved. Steps are taken from what the files say, else from numbers in their names, else they are counted. Tensors
are mapped from the files where the format allows, so a run of any length takes no memory until it is read.
"""

from __future__ import annotations

import glob
import json
import logging
import math
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from landscape.errors import CheckpointError
from landscape.problem.checkpoints.checkpoint import open_checkpoint, path_of
from landscape.problem.checkpoints.checkpoint_files import PRETRAINED
from landscape.problem.checkpoints.fitting import fit_names
from landscape.problem.params import Tree
from landscape.trajectory.step_names import natural_order, steps_in_names

log = logging.getLogger(__name__)

Source = str | os.PathLike[str]

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".t7", ".tar", ".bin")

# A network in a folder, its shards, and what a trainer keeps beside it.
_OF_A_NETWORK = re.compile(r"(model|pytorch_model|training_args|optimizer|scheduler|rng_state)(\W|_\d|$)")

# What scripts call the step in a checkpoint, the finest count first.
_STEP_KEYS = ("global_step", "step", "steps", "iteration", "iter", "num_updates", "epoch", "epochs")
_LOSS_KEYS = ("loss", "train_loss", "training_loss")
_RATE_KEYS = ("lr", "learning_rate")


@dataclass(frozen=True, eq=False)
class Record:
    """One recorded step of a run."""

    path: Path
    step: int
    tensors: Mapping[str, Tensor]  # as they are called in the file
    loss: float = math.nan  # what the training logged, if anything
    learning_rate: float = math.nan

    def fitted(self, model: nn.Module, names: Sequence[str]) -> Tree:
        """Return the tensors under a network's own names, each also under the names it is tied to.

        Raises
        ------
        CheckpointError
            A name of ``names`` is not there or has another shape: this is the record of another network.
        """
        found = fit_names(self.tensors, model)
        state = {name: own for name, own in model.state_dict(keep_vars=True).items() if isinstance(own, Tensor)}
        held = {id(own): found[name] for name, own in state.items() if name in found}
        fitted: dict[str, Tensor] = {}
        for name in names:
            tensor = found.get(name, held.get(id(state[name])))
            if tensor is None or tensor.shape != state[name].shape:
                raise CheckpointError(
                    f"{self.path} is not of this network: {name} is "
                    f"{'not there' if tensor is None else tuple(tensor.shape)} in the file, "
                    f"{tuple(state[name].shape)} in the network"
                )
            fitted[name] = tensor
        return fitted


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """The records of a run, in the order of their steps."""

    name: str
    records: tuple[Record, ...]
    unit: str = "step"  # what is counted: "step", "epoch", ... or "record" where only the order is known
    unordered: bool = False  # samples, an ensemble's say, through which no path leads

    @property
    def folder(self) -> Path:
        """Where the run is: of ``checkpoint-500/model.safetensors`` the folder above."""
        return _home(self.records[0].path)

    @property
    def labels(self) -> list[str]:
        """What messages call the records."""
        return [str(record.path) for record in self.records]

    def fitted(self, model: nn.Module, names: Sequence[str]) -> list[Tree]:
        """Return each record's tensors under a network's own names, see `Record.fitted`."""
        return [record.fitted(model, names) for record in self.records]


def find_run(
    source: Source | Sequence[Source],
    *,
    name: str = "",
    key: str | None = None,
    trust: bool = False,
    unordered: bool = False,
) -> TrainingRun:
    """Find the checkpoints of one run.

    Parameters
    ----------
    source : path or sequence of paths
        A folder, a pattern such as ``"run/*.pt"``, files, or folders that are each a network (of ``save_pretrained``,
        of torch.distributed.checkpoint). Of a folder with ``checkpoint-500``-like folders in it those are taken.
    name : str
        What the run is called: the folder's name by default.
    key : str, optional
        Which network, where a file holds several.
    trust : bool
        Run code that comes with the files.
    unordered : bool
        They are samples in no order (an ensemble, a posterior, the last epochs of several seeds): all are taken,
        numbered as their names sort, and pictures show points instead of a path.

    Raises
    ------
    CheckpointError
        Nothing there, fewer than two checkpoints, or one of them cannot be read.
    """
    sources = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    paths = list(dict.fromkeys(path for each in sources for path in checkpoints_at(each)))
    if len(paths) < 2:
        raise CheckpointError(
            f"a run needs at least two checkpoints, {', '.join(map(str, sources)) or 'nothing'} gives "
            f"{f'one: {paths[0]}' if paths else 'none'}"
        )
    # Numbered names first: best.pt and last.pt are copies of some of them.
    paths.sort(key=lambda path: (re.search(r"\d", path.name) is None, natural_order(str(path))))
    opened = [_open(path, key, trust) for path in paths]
    steps, unit = _steps(paths, [metadata for _, metadata in opened]) if not unordered else _numbered(paths)
    records: dict[int, Record] = {}
    for path, step, (tensors, metadata) in zip(paths, steps, opened, strict=True):
        if step is None:
            log.warning("%s is left out: neither it nor its name says of which step it is", path)
            continue
        if step in records:
            log.warning("%s is left out: it is of %s %d, as %s is", path, unit, step, records[step].path)
            continue
        loss, rate = (next(_numbers(metadata, keys), math.nan) for keys in (_LOSS_KEYS, _RATE_KEYS))
        records[step] = Record(path, step, tensors, loss, rate)
    name = name or _home(paths[0]).name or "run"
    return TrainingRun(name, tuple(records[step] for step in sorted(records)), unit, unordered)


def find_runs(
    sources: Sequence[Source], *, key: str | None = None, trust: bool = False, unordered: bool = False
) -> list[TrainingRun]:
    """Find several runs: each folder and each pattern is one, and so are the files that share a folder.

    Folders that are each a network, like ``checkpoint-500``, are of the run in the folder above.

    Raises
    ------
    CheckpointError
        As `find_run`.
    """
    groups: dict[str, list[Source]] = {}
    for source in sources:
        path = _possible(source)
        if network := _network(path):
            folder = _home(network)
        else:
            folder = path if path.is_dir() or not path.exists() else _home(path)
        groups.setdefault(str(folder), []).append(source)
    runs = [find_run(group, key=key, trust=trust, unordered=unordered) for group in groups.values()]
    names = [run.name for run in runs]
    longer = [" ".join(_home(run.records[0].path.resolve()).parts[-2:]) for run in runs]
    return [
        run if names.count(run.name) == 1 else replace(run, name=name) for run, name in zip(runs, longer, strict=True)
    ]


def _possible(source: Source) -> Path:
    """Return a path that a file may have."""
    path = path_of(source)
    try:
        path.exists()
    except (OSError, ValueError) as error:  # longer than names can be, or with a NUL
        raise CheckpointError(f"{path} is no path that a file can have: {error}") from error
    return path


def checkpoints_at(source: Source) -> list[Path]:
    """Return the checkpoints that a file, a folder or a pattern stands for, in no order.

    Raises
    ------
    CheckpointError
        There are none.
    """
    path = _possible(source)
    if network := _network(path):
        return [network]
    if path.is_dir():
        networks = [network for folder in sorted(path.iterdir()) if (network := _network(folder))]
        trainers = [each for each in networks if network_folder(each).name.startswith("checkpoint-")]
        inside = trainers or [each for each in sorted(path.iterdir()) if _is_checkpoint(each)] or networks
        if not inside:
            raise CheckpointError(f"{path} has no checkpoints in it (files named {', '.join(SUFFIXES)})")
        return inside
    if path.exists():
        return [path]
    if any(letter in str(path) for letter in "*?["):
        matches = [Path(each) for each in glob.glob(str(path), recursive=True)]
        if not matches:
            raise CheckpointError(f"no file matches {path}")
        return [each for match in matches for each in (checkpoints_at(match) if match.is_dir() else [match])]
    raise CheckpointError(f"there is no {path}; a folder, a pattern or files of a run are needed")


def _network(folder: Path) -> Path | None:
    """Return the network that a folder is, None where it is no such folder.

    It is one where ``save_pretrained`` or ``torch.distributed.checkpoint`` wrote it, whatever it is called, or where it
    is called like ``checkpoint-500``; a folder of such folders is a run, also where the last network lies beside them,
    and so is one with other checkpoints in it.
    """
    if (folder / ".metadata").is_file():
        return folder
    found = next((folder / name for name in PRETRAINED if (folder / name).is_file()), None)
    if found is None or folder.name.startswith("checkpoint-"):
        return found
    own = (folder / "config.json").is_file() or found.name.endswith(".index.json")
    others = [each for each in folder.iterdir() if _is_checkpoint(each) and not _OF_A_NETWORK.match(each.name)]
    return found if own and not others and not any(folder.glob("checkpoint-*")) else None


def network_folder(network: Path) -> Path:
    """Return the folder that a network is, where it is one, else the file itself."""
    return network.parent if network.name in PRETRAINED and _network(network.parent) == network else network


def _home(path: Path) -> Path:
    """Return the folder that a checkpoint's run is called after."""
    return network_folder(path).parent


def _is_checkpoint(path: Path) -> bool:
    usual = path.name.endswith((*SUFFIXES, ".index.json")) and not path.name.startswith(".")
    return usual and path.is_file()


def _open(path: Path, key: str | None, trust: bool) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
    """Return a file's tensors, mapped where that can be, and what else it says."""
    if path.is_dir():
        found, said = open_checkpoint(path, key=key, trust=trust)
        return _spooled(found), said
    try:
        with open(path, "rb") as file:
            start = file.read(9)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if key is None and start[8:] == b"{" and not path.name.endswith(".json"):
        try:
            with safe_open(path, framework="pt") as opened:
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
                metadata = opened.metadata() or {}
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(f"{path} is a damaged or cut off safetensors file: {error}") from error
        with suppress(ValueError, KeyError, AttributeError, TypeError):  # another program's metadata
            tensors |= {name: tensors[first] for name, first in json.loads(metadata.get("tied", "{}")).items()}
        return tensors, metadata
    found, said = open_checkpoint(path, key=key, trust=trust)
    return (found if start[:2] == b"PK" else _spooled(found)), said


def _spooled(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Move tensors of a format that cannot be mapped into a nameless file that is, so that a run fits into memory."""
    with tempfile.TemporaryDirectory(prefix="landscape-") as folder:
        path = Path(folder) / "tensors.safetensors"
        save_file(
            {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()},
            path,
        )
        # The mapping keeps the file's content alive when its name is gone.
        return dict(load_file(path))


def _steps(paths: Sequence[Path], metadata: Sequence[Mapping[str, Any]]) -> tuple[list[int | None], str]:
    """Return the step of each file and what is counted: from contents, else from names, else in order."""
    for key in _STEP_KEYS:
        numbers = [[int(n) for n in _numbers(each, [key]) if n.is_integer() and abs(n) < 2**53] for each in metadata]
        found = [next(iter(each), None) for each in numbers]
        if None not in found and len(set(found)) > 1:
            return found, key.removeprefix("global_").removesuffix("s")
    named = steps_in_names([_telling_name(path) for path in paths])
    if named is not None:
        return named
    return list(range(len(paths))), "record"


def _numbered(paths: Sequence[Path]) -> tuple[list[int | None], str]:
    return list(range(len(paths))), "sample"


def _numbers(metadata: Mapping[str, Any], keys: Sequence[str]) -> Iterator[float]:
    """Yield the numbers called by the first of some keys, then by the next, the outermost first."""
    for key in keys:
        for name in sorted(metadata, key=lambda name: name.count(".")):
            value = metadata[name]
            if name.rpartition(".")[2].lower() == key and not isinstance(value, bool):
                with suppress(TypeError, ValueError):
                    yield float(value)


def _telling_name(path: Path) -> str:
    """Return the part of a path that may say of which step it is."""
    # Of checkpoint-500/model.safetensors it is the folder that has the number.
    in_folder = path.name.partition(".")[0] in ("model", "pytorch_model")
    return path.parent.name if in_folder else path.name.removesuffix(path.suffix)
