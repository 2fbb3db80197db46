"""Similarity of all layers of several networks: from networks and samples to `Similarity`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.directions.displacement import untouched
from landscape.engine.memory import is_out_of_memory, resident_budget
from landscape.errors import EvaluationError, LandscapeError, UsageError
from landscape.parallel.comm import current_comm
from landscape.problem.datasets import fingerprint
from landscape.problem.references import failure
from landscape.similarity.components import Components, cosines, principal_components
from landscape.similarity.grams import KERNELS, Grams, Reference, Tap, look_at
from landscape.similarity.hsic import all_pairs
from landscape.similarity.layers import PROBE, TOKENS, Layer, find_layers
from landscape.similarity.moments import Moments, PassMoments
from landscape.similarity.shuffled_batches import Samples, device_of, one_data_set
from landscape.surface.block_structure import find_block
from landscape.surface.grid import Floats
from landscape.surface.similarity import Block, NetworkLayers, Similarity

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]

# Dominant samples that are kept of each layer, and shown of all networks together.
DOMINANT, SHOWN = 10, 16
# Matrices of all pairs that are held at once, float64: four sums of passes, four of the pass that runs, and two more.
_MATRICES = 10
FINGERPRINT_SAMPLES = 1024


@dataclass(frozen=True)
class Settings:
    """What is measured, and how exactly."""

    layers: str | None = None  # a regular expression, or "blocks"
    samples: int | None = None
    sample_seed: int = 0
    batch_size: int = 256
    passes: int = 4
    kernel: str = "linear"
    rbf_width: float = 1.0  # in median distances of the reference batch
    tokens: str = "flatten"
    components: bool = True  # whether the first principal components are looked for
    without_components: int = 0  # also CKA without so many
    without_dominant: int = 0  # also CKA without so many dominant samples of each network
    procrustes: bool = False  # also the Procrustes distance

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for name, least in (("passes", 1), ("without_components", 0), ("without_dominant", 0), ("sample_seed", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}, it has to be {least} at least")
        for name, known in (("kernel", KERNELS), ("tokens", TOKENS)):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} is {getattr(self, name)!r}, it has to be one of {', '.join(known)}")
        if not 0 < self.rbf_width < np.inf:
            raise UsageError(f"rbf_width is {self.rbf_width:g}, it has to be above 0")
        if self.kernel == "rbf" and self.without_components:
            raise UsageError("components are taken out of features, which an RBF kernel has none of: use kernel linear")
        if (self.without_components or self.without_dominant) and not self.components:
            raise UsageError("what is left without components or dominant samples needs components")


def measure_similarity(
    networks: Mapping[str, nn.Module] | Sequence[nn.Module] | nn.Module,
    data: Any,
    *,
    groups: Mapping[str, str] | None = None,
    about: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Similarity:
    """Compare all layers of networks on the same samples, in eval mode; every network is left as it was.

    Parameters
    ----------
    networks : mapping of str to Module
        By name; a sequence is called "0", "1", ..., one alone "network".
    data
        One data set, as `landscape.evaluate` takes it.
    groups : mapping of str to str, optional
        Network -> group.
    about : mapping of str to mapping, optional
        What is stored of each network.
    settings : Settings, optional
    progress : callable, optional
        Called with what is done, how much of it, and how much there is.
    **options
        Fields of `Settings` instead: layers, samples, sample_seed, batch_size, passes, kernel, ...

    Returns
    -------
    Similarity

    Raises
    ------
    UsageError
        A setting makes no sense, or ``layers`` matches nothing.
    ProblemError
        A network does not take the samples, or networks would see different ones.
    EvaluationError
        A network or the data give something else each time, or memory ran out.
    """
    settings = settings or Settings(**options)
    models = _named(networks)
    name, source = one_data_set(data, models, settings.samples, settings.sample_seed)
    samples = Samples(source, settings.samples, settings.sample_seed, settings.batch_size)
    samples.require_same()
    with ExitStack() as stack:
        for model in dict.fromkeys(models.values()):
            stack.enter_context(untouched(model))
            model.eval()
        try:
            return _Analysis(models, name, samples, settings, groups or {}, about or {}, progress).run()
        except LandscapeError:
            raise
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise EvaluationError(
                    f"memory ran out ({failure(error)}): a smaller batch_size, fewer layers or fewer networks at a "
                    "time need less"
                ) from error
            raise


def _named(networks: Any) -> dict[str, nn.Module]:
    if isinstance(networks, nn.Module):
        return {"network": networks}
    if not isinstance(networks, Mapping):
        networks = {str(number): each for number, each in enumerate(networks)}
    if not networks:
        raise UsageError("there is no network to look at")
    return dict(networks)


class _Analysis:
    """One run, from layers to the result."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        data: str,
        samples: Samples,
        settings: Settings,
        groups: Mapping[str, str],
        about: Mapping[str, Mapping[str, Any]],
        progress: Progress | None,
    ) -> None:
        self._models, self._data, self._samples, self._settings = models, data, samples, settings
        self._comm, self._progress = current_comm(), progress
        self._notes: dict[str, None] = {}
        self._layers: dict[str, list[Layer]] = {}
        self._taps: list[Tap] = []
        self._references: list[list[Reference]] = []
        reference = samples.places(0)[0]
        for name, model in models.items():
            device = device_of(model)
            probes = [samples.fetch(samples.places(0)[0][: min(PROBE, len(samples)) - k], device) for k in (0, 1)]
            layers = find_layers(model, probes, which=settings.layers, name=name)
            tap = Tap(model, layers, settings.tokens)
            self._layers[name] = layers
            self._taps.append(tap)
            batch = samples.fetch(reference, device)
            self._references.append(look_at(tap, layers, batch, settings.kernel, settings.rbf_width))
        self._networks = tuple(
            NetworkLayers(
                name,
                tuple(each.name for each in layers),
                tuple(each.call for each in layers),
                tuple(each.kind for each in layers),
                tuple(each.features for each in known),
                groups.get(name, ""),
                about.get(name, {}),
            )
            for (name, layers), known in zip(self._layers.items(), self._references, strict=True)
        )
        self._rows = sum(len(each.layers) for each in self._networks)
        self._require_memory()

    def _require_memory(self) -> None:
        needed, budget = _MATRICES * 8 * self._rows**2, resident_budget(torch.device("cpu"), self._comm.local_size)
        if needed > budget:
            raise EvaluationError(
                f"{self._rows:,} layers in all have matrices of {needed / 2**30:,.1f} GiB, and {budget / 2**30:,.1f} "
                "GiB may be used: choose layers (--layers REGEX or blocks), or fewer networks at a time"
            )

    def run(self) -> Similarity:
        """Return the result, on every rank."""
        settings, samples = self._settings, self._samples
        found = Similarity(
            self._networks,
            np.zeros((self._rows, self._rows)),
            np.zeros((self._rows, self._rows)),
            len(samples),
            samples.batches,
            settings.passes,
            settings.kernel,
            settings={**vars(settings)},
        )
        scores: NDArray[np.float32] | None = None
        if settings.components:
            parts = self._components()
            scores = np.concatenate([each.scores for each in parts])
            found = replace(
                found,
                pc_share=np.concatenate([each.share for each in parts]),
                pc_share_stderr=np.concatenate([each.stderr for each in parts]),
                pc_residual=np.concatenate([each.residual for each in parts]),
                pc_cosine=cosines(scores[:, :, 0]),
                dominant=samples.order[np.argsort(-np.abs(scores[:, :, 0]), axis=1, kind="stable")[:, :DOMINANT]],
            )
        cka, stderr = self._cka("layers", samples)
        others: dict[str, Floats] = {}
        if settings.without_components and scores is not None:
            kept = scores[:, :, : settings.without_components]
            others["without_components"] = self._cka("layers without components", samples, kept)[0]
        found = replace(found, cka=cka, stderr=stderr, others=others)
        found = replace(found, blocks=blocks_of(found))
        return self._comm.broadcast(replace(found, problem=self._problem(), notes=tuple(self._notes)))

    def _problem(self) -> dict[str, Any]:
        samples = self._samples
        few = samples.order[:FINGERPRINT_SAMPLES]
        return {
            "data": self._data,
            "reference": samples.data.reference,
            "size": None if samples.data.streamed else samples.data.size,
            "fingerprint": fingerprint(samples.data, few),
            "normalize": samples.data.normalize,
            "mode": "eval",
        }

    def _say(self, what: str, done: int, total: int) -> None:
        if self._progress is not None and self._comm.rank == 0:
            self._progress(what, done, total)

    def _components(self) -> list[Components]:
        """Return each network's components, networks shared out over ranks."""
        models = list(self._models.values())
        found: dict[int, Components] = {}
        budget = resident_budget(torch.device("cpu"), self._comm.local_size) // 2

        def measure(number: int) -> Components:
            device = device_of(models[number])
            return principal_components(
                self._taps[number],
                self._references[number],
                lambda: self._samples.in_order(device),
                wanted=max(self._settings.without_components, 1),
                budget=budget,
            )

        def keep(number: int, result: Components) -> None:
            found[number] = result
            self._say("components", len(found), len(models))

        self._comm.each(len(models), measure, keep)
        complete = self._comm.broadcast(found)
        return [complete[number] for number in range(len(models))]

    def _cka(self, what: str, samples: Samples, scores: NDArray[np.float32] | None = None) -> tuple[Floats, Floats]:
        """Return CKA of all pairs and its error, on rank 0; batches shared out over ranks."""
        moments = Moments(self._rows)
        total = self._settings.passes * samples.batches
        for number in range(self._settings.passes):
            parts = samples.places(number)
            running = PassMoments(self._rows, samples.shares)

            def measure(batch: int, parts: list[NDArray[np.int64]] = parts) -> tuple[Floats, dict[int, int]]:
                return self._hsic(samples, parts[batch], scores)

            def keep(
                batch: int, result: tuple[Floats, dict[int, int]], running: PassMoments = running, number: int = number
            ) -> None:
                running.add(batch, result[0])
                self._note_failures(result[1])
                self._say(what, number * samples.batches + int(running.done.sum()), total)

            self._comm.each(samples.batches, measure, keep)
            moments.add(running)
        return moments.cka()

    def _hsic(
        self, samples: Samples, places: NDArray[np.int64], scores: NDArray[np.float32] | None
    ) -> tuple[Floats, dict[int, int]]:
        """Return HSIC of all pairs on one batch, and of each layer that is not finite the first such sample."""
        size = len(places) * (len(places) - 1) // 2
        vectors = torch.zeros(self._rows, size, dtype=torch.float64)
        failures: dict[int, int] = {}
        start = 0
        for model, tap, known in zip(self._models.values(), self._taps, self._references, strict=True):
            device = device_of(model)

            def put(row: int, vector: Tensor, start: int = start) -> None:
                vectors[start + row] = vector

            def failed(row: int, sample: int, start: int = start) -> None:
                vectors[start + row] = torch.nan
                failures[start + row] = int(samples.order[places[sample]])

            without = None
            if scores is not None:
                without = {row: torch.from_numpy(scores[start + row, places]).to(device) for row in range(len(known))}
            Grams(tap, known, self._settings.kernel).vectors(samples.fetch(places, device), put, failed, without)
            start += len(known)
        return all_pairs(vectors), failures

    def _note_failures(self, failures: Mapping[int, int]) -> None:
        for row, sample in failures.items():
            network, layer = self._place(row)
            key = f"{network}: layer {layer} is not finite"
            if not any(note.startswith(key) for note in self._notes):
                self._notes[f"{key} at sample {sample}, and is left out"] = None

    def _place(self, row: int) -> tuple[str, str]:
        for network in self._networks:
            if row < len(network.layers):
                return network.name, network.labels[row]
            row -= len(network.layers)
        raise IndexError(row)


def blocks_of(found: Similarity) -> tuple[Block | None, ...]:
    """Return each network's block, with how much of it the others have: CKA between layers of the same names."""
    blocks: list[Block | None] = []
    for number, network in enumerate(found.networks):
        share = found.pc_share[found.rows(number)] if len(found.pc_share) else None
        block = find_block(found.between(number, number), share)
        if block is not None:
            rows = np.arange(block.first, block.last + 1)
            shared = {}
            for other, theirs in enumerate(found.networks):
                names = [network.labels[row] for row in rows]
                columns = np.array([theirs.labels.index(each) for each in names if each in theirs.labels], np.int64)
                if other != number and columns.size:
                    shared[theirs.name] = float(np.nanmean(found.between(number, other)[np.ix_(rows, columns)]))
            block = replace(block, shared=shared)
        blocks.append(block)
    return tuple(blocks)
