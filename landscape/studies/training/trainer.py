"""The built-in training: one recipe, one seed, one folder, and the same weights whenever it is asked for.

All that is drawn comes from the seed: initial weights, the order of samples, augmentation, dropout; torch's global
generator is left as it was. Between epochs the whole state (weights, optimizer, generators, what was written so far) is
kept in ``resume.pt``, so that a training that was killed goes on and ends with the bytes it would have had. A loss
that is not finite ends the training: its weights are kept and ``diverged`` is 1.

What a folder then holds: ``final.pt`` with ``{"state_dict": ...}``, ``history.csv``, where asked for ``checkpoints/``
(`landscape.trajectory.recorder`), ``walk.csv`` (`landscape.trajectory.gradient_walk`) and, of tasks in sequence,
``task-K.pt`` and ``tasks.csv``.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from landscape.errors import CheckpointError, ProblemError, UsageError
from landscape.inputs.attacks import pgd
from landscape.inputs.examples import Examples
from landscape.problem.batches import describe_batch, split_inputs_targets
from landscape.problem.checkpoints.checkpoint_files import read_contents
from landscape.problem.data.datasets import Data, choose
from landscape.problem.losses.losses import Loss, resolve_loss
from landscape.problem.model import build_model
from landscape.studies.study import Recipe
from landscape.studies.training.augmentation import augment
from landscape.studies.training.learning_rates import rate_factor
from landscape.studies.training.sharpness_aware import sharpness_aware_gradient
from landscape.studies.training.task_sequences import TaskSequence, forgetting_of
from landscape.studies.training.training_files import recipe_digest, write_state, write_table
from landscape.trajectory.gradient_walk import gradient_walk
from landscape.trajectory.recorder import Recorder

log = logging.getLogger(__name__)

# Seconds between two saves of the state: a save of a small network takes milliseconds.
SAVE_EVERY = 5.0
# Samples in a pass that measures.
_MEASURED_AT_ONCE = 512
_HISTORY = (
    "epoch", "step", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate", "seconds",
)  # fmt: skip
_WALK = ("step", "loss", "low", "high", "span", "gradient", "change", "relative_change", "smoothness")
_TASKS = ("after", "task", "loss", "accuracy")

Told = Callable[[int, int], None]


def build(recipe: Recipe, seed: int) -> nn.Module:
    """Make a recipe's network with the initial weights of a seed; torch's global generator is left as it was.

    Raises
    ------
    ProblemError
        There is no such network, or it cannot be made with these arguments.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_model(recipe.network, recipe.arguments)


def train(
    recipe: Recipe, seed: int, data: Mapping[str, Data], folder: Path, progress: Told = lambda done, total: None
) -> dict[str, float]:
    """Train a network by a recipe, or go on where a killed training was; return its numbers at the end.

    Parameters
    ----------
    recipe : Recipe
    seed : int
        Of all that is drawn.
    data : mapping of str to Data
        "train", and what else is measured: "test".
    folder : Path
        There; what an unfinished training of the same recipe left in it is used.
    progress : callable
        Called with epochs done and epochs in all.

    Returns
    -------
    dict
        Of each data set ``NAME_loss``, ``NAME_accuracy``, ``NAME_error`` (a share) over all its samples in eval mode;
        ``steps``, ``epochs``, ``diverged``, ``distance`` (length of the way from the initial weights, straight),
        ``weight_norm``; of tasks in sequence ``task_accuracy`` (mean over tasks at the end) and ``forgetting`` (mean
        over all tasks but the last of the best accuracy so far less that at the end).

    Raises
    ------
    UsageError
        The recipe makes no sense.
    ProblemError
        The data are not inputs and targets in tensors.
    """
    training = _Training(recipe, seed, data, folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        training.resume()
        training.run(progress)
        return training.finish()


def estimate(recipe: Recipe, data: Mapping[str, Data], *, steps: int = 3) -> dict[str, float]:
    """Return about what one training takes, from a few steps of it: ``seconds`` and ``bytes`` of tensors kept."""
    training = _Training(recipe, 0, data, None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        training.step_once(0)
        began = time.perf_counter()
        for step in range(steps):
            training.step_once(step)
        each = (time.perf_counter() - began) / steps
    weights = sum(tensor.numel() * tensor.element_size() for tensor in training.model.state_dict().values())
    samples = sum(part.numel() * part.element_size() for pair in training.sets.values() for part in pair)
    # Weights, gradients and what an optimizer keeps: two numbers a weight at most.
    return {"seconds": each * training.steps, "bytes": float(samples + 4 * weights)}


@dataclass
class _Progress:
    """What is saved beside tensors."""

    step: int = 0
    seconds: float = 0.0
    diverged: bool = False
    history: list[list[float]] = field(default_factory=list)
    walk: list[list[float]] = field(default_factory=list)
    tasks: list[list[float]] = field(default_factory=list)


class _Training:
    def __init__(self, recipe: Recipe, seed: int, data: Mapping[str, Data], folder: Path | None) -> None:
        _check(recipe)
        if "train" not in data:
            raise UsageError(f"training needs a data set called train, there are {', '.join(data) or 'none'}")
        self.recipe, self.seed, self.folder = recipe, seed, folder
        self.sets = {name: _tensors(each, recipe.samples if name == "train" else 0) for name, each in data.items()}
        self.loss: Loss = resolve_loss(recipe.loss)
        self.tasks = TaskSequence.of(recipe.tasks) if recipe.tasks else None
        number = len(self.sets["train"][0])
        self.batch = min(recipe.batch_size, number)
        self.batches = number // self.batch
        self.task_steps = recipe.epochs * self.batches
        self.steps = self.task_steps * (self.tasks.number if self.tasks else 1)
        self.model = build(recipe, seed)
        self.initial = {name: each.detach().clone() for name, each in self.model.named_parameters()}
        self.optimizer = _optimizer(recipe, self.model)
        self.order = torch.Generator().manual_seed(seed)
        self.shuffled: Tensor = torch.empty(0, dtype=torch.int64)
        self.done = _Progress()
        self.sums = [0.0, 0.0, 0.0]  # of the epoch so far: samples, losses, right answers

    # One step

    def step_once(self, step: int) -> float:
        """Make one step and return its batch's loss; the weights stay where the loss is not finite."""
        at, epoch_step = step % self.task_steps, step % self.batches
        task = step // self.task_steps
        if epoch_step == 0 or not len(self.shuffled):
            self.shuffled = torch.randperm(len(self.sets["train"][0]), generator=self.order)
        chosen = self.shuffled[epoch_step * self.batch : (epoch_step + 1) * self.batch]
        x, y = self.sets["train"][0][chosen], self.sets["train"][1][chosen]
        x = self.tasks.training_inputs(x, task, self.order) if self.tasks else x
        x = self._attacked(augment(x, self.recipe.augmentation, self.order), y)
        rate = self._rate(at, task)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        right = [0.0]

        def loss() -> Tensor:
            values = self.loss(self.model, (x, y))
            right[0] = float(values["accuracy"].detach().sum()) if "accuracy" in values else math.nan
            return values["loss"].mean()

        if self.recipe.walk and step % self.recipe.walk == 0:
            self._walk(step, loss, rate)
        self.optimizer.zero_grad()
        if self.recipe.optimizer == "sam":
            value = float(sharpness_aware_gradient(self.model, loss, self.recipe.rho))
        else:
            found = loss()
            value = float(found.detach())
            if math.isfinite(value):
                torch.autograd.backward(found)
        if math.isfinite(value):
            self.optimizer.step()
        for k, part in enumerate((len(chosen), value * len(chosen), right[0])):
            self.sums[k] += part
        return value

    def _rate(self, at: int, task: int) -> float:
        factor = rate_factor(self.recipe.schedule, at, self.task_steps, self.recipe.warmup * self.batches)
        return self.recipe.learning_rate * factor * (self.tasks.decay**task if self.tasks else 1.0)

    def _inputs(self, name: str, task: int, chosen: Tensor | slice) -> Tensor:
        x = self.sets[name][0][chosen]
        return self.tasks.inputs(x, task) if self.tasks else x

    def _attacked(self, x: Tensor, y: Tensor) -> Tensor:
        attack = self.recipe.attack
        if not attack:
            return x
        self.model.eval()
        examples = Examples(self.model, self.loss, (x, y), attack.get("clip", (0.0, 1.0)))
        found = pgd(
            examples, attack["norm"], attack["epsilon"], steps=int(attack.get("steps", 7)), generator=self.order
        )
        return x + found.change

    def _walk(self, step: int, loss: Callable[[], Tensor], rate: float) -> None:
        found = gradient_walk(self.model, loss, rate)
        values = {"loss": found.losses[0], "gradient": found.gradients}
        named = (values[name] if name in values else getattr(found, name) for name in _WALK[1:])
        self.done.walk.append([float(step), *map(float, named)])

    # The whole of it

    def run(self, progress: Told) -> None:
        """Go through the epochs that are left."""
        epochs, saved, began = self.steps // self.batches, time.monotonic(), time.monotonic()
        before = self.done.seconds
        with self._recorder() as recorder:
            while self.done.step < self.steps and not self.done.diverged:
                progress(self.done.step // self.batches, epochs)
                self.sums = [0.0, 0.0, 0.0]
                for step in range(self.done.step, self.done.step + self.batches):
                    if recorder is not None:
                        recorder.record(step)
                    value = self.step_once(step)
                    if not math.isfinite(value):
                        self.done.diverged = True
                        break
                self.done.step = step if self.done.diverged else step + 1
                self.done.seconds = before + time.monotonic() - began
                self._write_history_row()
                if self.tasks and (self.done.step % self.task_steps == 0 or self.done.diverged):
                    self._end_task((self.done.step - 1) // self.task_steps)
                if time.monotonic() - saved >= SAVE_EVERY:
                    self.save()
                    saved = time.monotonic()
            if recorder is not None:
                recorder.record(self.done.step, always=True)
        progress(epochs, epochs)

    @contextmanager
    def _recorder(self) -> Iterator[Recorder | None]:
        every = self.recipe.checkpoints
        if not every:
            yield None
            return
        assert self.folder is not None
        steps = -every if every < 0 else every * self.batches
        with Recorder(self.folder / "checkpoints", self.model, every=steps) as recorder:
            yield recorder

    def _write_history_row(self) -> None:
        samples, losses, right = self.sums
        test = self._scores("test") if "test" in self.sets else {}
        # `done.step` counts steps that were made, so the last one's rate is the one before.
        last = max(0, self.done.step - 1)
        self.done.history.append(
            [
                self.done.step / self.batches,
                float(self.done.step),
                losses / samples,
                right / samples,
                test.get("loss", math.nan),
                test.get("accuracy", math.nan),
                self._rate(last % self.task_steps, last // self.task_steps),
                self.done.seconds,
            ]
        )
        self._write_tables()

    def _end_task(self, task: int) -> None:
        assert self.tasks is not None
        assert self.folder is not None
        write_state({"state_dict": self.model.state_dict()}, self.folder / f"task-{task}.pt")
        for each in range(self.tasks.number):
            found = self._scores("test" if "test" in self.sets else "train", each)
            self.done.tasks.append([float(task), float(each), found["loss"], found.get("accuracy", math.nan)])
        self._write_tables()

    def _scores(self, name: str, task: int = 0) -> dict[str, float]:
        """Return loss and accuracy over all samples, in eval mode."""
        x, y = self.sets[name]
        was = self.model.training
        self.model.eval()
        sums: dict[str, float] = {}
        with torch.no_grad():
            for start in range(0, len(x), _MEASURED_AT_ONCE):
                part = slice(start, start + _MEASURED_AT_ONCE)
                values = self.loss(self.model, (self._inputs(name, task, part), y[part]))
                for key, each in values.items():
                    number = len(y[part]) if each.ndim == 0 else 1
                    sums[key] = sums.get(key, 0.0) + number * float(each.double().sum())
        self.model.train(was)
        return {key: value / len(x) for key, value in sums.items()}

    def finish(self) -> dict[str, float]:
        """Write the weights at the end and return the numbers."""
        assert self.folder is not None
        self.model.eval()
        self._write_tables()
        numbers: dict[str, float] = {}
        for name in self.sets:
            found = self._scores(name)
            numbers[f"{name}_loss"] = found["loss"]
            if "accuracy" in found:
                numbers[f"{name}_accuracy"] = found["accuracy"]
                numbers[f"{name}_error"] = 1 - found["accuracy"]
        weights = dict(self.model.named_parameters())
        with torch.no_grad():
            moved = sum(float((weights[n] - at).double().square().sum()) for n, at in self.initial.items())
            length = sum(float(each.double().square().sum()) for each in weights.values())
        numbers |= {
            "steps": float(self.done.step),
            "epochs": self.done.step / self.batches,
            "diverged": float(self.done.diverged),
            "distance": math.sqrt(moved) if math.isfinite(moved) else math.nan,
            "weight_norm": math.sqrt(length) if math.isfinite(length) else math.nan,
        }
        numbers |= forgetting_of(self.done.tasks)
        write_state({"state_dict": self.model.state_dict()}, self.folder / "final.pt")
        (self.folder / "resume.pt").unlink(missing_ok=True)
        return numbers

    # What is on the disk

    @cached_property
    def digest(self) -> str:
        """What a state of this training is known by."""
        return recipe_digest(self.recipe, self.seed, self.sets)

    def save(self) -> None:
        """Keep the whole state, so that a killed training goes on from here."""
        assert self.folder is not None
        state = {
            "recipe": self.digest,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "generator": torch.get_rng_state(),
            "progress": vars(self.done),
        }
        write_state(state, self.folder / "resume.pt")

    def resume(self) -> None:
        """Go on from what is kept, where it is of this recipe, whole, and there."""
        assert self.folder is not None
        path = self.folder / "resume.pt"
        if not path.exists():
            return
        try:
            state = read_contents(path)
            if state["recipe"] != self.digest:
                log.warning("%s is of another recipe; training starts again", path)
                return
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.order.set_state(state["order"])
            torch.set_rng_state(state["generator"])
            self.done = _Progress(**state["progress"])
        except (CheckpointError, KeyError, TypeError, ValueError, RuntimeError) as error:
            log.warning("%s cannot be gone on with (%s); training starts again", path, error)
            self._start_again()

    def _start_again(self) -> None:
        self.model.load_state_dict(build(self.recipe, self.seed).state_dict())
        self.optimizer = _optimizer(self.recipe, self.model)
        self.order = torch.Generator().manual_seed(self.seed)
        self.done = _Progress()
        torch.manual_seed(self.seed)

    def _write_tables(self) -> None:
        if self.folder is None:
            return
        for name, columns, rows in (
            ("history", _HISTORY, self.done.history),
            ("walk", _WALK, self.done.walk),
            ("tasks", _TASKS, self.done.tasks),
        ):
            if rows:
                write_table(self.folder / f"{name}.csv", columns, rows)


def _check(recipe: Recipe) -> None:
    for name, least in (("epochs", 0), ("batch_size", 1), ("samples", 0), ("walk", 0), ("warmup", 0)):
        if getattr(recipe, name) < least:
            raise UsageError(f"the recipe's {name} is {getattr(recipe, name)}, it has to be {least} at least")
    if not recipe.learning_rate > 0:
        raise UsageError(f"the recipe's learning_rate is {recipe.learning_rate:g}, it has to be above 0")
    rate_factor(recipe.schedule, 0, 1)
    if recipe.attack:
        known = {"norm", "epsilon", "steps", "clip"}
        if set(recipe.attack) - known or not {"norm", "epsilon"} <= set(recipe.attack):
            raise UsageError(f"an attack takes norm and epsilon, steps and clip if you like; got {dict(recipe.attack)}")


def _tensors(data: Data, samples: int) -> tuple[Tensor, Tensor]:
    """Return inputs and targets of a whole data set, or of the first of a permutation that every network shares."""
    batch = data.fetch(choose(data, samples or data.size, 0) if samples else range(data.size))
    x, y = split_inputs_targets(batch)
    if not isinstance(x, Tensor) or not isinstance(y, Tensor):
        raise ProblemError(
            f"the built-in training takes inputs and targets in tensors, {data.name} gives {describe_batch(batch)}; "
            "write a training function of your own and name it as the recipe's training, file.py:name"
        )
    return x, y


def _optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer in ("sgd", "sam"):
        return torch.optim.SGD(
            model.parameters(), lr=rate, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=decay
        )
    if recipe.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), lr=rate, weight_decay=decay)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    raise UsageError(f"there is no optimizer {recipe.optimizer!r}; there are sgd, adam, adamw, sam")
