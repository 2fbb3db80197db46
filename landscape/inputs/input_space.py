"""The loss over the input as a problem like any other: what moves are two or three coefficients, not weights.

Every example carries its own directions with it in the batch, and the network is wrapped so that it moves them first:

.. math:: L(a, b) = \\frac1n \\sum_i \\ell(f(\\mathrm{clip}(x_i + a\\, u_i + b\\, v_i)), y_i)

So grids, ranks, resuming, files and pictures are those of weight space.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.directions.construct import Direction, Plane
from landscape.directions.displacement import untouched
from landscape.errors import UsageError
from landscape.inputs.attacks import pgd
from landscape.inputs.examples import Clip, Examples, clipped, moved_part, with_moved
from landscape.inputs.norms import require_norm, steepest, to_unit
from landscape.inputs.stored_units import in_stored_units
from landscape.parallel.comm import current_comm
from landscape.problem.batches import call_model, fit_precision, split_inputs_targets, to_device
from landscape.problem.data.datasets import choose
from landscape.problem.data.samples import Columns, Data
from landscape.problem.losses.losses import Loss, resolve_loss
from landscape.problem.named_data import named_data

# What an axis may be.
AXES = ("random", "gradient", "sign", "pgd", "universal")
COEFFICIENTS = "coefficients"
# Steps of the attacks that give "pgd" axes.
STEPS = 40


class InputSpace(nn.Module):
    """A network whose examples are moved along directions that come with them in the batch.

    Parameters
    ----------
    network : Module
    number : int
        How many directions, 3 at most: ``coefficients``, a parameter of shape (number,) at 0, are along these.
    clip : tuple of float, optional
        The range that examples are clipped to after they were moved.
    """

    def __init__(self, network: nn.Module, number: int, clip: Clip | None = None) -> None:
        super().__init__()
        self.network, self.clip = network, clip
        self._dtype = next((each.dtype for each in network.parameters() if each.is_floating_point()), torch.float32)
        like = next((each for each in network.parameters() if each.is_floating_point()), torch.zeros(()))
        # Wide enough for the grid's numbers, whatever the weights are in.
        dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
        self.coefficients = nn.Parameter(torch.zeros(number, dtype=dtype, device=like.device))

    def forward(self, inputs: Any, first: Tensor, second: Tensor | None = None, third: Tensor | None = None) -> Any:
        """Return the network's output for moved inputs."""
        several = isinstance(inputs, (Mapping, tuple, list))
        moved = moved_part(inputs) if several else inputs
        for number, direction in enumerate(each for each in (first, second, third) if each is not None):
            moved = moved + self.coefficients[number] * direction
        moved = clipped(moved, self.clip)
        if several:
            return call_model(self.network, fit_precision(with_moved(inputs, moved), self.network))
        return self.network(moved.to(self._dtype))


@dataclass(frozen=True)
class InputProblem:
    """What `landscape.evaluate` is given: ``evaluate(problem.model, problem.data, problem.plane, **problem.how)``."""

    model: InputSpace
    data: Mapping[str, Data]
    plane: Plane
    how: Mapping[str, Any]  # loss and metrics


def input_problem(
    model: nn.Module,
    data: Any,
    *,
    axes: Sequence[str] = ("sign", "random"),
    loss: str | Callable[..., Any] | Loss = "cross_entropy",
    metrics: Sequence[str | Callable[..., Any]] = (),
    sample: int | None = None,
    samples: int | None = None,
    sample_seed: int = 0,
    norm: str = "linf",
    epsilon: float | None = None,
    clip: Clip | None = None,
    seed: int = 0,
) -> InputProblem:
    """Make the loss over the input around one example, or the mean over several, a problem for `landscape.evaluate`.

    Parameters
    ----------
    model : Module
        Put into eval mode here, while gradients are taken, and as before afterwards. It becomes part of the problem.
    data
        One data set, as `landscape.evaluate` takes it, of (inputs, targets).
    axes : sequence of str
        A direction each, of norm 1, so that coefficients are distances in the norm. Units are those of the inputs as
        ``data`` gives them; of built-in data that are normalised, those before that, pixels from 0 to 1:

        * "random": normally distributed, the same for all examples;
        * "gradient": the gradient of an example's own loss;
        * "sign": its sign (FGSM; Goodfellow et al., ICLR 2015);
        * "pgd": from an example to the worst that projected steps found within ``epsilon`` (Madry et al., ICLR 2018);
          given twice, from two random starts;
        * "universal": the sum of all examples' gradients, the same for all (its sign under "linf").
    loss, metrics, samples, sample_seed
        See `landscape.evaluate`; the loss one of (output, target) with a value a sample.
    sample : int, optional
        The number of a single example, instead of ``samples``.
    norm : {"linf", "l2"}
    epsilon : float, optional
        Radius of the ball that "pgd" searches; needed for it.
    clip : tuple of float, optional
        The valid range of inputs: what is moved beyond it is clipped, and the metric ``clipped`` says how much was.
    seed : int
        Of random directions and starts.

    Returns
    -------
    InputProblem
        Beside the loss's own metrics, for class targets: ``margin``, the right class's output minus the greatest other
        one, which is 0 on the boundary of the decision; of one example ``predicted_class``, too.

    Raises
    ------
    UsageError
        A choice makes no sense, or the loss has no value a sample.
    ProblemError
        The inputs cannot be moved.
    """
    require_norm(norm)
    _require_axes(axes, epsilon)
    resolved = resolve_loss(loss, metrics)
    ((name, source),) = _only(named_data(data)).items()
    numbers = _numbers(source, sample, samples, sample_seed)
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    comm, batch = current_comm(), source.fetch(numbers)
    if source.normalize is not None:
        model, batch = in_stored_units(model, batch, source.normalize, device)
    with untouched(model), comm.together():
        model.eval()
        examples = Examples(model, resolved, to_device(batch, device), clip)
        # A sign of a tiny number depends on the machine: rank 0 measures them for all.
        found = _directions(examples, axes, norm, epsilon, seed) if comm.rank == 0 else []
        directions = [torch.from_numpy(each) for each in comm.broadcast([each.cpu().numpy() for each in found])]
        classes = _class_metrics(examples)
    inputs, target = split_inputs_targets(batch)
    space = InputSpace(model, len(axes), clip)
    which = f"sample {sample}" if sample is not None else f"{len(numbers)} samples"
    columns = Columns(((inputs, *directions), target), f"{name}-{which.replace(' ', '-')}")
    columns.reference, columns.normalize = f"{which} of {source.reference or name}", source.normalize
    how = {"norm": norm, "clip": list(clip) if clip else None, "around": f"{which} of {name}"}
    plane = Plane.of(
        [
            _axis(number, len(axes), direction, {"kind": kind, **how, **_own(kind, epsilon, seed, number)})
            for number, (kind, direction) in enumerate(zip(axes, directions, strict=True))
        ],
        include=f"^{COEFFICIENTS}$",
        gram=_gram(directions),
    )
    extra = [*metrics, *classes]
    if clip is not None:
        extra.append(_clipped_share(space))
    return InputProblem(space, {columns.name: columns}, plane, {"loss": loss, "metrics": extra})


def _only(sets: Mapping[str, Data]) -> Mapping[str, Data]:
    if len(sets) > 1:
        raise UsageError(f"input space is drawn of one data set at a time, there are {', '.join(sets)}")
    return sets


def _require_axes(axes: Sequence[str], epsilon: float | None) -> None:
    if not 1 <= len(axes) <= 3:
        raise UsageError(f"input space has one axis, two or three, not {len(axes)}")
    for axis in axes:
        if axis not in AXES:
            raise UsageError(f"{axis!r} is no direction in input space; there are {', '.join(AXES)}")
    twice = next((each for each in AXES if each not in ("random", "pgd") and list(axes).count(each) > 1), None)
    if twice:
        raise UsageError(f"{twice!r} is one direction; a second axis has to be another")
    if epsilon is not None and not 0 < epsilon < float("inf"):
        raise UsageError(f"epsilon is {epsilon:g}, it has to be a positive number")
    if "pgd" in axes and epsilon is None:
        raise UsageError("the direction 'pgd' leads to the worst within a ball: give its radius, epsilon")


def _numbers(data: Data, sample: int | None, samples: int | None, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    if sample is None:
        return choose(data, samples, seed)
    if samples is not None:
        raise UsageError("one sample by number, or the mean over so many samples: not both")
    if not 0 <= sample < data.size:
        raise UsageError(f"there is no sample {sample}: {data.name} has samples 0 to {data.size - 1}")
    return np.array([sample])


def _directions(examples: Examples, axes: Sequence[str], norm: str, epsilon: float | None, seed: int) -> list[Tensor]:
    start = examples.start
    gradient = None
    if set(axes) & {"gradient", "sign", "universal"}:
        _, gradient, _ = examples.gradient(torch.zeros_like(start))
        flat = gradient.flatten(1).abs().amax(1) == 0
        if bool(flat.all()):
            raise UsageError(
                "the loss does not change with the input at all (its gradient is exactly 0, as where the softmax is "
                "saturated): there is no gradient to follow; take 'random'"
            )
    found = []
    for number, axis in enumerate(axes):
        generator = torch.Generator().manual_seed(_seed_of(seed, axis, number))
        if axis == "random":
            drawn = torch.randn(start.shape[1:], generator=generator, dtype=torch.float64).to(start)
            change = drawn.expand_as(start)
        elif axis == "pgd":
            assert epsilon is not None
            change = pgd(examples, norm, epsilon, steps=STEPS, generator=generator).change
        else:
            assert gradient is not None
            change = gradient.sign() if axis == "sign" else gradient
            if axis == "universal":
                change = steepest(gradient.sum(0, keepdim=True), norm).expand_as(start)
        found.append(to_unit(change, norm).contiguous())
    return found


def _seed_of(seed: int, axis: str, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"input {seed} {axis} {number}".encode()).digest()[:7], "little")


def _own(kind: str, epsilon: float | None, seed: int, number: int) -> dict[str, Any]:
    drawn = {"seed": seed, "axis": number} if kind in ("random", "pgd") else {}
    return {**drawn, **({"epsilon": epsilon} if kind == "pgd" else {})}


def _axis(number: int, axes: int, direction: Tensor, recipe: Mapping[str, Any]) -> Direction:
    """Return a step of one coefficient, with the digest of the direction that it stands for."""
    step = torch.zeros(axes)
    step[number] = 1.0
    digest = hashlib.sha256(direction.detach().cpu().to(torch.bfloat16).view(torch.int16).numpy().tobytes())
    names = {"sign": "gradient's sign", "pgd": "PGD", "universal": "universal direction"}
    distance = {"linf": "L∞", "l2": "L2"}[str(recipe["norm"])]
    label = f"{names.get(str(recipe['kind']), recipe['kind'])}, {distance} distance"
    return Direction({COEFFICIENTS: step}, {"source": "input", **recipe}, label, 1.0, digest.hexdigest())


def _gram(directions: Sequence[Tensor]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return inner products of directions of unit Euclidean length, averaged over examples."""
    flat = [torch.nn.functional.normalize(each.flatten(1).double(), dim=1) for each in directions]
    gram = np.array([[float((one * other).sum(1).mean()) for other in flat] for one in flat])
    np.fill_diagonal(gram, 1.0)
    return gram


def _class_metrics(examples: Examples) -> list[Callable[..., Tensor]]:
    """Return what is measured of a decision between classes; nothing where there is none."""
    with torch.no_grad():
        output = examples.output(torch.zeros_like(examples.start))
    if examples.target.is_floating_point() or examples.target.ndim != 1 or output.ndim != 2 or output.shape[1] < 2:
        return []
    return [predicted_class, margin] if len(output) == 1 else [margin]


def predicted_class(output: Tensor, batch: Any) -> Tensor:
    """Return the class with the greatest output, shape (n,)."""
    return output.argmax(1).to(torch.float32)


def margin(output: Tensor, batch: Any) -> Tensor:
    """Return the right class's output minus the greatest other one, shape (n,): below 0 where the answer is wrong."""
    target = split_inputs_targets(batch)[1]
    right = output.gather(1, target[:, None])[:, 0]
    return right - output.scatter(1, target[:, None], float("-inf")).amax(1)


def _clipped_share(space: InputSpace) -> Callable[..., Tensor]:
    def clipped_share(output: Any, batch: Any) -> Tensor:
        """Return the share of each example's numbers that clipping changed."""
        (inputs, *directions), _ = batch
        start = moved_part(inputs)
        moved = start.clone()
        for number, direction in enumerate(directions):
            moved += space.coefficients[number].detach().to(start.dtype) * direction
        return (moved != clipped(moved, space.clip)).flatten(1).float().mean(1)

    return clipped_share


def parse_clip(text: str) -> Clip:
    """Read a range of inputs, ``LOW:HIGH``; UsageError where it is none."""
    found = re.fullmatch(r"([^:]+):([^:]+)", text.strip())
    try:
        assert found is not None
        low, high = (float(each) for each in found.groups())
    except (AssertionError, ValueError):
        raise UsageError(f"{text!r} is no range of inputs; write LOW:HIGH, as in 0:1") from None
    return low, high
