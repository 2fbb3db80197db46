"""One run of similarity, from networks and samples to the result: components first, then passes over batches.

What is done is kept as it comes (`landscape.similarity.partial_results`), so that a run that was cut short goes on.
Networks are shared out over ranks for their components, batches for everything else: all pairs of layers of a batch are
one product, for which all layers have to be in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from landscape.engine.memory import resident_budget
from landscape.errors import EvaluationError
from landscape.parallel.comm import current_comm
from landscape.similarity.batch_comparison import BatchComparison, Hsic
from landscape.similarity.compared_networks import ComparedNetworks
from landscape.similarity.components import Components, principal_components
from landscape.similarity.gram_file import identity_of, remove_gram_files
from landscape.similarity.partial_results import COMPONENTS, DOMINATED, LAYERS, STATE_VERSION, Known, PartialResults
from landscape.similarity.shuffled_batches import Samples, device_of
from landscape.similarity.similarity_settings import Settings
from landscape.similarity.unfinished import PeriodicWriter, State
from landscape.surface.grid import Floats
from landscape.surface.reports.similarity import Similarity

# Told what is done, how much of it, and how much there is.
Progress = Callable[[str, int, int], None]
Write = Callable[[Similarity, State | None], None]

# Matrices of all pairs that are held at once, float64: four sums of passes, four of the pass that runs, and two more.
_MATRICES = 10
# What a progress bar calls the passes.
_WORDS = {LAYERS: "layers", COMPONENTS: "without components", DOMINATED: "without dominant samples"}


def unit_of(stage: str) -> str:
    """Return what is counted while a stage goes on."""
    return "networks" if stage == "components" else "batches"


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
        self.samples, self.settings, self._progress, self._scratch = samples, settings, progress, scratch
        self.comm = current_comm()
        self.compared = ComparedNetworks(models, samples.data.name, samples, settings, groups, about)
        self.results = PartialResults(self.compared, data, samples, settings)
        what = {"settings": {**vars(settings), "passes": 0}, "problem": self.results.problem, "version": STATE_VERSION}
        self.batch = BatchComparison(
            self.compared.models,
            self.compared.taps,
            self.compared.references,
            settings.kernel,
            on_disk=self._require_memory(),
            scratch=scratch,
            identity=identity_of({"networks": self.compared.networks, **what}),
        )

    @property
    def budget(self) -> int:
        """Bytes that may be used."""
        return resident_budget(torch.device("cpu"), self.comm.local_size)

    @property
    def matrix_bytes(self) -> int:
        """Bytes of sums over all pairs of layers."""
        return _MATRICES * 8 * self.compared.rows**2

    @property
    def gram_bytes(self) -> int:
        """Bytes of the Gram matrices of one batch."""
        size = max(map(len, self.samples.places(0)))
        return 8 * self.compared.rows * (size * (size - 1) // 2)

    def _require_memory(self) -> bool:
        """Return whether the Gram matrices of a batch have to lie on disk; EvaluationError where pairs do not fit."""
        needed, budget = self.matrix_bytes, self.budget
        if needed > budget:
            raise EvaluationError(
                f"{self.compared.rows:,} layers in all have matrices of {needed / 2**30:,.1f} GiB, and "
                f"{budget / 2**30:,.1f} GiB may be used: choose layers (--layers REGEX or blocks), or fewer networks "
                "at a time"
            )
        return self.comm.broadcast(needed + self.gram_bytes > budget)

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
        comm, settings, samples, results = self.comm, self.settings, self.samples, self.results
        finished = None
        with comm.together():
            if comm.rank == 0 and known is not None:
                results.restore(known)
                finished = known[0] if results.is_all(known) else None
        finished = comm.broadcast(finished)
        if finished is not None:
            return finished
        keeper = PeriodicWriter(
            None if write is None or comm.rank else lambda: write(results.result(complete=False), results.state()),
            every,
            results.said,
        )
        with keeper.keeping():
            if settings.components:
                self._find_components(keeper)
            self._pass_over(LAYERS, samples, keeper)
            if settings.without_components:
                kept = results.scores()[:, :, : settings.without_components]
                self._pass_over(COMPONENTS, samples, keeper, kept)
            if settings.without_dominant:
                self._pass_over(DOMINATED, samples.leaving_out(results.left_out()), keeper)
            if settings.procrustes:
                self._measure_procrustes(keeper)
            # In here, so that what was measured is kept where a picture of it fails.
            result = results.result(complete=True) if comm.rank == 0 else None
        if result is not None and write is not None:
            write(result, results.state(complete=True))
        self.batch.forget()
        result = comm.broadcast(result)
        if self._scratch is not None and comm.rank == 0:
            remove_gram_files(self._scratch)
        assert result is not None
        return result

    def _say(self, what: str, done: int, total: int) -> None:
        if self._progress is not None and self.comm.rank == 0:
            self._progress(what, done, total)

    def _find_components(self, keeper: PeriodicWriter) -> None:
        """Find each network's components, networks shared out over ranks."""
        results, total = self.results, len(self.compared)
        todo = self.comm.broadcast(results.missing_components())

        def keep(place: int, result: Components) -> None:
            with keeper.changing():
                results.components[todo[place]] = result
            self._say("components", len(results.components), total)

        self.comm.each(len(todo), lambda place: self.components_of(todo[place]), keep)
        results.components = self.comm.broadcast(results.components)

    def components_of(self, number: int, batches: Callable[[], Any] | None = None) -> Components:
        """Return one network's components, over all samples or the batches that are given."""
        device = device_of(self.compared.models[number])
        return principal_components(
            self.compared.taps[number],
            self.compared.references[number],
            batches or (lambda: self.samples.in_order(device)),
            wanted=self.results.wanted,
            budget=self.budget // 2,
        )

    def _pass_over(
        self, name: str, samples: Samples, keeper: PeriodicWriter, scores: NDArray[np.float32] | None = None
    ) -> None:
        """Add up CKA of all pairs, batches shared out over ranks."""
        sums = self.results.sums(name, samples)
        total = self.settings.passes * samples.batches
        while True:
            number, todo = self.comm.broadcast((sums.finished, sums.todo()))
            if not todo:
                return
            parts = samples.places(number)

            def measure(
                place: int, todo: list[int] = todo, parts: list[NDArray[np.int64]] = parts, number: int = number
            ) -> tuple[Floats, dict[int, int]]:
                return self.batch.hsic(samples, parts[todo[place]], scores, f"{name}-{number}-{todo[place]}")

            def keep(place: int, result: Hsic, todo: list[int] = todo) -> None:
                with keeper.changing():
                    sums.add(todo[place], result[0])
                    self.results.note_failures(result[1])
                self._say(_WORDS[name], sums.batches, total)

            self.comm.each(len(todo), measure, keep)

    def _measure_procrustes(self, keeper: PeriodicWriter) -> None:
        """Measure the Procrustes distance of all pairs on the first batches of the first pass."""
        found, total = self.results.procrustes, self.results.procrustes_batches
        todo = self.comm.broadcast([batch for batch in range(total) if batch not in found])
        parts = self.samples.places(0)

        def keep(place: int, result: Floats) -> None:
            with keeper.changing():
                found[todo[place]] = result
            self._say("Procrustes", len(found), total)

        self.comm.each(len(todo), lambda place: self.batch.distances(self.samples, parts[todo[place]]), keep)
