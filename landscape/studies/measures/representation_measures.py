"""What a study measures of what a network computes: how alike its layers are, and how it stands attacks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from landscape.studies.measures.measure_parts import Numbers, chosen_data, one_network, write_curve
from landscape.studies.study import Context


def block(
    context: Context,
    *,
    layers: str | None = None,
    samples: int | None = None,
    data: str = "test",
    batch_size: int = 256,
    passes: int = 4,
) -> Numbers:
    """Measure a network's block structure: layers that are all alike (`landscape.surface.reports.block_structure`).

    Parameters
    ----------
    layers : str, optional
        A regular expression; see `landscape.similarity`.
    samples, data, batch_size, passes
        On what layers are compared.

    Returns
    -------
    dict
        ``extent``: the block's share of all layers, 0 where there is none; ``alike``: mean CKA of different layers;
        ``first_component``: mean share of the first principal component over layers.
    """
    from landscape.files.reports.similarity_file import write_similarity
    from landscape.similarity.layer_similarity import measure_similarity

    network = one_network(context)
    found = measure_similarity(
        {network.variant: network.model()},
        chosen_data(context, [data]),
        layers=layers,
        samples=samples,
        sample_seed=context.seed,
        batch_size=batch_size,
        passes=passes,
        progress=False,
    )
    write_similarity(context.folder / "similarity.h5", found)
    number = len(found.cka)
    pairs = found.cka[~np.eye(number, dtype=bool)]
    pairs = pairs[np.isfinite(pairs)]
    shares = found.pc_share[np.isfinite(found.pc_share)]
    seen = found.blocks[0] if found.blocks else None
    return {
        "extent": seen.extent / number if seen else 0.0,
        "alike": float(pairs.mean()) if len(pairs) else math.nan,
        "first_component": float(shares.mean()) if len(shares) else math.nan,
    }


def attacks(
    context: Context,
    *,
    epsilons: Sequence[float] = (0.05, 0.1, 0.2),
    norm: str = "linf",
    steps: int = 10,
    restarts: int = 1,
    samples: int | None = None,
    data: str = "test",
    clip: Sequence[float] = (0.0, 1.0),
) -> Numbers:
    """Measure accuracy under attack at several strengths (`landscape.robustness`).

    Returns
    -------
    dict
        ``accuracy_1``, ``accuracy_2``, ...: of samples that stay right under all attacks that follow
        gradients, at each strength in turn;
        ``clean_accuracy``; ``suspicious``: how many checks speak against the attacks, so that accuracies may be too
        high.
    """
    from landscape.files.reports.robustness_file import write_robustness
    from landscape.inputs.robustness import robustness

    network = one_network(context)
    low, high = clip
    found = robustness(
        network.model(),
        chosen_data(context, [data]),
        epsilons=tuple(epsilons),
        norm=norm,
        loss=network.recipe.loss,
        steps=steps,
        restarts=restarts,
        clip=(low, high),
        samples=samples,
        sample_seed=context.seed,
        progress=context.progress,
    )
    write_robustness(context.folder / "robustness.h5", found)
    right = found.accuracy()
    write_curve(context, "accuracy", {"epsilon": found.epsilons, "accuracy": right})
    numbers = {f"accuracy_{number + 1}": float(each) for number, each in enumerate(right)}
    return numbers | {
        "clean_accuracy": float(found.clean.mean()),
        "suspicious": float(sum(check.suspicious for check in found.checks())),
    }
