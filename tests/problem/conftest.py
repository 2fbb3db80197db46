"""What the tests of this room share."""

from __future__ import annotations

import pytest

from tests.helpers.tied_network import Net, net


@pytest.fixture
def trained() -> Net:
    return net(1)
