"""Which spatial frequencies carry a network's decisions: inputs, and changes by an attack, with only some left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.errors import UsageError
from landscape.inputs.attacks import look, pgd
from landscape.inputs.examples import Clip, Examples
from landscape.inputs.frequency_filters import low_pass, radii, require_images
from landscape.inputs.labelled_batches import (
    class_examples,
    described_problem,
    generator_of,
    in_eval_mode,
    one_data_set,
    parts_of,
)
from landscape.inputs.norms import require_norm
from landscape.parallel.progress import Progress, progress_of
from landscape.problem.losses.losses import Loss, resolve_loss
from landscape.surface.grid import Floats
from landscape.surface.reports.frequencies import CHANGES, INPUTS, Frequencies


def frequencies(
    model: nn.Module,
    data: Any,
    *,
    cutoffs: Sequence[float] | None = None,
    epsilon: float | None = None,
    norm: str = "linf",
    steps: int = 20,
    clip: Clip | None = None,
    loss: str | Callable[..., Any] | Loss = "cross_entropy",
    samples: int | None = None,
    sample_seed: int = 0,
    batch_size: int = 256,
    seed: int = 0,
    progress: Progress | bool | None = None,
) -> Frequencies:
    """Measure accuracy and loss on low-pass and high-pass images, and on images changed by parts of an attack.

    A low-pass image keeps the spatial frequencies within a radius of the discrete Fourier transform, a high-pass one
    those beyond it (Wang et al., CVPR 2020, section 3) and each channel's mean, without which it would be of another
    brightness. Both are taken before normalisation where built-in data are normalised, and are not clipped.

    Parameters
    ----------
    model : Module
        Measured in eval mode, and left as it was.
    data
        One data set, as `landscape.evaluate` takes it, of (images, classes).
    cutoffs : sequence of float, optional
        Radii, ascending, in cycles along the shorter side; by default 0, 1, 2, ... and the greatest there is.
    epsilon : float, optional
        Also attack by PGD at this strength, and apply only what is low or high in the changes.
    norm, steps, clip, seed
        Of that attack; see `landscape.robustness`. Parts of a change are applied as they are, then clipped.
    loss, samples, sample_seed, batch_size
        See `landscape.evaluate`; the loss one of (output, target) with a value a sample.

    Returns
    -------
    Frequencies

    Raises
    ------
    UsageError
        Inputs are no images, targets are no classes, or a choice makes no sense.
    """
    require_norm(norm)
    if epsilon is not None and not 0 < epsilon < float("inf"):
        raise UsageError(f"epsilon is {epsilon:g}, it has to be a positive number")
    resolved = resolve_loss(loss)
    name, source, numbers = one_data_set(data, samples, sample_seed)
    parts = list(parts_of(len(numbers), batch_size))
    kinds = (*INPUTS, *(CHANGES if epsilon is not None else ()))
    rows: list[dict[str, Any]] = []
    chosen: Floats = np.zeros(0)
    with in_eval_mode(model) as device, progress_of(progress, "frequencies", "batches") as told:
        for place, part in enumerate(parts):
            examples = class_examples(model, source, source.fetch(numbers[part]), device, resolved, clip)
            require_images(examples.start)
            if not place:
                chosen, highest = _cutoffs(cutoffs, *examples.start.shape[-2:])
            change = None
            if epsilon is not None:
                generator = generator_of(seed, place, "pgd", 0)
                change = pgd(examples, norm, epsilon, steps=steps, generator=generator).change
            rows.append(_measured(examples, change, chosen))
            if told is not None:
                told(place + 1, len(parts))

    def joined(key: str) -> Any:
        return np.concatenate([row[key] for row in rows], -1)

    weights = np.array([len(row["clean"]) for row in rows]) / len(numbers)
    return Frequencies(
        data=name,
        cutoffs=chosen,
        highest=highest,
        clean=joined("clean"),
        clean_loss=joined("clean_loss"),
        kinds=kinds,
        right=joined("right"),
        loss=joined("loss"),
        attacked=joined("attacked"),
        energy=weights @ np.stack([row["energy"] for row in rows]),
        change_energy=weights @ np.stack([row["change_energy"] for row in rows]),
        numbers=numbers,
        problem=described_problem(resolved, source, numbers, sample_seed),
        settings={
            "epsilon": epsilon,
            "norm": norm,
            "steps": steps,
            "seed": seed,
            "clip": None if clip is None else list(clip),
            "batch_size": batch_size,
        },
    )


def _cutoffs(given: Sequence[float] | None, height: int, width: int) -> tuple[Floats, float]:
    highest = float(radii(height, width).max())
    if given is None:
        given = [*range(int(np.floor(highest)) + 1), *([highest] if highest % 1 else [])]
    found = np.array([float(each) for each in given])
    if len(found) < 2 or not (np.diff(found) > 0).all() or not 0 <= found[0] <= found[-1] < np.inf:
        raise UsageError(f"cut-offs are at least two numbers from 0 upwards, ascending, not {list(given)}")
    return found, highest


def _measured(examples: Examples, change: Tensor | None, cutoffs: Floats) -> dict[str, Any]:
    start = examples.start
    clean_loss, clean = look(examples, torch.zeros_like(start))
    attacked = clean if change is None else look(examples, change)[1]
    # Filtered images leave the range that pixels have; clipping them would bring other frequencies back.
    free = Examples(examples.network, examples.loss, examples.batch)
    mean = start.mean((-2, -1), keepdim=True)
    rows: dict[str, list[tuple[Tensor, Tensor]]] = {kind: [] for kind in (*INPUTS, *CHANGES)}
    for cutoff in cutoffs:
        low = low_pass(start, cutoff)
        rows["low"].append(look(free, low - start))
        rows["high"].append(look(free, mean - low))
        if change is not None:
            slow = low_pass(change, cutoff)
            rows["low change"].append(look(examples, slow))
            rows["high change"].append(look(examples, change - slow))
    measured = [each for each in rows.values() if each]
    return {
        "clean": clean.cpu().numpy().astype(bool),
        "clean_loss": clean_loss.double().cpu().numpy(),
        "attacked": (torch.ones_like(clean) if change is None else attacked).cpu().numpy().astype(bool),
        "right": np.array([[right.cpu().numpy() for _, right in each] for each in measured], dtype=bool),
        "loss": np.array([[losses.double().cpu().numpy() for losses, _ in each] for each in measured]),
        "energy": _energy(start, cutoffs),
        "change_energy": np.full(len(cutoffs), np.nan) if change is None else _energy(change, cutoffs, mean=True),
    }


def _energy(images: Tensor, cutoffs: Floats, *, mean: bool = False) -> Floats:
    """Return which share of the images' squared deviations lies within each cut-off, averaged over images."""
    power = torch.fft.fft2(images.to(torch.float64)).abs().square()
    if images.ndim == 4:
        power = power.sum(1)
    if not mean:
        power[..., 0, 0] = 0
    radius = radii(*images.shape[-2:]).to(images.device)
    whole = power.sum((-2, -1)).clamp_min(torch.finfo(torch.float64).tiny)
    shares = [((power * (radius <= each * (1 + 1e-12))).sum((-2, -1)) / whole).mean() for each in cutoffs]
    return np.array([float(share) for share in shares])
