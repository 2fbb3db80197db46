"""What the page is told of similarity: matrices of all layers, how axes are named, and the scale of the colours."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from scipy import special  # scipy.stats, which has the same, takes a second to load

from landscape.errors import PlotError
from landscape.surface.grid import Floats
from landscape.surface.reports.dominant_samples import overlaps
from landscape.surface.reports.similarity import Similarity

from ..representations.layer_axes import stages
from ..representations.similarity_maps import WORDS, caption_of, similarity
from ..style.wording import plain_text, without_folders
from .packing import Packer

# A matrix of more layers takes longer to load than anybody waits, and its layers are smaller than pixels.
MOST_LAYERS = 1500
# What the script draws with (`web/similarity.js`): the colours of the stills.
SIMILARITY_COLORMAP = "magma"


def similarity_record(found: Similarity, packer: Packer) -> dict[str, Any]:
    """Return one result as the page's script takes it (`web/types.ts`, SimilarityRecord).

    Parameters
    ----------
    found : Similarity
    packer : Packer
        Takes the arrays: CKA bit for bit, everything else in single precision.

    Raises
    ------
    PlotError
        There are too many layers, or nothing is finite.
    """
    rows = found.starts[-1]
    if rows > MOST_LAYERS:
        raise PlotError(
            f"a page shows {MOST_LAYERS:,} layers at most, there are {rows:,}: measure fewer networks at a time, or "
            "--layers blocks"
        )
    matrices = {"cka": found.cka, "pc_cosine": found.pc_cosine, **found.others}
    if found.dominant.size:
        matrices["overlap"] = overlaps(found.dominant)
    errors = {"cka": found.stderr}
    errors |= {name.removesuffix("_stderr"): each for name, each in matrices.items() if name.endswith("_stderr")}
    values = [
        {
            "name": plain_text(name),
            "words": plain_text(WORDS.get(name, name)),
            "range": _range(name, matrix),
            "values": packer.add(matrix if name == "cka" else matrix.astype(np.float32)),
            "errors": packer.add(errors[name].astype(np.float32)) if name in errors else -1,
        }
        for name, matrix in matrices.items()
        if matrix.size and np.isfinite(matrix).any() and not name.endswith("_stderr")
    ]
    if not values:
        raise PlotError(f"no value of similarity is finite in {found.path or 'the result'}: there is nothing to show")
    share = found.pc_share if len(found.pc_share) else np.full(rows, np.nan)
    return {
        "title": plain_text(", ".join(each.name for each in found.networks)),
        "caption": without_folders(caption_of(found, bars=bool(len(found.pc_share)))),
        "networks": [
            {
                "name": plain_text(network.name),
                "labels": [plain_text(each) or "output" for each in network.labels],
                "kinds": [plain_text(each) for each in network.kinds],
                "stages": [[plain_text(name), first, end] for name, first, end in stages(network)],
                "start": found.starts[number],
                "block": _block(found, number),
            }
            for number, network in enumerate(found.networks)
        ],
        "values": values,
        "share": packer.add(share.astype(np.float32)),
        # Of 95 %, in standard errors; 0 where the error is not known.
        "factor": float(special.stdtrit(found.freedom, 0.975)) if found.freedom else 0.0,
    }


def similarity_poster(found: Similarity) -> bytes:
    """Return a PNG of the maps, shown where there is no script."""
    stream = io.BytesIO()
    similarity(found, caption=False).savefig(stream, format="png", dpi=100)
    return stream.getvalue()


def _range(name: str, matrix: Floats) -> list[float]:
    finite = matrix[np.isfinite(matrix)]
    low, high = float(finite.min()), float(finite.max())
    return [0.0, high or 1.0] if name == "procrustes" else [min(low, 0.0), max(high, 1.0)]


def _block(found: Similarity, number: int) -> list[int] | None:
    block = found.blocks[number] if found.blocks else None
    return None if block is None else [block.first, block.last]
