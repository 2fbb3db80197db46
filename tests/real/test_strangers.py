"""Those cases of strangers whose package is there for the tests anyway; ``python -m tests.real.strangers`` runs all."""

from __future__ import annotations

import pytest

from tests.real.strangers import language, training  # noqa: F401 (they register their cases)
from tests.real.strangers.comparison import CASES, eigenvalue_error_of, error_of


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the packages' own
@pytest.mark.parametrize("name", ["decoder", "t5", "clip", "lightning_module"])
def test_a_line_between_two_networks_of_others_is_what_an_own_loop_gives(name):
    assert error_of(CASES[name][2]())[0] < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lightning_module"])
def test_the_greatest_eigenvalue_is_that_of_products_differentiated_by_hand(name):
    assert eigenvalue_error_of(CASES[name][2]()) < 1e-4
