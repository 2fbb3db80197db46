"""The start of a run: precision and batch size chosen, theta* measured, on rank 0; the other ranks agree.

What rank 0 chose is broadcast, and each rank compares its own network, data and directions with rank 0's before it
takes any work.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from landscape.baseline import Baseline, measure_baseline, require_same_start
from landscape.comm import current_comm
from landscape.errors import ClusterError, EvaluationError
from landscape.forward import Forward, choose, install, time_batch_sizes
from landscape.losses import Loss
from landscape.memory import is_out_of_memory
from landscape.motion import Motion
from landscape.objective import DEFAULT_BATCH_SIZE, Objective, SampleValues
from landscape.references import failure
from landscape.samples import Data
from landscape.settings import PRECISIONS, Settings
from landscape.surface import Surface

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """Everything a measurement at theta* takes."""

    model: nn.Module
    sets: Mapping[str, Data]
    loss: Loss
    settings: Settings
    samples: int | None
    stored: Surface | None  # what the file holds already; rank 0 alone knows
    motion: Motion

    def measure(self, digests: list[str]) -> tuple[Objective, Forward, Baseline]:
        """Measure theta* on rank 0; the others take its choices and values, once they have found them true.

        Parameters
        ----------
        digests : list of str
            Of the directions, which have to be the same on all ranks.
        """
        comm = current_comm()
        if comm.rank == 0:
            objective, forward, baseline = self._first_measurement()
            comm.broadcast((forward, baseline, digests))
            return objective, forward, baseline
        forward, baseline, first = comm.broadcast((Forward(), Baseline(SampleValues(), (), 0.0), [""]))
        objective = self._objective(forward.batch_size)
        install(objective, forward, self.motion.start)
        if digests != first:
            raise ClusterError(
                "the directions here are not those of rank 0, though built by the same recipe: use the same version of "
                "torch on all hosts, or pass a file of directions"
            )
        require_same_start(objective, baseline)
        return objective, forward, baseline

    def _objective(self, batch_size: int) -> Objective:
        s = self.settings
        return Objective(
            self.model,
            self.sets,
            self.loss,
            samples=self.samples,
            sample_seed=s.sample_seed,
            batch_size=batch_size,
            batch_norm=s.batch_norm,
            batch_norm_data=s.batch_norm_data,
            mode=s.mode,
            users=current_comm().local_size,
        )

    def _first_measurement(self) -> tuple[Objective, Forward, Baseline]:
        """Measure theta*; a batch that does not fit into memory is halved and tried again, once."""
        batch_size = self._known_batch_size()
        for attempt in range(2):
            objective = self._objective(batch_size or DEFAULT_BATCH_SIZE)
            try:
                forward = self._choose_forward(objective, time_sizes=batch_size is None)
                batch_size = forward.batch_size
                objective.batch_size = batch_size
                install(objective, forward, self.motion.start)
                return objective, forward, measure_baseline(objective)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                batch_size = batch_size or DEFAULT_BATCH_SIZE
                if attempt or batch_size == 1:
                    raise EvaluationError(
                        f"out of memory with batches of {batch_size} on {objective.device}: {failure(error)}; "
                        "pass a smaller --batch-size (batch_size=), or another device"
                    ) from error
            batch_size = max(batch_size // 2, 1)
            logger.warning("out of memory; trying again with batches of %d", batch_size)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        raise AssertionError("the second attempt returns or raises")

    def _known_batch_size(self) -> int | None:
        """Return the batch size that the user, the file or the data's own loader say."""
        hints = [each.batch_size for each in self.sets.values() if each.batch_size]
        stored = self.stored.quality.get("batch_size") if self.stored is not None else None
        kept = stored if isinstance(stored, int) and stored > 0 else None
        return self.settings.batch_size or kept or (hints[0] if hints else None)

    def _choose_forward(self, objective: Objective, *, time_sizes: bool) -> Forward:
        """Choose precision and batch size, unless a file that is gone on with has chosen."""
        s = self.settings
        stored = "" if self.stored is None else str(self.stored.quality.get("precision", ""))
        if s.precision == "float32" or stored in PRECISIONS:
            forward = Forward(stored if s.precision == "auto" else s.precision, s.compile, low_memory=s.low_memory)
        else:
            how: dict[str, Any] = {"asked": s.precision, "low_memory": s.low_memory}
            forward = choose(objective, self.motion, s.ranges(), s.precision_tolerance, **how)
        batch_size = objective.batch_size
        if time_sizes:
            install(objective, forward, self.motion.start)
            batch_size = time_batch_sizes(objective, math.prod(len(values) for values in s.ranges()) * s.repeats)
        return replace(forward, batch_size=batch_size, compile=s.compile)
