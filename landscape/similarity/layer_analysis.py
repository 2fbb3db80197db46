"""One run of similarity, from networks and samples to the result: components first, then passes over batches.

What is done is kept as it comes (`landscape.similarity.unfinished`), so that a run that was cut short goes on. Networks
are shared out over ranks for their components, batches for everything else: all pairs of layers of a batch are one
product, for which all layers have to be in one place.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from landscape.engine.memory import resident_budget
from landscape.errors import EvaluationError, SurfaceMismatch
from landscape.parallel.comm import current_comm
from landscape.problem.datasets import fingerprint
from landscape.similarity.batch_comparison import BatchComparison, Hsic
from landscape.similarity.components import SPARE, Components, cosines, principal_components
from landscape.similarity.gram_file import identity_of, remove_gram_files
from landscape.similarity.grams import Reference, Tap, look_at
from landscape.similarity.layers import PROBE, Layer, find_layers
from landscape.similarity.same_run import SimilarityCost, require_same
from landscape.similarity.sample_images import with_images
from landscape.similarity.shuffled_batches import Samples, device_of
from landscape.similarity.similarity_settings import Settings
from landscape.similarity.unfinished import Keeper, PairSums, State, components_state, restore_components
from landscape.surface.grid import Floats
from landscape.surface.reports.block_structure import blocks_of
from landscape.surface.reports.dominant_samples import most_dominant
from landscape.surface.reports.similarity import NetworkLayers, Similarity

# Told what is done, how much of it, and how much there is.
Progress = Callable[[str, int, int], None]
Write = Callable[[Similarity, State | None], None]
Known = tuple[Similarity, State]

# Dominant samples that are kept of each layer, and shown of all networks together.
DOMINANT, SHOWN = 10, 16
# Matrices of all pairs that are held at once, float64: four sums of passes, four of the pass that runs, and two more.
_MATRICES = 10
FINGERPRINT_SAMPLES = 1024
# Samples that tell how large a layer's features are.
SCALED = 32
# Of what a run needs to go on: sums of another version are of features of another scale.
STATE_VERSION = 2
# What a progress bar calls the parts of a run, in their order.
_OF_COMPONENTS = (
    "pc_share",
    "pc_share_stderr",
    "pc_residual",
    "pc_cosine",
    "dominant",
    "images",
    "pictured",
    "labels",
)
LAYERS, COMPONENTS, DOMINATED, PROCRUSTES = "layers", "without_components", "without_dominant", "procrustes"
_WORDS = {LAYERS: "layers", COMPONENTS: "without components", DOMINATED: "without dominant samples"}


class Analysis:
    """One run, from layers to the result.

    Parameters
    ----------
    models : mapping of str to Module
        In eval mode, on their devices.
    data : str
        Name of the data set.
    samples : Samples
    settings : Settings
    groups, about : mapping
        Of each network.
    progress : callable, optional
    scratch : str, optional
        What names of files begin with into which Gram matrices go that do not fit into memory; temporary ones
        otherwise, of which a run that is killed finds nothing again.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        data: str,
        samples: Samples,
        settings: Settings,
        groups: Mapping[str, str],
        about: Mapping[str, Mapping[str, Any]],
        progress: Progress | None,
        scratch: str | None = None,
    ) -> None:
        self._models, self._data, self._samples, self._settings = models, data, samples, settings
        self._comm, self._progress = current_comm(), progress
        self._notes: dict[str, None] = {}
        self._layers: dict[str, list[Layer]] = {}
        self._taps: list[Tap] = []
        self._references: list[list[Reference]] = []
        # A scale is a power of 2, which few samples tell as well as many; a width is a median of distances.
        reference = samples.places(0)[0][: None if settings.kernel == "rbf" else SCALED]
        for name, model in models.items():
            device = device_of(model)
            probes = [samples.fetch(samples.places(0)[0][: min(PROBE, len(samples)) - k], device) for k in (0, 1)]
            layers = find_layers(model, probes, which=settings.layers, name=name, data=samples.data.name)
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
        self._problem = self._described()
        self._batch = BatchComparison(
            list(models.values()),
            self._taps,
            self._references,
            settings.kernel,
            on_disk=self._require_memory(),
            scratch=scratch,
            identity=identity_of(
                {"networks": self._networks, "settings": {**vars(settings), "passes": 0}, "problem": self._problem}
            ),
        )
        self._scratch = scratch
        # A file's result whose passes are gone on with, and with it its components.
        self._before: Similarity | None = None
        # What is done, on rank 0 alone; components on all ranks once there are all.
        self._components: dict[int, Components] = {}
        self._sums: dict[str, PairSums] = {}
        self._procrustes: dict[int, Floats] = {}

    def _require_memory(self) -> bool:
        """Return whether the Gram matrices of a batch have to lie on disk; EvaluationError where pairs do not fit."""
        needed, budget = _MATRICES * 8 * self._rows**2, resident_budget(torch.device("cpu"), self._comm.local_size)
        if needed > budget:
            raise EvaluationError(
                f"{self._rows:,} layers in all have matrices of {needed / 2**30:,.1f} GiB, and {budget / 2**30:,.1f} "
                "GiB may be used: choose layers (--layers REGEX or blocks), or fewer networks at a time"
            )
        return self._comm.broadcast(needed + self._gram_bytes() > budget)

    def _gram_bytes(self) -> int:
        size = max(map(len, self._samples.places(0)))
        return 8 * self._rows * (size * (size - 1) // 2)

    def run(self, known: Known | None = None, write: Write | None = None, every: float = 30.0) -> Similarity:
        """Return the result, on every rank; what is known where that is complete.

        Parameters
        ----------
        known : tuple of Similarity and State, optional
            Of a run that was cut short; on rank 0, which tells the others.
        write : callable, optional
            Given what there is so far and what is needed to go on with it, on rank 0; at the end all, and what is
            needed to add passes.
        every : float
            Seconds between two calls of it.

        Raises
        ------
        SurfaceMismatch
            What is known is of something else.
        """
        comm, settings, samples = self._comm, self._settings, self._samples
        with comm.together():
            if comm.rank == 0 and known is not None:
                require_same(self._networks, vars(self._settings), self._problem, known[0])
                if not self._is_all(known):
                    self._restore(known)
        finished = comm.broadcast(known[0] if comm.rank == 0 and known is not None and self._is_all(known) else None)
        if finished is not None:
            return finished
        keeper = Keeper(
            None if write is None or comm.rank else lambda: write(self.result(complete=False), self.state()),
            every,
            self._said,
        )
        with keeper.keeping():
            if settings.components:
                self._find_components(keeper)
            self._pass_over(LAYERS, samples, keeper)
            if settings.without_components:
                kept = self._scores()[:, :, : settings.without_components]
                self._pass_over(COMPONENTS, samples, keeper, kept)
            if settings.without_dominant:
                self._pass_over(DOMINATED, samples.leaving_out(self._left_out()), keeper)
            if settings.procrustes:
                self._measure_procrustes(keeper)
            # In here, so that what was measured is kept where a picture of it fails.
            result = self.result(complete=True) if comm.rank == 0 else None
        if result is not None and write is not None:
            write(result, self.state(complete=True))
        self._batch.forget()
        result = comm.broadcast(result)
        if self._scratch is not None and comm.rank == 0:
            remove_gram_files(self._scratch)
        assert result is not None
        return result

    # -- what is done --------------------------------------------------------------------------------------------

    def _is_all(self, known: Known) -> bool:
        """Whether a file holds all that is asked for."""
        return known[0].complete and known[0].settings.get("passes") == self._settings.passes

    def _restore(self, known: Known) -> None:
        plain, arrays = known[1]
        if plain.get("version", STATE_VERSION) != STATE_VERSION or (known[0].complete and not arrays):
            raise SurfaceMismatch(
                f"{known[0].path or 'what is known'} does not hold the sums that further passes are added to: it is of "
                "an older version; --overwrite it, or write to another file"
            )
        layers = [len(each.layers) for each in self._networks]
        try:
            self._components = restore_components(arrays, layers, len(self._samples), self._wanted)
            if not self._components and known[0].pc_share.size:
                self._before = known[0]
            for name in (LAYERS, COMPONENTS, DOMINATED):
                if f"{name}.passes" in arrays:
                    samples = self._samples if name != DOMINATED else self._samples.leaving_out(self._left_out())
                    self._sums[name] = PairSums(self._rows, samples.shares, self._settings.passes)
                    self._sums[name].restore(name, arrays)
            for name, each in arrays.items():
                if name.startswith("procrustes."):
                    if each.shape != (self._rows, self._rows):
                        raise ValueError(f"{name} is not of {self._rows} layers")
                    self._procrustes[int(name.partition(".")[2])] = each
        except (ValueError, KeyError) as error:
            raise SurfaceMismatch(
                f"{known[0].path or 'what is known'} does not hold what it needs to go on ({error}); --overwrite it"
            ) from error
        self._notes = dict.fromkeys(known[0].notes)

    def state(self, *, complete: bool = False) -> State:
        """Return what is needed to go on; of a complete run what is needed to add passes."""
        needed = not complete or self._settings.without_components or self._settings.without_dominant
        arrays = components_state(self._components) if needed else {}
        for name, each in self._sums.items():
            arrays |= each.state(name)
        arrays |= {f"procrustes.{batch}": each for batch, each in self._procrustes.items()}
        return {"version": STATE_VERSION}, arrays

    def _said(self) -> str:
        done, total = self.batches()
        parts = [f"{done:,} of {total:,} batches"]
        if self._settings.components:
            found = len(self._models) if self._before is not None else len(self._components)
            parts.insert(0, f"components of {found} of {len(self._models)} networks")
        return f"({' and '.join(parts)} are kept, the same command goes on from there)"

    def batches(self) -> tuple[int, int]:
        """Return how many batches are done, and how many there are in all."""
        settings, each = self._settings, self._settings.passes * self._samples.batches
        parts = 1 + bool(settings.without_components) + bool(settings.without_dominant)
        total = parts * each + self._procrustes_batches
        return sum(sums.batches for sums in self._sums.values()) + len(self._procrustes), total

    @property
    def _wanted(self) -> int:
        return max(self._settings.without_components, 1)

    @property
    def _procrustes_batches(self) -> int:
        return min(self._settings.procrustes, self._samples.batches)

    def result(self, *, complete: bool) -> Similarity:
        """Return what is known so far, or all."""
        settings, samples = self._settings, self._samples
        unknown = np.full((self._rows, self._rows), np.nan)
        sums = self._sums.get(LAYERS)
        cka, stderr = sums.cka() if sums is not None else (unknown, unknown)
        found = Similarity(
            self._networks,
            cka,
            stderr,
            len(samples),
            samples.batches,
            0 if sums is None else sums.finished,
            settings.kernel,
            settings={**vars(settings)},
            problem=self._problem,
            notes=tuple(self._notes),
            complete=complete,
        )
        if len(self._components) == len(self._models):
            found = replace(found, **self._of_components())
        elif self._before is not None:
            found = replace(found, **{name: getattr(self._before, name) for name in _OF_COMPONENTS})
        others: dict[str, Floats] = {}
        for name in (COMPONENTS, DOMINATED):
            if name in self._sums and self._sums[name].batches:
                others[name], others[f"{name}_stderr"] = self._sums[name].cka()
        if self._procrustes:
            each = np.stack([self._procrustes[batch] for batch in sorted(self._procrustes)])
            others["procrustes"] = each.mean(0)
            if len(each) > 1:
                others["procrustes_stderr"] = each.std(0, ddof=1) / math.sqrt(len(each))
        found = replace(found, others=others)
        if not complete:
            return found
        found = replace(found, blocks=blocks_of(found))
        return self._with_images(found) if self._components else found

    def _of_components(self) -> dict[str, Any]:
        parts = [self._components[number] for number in range(len(self._models))]
        first = self._scores()[:, :, 0]
        dominant = self._samples.order[np.argsort(-np.abs(first), axis=1, kind="stable")[:, :DOMINANT]]
        dominant[~first.any(1)] = -1
        return {
            "pc_share": np.concatenate([each.share for each in parts]),
            "pc_share_stderr": np.concatenate([each.stderr for each in parts]),
            "pc_residual": np.concatenate([each.residual for each in parts]),
            "pc_cosine": cosines(first),
            "dominant": dominant,
        }

    def _scores(self) -> NDArray[np.float32]:
        return np.concatenate([self._components[number].scores for number in range(len(self._models))])

    def _dominant(self, number: int, of_each: int) -> NDArray[np.int64]:
        """Return the samples that dominate one network, as numbers of the data set."""
        found = self._components[number]
        numbers: NDArray[np.int64] = self._samples.order[most_dominant(found.scores[:, :, 0], found.share, of_each)]
        return numbers

    def _left_out(self) -> NDArray[np.int64]:
        each = [self._dominant(number, self._settings.without_dominant) for number in range(len(self._models))]
        numbers = np.unique(np.concatenate(each))
        if len(self._samples) - len(numbers) < max(len(self._samples) // 2, 4):
            raise EvaluationError(
                f"{len(numbers)} dominant samples of {len(self._models)} networks are most of {len(self._samples)}: "
                "leave out fewer (--without-dominant), or take more samples"
            )
        return numbers

    def _with_images(self, found: Similarity) -> Similarity:
        """Add images of each network's dominant samples, where samples are some, and their classes."""
        each = max(SHOWN // len(self._models), 2)
        numbers = np.concatenate([self._dominant(number, each) for number in range(len(self._models))])
        numbers = numbers[np.sort(np.unique(numbers, return_index=True)[1])][:SHOWN]
        return with_images(found, self._samples, numbers)

    def _described(self) -> dict[str, Any]:
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

    # -- the work ------------------------------------------------------------------------------------------------

    def _say(self, what: str, done: int, total: int) -> None:
        if self._progress is not None and self._comm.rank == 0:
            self._progress(what, done, total)

    def _find_components(self, keeper: Keeper) -> None:
        """Find each network's components, networks shared out over ranks."""
        models = list(self._models.values())
        missing = [number for number in range(len(models)) if number not in self._components]
        todo = self._comm.broadcast(missing if self._before is None else [])

        def keep(place: int, result: Components) -> None:
            with keeper.changing():
                self._components[todo[place]] = result
            self._say("components", len(self._components), len(models))

        self._comm.each(len(todo), lambda place: self._components_of(todo[place]), keep)
        self._components = self._comm.broadcast(self._components)

    def _components_of(self, number: int, batches: Callable[[], Any] | None = None) -> Components:
        device = device_of(list(self._models.values())[number])
        return principal_components(
            self._taps[number],
            self._references[number],
            batches or (lambda: self._samples.in_order(device)),
            wanted=self._wanted,
            budget=resident_budget(torch.device("cpu"), self._comm.local_size) // 2,
        )

    def _pass_over(
        self, name: str, samples: Samples, keeper: Keeper, scores: NDArray[np.float32] | None = None
    ) -> None:
        """Add up CKA of all pairs, batches shared out over ranks."""
        sums = self._sums.setdefault(name, PairSums(self._rows, samples.shares, self._settings.passes))
        total = self._settings.passes * samples.batches
        while True:
            number, todo = self._comm.broadcast((sums.finished, sums.todo()))
            if not todo:
                return
            parts = samples.places(number)

            def measure(
                place: int, todo: list[int] = todo, parts: list[NDArray[np.int64]] = parts, number: int = number
            ) -> tuple[Floats, dict[int, int]]:
                return self._batch.hsic(samples, parts[todo[place]], scores, f"{name}-{number}-{todo[place]}")

            def keep(place: int, result: Hsic, todo: list[int] = todo) -> None:
                with keeper.changing():
                    sums.add(todo[place], result[0])
                    self._note_failures(result[1])
                self._say(_WORDS[name], sums.batches, total)

            self._comm.each(len(todo), measure, keep)

    def _measure_procrustes(self, keeper: Keeper) -> None:
        """Measure the Procrustes distance of all pairs on the first batches of the first pass."""
        total = self._procrustes_batches
        todo = self._comm.broadcast([batch for batch in range(total) if batch not in self._procrustes])
        parts = self._samples.places(0)

        def keep(place: int, result: Floats) -> None:
            with keeper.changing():
                self._procrustes[todo[place]] = result
            self._say("Procrustes", len(self._procrustes), total)

        self._comm.each(len(todo), lambda place: self._batch.distances(self._samples, parts[todo[place]]), keep)

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

    # -- what it takes ---------------------------------------------------------------------------------------------

    def cost(self, known: Known | None = None) -> SimilarityCost:
        """Measure one batch, and one of each network for its components, and say what all will take."""
        settings, samples = self._settings, self._samples
        if known is not None:
            require_same(self._networks, vars(self._settings), self._problem, known[0])
            if not self._is_all(known):
                self._restore(known)
        complete = known is not None and self._is_all(known)
        places = samples.places(0)[0]

        def timed(measure: Callable[[], Any]) -> float:
            began = time.perf_counter()
            measure()
            return time.perf_counter() - began

        done, total = self.batches()
        done = total if complete else done
        procrustes = 0 if complete else self._procrustes_batches - len(self._procrustes)
        pairs = total - done - procrustes
        seconds = pairs * timed(lambda: self._batch.hsic(samples, places, None)) if pairs else 0.0
        if procrustes:
            seconds += procrustes * timed(lambda: self._batch.distances(samples, places))
        if settings.components and not complete and self._before is None:
            for number, model in enumerate(self._models.values()):
                if number not in self._components:
                    batches = [samples.fetch(places, device_of(model))]
                    # All passes over all batches at most: where components are clear, two passes do.
                    seconds += samples.batches * timed(partial(self._components_of, number, partial(list, batches)))
        widest = max(max((each.features for each in known), default=0) for known in self._references)
        directions = 4 * (3 * (self._wanted + SPARE) + 3)
        features = max(sum(each.features for each in known) for known in self._references)
        return SimilarityCost(
            len(self._models),
            self._rows,
            len(samples),
            total,
            done,
            seconds / self._comm.size,
            self._comm.size,
            _MATRICES * 8 * self._rows**2,
            self._gram_bytes(),
            2 * 4 * widest * len(places),
            min(directions * features, resident_budget(torch.device("cpu"), self._comm.local_size) // 2)
            if settings.components
            else 0,
            self._batch.on_disk,
        )
