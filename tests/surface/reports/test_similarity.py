"""What a result of similarity says by itself."""

from __future__ import annotations

import dataclasses

import numpy as np

from landscape.surface.reports.similarity import nearest_layers
from tests.helpers.similarities import called_twice, similarity


def test_the_nearest_layer_is_the_most_similar_of_the_other_network_and_holes_do_not_count():
    found = similarity()
    number = len(found.networks[0].layers)
    cka = found.cka.copy()
    across = np.full((number, number), 0.1)
    across[np.arange(number), np.arange(number)] = 0.5
    across[0, 3] = across[1, 3] = 0.9  # of the first two layers the nearest is the fourth
    across[2, 2] = -0.3  # and of the third any other
    across[5] = np.nan  # a layer without variance
    cka[:number, number:], cka[number:, :number] = across, across.T
    found = dataclasses.replace(found, cka=cka)
    assert nearest_layers(found, 0, 1) == ((number - 1 - 3) / (number - 1), number - 1)
    # From the other side only the fourth layer has a nearer one, and the third.
    assert nearest_layers(found, 1, 0) == ((number - 1 - 2) / (number - 1), number - 1)
    # The second call of a module is another layer than its first.
    twice = dataclasses.replace(found, networks=tuple(map(called_twice, found.networks)))
    assert nearest_layers(twice, 0, 1) == ((number - 1 - 3) / (number - 1), number - 1)
    renamed = dataclasses.replace(found.networks[1], layers=tuple("x" + each for each in found.networks[1].layers))
    share, layers = nearest_layers(dataclasses.replace(found, networks=(found.networks[0], renamed)), 0, 1)
    assert np.isnan(share)
    assert layers == 0
