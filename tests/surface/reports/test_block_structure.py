"""The rule for a block, on matrices that have one and on those that do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landscape.surface.reports.block_structure import blocks_of, find_block
from tests.helpers.similarities import LAYERS, block_matrix, similarity


def test_a_block_is_found_where_it_is_also_between_layers_that_are_left_out():
    matrix = block_matrix(np.random.default_rng(0), 20, 6, 15)
    share = np.where((np.arange(20) >= 6) & (np.arange(20) <= 15), 0.9, 0.2)
    block = find_block(matrix, share)
    assert block is not None
    assert (block.first, block.last, block.extent) == (6, 15, 10)
    np.testing.assert_allclose([block.inside, block.outside], [0.95, 0.3], atol=0.01)
    np.testing.assert_allclose([block.pc_share, block.pc_share_outside], [0.9, 0.2])
    holes = np.insert(np.insert(matrix, 8, np.nan, 0), 8, np.nan, 1)
    again = find_block(holes)
    assert again is not None
    assert (again.first, again.last) == (6, 16)


def test_layers_that_become_less_alike_with_distance_are_no_block():
    places = np.arange(30)
    assert find_block(0.9 ** np.abs(places[:, None] - places[None, :])) is None


def test_a_network_whose_layers_are_all_alike_or_all_different_has_none():
    assert find_block(np.full((12, 12), 0.97)) is None
    assert find_block(np.eye(12)) is None
    assert find_block(np.full((5, 5), np.nan)) is None


def test_a_run_of_few_layers_is_a_stage_and_so_is_one_that_stands_out_little():
    assert find_block(block_matrix(np.random.default_rng(1), 40, 10, 24)) is None
    assert find_block(block_matrix(np.random.default_rng(1), 40, 10, 25)) is not None
    # As of small networks: a first stage that is alike, and little less like the rest.
    stage = np.full((30, 30), 0.66)
    stage[:14, :14] = 0.91
    np.fill_diagonal(stage, 1.0)
    assert find_block(stage) is None
    stage[14:, :14] = stage[:14, 14:] = 0.55
    assert find_block(stage) is not None


def test_nine_of_ten_pairs_of_a_block_are_alike_and_its_numbers_are_means_over_pairs():
    """Ten layers of 25, of which two at the end have no variance; 90 pairs in the block."""
    matrix = np.random.default_rng(2).uniform(0.1, 0.4, (25, 25))
    matrix = (matrix + matrix.T) / 2
    inside = np.arange(4, 14)
    matrix[np.ix_(inside, inside)] = 0.9
    matrix[-2:] = matrix[:, -2:] = np.nan
    np.fill_diagonal(matrix[:23, :23], 1.0)
    share = np.random.default_rng(3).random(25)
    outside = np.setdiff1d(np.arange(23), inside)
    # Pairs of two different layers that are less alike than 0.8: nine may be, and come in twos, as the matrix is even.
    places = [(5, 7), (6, 9), (8, 12), (5, 11), (7, 10)]
    for number, found in ((0, True), (4, True), (5, False)):
        less = matrix.copy()
        for row, column in places[:number]:
            less[row, column] = less[column, row] = 0.5
        block = find_block(less, share)
        if not found:
            assert block is None or (block.first, block.last) != (4, 13)
            continue
        assert block is not None
        assert (block.first, block.last) == (4, 13)
        part = less[np.ix_(inside, inside)]
        assert block.inside == pytest.approx(part[~np.eye(10, dtype=bool)].mean())
        assert block.outside == pytest.approx(less[np.ix_(inside, outside)].mean())
        assert block.contrast == pytest.approx(block.inside - block.outside)
        assert block.pc_share == pytest.approx(share[inside].mean())
        assert block.pc_share_outside == pytest.approx(share[outside].mean())
    ends = matrix.copy()
    ends[4, 13] = ends[13, 4] = 0.79  # both ends have to be alike themselves
    block = find_block(ends)
    assert block is None or block.extent < 10


def test_how_much_of_a_block_another_network_has_is_of_its_layers_of_the_same_names():
    found = similarity()
    first, second = found.networks
    # Of other places, the last of the block left out, and one that is called twice.
    names = (*LAYERS[::-1][:2], "head", *LAYERS[8::-1])
    turned = replace(second, layers=names, calls=(1,) * len(names))
    block, other = blocks_of(replace(found, networks=(first, turned)))
    assert block is not None
    assert (block.first, block.last) == (4, 8)
    pairs = [(row, 12 + names.index(LAYERS[column])) for row in range(4, 9) for column in range(4, 9)]
    assert block.shared == {"b": pytest.approx(np.mean([found.cka[pair] for pair in pairs]))}
    assert other is not None
    kept = [column for column in range(other.first, other.last + 1) if names[column] in LAYERS]
    pairs = [(12 + row, LAYERS.index(names[c])) for row in range(other.first, other.last + 1) for c in kept]
    assert other.shared == {"a": pytest.approx(np.mean([found.cka[pair] for pair in pairs]))}
    (alone, _) = blocks_of(replace(found, networks=(first, replace(turned, calls=(2,) * len(names)))))
    assert alone is not None
    assert alone.shared == {}
