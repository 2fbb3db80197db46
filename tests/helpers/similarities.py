"""Results of similarity without a network."""

from __future__ import annotations

import dataclasses

import numpy as np

from landscape.surface.reports.block_structure import find_block
from landscape.surface.reports.similarity import NetworkLayers, Similarity

LAYERS = ("stem", *(f"stage1.{k}" for k in range(6)), *(f"stage2.{k}" for k in range(5)))


def block_matrix(rng: np.random.Generator, number: int, first: int, last: int) -> np.ndarray:
    """Return CKA that decays with distance, but for a block whose layers are all alike."""
    places = np.arange(number)
    matrix = 0.85 ** np.abs(places[:, None] - places[None, :])
    inside = (places >= first) & (places <= last)
    matrix[inside[:, None] ^ inside[None, :]] = 0.3
    matrix[np.ix_(inside, inside)] = 0.95
    matrix += 0.005 * rng.standard_normal(matrix.shape)
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 1.0)
    return matrix


def similarity(networks: int = 2) -> Similarity:
    """Return networks a, b, ... of one architecture, the first with a block, as a run of 300 samples gives."""
    rng = np.random.default_rng(0)
    number, total = len(LAYERS), len(LAYERS) * networks
    layers = tuple(
        NetworkLayers("abcdefgh"[k], LAYERS, (1,) * number, ("Conv2d",) * number, (64,) * number, "", {"sha256": "0"})
        for k in range(networks)
    )
    cka = rng.uniform(0.1, 0.6, (total, total))
    cka = (cka + cka.T) / 2
    for k in range(networks):
        cka[k * number : (k + 1) * number, k * number : (k + 1) * number] = block_matrix(rng, number, 4, 9 if k else 8)
    share = rng.uniform(0.1, 0.5, total)
    found = Similarity(
        layers,
        cka,
        np.full((total, total), 0.01),
        300,
        2,
        4,
        pc_share=share,
        pc_share_stderr=np.full(total, 0.02),
        pc_residual=np.full(total, 0.001),
        pc_cosine=np.abs(cka),
        dominant=rng.integers(0, 300, (total, 3)),
        problem={"data": "test", "reference": "digits:test"},
        software="landscape 0",
        created="2026-01-01T00:00:00+00:00",
        command="landscape similarity",
    )
    blocks = tuple(find_block(found.between(k, k), share[found.rows(k)]) for k in range(networks))
    return Similarity(**{**vars(found), "blocks": blocks})


def called_twice(network: NetworkLayers) -> NetworkLayers:
    """Return a network whose fourth layer is the second call of the third one's module."""
    names, calls = network.layers, (*network.calls[:3], 2, *network.calls[4:])
    return dataclasses.replace(network, layers=(*names[:3], names[2], *names[4:]), calls=calls)


def assert_same(one: Similarity, other: Similarity, rtol: float = 0.0) -> None:
    """Two results that are complete have the same numbers."""
    for name in ("cka", "stderr", "pc_share", "pc_share_stderr", "pc_cosine", "dominant"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=rtol, atol=rtol, err_msg=name)
    assert one.others.keys() == other.others.keys()
    for name, values in one.others.items():
        np.testing.assert_allclose(values, other.others[name], rtol=rtol, atol=rtol, err_msg=name)
    assert (one.passes, one.batches, one.complete, one.notes) == (other.passes, other.batches, True, other.notes)
