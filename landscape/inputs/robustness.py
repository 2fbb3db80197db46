"""How many samples stay right under attacks of several strengths, with what tests the attacks themselves."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.arguments import require_numbers
from landscape.errors import UsageError
from landscape.inputs.attacks import fgsm, look, pgd, pgd_restarts, random_changes
from landscape.inputs.examples import Clip, Examples
from landscape.inputs.labelled_batches import (
    class_examples,
    described_problem,
    generator_of,
    in_eval_mode,
    one_data_set,
    parts_of,
    stored_inputs,
)
from landscape.inputs.norms import require_norm
from landscape.parallel.progress import Progress, progress_of
from landscape.problem.data.samples import Data
from landscape.problem.losses.losses import Loss, resolve_loss
from landscape.surface.reports.robustness import Robustness


@dataclass(frozen=True)
class Settings:
    """How hard is tried."""

    norm: str = "linf"
    epsilons: tuple[float, ...] = ()
    steps: int = 20
    restarts: int = 2
    random: int = 10  # changes that follow no gradient
    clip: Clip | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        require_numbers(self)
        require_norm(self.norm)
        if not self.epsilons or not all(0 < each < float("inf") for each in self.epsilons):
            raise UsageError("strengths are positive numbers, one at least: epsilons=[0.01, 0.03]")
        if list(self.epsilons) != sorted(set(self.epsilons)):
            raise UsageError(f"strengths are given once each, ascending, not {list(self.epsilons)}")
        for name, least in (("steps", 1), ("restarts", 1), ("random", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}, it has to be at least {least}")


def robustness(
    model: nn.Module,
    data: Any,
    *,
    epsilons: Sequence[float],
    norm: str = "linf",
    loss: str | Callable[..., Any] | Loss = "cross_entropy",
    steps: int = 20,
    restarts: int = 2,
    random: int = 10,
    clip: Clip | None = None,
    transfer: nn.Module | None = None,
    samples: int | None = None,
    sample_seed: int = 0,
    batch_size: int = 256,
    seed: int = 0,
    progress: Progress | bool | None = None,
) -> Robustness:
    """Attack labelled samples at several strengths.

    By one step along the gradient (FGSM; Goodfellow et al., ICLR 2015), by projected steps (PGD; Madry et al., ICLR
    2018) up the loss and up the margin (the greatest wrong output over the right one, whose gradient is there where a
    saturated softmax has none; Carlini and Wagner, 2017), and by what needs no gradient of the network, to test these.

    Parameters
    ----------
    model : Module
        Measured in eval mode, and left as it was.
    data
        One data set, as `landscape.evaluate` takes it, of (inputs, classes).
    epsilons : sequence of float
        Strengths, ascending: radii of the ball around each input, in units of the inputs as ``data`` gives them; of
        built-in data that are normalised, those before that, pixels from 0 to 1.
    norm : {"linf", "l2"}
    loss, samples, sample_seed
        See `landscape.evaluate`; the loss one of (output, target) with a value a sample.
    steps, restarts : int
        Of PGD.
    random : int
        How many random changes of full length are tried on each sample.
    clip : tuple of float, optional
        The valid range of inputs, which attacks do not leave.
    transfer : Module, optional
        Another network for the same inputs, whose attacks are tried on this one.
    batch_size : int
        Samples at a time; random starts depend on it.
    seed : int
        Of random starts and changes.

    Returns
    -------
    Robustness

    Raises
    ------
    UsageError
        A choice makes no sense, or targets are no classes.
    ProblemError
        The inputs cannot be moved, or a gradient is not finite.
    """
    settings = Settings(norm, tuple(map(float, epsilons)), steps, restarts, random, clip, seed)
    resolved = resolve_loss(loss)
    name, source, numbers = one_data_set(data, samples, sample_seed)
    parts = list(parts_of(len(numbers), batch_size))
    with (
        in_eval_mode(model) as device,
        in_eval_mode(transfer),
        progress_of(progress, "attacks", "strengths of batches") as told,
    ):
        wide = _span(source, numbers, settings, batch_size)
        found, done = [], itertools.count(1)

        def step() -> None:
            if told is not None:
                told(next(done), len(parts) * len(epsilons))

        for place, part in enumerate(parts):
            batch = source.fetch(numbers[part])
            examples = class_examples(model, source, batch, device, resolved, clip)
            helper = None if transfer is None else class_examples(transfer, source, batch, device, resolved, clip)
            found.append(_Batch(settings, place).measured(examples, helper, wide, step))
    weights = np.array([len(numbers[part]) for part in parts]) / len(numbers)
    attacks = tuple(found[0].right)
    return Robustness(
        data=name,
        norm=norm,
        epsilons=np.array(settings.epsilons),
        clean=np.concatenate([each.clean for each in found]),
        attacks=attacks,
        right=np.stack([np.concatenate([each.right[attack] for each in found], -1) for attack in attacks]),
        restarts=np.concatenate([each.restarts for each in found], -1),
        more_steps=np.concatenate([each.more_steps for each in found], -1),
        course=np.einsum("b,bks->ks", weights, np.stack([each.course for each in found])),
        flat=np.concatenate([each.flat for each in found]),
        far=np.concatenate([each.far for each in found]),
        far_epsilon=wide,
        numbers=numbers,
        problem=described_problem(resolved, source, numbers, sample_seed),
        settings={
            **{key: getattr(settings, key) for key in ("steps", "restarts", "random", "seed")},
            "clip": None if clip is None else list(clip),
            "batch_size": batch_size,
        },
    )


def adversarial_examples(
    model: nn.Module,
    data: Any,
    *,
    epsilon: float,
    norm: str = "linf",
    loss: str | Callable[..., Any] | Loss = "cross_entropy",
    steps: int = 20,
    restarts: int = 1,
    clip: Clip | None = None,
    samples: int | None = None,
    sample_seed: int = 0,
    batch_size: int = 256,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Return the samples as PGD changed them most, and their classes: a fixed set to draw a surface over.

    Parameters
    ----------
    epsilon : float
        The strength, in the units of the inputs; see `robustness` for the others.

    Returns
    -------
    inputs : Tensor, shape (n, ...)
        On the CPU, before normalisation where built-in data are normalised.
    classes : Tensor, shape (n,)
    """
    settings = Settings(norm, (float(epsilon),), steps, restarts, 0, clip, seed)
    resolved = resolve_loss(loss)
    _, source, numbers = one_data_set(data, samples, sample_seed)
    inputs, classes = [], []
    with in_eval_mode(model) as device:
        for place, part in enumerate(parts_of(len(numbers), batch_size)):
            examples = class_examples(model, source, source.fetch(numbers[part]), device, resolved, clip)
            change = pgd(
                examples,
                norm,
                settings.epsilons[0],
                steps=steps,
                restarts=restarts,
                generator=generator_of(settings.seed, place, "pgd", 0),
            ).change
            inputs.append((examples.start + change).cpu())
            classes.append(examples.target.cpu())
    return torch.cat(inputs), torch.cat(classes)


@dataclass
class _Found:
    """What is known of one batch, in NumPy."""

    clean: NDArray[np.bool_]
    flat: NDArray[np.bool_]
    far: NDArray[np.bool_]
    right: dict[str, NDArray[np.bool_]] = field(default_factory=dict)  # attack -> (k, n)
    restarts: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0, 0), bool))
    more_steps: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), bool))
    course: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))


class _Batch:
    """The attacks on one batch, each with random numbers of its own."""

    def __init__(self, settings: Settings, place: int) -> None:
        self._settings, self._place = settings, place

    def measured(self, examples: Examples, helper: Examples | None, wide: float, step: Callable[[], None]) -> _Found:
        """Try every attack at every strength."""
        zero = torch.zeros_like(examples.start)
        _, clean = look(examples, zero)
        _, gradient, _ = examples.gradient(zero)
        uphill = Examples(examples.network, _MARGIN, examples.batch, examples.clip)
        far = self._pgd(uphill, "far", 0, wide)[-1].right
        found = _Found(_array(clean), _array(gradient.flatten(1).abs().amax(1) == 0), _array(far))
        rows: dict[str, list[Tensor]] = {}
        restarts, more, course = [], [], []
        for number, epsilon in enumerate(self._settings.epsilons):
            climbs = self._pgd(examples, "pgd", number, epsilon)
            right = {
                "fgsm": fgsm(examples, self._settings.norm, epsilon).right,
                "pgd": climbs[-1].right,
                "margin": self._pgd(uphill, "margin", number, epsilon)[-1].right,
            }
            if self._settings.random:
                right["random"] = random_changes(
                    examples,
                    self._settings.norm,
                    epsilon,
                    number=self._settings.random,
                    generator=self._generator("random", number),
                ).right
            if helper is not None:
                change = self._pgd(helper, "transfer", number, epsilon)[-1].change
                right["transfer"] = look(examples, change)[1]
            for name, each in right.items():
                rows.setdefault(name, []).append(each)
            restarts.append([_array(each.right) for each in climbs])
            longer = self._pgd(examples, "steps", number, epsilon, steps=2 * self._settings.steps, restarts=1)
            more.append(_array(longer[-1].right))
            course.append(climbs[0].course.double().cpu().numpy())
            step()
        found.right = {name: np.stack([_array(each) for each in parts]) for name, parts in rows.items()}
        found.restarts = np.array(restarts).transpose(1, 0, 2)
        found.more_steps, found.course = np.stack(more), np.stack(course)
        return found

    def _pgd(self, examples: Examples, name: str, number: int, epsilon: float, **other: int) -> list[Any]:
        how = {"steps": self._settings.steps, "restarts": self._settings.restarts, **other}
        generator = self._generator(name, number)
        return list(pgd_restarts(examples, self._settings.norm, epsilon, **how, generator=generator))

    def _generator(self, name: str, number: int) -> torch.Generator:
        return generator_of(self._settings.seed, self._place, name, number)


def _margin(output: Tensor, target: Tensor, check: bool = False) -> dict[str, Tensor]:
    """Return the greatest wrong output over the right one, shape (n,)."""
    right = output.gather(1, target[:, None])[:, 0]
    return {"loss": output.scatter(1, target[:, None], float("-inf")).amax(1) - right}


_MARGIN = Loss("margin", measure=_margin)


def _array(flags: Tensor) -> NDArray[np.bool_]:
    return flags.cpu().numpy().astype(bool)


def _span(source: Data, numbers: NDArray[np.int64], settings: Settings, batch_size: int) -> float:
    """Return a strength at which a changed input need have nothing of the first one: the whole range, everywhere."""
    low, high, size = float("inf"), float("-inf"), 1
    for part in parts_of(len(numbers), batch_size):
        inputs = stored_inputs(source, source.fetch(numbers[part]))
        low, high, size = min(low, float(inputs.min())), max(high, float(inputs.max())), inputs[0].numel()
    if settings.clip is not None:
        low, high = settings.clip
    width = (high - low) * (size**0.5 if settings.norm == "l2" else 1.0)
    return max(width, 2 * settings.epsilons[-1])
