"""What a random direction can be asked for, and what a caption says of it: names that stand in recipes and files."""

from __future__ import annotations

# Name of a normalisation -> the words for it. `landscape.directions.normalization` says what each does.
NORMALIZATIONS = {
    "filter": "filter-normalised",
    "layer": "layer-normalised",
    "weight": "scaled by the weights",
    "dfilter": "of unit length in each filter",
    "dlayer": "of unit length in each layer",
    "model": "scaled to the whole network",
    "none": "not normalised",
}
IGNORES = ("biasbn", "none")
# Directions that come from derivatives at the weights. They are measured, not drawn, so a file of them holds them.
MEASURED = ("hessian", "sharpest", "gradient")
