"""What `landscape similarity` and `landscape info` say of similarity: as plain values, and as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import combinations, permutations
from typing import Any

import numpy as np
from rich.console import Console

from landscape.commands.printed import print_heading, print_pairs, print_table
from landscape.commands.reports.plain_facts import made, numbers
from landscape.surface.grid import Floats
from landscape.surface.reports.dominant_samples import overlap_of
from landscape.surface.reports.similarity import NO_VALUE, Similarity, nearest_layers

# Pairs of networks, and notes, that a terminal shows; all are in --json.
_PAIRS, _NOTES = 12, 8


def similarity_facts(found: Similarity) -> dict[str, Any]:
    """Return what there is to say of a result, as JSON; numbers that do not exist are None."""
    networks = range(len(found.networks))

    def by_pair(matrix: Floats) -> list[list[Any]]:
        return [[numbers(found.between(i, j, matrix)) for j in networks] for i in networks]

    def by_network(values: Floats) -> list[Any]:
        return [numbers(values[found.rows(i)]) for i in networks] if len(values) else []

    return {
        "path": found.path,
        "kind": "similarity",
        "complete": found.complete,
        "done": found.done,
        "similarity": {
            "networks": [each.name for each in found.networks],
            "groups": [each.group for each in found.networks],
            "layers": [list(each.layers) for each in found.networks],
            "calls": [list(each.calls) for each in found.networks],
            "features": [list(each.features) for each in found.networks],
            "cka": by_pair(found.cka),
            "cka_stderr": by_pair(found.stderr),
            "pc_share": by_network(found.pc_share),
            "pc_share_stderr": by_network(found.pc_share_stderr),
            "pc_residual": by_network(found.pc_residual),
            "pc_cosine": by_pair(found.pc_cosine) if found.pc_cosine.size else [],
            "dominant": [_dominant_facts(found, i) for i in networks] if found.dominant.size else [],
            "dominant_shared": _shared_facts(found),
            "block": [_block_facts(found, i) for i in networks],
            "nearest": _nearest_facts(found),
            "holes": _holes(found),
            **{name: by_pair(each) for name, each in found.others.items()},
        },
        "samples": found.samples,
        "batches": found.batches,
        "passes": found.passes,
        "kernel": found.kernel,
        "notes": list(found.notes),
        "settings": dict(found.settings),
        "problem": dict(found.problem),
        "origin": {each.name: dict(each.about) for each in found.networks},
        "software": found.software,
        "created": found.created,
        "command": found.command,
    }


def _block_facts(found: Similarity, number: int) -> dict[str, Any] | None:
    block = found.blocks[number] if found.blocks else None
    if block is None:
        return None
    labels = found.networks[number].labels
    said = {name: numbers(value) for name, value in asdict(block).items() if name != "shared"}
    shared = {name: numbers(value) for name, value in block.shared.items()}
    ends = {"first_layer": labels[block.first], "last_layer": labels[block.last]}
    return {**said, **ends, "extent": block.extent, "contrast": numbers(block.contrast), "shared": shared}


def _dominant_facts(found: Similarity, number: int) -> list[list[int]]:
    """Return each layer's dominant samples, none of a layer that has no component."""
    return [[each for each in row if each >= 0] for row in found.dominant[found.rows(number)].tolist()]


def _shared_facts(found: Similarity) -> list[dict[str, Any]]:
    said = []
    for first, second in combinations(range(len(found.networks)), 2):
        overlap = overlap_of(found, first, second)
        if overlap is not None:
            names = [found.networks[each].name for each in (first, second)]
            said.append({"networks": names, **{key: numbers(value) for key, value in asdict(overlap).items()}})
    return said


def _nearest_facts(found: Similarity) -> list[dict[str, Any]]:
    said = []
    for first, second in permutations(range(len(found.networks)), 2):
        share, layers = nearest_layers(found, first, second)
        names = [found.networks[each].name for each in (first, second)]
        said.append({"of": names[0], "in": names[1], "share": numbers(share), "layers": layers})
    return said


def _holes(found: Similarity) -> list[dict[str, str]]:
    """Return the layers that have no value: `NO_VALUE`."""
    return [
        {"network": network.name, "layer": label}
        for number, network in enumerate(found.networks)
        for row, label in enumerate(network.labels)
        if not np.isfinite(found.cka[found.starts[number] + row, found.starts[number] + row])
    ]


def print_similarity(console: Console, facts: Mapping[str, Any]) -> None:
    """Print what there is to say; the matrices themselves are in --json and in the file."""
    said = facts["similarity"]
    number = sum(len(each) for each in said["layers"])
    state = "" if facts["complete"] else ", not finished"
    # Nothing was looked for where no pass is done: neither a block nor an error.
    begun = bool(facts["complete"] or facts["passes"])
    unknown = ": there was one batch" if begun else " yet"
    print_heading(
        console, f"Similarity of {_count(number, 'layer')} of {_count(len(said['networks']), 'network')}{state}"
    )
    errors = [
        value for row in said["cka_stderr"] for each in row for line in each for value in line if value is not None
    ]
    problem = facts["problem"]
    print_pairs(
        console,
        [
            made(facts),
            ("samples", f"{facts['samples']:,} of {problem.get('data', '')} ({problem.get('reference', '')})"),
            (
                "estimate",
                f"unbiased minibatch CKA, {facts['kernel']} kernel, {_count(facts['batches'], 'batch')}, "
                f"{_count(facts['passes'], 'pass')}",
            ),
            ("error", f"at most {max(errors):.2g}" if errors else f"not known{unknown}"),
            *([] if facts["complete"] else [("so far", _so_far(facts))]),
            *([("no value", _listed(said["holes"]))] if begun and said["holes"] else []),
        ],
    )
    print_table(
        console,
        ["network", "layers", "PC 1: mean", "greatest", "block", "contrast"],
        [_network_row(said, i, "none" if begun else "not yet") for i in range(len(said["networks"]))],
    )
    print_pairs(console, [(f"block of {name}", words) for name, words in _block_words(said)])
    pairs = said["nearest"][:_PAIRS]
    if pairs:
        rows = [
            [
                f"{each['of']} in {each['in']}",
                ("no layer of the same name has a value" if begun else "not yet")
                if each["share"] is None
                else f"{100 * each['share']:.0f} % of {each['layers']}",
                _mean_of_same(said, each["of"], each["in"]),
            ]
            for each in pairs
        ]
        print_table(console, ["nearest layer", "is the same one for", "mean CKA of same layers"], rows)
    if len(said["nearest"]) > len(pairs):
        print_pairs(console, [("", f"and {len(said['nearest']) - len(pairs)} more pairs, in --json")])
    shared = said["dominant_shared"][:_PAIRS]
    if shared:
        rows = [
            [
                " and ".join(each["networks"]),
                f"{100 * each['mean']:.1f} %",
                f"{100 * each['chance']:.1f} %",
                f"{each['above']} of {each['layers']} layers",
            ]
            for each in shared
        ]
        print_table(console, ["dominant samples of", "shared by a layer", "by chance", "above chance in"], rows)
    print_pairs(console, [("note", note) for note in facts["notes"][:_NOTES]])
    if len(facts["notes"]) > _NOTES:
        print_pairs(console, [("", f"and {len(facts['notes']) - _NOTES} more notes, in --json")])


def _count(number: int, word: str) -> str:
    plural = word + ("es" if word.endswith(("s", "ch")) else "s")
    return f"{number:,} {word if number == 1 else plural}"


def _listed(holes: list[dict[str, str]]) -> str:
    names = [f"{each['layer']} of {each['network']}" for each in holes[:_NOTES]]
    more = len(holes) - len(names)
    return f"{NO_VALUE}: {', '.join(names)}{f' and {more:,} more, in --json' if more else ''}"


def _so_far(facts: Mapping[str, Any]) -> str:
    passes, wanted = facts["passes"], facts["settings"].get("passes")
    shown = f"shown is what {_count(passes, 'whole pass')} of {wanted} gave" if passes else "no pass is done yet"
    fewer = f", and with --passes {passes} it is finished" if passes else ""
    return f"{facts['done'] or 'a part'}: {shown}; the command that made it goes on{fewer}"


def _network_row(said: Mapping[str, Any], number: int, without: str) -> list[str]:
    shares = [each for each in said["pc_share"][number] if each is not None] if said["pc_share"] else []
    block = said["block"][number]
    group = said["groups"][number]
    return [
        said["networks"][number] + (f" ({group})" if group else ""),
        str(len(said["layers"][number])),
        f"{100 * sum(shares) / len(shares):.0f} %" if shares else "",
        f"{100 * max(shares):.0f} %" if shares else "",
        without if block is None else f"{block['extent']} layers",
        "" if block is None else f"{block['contrast']:.2f}",
    ]


def _block_words(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    for name, block in zip(said["networks"], said["block"], strict=True):
        if block is not None:
            words = f"{block['first_layer']} to {block['last_layer']}, CKA {block['inside']:.2f} inside"
            if block["pc_share"] is not None:
                words += f", PC 1 {100 * block['pc_share']:.0f} % there"
                if block["pc_share_outside"] is not None:
                    words += f" and {100 * block['pc_share_outside']:.0f} % elsewhere"
            for other, value in list(block["shared"].items())[:3]:
                words += f"; CKA {value:.2f} with {other}'s same layers"
            found.append((name, words))
    return found


def _mean_of_same(said: Mapping[str, Any], first: str, second: str) -> str:
    i, j = said["networks"].index(first), said["networks"].index(second)
    keys = [list(zip(said["layers"][k], said["calls"][k], strict=True)) for k in (i, j)]
    matrix = said["cka"][i][j]
    same = [matrix[row][keys[1].index(key)] for row, key in enumerate(keys[0]) if key in keys[1]]
    known = [each for each in same if each is not None]
    return f"{sum(known) / len(known):.3f}" if known else ""
