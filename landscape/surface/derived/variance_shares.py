"""Shares of variance that principal components of training runs explain: whose they are, and what chance would give.

References
----------
.. [1] Antognini, Sohl-Dickstein, "PCA of high dimensional random walks with comparison to neural network training",
       NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from landscape.surface.grid import Floats
from landscape.surface.surface import Surface


def plane_runs(surface: Surface) -> tuple[list[str], list[str]]:
    """Return the names of the runs whose principal components the axes are, and of those put onto their plane later.

    Shares of variance are of the former alone. Both are empty where the axes are no principal components.
    """
    if any(axis.source != "pca" for axis in surface.directions):
        return [], []
    own = [name for name, run in surface.trajectories.items() if "explained_variance" in run.attributes]
    return own, [name for name in surface.trajectories if name not in own]


def component_label(label: str, recipe: Mapping[str, Any]) -> str:
    """Return a principal component's label with the names of its runs.

    Examples
    --------
    >>> component_label("PC 1 (61.2 % of variance)", {"source": "pca", "runs": [{"name": "sgd"}]})
    'PC 1 (61.2 % of the variance of sgd)'
    """
    names = ", ".join(str(run.get("name", "")) for run in recipe.get("runs", []))
    return label.replace("% of variance)", f"% of the variance of {names})") if names else label


def random_walk_shares(number: int) -> Floats:
    r"""Return the shares of variance that the principal components of a random walk have in very many dimensions [1]_.

    What a run has to be compared with: most of a walk that goes nowhere lies in its first two components as well.

    .. math:: \lambda_k \propto \frac{1}{1 - \cos(\pi k / n)}, \quad k = 1, \ldots, n - 1

    since the centred inner products of n points of a walk are the inverse of the Laplacian of a path.

    Parameters
    ----------
    number : int
        How many points the walk has, its start included.

    Returns
    -------
    ndarray, shape (number - 1,)

    Examples
    --------
    >>> random_walk_shares(11)[:2].round(3)
    array([0.617, 0.157])
    """
    k = np.arange(1, number)
    variance = 1 / (1 - np.cos(np.pi * k / number))
    shares: Floats = variance / variance.sum()
    return shares
