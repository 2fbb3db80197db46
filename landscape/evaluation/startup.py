"""The start of a run: precision and batch size chosen, theta* measured, on rank 0; the other ranks agree.

What rank 0 chose is broadcast, and each rank compares its own network, data and directions with rank 0's before it
takes any work.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace

import torch

from landscape.engine.memory import is_out_of_memory
from landscape.errors import ClusterError, EvaluationError
from landscape.evaluation.forward_pass.baseline import Baseline, measure_baseline, require_same_start
from landscape.evaluation.forward_pass.forward import WORTH_TIMING, Forward, choose, install, time_batch_sizes
from landscape.evaluation.forward_pass.objective import DEFAULT_BATCH_SIZE, Objective
from landscape.evaluation.forward_pass.sample_values import SampleValues
from landscape.evaluation.losses_and_metrics import LossesAndMetrics
from landscape.evaluation.settings import PRECISIONS
from landscape.evaluation.setup import Setup
from landscape.problem.references import failure

logger = logging.getLogger(__name__)


def measure_start(setup: Setup) -> LossesAndMetrics:
    """Measure theta* on rank 0; the others take its choices and values, once they have found them true.

    Raises
    ------
    ClusterError
        The directions of a rank are not those of rank 0.
    EvaluationError
        The loss fails, is not the same when measured again, or does not fit into memory.
    """
    digests = [axis.sha256 for axis in setup.axes]
    if setup.comm.rank == 0:
        objective, forward, baseline = _first_measurement(setup)
        setup.comm.broadcast((forward, baseline, digests))
        return LossesAndMetrics(setup, objective, forward, baseline)
    made = _made_ahead(setup)
    forward, baseline, first = setup.comm.broadcast((Forward(), Baseline(SampleValues(), (), 0.0), [""]))
    if made is None or made[1] != replace(forward, measured={}):
        made = None  # lets go of its weights before others are made
        objective = _objective(setup, forward.batch_size)
        install(objective, forward, setup.displacement.start)
    else:
        objective = made[0]
    if digests != first:
        raise ClusterError(
            "the directions here are not those of rank 0, though built by the same recipe: use the same version of "
            "torch on all hosts, or pass a file of directions"
        )
    objective.require_fresh(setup.displacement.start)
    require_same_start(objective, baseline)
    objective.watch_caches()
    return LossesAndMetrics(setup, objective, forward, baseline)


def _made_ahead(setup: Setup) -> tuple[Objective, Forward] | None:
    """Make the engine that rank 0 will most likely choose, while rank 0 makes its own and measures theta*.

    None where that is to be measured first, or where it fails: then it fails again when rank 0's choice is made, at the
    place and with the words it would fail with anyway.
    """
    s = setup.settings
    if s.precision == "auto":
        return None
    forward = Forward(
        s.precision,
        compile=s.compile,
        batch_size=_known_batch_size(setup) or DEFAULT_BATCH_SIZE,
        low_memory=s.low_memory,
    )
    try:
        objective = _objective(setup, forward.batch_size)
        try:
            install(objective, forward, setup.displacement.start)
        finally:
            objective.watch_caches()  # what making it left in the network is none of it for the next objective
    except Exception as error:
        logger.debug("the engine could not be made ahead: %s", error)
        return None
    return objective, forward


def _objective(setup: Setup, batch_size: int) -> Objective:
    s = setup.settings
    return Objective(
        setup.model,
        setup.sets,
        setup.loss,
        samples=setup.samples,
        sample_seed=s.sample_seed,
        batch_size=batch_size,
        batch_norm=s.batch_norm,
        batch_norm_data=s.batch_norm_data,
        mode=s.mode,
        noise=s.noise,
        users=setup.comm.local_size,
    )


def _first_measurement(setup: Setup) -> tuple[Objective, Forward, Baseline]:
    """Measure theta*; a batch that does not fit into memory is halved and tried again, once."""
    known = _known_batch_size(setup)
    batch_size = known or DEFAULT_BATCH_SIZE
    for last in (False, True):
        objective = _objective(setup, batch_size)
        try:
            objective.require_fresh(setup.displacement.start)
            forward = _choose_forward(setup, objective)
            install(objective, forward, setup.displacement.start)
            baseline = measure_baseline(objective)
            objective.watch_caches()
            # A size that losses go by is not chosen by the clock: it would be another on the next machine. With noise,
            # or statistics recomputed, it changes no more than another draw of the same does; in training mode batches
            # are normalised by themselves, and the smaller they are the higher is the loss.
            free = known is None and not baseline.by_batch and objective.mode == "eval"
            if free and not last and baseline.seconds * _points(setup) >= WORTH_TIMING:
                batch_size = time_batch_sizes(objective)
                objective.watch_caches()  # what trying left in the network is none of it for the next objective
                if batch_size != objective.batch_size:
                    # All anew: values, and recomputed statistics, are to be what batches of this size give everywhere.
                    objective, forward = _objective(setup, batch_size), replace(forward, batch_size=batch_size)
                    install(objective, forward, setup.displacement.start)
                    baseline = measure_baseline(objective)
                    objective.watch_caches()
            return objective, forward, baseline
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if last or batch_size == 1:
                raise EvaluationError(
                    f"out of memory with batches of {batch_size} on {objective.device}: {failure(error)}; "
                    "pass a smaller --batch-size (batch_size=), or another device"
                ) from error
        batch_size //= 2
        logger.warning("out of memory; trying again with batches of %d", batch_size)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    raise AssertionError("the second attempt returns or raises")


def _known_batch_size(setup: Setup) -> int | None:
    """Return the batch size that the user, the file or the data's own loader say."""
    hints = [each.batch_size for each in setup.sets.values() if each.batch_size]
    stored = setup.stored.quality.get("batch_size") if setup.stored is not None else None
    kept = stored if isinstance(stored, int) and stored > 0 else None
    return setup.settings.batch_size or kept or (hints[0] if hints else None)


def _points(setup: Setup) -> int:
    return math.prod(len(values) for values in setup.settings.ranges()) * setup.settings.repeats


def _choose_forward(setup: Setup, objective: Objective) -> Forward:
    """Choose the precision, unless a file that is gone on with has chosen."""
    s = setup.settings
    stored = "" if setup.stored is None else str(setup.stored.quality.get("precision", ""))
    if s.precision == "float32" or stored:
        # Another name than these is that of the network's own, which "float32" stands for.
        known = stored if stored in PRECISIONS else "float32"
        forward = Forward(known if s.precision == "auto" else s.precision, low_memory=s.low_memory)
    else:
        forward = choose(
            objective,
            setup.displacement,
            s.ranges(),
            s.precision_tolerance,
            asked=s.precision,
            low_memory=s.low_memory,
        )
    return replace(forward, batch_size=objective.batch_size, compile=s.compile)
