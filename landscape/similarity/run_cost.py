"""What a run of similarity will take, time and memory, from one batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from landscape.similarity.components import SPARE
from landscape.similarity.layer_analysis import Analysis
from landscape.similarity.partial_results import Known
from landscape.similarity.shuffled_batches import device_of


@dataclass(frozen=True)
class SimilarityCost:
    """What a run will take."""

    networks: int
    layers: int  # of all networks
    samples: int
    batches: int  # of all passes, of everything that is measured
    done: int  # of them, in the file already
    seconds: float  # estimated from one batch
    ranks: int
    matrix_bytes: int  # sums over all pairs of layers
    gram_bytes: int  # Gram matrices of one batch, in each process
    feature_bytes: int  # the largest layer's features of one batch, twice, in each process
    component_bytes: int  # directions of the network that has most
    on_disk: bool  # whether Gram matrices do not fit into memory


def measured_cost(analysis: Analysis, known: Known | None = None) -> SimilarityCost:
    """Measure one batch, and one of each network for its components, and say what all will take.

    Raises
    ------
    SurfaceMismatch
        What is known is of something else.
    """
    settings, samples, results = analysis.settings, analysis.samples, analysis.results
    if known is not None:
        results.restore(known)
    complete = known is not None and results.is_all(known)
    places = samples.places(0)[0]

    def timed(measure: Callable[[], Any]) -> float:
        began = time.perf_counter()
        measure()
        return time.perf_counter() - began

    done, total = results.batches()
    done = total if complete else done
    procrustes = 0 if complete else results.procrustes_batches - len(results.procrustes)
    pairs = total - done - procrustes
    seconds = pairs * timed(lambda: analysis.batch.hsic(samples, places, None)) if pairs else 0.0
    if procrustes:
        seconds += procrustes * timed(lambda: analysis.batch.distances(samples, places))
    for number in [] if complete else results.missing_components():
        batches = [samples.fetch(places, device_of(analysis.compared.models[number]))]
        # All passes over all batches at most: where components are clear, two passes do.
        seconds += samples.batches * timed(partial(analysis.components_of, number, partial(list, batches)))
    features = [[each.features for each in known] for known in analysis.compared.references]
    widest, most = max(max(each, default=0) for each in features), max(map(sum, features))
    directions = 4 * (3 * (results.wanted + SPARE) + 3)
    return SimilarityCost(
        len(analysis.compared),
        analysis.compared.rows,
        len(samples),
        total,
        done,
        seconds / analysis.comm.size,
        analysis.comm.size,
        analysis.matrix_bytes,
        analysis.gram_bytes,
        2 * 4 * widest * len(places),
        min(directions * most, analysis.budget // 2) if settings.components else 0,
        analysis.batch.on_disk,
    )
