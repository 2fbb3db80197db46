"""The networks of one run: which layers of them are compared, and what their features are like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from landscape.similarity.grams import Reference, Tap, look_at
from landscape.similarity.layers import PROBE, find_layers, listed
from landscape.similarity.shuffled_batches import Samples, device_of
from landscape.similarity.similarity_settings import Settings
from landscape.surface.reports.similarity import NetworkLayers

# Samples that tell how large a layer's features are.
SCALED = 32


class ComparedNetworks:
    """Networks, and of each one its layers in rows.

    Parameters
    ----------
    models : mapping of str to Module
        In eval mode, on their devices.
    data : str
        Name of the data set, for errors.
    samples : Samples
    settings : Settings
    groups, about : mapping
        Of each network.

    Attributes
    ----------
    models : list of Module
    taps : list of Tap
        One a network.
    references : list of list of Reference
        Of each network's layers.
    networks : tuple of NetworkLayers
        What is stored of them.
    rows : int
        Layers of all networks.
    notes : list of str
        Modules that are no layers, and why; networks that are given their targets.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        data: str,
        samples: Samples,
        settings: Settings,
        groups: Mapping[str, str],
        about: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.models = list(models.values())
        self.taps: list[Tap] = []
        self.references: list[list[Reference]] = []
        networks, left_out, given = [], [], []
        # A scale is a power of 2, which few samples tell as well as many; a width is a median of distances.
        reference = samples.places(0)[0][: None if settings.kernel == "rbf" else SCALED]
        for name, model in models.items():
            device = device_of(model)
            few = samples.places(0)[0][: min(PROBE, len(samples))]
            probes = [samples.fetch(each, device) for each in (few, few[:-1], np.roll(few, -1))]
            found = find_layers(model, probes, which=settings.layers, name=name, data=data)
            layers, tap = found.layers, Tap(model, found, settings.tokens)
            left_out.append(found.left_out)
            given += [name] if found.whole else []
            batch = samples.fetch(reference, device)
            self.taps.append(tap)
            self.references.append(look_at(tap, len(layers), batch, settings.kernel, settings.rbf_width))
            networks.append(
                NetworkLayers(
                    name,
                    tuple(each.name for each in layers),
                    tuple(each.call for each in layers),
                    tuple(each.kind for each in layers),
                    tuple(each.features for each in self.references[-1]),
                    groups.get(name, ""),
                    about.get(name, {}),
                )
            )
        self.networks = tuple(networks)
        self.rows = sum(len(each.layers) for each in networks)
        if len(models) > 1 and len(set(left_out)) == 1:
            self.notes = list(left_out[0])
        else:
            said = zip(models, left_out, strict=True)
            self.notes = [f"{name}: {words}" for name, reasons in said for words in reasons]
        if given:
            words = "is given its targets, without which it does"
            if len(given) > 1:
                words = "are given their targets, without which they do"
            self.notes.append(f"{listed(given)} {words} not run: layers may hold them")

    def __len__(self) -> int:
        """Return how many networks there are."""
        return len(self.models)

    def place(self, row: int) -> tuple[NetworkLayers, int]:
        """Return the network that has a row, and the number of the layer in it."""
        for network in self.networks:
            if row < len(network.layers):
                return network, row
            row -= len(network.layers)
        raise IndexError(row)
