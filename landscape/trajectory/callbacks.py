"""Record a run from inside Lightning or Hugging Face's ``Trainer``: thin callbacks around `landscape.Recorder`.

>>> from landscape.trajectory.callbacks import LightningRecorder                                    # doctest: +SKIP
>>> lightning.Trainer(callbacks=[LightningRecorder("run", every=100)]).fit(module)       # doctest: +SKIP
>>> from landscape.trajectory.callbacks import TrainerRecorder                                      # doctest: +SKIP
>>> transformers.Trainer(model, args, callbacks=[TrainerRecorder("run", every=100)])     # doctest: +SKIP

Both take the settings of `landscape.Recorder` but for ``steps``, which the trainer knows. Steps are counted by the
trainer: a step of the optimizer, however many batches it took. Where the trainer's count passes over a due step, the
next one there is is recorded, under its own number. The first weights and the last are always recorded,
by one process where there are several. Neither library is imported before its callback is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from landscape.errors import UsageError
from landscape.trajectory.recorder import Recorder

if TYPE_CHECKING:
    LightningRecorder: Any
    TrainerRecorder: Any

__all__ = ["LightningRecorder", "TrainerRecorder"]


class _Recording:
    """What both callbacks do, whoever calls it."""

    def __init__(self, folder: str | Path, settings: dict[str, Any]) -> None:
        if "steps" in settings:
            raise TypeError("steps is known to the trainer; give log_points alone")
        self._folder = folder
        self._settings = settings
        self._recorder: Recorder | None = None
        self._last = -1  # the last step that was recorded

    def begin(self, model: nn.Module, step: int, steps: float) -> None:
        """Start, and record the weights training starts from."""
        settings = dict(self._settings)
        if settings.get("log_points") is not None:
            if not 0 < steps < float("inf"):
                raise UsageError(
                    "log_points needs a training of known length; set max_steps or max_epochs, or use every"
                )
            settings["steps"] = int(steps)
        self._recorder = Recorder(self._folder, model, **settings)
        self._last = -1
        self.step(step, always=True)

    def step(self, step: int, *, always: bool = False, **values: float | Tensor | None) -> None:
        """Record a step, if it or one since the last record is due and it has not been recorded."""
        # Trainers call after each batch, also where several make one step, and where one makes several: with two
        # optimizers Lightning counts by twos.
        if self._recorder is None:
            return
        if step <= self._last or not (always or self._recorder.due_between(self._last, step)):
            return
        known = {name: value for name, value in values.items() if value is not None}
        self._recorder.record(step, always=True, **known)
        self._last = step

    def end(self, step: int | None = None) -> None:
        """Record the last weights, where training came to its end, and wait for the disk."""
        if self._recorder is None:
            return
        if step is not None:
            self.step(step, always=True)
        self._recorder.close()
        self._recorder = None


def _learning_rate(optimizer: Any) -> float | None:
    groups = getattr(optimizer, "param_groups", None)
    return float(groups[0]["lr"]) if groups else None


def _missing(name: str, library: str, error: ImportError) -> UsageError:
    why = f"{name} needs {library}, which cannot be imported ({error})"
    return UsageError(f"{why}; pip install 'torch-landscape[callbacks]'")


def _lightning() -> type:
    try:
        from lightning.pytorch import Callback
    except ImportError:
        try:
            from pytorch_lightning import Callback
        except ImportError as error:
            raise _missing("LightningRecorder", "Lightning", error) from error

    class LightningRecorder(Callback):  # type: ignore[misc]
        """Records a Lightning module while it is trained; see `landscape.Recorder` for the settings.

        The loss of a record is that of the batch before its last update.
        """

        def __init__(self, folder: str | Path, **settings: Any) -> None:
            super().__init__()
            self._recording = _Recording(folder, settings)

        def on_train_start(self, trainer: Any, pl_module: nn.Module) -> None:
            if trainer.is_global_zero:
                self._recording.begin(pl_module, trainer.global_step, float(trainer.estimated_stepping_batches))

        def on_train_batch_end(
            self, trainer: Any, pl_module: nn.Module, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
            self._recording.step(
                trainer.global_step,
                loss=loss if isinstance(loss, Tensor) else None,
                lr=_learning_rate(trainer.optimizers[0]) if trainer.optimizers else None,
                epoch=float(trainer.current_epoch),
            )

        def on_train_end(self, trainer: Any, pl_module: nn.Module) -> None:
            self._recording.end(trainer.global_step)

        def on_exception(self, trainer: Any, pl_module: nn.Module, exception: BaseException) -> None:
            self._recording.end()

    return LightningRecorder


def _hugging_face() -> type:
    try:
        from transformers import TrainerCallback
    except ImportError as error:
        raise _missing("TrainerRecorder", "transformers", error) from error

    class TrainerRecorder(TrainerCallback):  # type: ignore[misc]
        """Records a model while Hugging Face's Trainer trains it; see `landscape.Recorder` for the settings.

        The loss is left out: the Trainer averages it over many steps.
        """

        def __init__(self, folder: str | Path, **settings: Any) -> None:
            self._recording = _Recording(folder, settings)

        def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            if state.is_world_process_zero:
                self._recording.begin(others["model"], state.global_step, state.max_steps)

        def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            rate = _learning_rate(others.get("optimizer"))
            self._recording.step(state.global_step, lr=rate, epoch=state.epoch)

        def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            self._recording.end(state.global_step)

    return TrainerRecorder


_MAKERS: dict[str, Callable[[], type]] = {"LightningRecorder": _lightning, "TrainerRecorder": _hugging_face}


def __getattr__(name: str) -> Any:
    if name not in _MAKERS:
        raise AttributeError(f"module 'landscape.trajectory.callbacks' has no attribute {name!r}")
    found = _MAKERS[name]()
    # As if defined here, so that it can be pickled.
    found.__module__, found.__qualname__ = __name__, name
    globals()[name] = found
    return found
