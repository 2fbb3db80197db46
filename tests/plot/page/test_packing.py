"""Arrays that a page carries come back bit for bit, whatever their table's numbers take."""

from __future__ import annotations

import numpy as np
import pytest
from landscape.plot.page.packing import Packer, unpack


@pytest.mark.parametrize(("entries", "table"), [(1, 1), (255, 255), (256, 256), (257, 257), (65536, 65536), (65537, 0)])
def test_tables_of_one_and_of_two_bytes_are_read_as_they_were_written(entries, table):
    given = np.tile(np.random.default_rng(0).permutation(entries) * 0.1, 4).reshape(4, entries)
    packer = Packer()
    assert packer.add(given) == 0
    assert packer.index[0].get("table", 0) == table
    np.testing.assert_array_equal(unpack(packer.index, packer.text())[0], given)
