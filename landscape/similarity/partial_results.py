"""What a run of similarity has found so far: kept and restored, and what makes up its result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import EvaluationError, SurfaceMismatch
from landscape.problem.data.datasets import fingerprint
from landscape.similarity.compared_networks import ComparedNetworks
from landscape.similarity.components import Components, cosines
from landscape.similarity.grams import UNEVEN
from landscape.similarity.same_run import require_same
from landscape.similarity.sample_images import with_images
from landscape.similarity.shuffled_batches import Samples
from landscape.similarity.similarity_settings import Settings
from landscape.similarity.unfinished import PairSums, State, components_state, restore_components
from landscape.surface.grid import Floats
from landscape.surface.reports.block_structure import blocks_of
from landscape.surface.reports.dominant_samples import most_dominant
from landscape.surface.reports.similarity import Similarity

Known = tuple[Similarity, State]

# Dominant samples that are kept of each layer, and shown of all networks together.
DOMINANT, SHOWN = 10, 16
FINGERPRINT_SAMPLES = 1024
# Of what a run needs to go on: sums of another version are of other Gram matrices, and are not added to.
STATE_VERSION = 3
_OF_COMPONENTS = ("pc_share", "pc_share_stderr", "pc_residual", "pc_cosine", "dominant")
_IMAGES = ("images", "pictured", "labels")
# What is added up over passes.
LAYERS, COMPONENTS, DOMINATED = "layers", "without_components", "without_dominant"


class PartialResults:
    """Components of networks, sums over batches, Procrustes distances and notes.

    They are on rank 0 alone; components on all ranks once there are all.

    Parameters
    ----------
    compared : ComparedNetworks
    data : str
        Name of the data set.
    samples : Samples
    settings : Settings
    """

    def __init__(self, compared: ComparedNetworks, data: str, samples: Samples, settings: Settings) -> None:
        self._compared, self._samples, self._settings = compared, samples, settings
        self.components: dict[int, Components] = {}
        self.procrustes: dict[int, Floats] = {}
        self._sums: dict[str, PairSums] = {}
        self._notes = dict.fromkeys(compared.notes)
        # A file's result with the components of all its networks, which is gone on with.
        self._before: Similarity | None = None
        self.problem = {
            "data": data,
            "reference": samples.data.reference,
            "size": None if samples.data.streamed else samples.data.size,
            "fingerprint": fingerprint(samples.data, samples.order[:FINGERPRINT_SAMPLES]),
            "normalize": samples.data.normalize,
            "mode": "eval",
        }

    # -- what was kept of a run before ---------------------------------------------------------------------------

    def is_all(self, known: Known) -> bool:
        """Whether a file holds all that is asked for."""
        return known[0].complete and known[0].settings.get("passes") == self._settings.passes

    def restore(self, known: Known) -> None:
        """Take what a run before has kept, where it is not all; SurfaceMismatch where it is of something else."""
        require_same(self._compared.networks, vars(self._settings), self.problem, known[0])
        if self.is_all(known):
            return
        plain, arrays = known[1]
        path, version = known[0].path or "what is known", plain.get("version")
        if arrays and version != STATE_VERSION:
            raise SurfaceMismatch(
                f"{path} holds sums of version {version}, this landscape makes those of version {STATE_VERSION}, and "
                "the two are not mixed; --overwrite it, or write to another file"
            )
        if known[0].complete and not arrays:
            raise SurfaceMismatch(
                f"{path} does not hold the sums that further passes are added to; --overwrite it, or write to another "
                "file"
            )
        rows, layers = self._compared.rows, [len(each.layers) for each in self._compared.networks]
        try:
            self.components = restore_components(arrays, layers, len(self._samples), self.wanted)
            if known[0].pc_share.size:
                self._before = known[0]
            for name in (LAYERS, COMPONENTS, DOMINATED):
                if f"{name}.passes" in arrays:
                    samples = self._samples if name != DOMINATED else self._samples.leaving_out(self.left_out())
                    self.sums(name, samples).restore(name, arrays)
            for name, each in arrays.items():
                if name.startswith("procrustes."):
                    if each.shape != (rows, rows):
                        raise ValueError(f"{name} is not of {rows} layers")
                    self.procrustes[int(name.partition(".")[2])] = each
        except (ValueError, KeyError) as error:
            raise SurfaceMismatch(f"{path} does not hold what it needs to go on ({error}); --overwrite it") from error
        self._notes |= dict.fromkeys(known[0].notes)

    def state(self, *, complete: bool = False) -> State:
        """Return what is needed to go on; of a complete run what is needed to add passes."""
        needed = not complete or self._settings.without_components or self._settings.without_dominant
        arrays = components_state(self.components) if needed else {}
        for name, each in self._sums.items():
            arrays |= each.state(name)
        arrays |= {f"procrustes.{batch}": each for batch, each in self.procrustes.items()}
        return {"version": STATE_VERSION}, arrays

    # -- what is done, and what there is to do -------------------------------------------------------------------

    def sums(self, name: str, samples: Samples) -> PairSums:
        """Return what is added up over all passes under a name."""
        if name not in self._sums:
            self._sums[name] = PairSums(self._compared.rows, samples.shares, self._settings.passes)
        return self._sums[name]

    def missing_components(self) -> list[int]:
        """Return the networks whose components are still to be found."""
        if not self._settings.components or self._before is not None:
            return []
        return [number for number in range(len(self._compared)) if number not in self.components]

    @property
    def wanted(self) -> int:
        """Components of each layer."""
        return max(self._settings.without_components, 1)

    @property
    def procrustes_batches(self) -> int:
        """Batches on which the Procrustes distance is measured."""
        return min(self._settings.procrustes, self._samples.batches)

    def batches(self) -> tuple[int, int]:
        """Return how many batches are done, and how many there are in all."""
        settings, each = self._settings, self._settings.passes * self._samples.batches
        parts = 1 + bool(settings.without_components) + bool(settings.without_dominant)
        total = parts * each + self.procrustes_batches
        return sum(sums.batches for sums in self._sums.values()) + len(self.procrustes), total

    def done(self) -> str:
        """Return in words how much there is."""
        done, total = self.batches()
        parts = [f"{done:,} of {total:,} batches"]
        if self._settings.components:
            found = len(self._compared) - len(self.missing_components())
            parts.insert(0, f"components of {found} of {len(self._compared)} networks")
        return " and ".join(parts)

    def said(self) -> str:
        """Return what is kept, for the last message of a run that ends early."""
        return f"({self.done()} are kept, the same command goes on from there)"

    def note_failures(self, failures: Mapping[int, int]) -> None:
        """Note layers that are not finite: row -> the first such sample, or `UNEVEN`."""
        for row, sample in failures.items():
            network, layer = self._compared.place(row)
            if sample == UNEVEN:
                module = network.layers[layer] or "the network"
                self._notes[f"{network.name}: how often {module} is called depends on the samples: left out"] = None
                continue
            key = f"{network.name}: layer {network.labels[layer]} is not finite"
            if not any(note.startswith(key) for note in self._notes):
                self._notes[f"{key} at sample {sample}, and is left out"] = None

    # -- the result ----------------------------------------------------------------------------------------------

    def result(self, *, complete: bool) -> Similarity:
        """Return what is known so far, or all."""
        settings, samples, rows = self._settings, self._samples, self._compared.rows
        unknown = np.full((rows, rows), np.nan)
        sums = self._sums.get(LAYERS)
        cka, stderr = sums.cka() if sums is not None else (unknown, unknown)
        found = Similarity(
            self._compared.networks,
            cka,
            stderr,
            len(samples),
            samples.batches,
            0 if sums is None else sums.finished,
            settings.kernel,
            settings={**vars(settings)},
            problem=self.problem,
            notes=tuple(self._notes),
            complete=complete,
            done="" if complete else self.done(),
        )
        if len(self.components) == len(self._compared):
            found = replace(found, **self._of_components())
        if self._before is not None:
            # Images too, of which an unfinished run makes no others.
            names = _IMAGES if found.pc_share.size else (*_OF_COMPONENTS, *_IMAGES)
            found = replace(found, **{name: getattr(self._before, name) for name in names})
        found = replace(found, others=self._others())
        if found.passes:
            found = replace(found, blocks=blocks_of(found))
        return self._with_images(found) if complete and self.components else found

    def _others(self) -> dict[str, Floats]:
        others: dict[str, Floats] = {}
        for name in (COMPONENTS, DOMINATED):
            if name in self._sums and self._sums[name].batches:
                others[name], others[f"{name}_stderr"] = self._sums[name].cka()
        if self.procrustes:
            each = np.stack([self.procrustes[batch] for batch in sorted(self.procrustes)])
            others["procrustes"] = each.mean(0)
            if len(each) > 1:
                others["procrustes_stderr"] = each.std(0, ddof=1) / math.sqrt(len(each))
        return others

    def _of_components(self) -> dict[str, Any]:
        parts = [self.components[number] for number in range(len(self._compared))]
        first = self.scores()[:, :, 0]
        dominant = self._samples.order[np.argsort(-np.abs(first), axis=1, kind="stable")[:, :DOMINANT]]
        dominant[~first.any(1)] = -1
        return {
            "pc_share": np.concatenate([each.share for each in parts]),
            "pc_share_stderr": np.concatenate([each.stderr for each in parts]),
            "pc_residual": np.concatenate([each.residual for each in parts]),
            "pc_cosine": cosines(first),
            "dominant": dominant,
        }

    def scores(self) -> NDArray[np.float32]:
        """Return the scores of all layers on their components, shape (rows, samples, components)."""
        return np.concatenate([self.components[number].scores for number in range(len(self._compared))])

    def _dominant(self, number: int, of_each: int) -> NDArray[np.int64]:
        """Return the samples that dominate one network, as numbers of the data set."""
        found = self.components[number]
        numbers: NDArray[np.int64] = self._samples.order[most_dominant(found.scores[:, :, 0], found.share, of_each)]
        return numbers

    def left_out(self) -> NDArray[np.int64]:
        """Return the samples that dominate some network; EvaluationError where too few others are left."""
        each = [self._dominant(number, self._settings.without_dominant) for number in range(len(self._compared))]
        numbers = np.unique(np.concatenate(each))
        if len(self._samples) - len(numbers) < max(len(self._samples) // 2, 4):
            raise EvaluationError(
                f"{len(numbers)} dominant samples of {len(self._compared)} networks are most of {len(self._samples)}: "
                "leave out fewer (--without-dominant), or take more samples"
            )
        return numbers

    def _with_images(self, found: Similarity) -> Similarity:
        """Add images of each network's dominant samples, where samples are some, and their classes."""
        each = max(SHOWN // len(self._compared), 2)
        numbers = np.concatenate([self._dominant(number, each) for number in range(len(self._compared))])
        numbers = numbers[np.sort(np.unique(numbers, return_index=True)[1])][:SHOWN]
        return with_images(found, self._samples, numbers)
