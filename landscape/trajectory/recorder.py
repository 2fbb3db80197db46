"""Record a training run: one file of weights a record, beside any training loop.

A record is a safetensors file with every parameter (tied ones once) and every buffer of the state, since the true
loss needs them too, and with the step, the loss and whatever else was given in its metadata. It is written under
another name, brought to the disk and renamed, so a file with a record's name is whole, however the training ended,
and a run can be read while it goes on. The writing happens in a thread behind the training: at most one record, the
last, is still on its way, and `Recorder.close`, or the end of the program, waits for it.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import re
import shutil
import socket
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from landscape.arguments import require_network
from landscape.errors import StoreError
from landscape.files.atomic import sync_folder

_log = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "float16": torch.float16}

# What the metadata say besides a caller's own values.
RESERVED = frozenset({"format", "record", "step", "tied"})

# A record is written in seconds: one half written that is older was left by a training that was killed.
_ABANDONED_SECONDS = 3600.0

_NAME = re.compile(r"step-(\d+)\.safetensors")
_ASIDE = ".writing-"


def log_steps(points: int, last: int) -> tuple[int, ...]:
    """Return ``points`` whole steps from 1 to ``last``, as even in the logarithm as whole numbers can be.

    Examples
    --------
    >>> log_steps(6, 100)
    (1, 3, 7, 17, 41, 100)
    """
    if points < 2 or last < points:
        raise ValueError(f"{points} points in log time need at least 2 points and as many steps, got {last} steps")
    steps = [1]
    while len(steps) < points:
        left = points - len(steps)
        even = round(steps[-1] * (last / steps[-1]) ** (1 / left))
        # Early on the even spacing is below one step; it is caught up with later.
        steps.append(max(steps[-1] + 1, even))
    return tuple(steps)


class Recorder:
    """Writes the weights of a network into a folder while it is trained.

    Step n is the weights after n updates. Record between the loss and ``optimizer.step()``: the loss is then that of
    the weights it is recorded with, and the first record, step 0, is of the initial weights.

    A folder that holds records is gone on with: the records at and after the first step recorded now belong to a
    past that this run does not continue, and are moved into ``FOLDER/earlier-N``, never deleted. Under several
    processes that share one network record on one of them alone.

    Parameters
    ----------
    folder : str or path
        Made where it is missing. One run, one folder.
    model : Module
        Read, never changed.
    every : int, optional
        Record steps 0, every, 2 * every ...
    log_points, steps : int, optional
        Record step 0 and ``log_points`` steps from 1 to ``steps``, evenly in log time, where most happens early.
        With neither, every call records.
    dtype : "float32" or "float16"
        How parameters are stored; float16 halves the files and rounds by up to 1 part in 2048. Buffers, and
        tensors with values past float16's 65504, are stored as float32.

    Raises
    ------
    StoreError
        The folder cannot be written, or holds the records of another network.

    Examples
    --------
    >>> recorder = Recorder("run", model, every=20)                        # doctest: +SKIP
    >>> for step, (inputs, targets) in enumerate(batches):                 # doctest: +SKIP
    ...     loss = criterion(model(inputs), targets)
    ...     recorder.record(step, loss=loss)
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    >>> recorder.record(step + 1, always=True)  # the end                  # doctest: +SKIP
    >>> recorder.close()                                                   # doctest: +SKIP
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        model: nn.Module,
        *,
        every: int | None = None,
        log_points: int | None = None,
        steps: int | None = None,
        dtype: str = "float32",
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype is {dtype!r}, it has to be one of {', '.join(DTYPES)}")
        if every is not None and every < 1:
            raise ValueError(f"every is {every}, it has to be at least 1")
        if every is not None and log_points is not None:
            raise ValueError("give every or log_points, not both")
        if (log_points is None) != (steps is None):
            raise ValueError("log_points and steps, the length of the run, need each other")
        require_network(model)
        self.folder = Path(folder)
        self._model = model
        self._every = every
        self._chosen = None if log_points is None or steps is None else {0, *log_steps(log_points, steps)}
        self._dtype = DTYPES[dtype]
        self._last: int | None = None
        self._writer: ThreadPoolExecutor | None = None
        self._pending: Future[None] | None = None
        self._prepare()

    def due(self, step: int) -> bool:
        """Return whether a step is one of those to record."""
        return self.due_between(step - 1, step)

    def due_between(self, before: int, step: int) -> bool:
        """Return whether one of the steps after ``before``, up to ``step``, is to be recorded.

        For loops that do not come by at every step: what was due in between is recorded when they do.
        """
        if self._chosen is not None:
            return any(before < each <= step for each in self._chosen)
        return self._every is None or step // self._every > before // self._every

    def record(
        self, step: int, *, loss: float | Tensor | None = None, always: bool = False, **values: float | str | Tensor
    ) -> Path | None:
        """Record the network as it is now, if the step is due.

        Parameters
        ----------
        step : int
            Counted over the whole run; it has to grow from record to record.
        loss : float or scalar tensor, optional
            A tensor is read only when the step is due, so nothing waits for the device otherwise.
        always : bool
            Record whether the step is due or not: the last one, say, where the path ends.
        **values
            Anything else worth keeping: learning rate, accuracy, epoch.

        Returns
        -------
        Path or None
            Where the record will be once it is written, None where the step was not due.

        Raises
        ------
        StoreError
            This record, or the one before, which is written while training goes on, could not be written.
        ValueError
            The step does not grow.
        """
        if not (always or self.due(step)):
            return None
        if step < 0 or (self._last is not None and step <= self._last):
            raise ValueError(
                f"step {step} came after step {self._last}; steps have to grow, so count them over the whole run"
            )
        if taken := RESERVED & set(values):
            raise ValueError(f"{', '.join(sorted(taken))} cannot be a value's name, the record itself uses it")
        self._wait()
        if self._last is None:
            self._set_aside(step)
        live, tied = self._tensors()
        tensors = {name: self._copy(tensor) for name, tensor in live.items()}
        metadata = {"format": "pt", "record": "landscape 1", "step": str(step)}
        given = values if loss is None else {"loss": loss, **values}
        metadata |= {name: _text(value) for name, value in given.items()}
        if tied:
            metadata["tied"] = json.dumps(tied)
        path = self.folder / f"step-{step:08d}.safetensors"
        self._writer = self._writer or ThreadPoolExecutor(1, thread_name_prefix="landscape-recorder")
        self._pending = self._writer.submit(_write, path, tensors, metadata)
        self._last = step
        return path

    def close(self) -> None:
        """Wait until the last record is on the disk. Recording may go on afterwards."""
        self._wait()
        if self._writer is not None:
            self._writer.shutdown()
            self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def _wait(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def _tensors(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Return the live tensors of the network's state, each once, and the first name of each that comes again."""
        state = self._model.state_dict(keep_vars=True)
        tensors = {name: tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}
        first = {id(tensor): name for name, tensor in reversed(tensors.items())}
        tied = {name: first[id(tensor)] for name, tensor in tensors.items() if first[id(tensor)] != name}
        return {name: tensor for name, tensor in tensors.items() if name not in tied}, tied

    def _copy(self, tensor: Tensor) -> Tensor:
        def copy(dtype: torch.dtype) -> Tensor:
            return tensor.detach().to(device="cpu", dtype=dtype, copy=True, memory_format=torch.contiguous_format)

        if not tensor.is_floating_point():
            return copy(tensor.dtype)
        stored = copy(self._dtype if isinstance(tensor, nn.Parameter) else torch.float32)
        overflows = stored.dtype == torch.float16 and not torch.equal(stored.isfinite(), tensor.isfinite().cpu())
        return copy(torch.float32) if overflows else stored

    def _prepare(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for aside in self.folder.glob(f"{_ASIDE}*"):
                if time.time() - aside.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(aside, ignore_errors=True)
        except OSError as error:
            raise StoreError(f"cannot record into {self.folder}: {error}") from error
        if not os.access(self.folder, os.W_OK):
            raise StoreError(f"cannot record into {self.folder}: no permission to write there")
        if steps := _recorded(self.folder):
            self._require_same_network(steps[max(steps)])

    def _require_same_network(self, path: Path) -> None:
        try:
            with safe_open(path, framework="pt") as file:
                stored = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise StoreError(f"{path} is in the way and cannot be read: {error}; record into another folder") from error
        now = {name: tuple(tensor.shape) for name, tensor in self._tensors()[0].items()}
        for name in (*now, *stored):
            if now.get(name) != stored.get(name):
                raise StoreError(
                    f"{self.folder} holds records of another network: {name} is {stored.get(name, 'not there')} in "
                    f"{path.name}, {now.get(name, 'not there')} in this one; record into another folder"
                )

    def _set_aside(self, step: int) -> None:
        """Move what was recorded at or after ``step`` out of the way: another past of this run."""
        later = [path for number, path in _recorded(self.folder).items() if number >= step]
        if not later:
            return
        folders = (self.folder / f"earlier-{number}" for number in itertools.count(1))
        target = next(folder for folder in folders if not folder.exists())
        try:
            target.mkdir()
            for path in later:
                path.rename(target / path.name)
        except OSError as error:
            raise StoreError(f"cannot move earlier records into {target}: {error}") from error
        _log.warning("recording goes on at step %d: moved %d later records into %s", step, len(later), target)


def _text(value: float | str | Tensor) -> str:
    return value if isinstance(value, str) else repr(float(value.detach() if isinstance(value, Tensor) else value))


def _recorded(folder: Path) -> dict[int, Path]:
    """Return the records of a folder by step."""
    found = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return {int(match[1]): path for match, path in found if match}


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a record so that it is there whole or not at all, even when the machine stops."""
    # A folder, because safetensors itself first writes under a name of its own choice beside the one it is given; of
    # this process alone, so that two that record the same run never write into one file.
    aside = path.parent / f"{_ASIDE}{socket.gethostname()}-{os.getpid()}"
    try:
        aside.mkdir(exist_ok=True)
        save_file(dict(tensors), aside / path.name, dict(metadata))
        with open(aside / path.name, "rb+") as file:
            os.fsync(file.fileno())
        (aside / path.name).replace(path)
        aside.rmdir()
        sync_folder(path)  # else the new name itself may be lost with the power
    except (OSError, SafetensorError) as error:
        shutil.rmtree(aside, ignore_errors=True)
        _log.error("the record %s could not be written: %s", path, error)
        raise StoreError(f"the record {path} could not be written: {error}; earlier records are whole") from error
