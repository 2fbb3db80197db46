"""Images of dominant samples: those with the largest scores on the first principal components of networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from landscape.surface.reports.similarity import Similarity

from ..style.style import look, text_width
from ..style.wording import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Inches, of a figure whose text has our sizes: an image, and the words below it.
SIDE, WORDS, HEAD = 0.48, 0.32, 0.2
# Networks whose layers are counted below an image.
_COUNTED = 4


def strip_height(found: Similarity, factor: float) -> float:
    """Return how high the strip of images is, in inches; 0 where there are none."""
    return (SIDE + WORDS + HEAD) * factor if found.images is not None and len(found.images) else 0.0


def draw_dominant(
    figure: Figure, found: Similarity, networks: Sequence[int], *, left: float, bottom: float, width: float
) -> None:
    """Draw images in a row, each with its class, and in how many layers of each network it is dominant.

    Parameters
    ----------
    figure : Figure
    found : Similarity
        With images.
    networks : sequence of int
        Whose layers are counted.
    left, bottom, width : float
        Of the strip, inches.
    """
    assert found.images is not None
    page, height = figure.get_size_inches()
    factor = look().factor
    side = SIDE * factor
    low, high = (float(each) for each in np.nanquantile(found.images, [0.005, 0.995]))
    counted = list(networks)[:_COUNTED]
    layers = [
        [int((found.dominant[found.rows(k)] == sample).any(1).sum()) for k in counted] for sample in found.pictured
    ]
    counts = [" | ".join(map(str, each)) for each in layers]
    size = look().small * 0.85
    # No count may run into its neighbour's: as many images as have room.
    cell = max(side * 1.12, *(text_width(each, size) + 0.08 for each in counts))
    number = min(len(found.images), max(int(width / cell), 1))
    cell = min(width / number, max(cell, side * 1.35))
    names = " | ".join(one_line(found.networks[k].name) for k in counted)
    y = bottom + WORDS * factor
    figure.text(
        left / page,
        (y + side + 0.05) / height,
        f"dominant samples: class, and layers in which each is one ({names})",
        fontsize=look().small,
        parse_math=False,
    )
    for place in range(number):
        x = left + place * cell
        ax = figure.add_axes((x / page, y / height, side / page, side / height), gid="dominant")
        image = np.clip((found.images[place] - low) / max(high - low, 1e-9), 0, 1)
        ax.imshow(image[0] if len(image) == 1 else image.transpose(1, 2, 0), cmap="gray", vmin=0, vmax=1)
        ax.set_axis_off()
        said = str(found.labels[place]) if found.labels else ""
        text = f"{said}\n{counts[place]}".strip()
        figure.text(x / page, (y - 0.03) / height, text, fontsize=size, va="top", parse_math=False)
