"""What populations of networks predict: probabilities of every network for the same examples."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.directions.displacement import untouched
from landscape.errors import EvaluationError, ProblemError, SurfaceMismatch, UsageError
from landscape.parallel.comm import current_comm
from landscape.parallel.progress import Progress, progress_of
from landscape.problem.batches import batch_size_of, describe_batch, output_logits, split_inputs_targets
from landscape.problem.buffers import Buffers
from landscape.problem.data.datasets import fingerprint
from landscape.problem.model import misfit
from landscape.problem.repeated_passes import goes_by_others, require_repeatable
from landscape.similarity.layers import call
from landscape.similarity.shuffled_batches import Samples, device_of, one_data_set
from landscape.surface.reports.populations import Populations

log = logging.getLogger(__name__)

OUTPUTS = ("logits", "probabilities")
# Images that are kept of examples where groups differ most.
SHOWN = 16

Written = Callable[[Populations], None]


def predictions(
    groups: Mapping[str, Mapping[str, nn.Module] | Sequence[nn.Module]],
    data: Any,
    *,
    samples: int | None = None,
    sample_seed: int = 0,
    batch_size: int = 256,
    outputs: str = "logits",
    half: bool = False,
    about: Mapping[str, Mapping[str, Any]] | None = None,
    known: Populations | None = None,
    write: Written | None = None,
    progress: Progress | bool | None = None,
) -> Populations:
    """Measure what each network of several groups says of each example, in eval mode.

    Parameters
    ----------
    groups : mapping of str to mapping or sequence of Module
        Networks that only their seed tells apart, by group; by name, or called "GROUP/0", "GROUP/1", ...
    data
        One data set with classes, as `landscape.evaluate` takes it.
    samples, sample_seed
        The first so many of a seeded permutation; all of them by default.
    batch_size : int
        Samples in a forward pass.
    outputs : {"logits", "probabilities"}
        What the networks return.
    half : bool
        Keep probabilities as float16.
    about : mapping of str to mapping, optional
        What is stored of each network.
    known : Populations, optional
        Of a run that was cut short: networks that are done in it are not measured again.
    write : callable, optional
        Given what there is whenever a network is done, on rank 0.
    progress : callable or bool, optional
        Called with the number of networks that are done, and of all; see `landscape.evaluate`.

    Returns
    -------
    Populations

    Raises
    ------
    UsageError
        There is no network, or outputs are not what they were said to be.
    ProblemError
        A network does not take the samples, or there are no classes.
    SurfaceMismatch
        What is known is of other samples.
    """
    if outputs not in OUTPUTS:
        raise UsageError(f"outputs is {outputs!r}, it has to be one of {', '.join(OUTPUTS)}")
    models, members = _named(groups)
    _, source = one_data_set(data, models, samples, sample_seed)
    chosen = Samples(source, samples, sample_seed, batch_size, least=1)
    chosen.require_same()
    content = fingerprint(source, chosen.order)
    if known is not None and known.problem.get("fingerprint") != content:  # before anything is written
        raise SurfaceMismatch(
            f"{known.path or 'what is known'} holds predictions for other samples; write to another file, or "
            "--overwrite it"
        )
    labels = _labels(chosen)
    comm = current_comm()
    names = list(models)
    found: dict[int, NDArray[Any]] = {}
    if known is not None:
        done = [name for name, is_done in zip(known.names, known.done, strict=True) if is_done]
        found = {k: known.probabilities[known.names.index(name)] for k, name in enumerate(names) if name in done}
    dtype = np.float16 if half else np.float32
    todo = [k for k in range(len(names)) if k not in found]

    def result() -> Populations:
        classes = max((each.shape[1] for each in found.values()), default=int(labels.max()) + 1)
        probabilities = np.zeros((len(names), len(labels), classes), dtype=dtype)
        for k, each in found.items():
            probabilities[k] = each
        return Populations(
            tuple(names),
            tuple(members),
            probabilities,
            labels,
            chosen.order,
            np.array([k in found for k in range(len(names))]),
            tuple((about or {}).get(name, {}) for name in names),
            problem={
                "data": source.name,
                "reference": source.reference,
                "size": None if source.streamed else source.size,
                "fingerprint": content,
                "normalize": source.normalize,
                "mode": "eval",
            },
            settings={"samples": samples, "sample_seed": sample_seed, "outputs": outputs, "half": half},
        )

    def measure(place: int) -> NDArray[Any]:
        name = names[todo[place]]
        with untouched(models[name]):
            models[name].eval()
            answers = predicted(models[name], chosen, name, outputs)
            return _in_half(answers) if half else answers.astype(dtype)

    with ExitStack() as stack:
        told = stack.enter_context(progress_of(progress, "predictions", "networks"))

        def keep(place: int, probabilities: NDArray[Any]) -> None:
            found[todo[place]] = probabilities
            sizes = {each.shape[1] for each in found.values()}
            if len(sizes) > 1:
                raise ProblemError(
                    f"networks tell {' and '.join(map(str, sorted(sizes)))} classes apart: give one task"
                )
            if write is not None:
                write(result())
            if told is not None:
                told(len(found), len(names))

        comm.each(len(todo), measure, keep)
    complete = result() if comm.rank == 0 else None
    if comm.rank == 0:
        assert complete is not None
        complete = _pictured(complete, chosen)
    everywhere = comm.broadcast(complete)
    assert everywhere is not None
    return everywhere


def _named(groups: Mapping[str, Any]) -> tuple[dict[str, nn.Module], list[str]]:
    models: dict[str, nn.Module] = {}
    members: list[str] = []
    for group, networks in groups.items():
        named = networks if isinstance(networks, Mapping) else {f"{group}/{k}": each for k, each in enumerate(networks)}
        for name, model in named.items():
            if name in models:
                raise UsageError(f"there are two networks called {name!r}")
            models[str(name)] = model
            members.append(str(group))
    if not models:
        raise UsageError("there are no networks to ask")
    return models, members


def _labels(samples: Samples) -> NDArray[np.int64]:
    parts = []
    for batch in samples.in_order(torch.device("cpu")):
        target = torch.as_tensor(split_inputs_targets(batch)[1])
        if target.ndim == 2 and target.shape[1] == 1:
            target = target[:, 0]
        if target.ndim != 1 or target.is_floating_point():
            raise ProblemError(
                f"populations are compared by which class they say: targets are {describe_batch(target)}, one whole "
                "number a sample is needed"
            )
        parts.append(target.long().numpy())
    found: NDArray[np.int64] = np.concatenate(parts)
    if found.min() < 0:
        raise ProblemError(f"targets go down to {found.min()}: classes are counted from 0")
    return found


def predicted(model: nn.Module, samples: Samples, name: str, outputs: str = "logits") -> NDArray[np.float32]:
    """Return a network's probabilities for all samples in their order, shape (samples, classes).

    Raises
    ------
    UsageError
        Outputs are not what they were said to be.
    ProblemError
        The network does not take the samples, or its output is not one number a class.
    EvaluationError
        Outputs are not finite, or other ones when the network is asked again.
    """
    device = device_of(model)

    def ask(batch: Any) -> Tensor:
        inputs = split_inputs_targets(batch)[0]
        try:
            return output_logits(call(model, inputs))
        except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
            said = misfit(model, inputs, samples.data.name, error)
            if not said:
                raise
            raise ProblemError(f"{name}: {said}") from error

    parts: list[Tensor] = []
    buffers = Buffers(model)
    for batch in samples.in_order(device):
        if not parts:
            give = lambda batch=batch: [ask(batch)]  # noqa: E731
            (output,) = require_repeatable(model, give, name, "its answers are of one pass")
        else:
            with buffers.kept():  # no batch is measured with what those before it left
                output = ask(batch)
        parts.append(_probabilities(output, batch_size_of(batch), name, outputs))
        if len(parts) == 1:
            with buffers.kept():
                if goes_by_others(output, lambda others: ask(samples.fetch(np.array(others), device))):
                    log.warning(
                        "%s: answers depend on a sample's place in a batch, or on which others share it, in eval mode "
                        "(batch norm without running statistics, say), and so on the batch size, %d",
                        name,
                        samples.batch_size,
                    )
    return torch.cat(parts).numpy()


def _in_half(answers: NDArray[Any]) -> NDArray[np.float16]:
    """Return probabilities as float16, the likeliest class by itself: it is raised by a digit where others round to it.

    Of equal ones the first would be the answer.

    Parameters
    ----------
    answers : ndarray, shape (n, classes)
    """
    found = answers.astype(np.float16)
    rows, likeliest = np.arange(len(found)), answers.argmax(axis=1)
    tied = found.argmax(axis=1) != likeliest
    found[rows[tied], likeliest[tied]] = np.nextafter(found[tied].max(axis=1), np.float16(2))
    return found


def _probabilities(output: Tensor, number: int, name: str, outputs: str) -> Tensor:
    if output.ndim != 2 or output.shape[1] < 2 or len(output) != number:
        raise ProblemError(
            f"{name} returns {describe_batch(output)} for {number} samples: (samples, classes) of two classes or more "
            "is needed"
        )
    wide = output.double().cpu()
    if not bool(torch.isfinite(wide).all()):
        raise EvaluationError(f"{name} returns numbers that are not finite")
    room = max(1e-3, torch.finfo(output.dtype).eps) if output.is_floating_point() else 1e-3  # of bfloat16 0.8 %
    is_share = bool((wide >= 0).all()) and bool(((wide.sum(1) - 1).abs() < room).all())
    if outputs == "probabilities":
        if not is_share:
            raise UsageError(f"{name} returns no probabilities: rows are negative somewhere, or do not add up to 1")
        return wide.float()
    if is_share:
        raise UsageError(
            f"{name} returns rows that add up to 1, as probabilities do, and outputs are logits: if they are "
            "probabilities say so (--outputs probabilities)"
        )
    return wide.softmax(1).float()


def _pictured(found: Populations, samples: Samples) -> Populations:
    """Return predictions with images of the examples where the first two groups differ most, where these are some."""
    groups = found.group_names
    shares = [found.shares(group) for group in groups[:2]]
    # Of one group, those that half of its networks get right.
    size = np.abs(shares[0] - shares[1]) if len(shares) > 1 else -np.abs(shares[0] - 0.5)
    places = np.argsort(-size, kind="stable")[:SHOWN]
    inputs: Any = split_inputs_targets(samples.fetch(places, torch.device("cpu")))[0]
    if not isinstance(inputs, Tensor) or inputs.ndim != 4 or inputs.shape[1] not in (1, 3):
        return found
    images = inputs.float().numpy().astype(np.float32)
    return replace(found, images=images, pictured=tuple(int(place) for place in places))
