"""What may stand in a study's file, and the study that it describes; an error names the line and the key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from landscape.errors import UsageError, suggestion
from landscape.studies.expectations import parse_expectation
from landscape.studies.study import (
    ALL,
    AUGMENTATIONS,
    INTERVALS,
    OPTIMIZERS,
    SCHEDULES,
    SCOPES,
    TRAINING,
    Hypothesis,
    Measurement,
    Recipe,
    Relation,
    Study,
    Variant,
)
from landscape.studies.toml_document import Source, check_table, merged

KINDS_OF_DATA = ("digits", "cifar10", "npz")
OVERRIDES = ("smoke", *KINDS_OF_DATA)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TYPES = {"str": str, "int": int, "float": float, "bool": bool, "Mapping[str, Any]": dict}
TOP: dict[str, type] = {
    "title": str, "question": str, "source": str, "notes": str, "normalize": str, "seeds": list, "minutes": float,
    "least_accuracy": float, "direction_seed": int, "data": dict, "samples": dict, "recipe": dict, "variants": dict,
    "measurements": dict, "hypotheses": dict, **dict.fromkeys(OVERRIDES, dict),
}  # fmt: skip
_RECIPE: dict[str, type] = {each.name: _TYPES[str(each.type)] for each in fields(Recipe)}
_VARIANT: dict[str, type] = {"title": str, "arguments": dict, "recipe": dict}
_MEASUREMENT: dict[str, type] = {"measure": str, "arguments": dict, "per": str, "variants": list}
_HYPOTHESIS: dict[str, type] = {
    "statement": str, "source": str, "value": str, "expect": str, "correlate": list, "margin": float, "effect": float,
    "untrained": bool, "about": str, "given": str, "interval": str,
}  # fmt: skip
_CHOICES = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "augmentation": AUGMENTATIONS}
# Recipe key -> the least it may be, and whether that itself is allowed.
_LEAST = {
    "learning_rate": (0.0, False), "batch_size": (1, True), "epochs": (0, True), "samples": (0, True),
    "walk": (0, True), "momentum": (0.0, True), "rho": (0.0, True), "weight_decay": (0.0, True), "warmup": (0.0, True),
}  # fmt: skip


def placed(reference: str, folder: Path) -> str:
    """Return a reference whose path is relative to a folder as one that holds everywhere."""
    match = re.fullmatch(r"(npz:|cifar10:)?(.*?)((?::\w+)?)", reference, re.DOTALL)
    assert match
    before, place, name = match[1] or "", match[2], match[3]
    if not (before or place.endswith(".py")) or Path(place).is_absolute() or place.startswith("~"):
        return reference
    return f"{before}{folder.resolve() / place}{name}"


class StudyBuilder:
    """Makes a study of a document that was merged; errors point at the part that was merged in, where it is there."""

    def __init__(self, document: Mapping[str, Any], source: Source, part: str) -> None:
        self.document = document
        self.source = source
        self.part = part
        self.folder = source.path.parent

    def error(self, place: Sequence[str], text: str) -> UsageError:
        """Return the error that a key is wrong, at its place in the file."""
        return self.source.error((self.part, *place) if self.part else place, text)

    def check(self, table: Any, allowed: Mapping[str, type], *place: str) -> None:
        """Refuse unknown keys and values of another type."""
        # The file without what is merged in was found right before: what is wrong comes from that.
        check_table(table, allowed, self.source, (self.part, *place) if self.part else place)

    def study(self) -> Study:
        """Return the study."""
        document = {key: value for key, value in self.document.items() if key not in OVERRIDES}
        self.check(document, TOP)
        for key in ("question", "variants"):
            if key not in document:
                raise self.error((key,), "a study has to have this key")
        variants = self._variants()
        names = tuple(variants)
        measurements = tuple(self._measurement(name, table, names) for name, table in self._named("measurements"))
        hypotheses = tuple(
            self._hypothesis(name, table, names, measurements) for name, table in self._named("hypotheses")
        )
        self._require_given(hypotheses)
        plain = {key: document[key] for key in ("title", "question", "source", "notes", "normalize") if key in document}
        numbers = {key: document[key] for key in ("minutes", "least_accuracy", "direction_seed") if key in document}
        if not 0 <= numbers.get("direction_seed", 0) <= 2**53:
            raise self.error(("direction_seed",), "a seed is from 0 to 2^53")
        return Study(
            name=self.source.path.stem,
            variants=tuple(variants.values()),
            measurements=measurements,
            hypotheses=hypotheses,
            path=str(self.source.path),
            **plain,
            **numbers,
            **self._seeds(),
            **self._data(),
        )

    def _named(self, key: str) -> list[tuple[str, Any]]:
        table = self.document.get(key, {})
        for name in table:
            if not _NAME.fullmatch(name) or name in (ALL, TRAINING):
                raise self.error((key, name), "a name is of letters, digits and '_', and neither 'all' nor 'training'")
        return list(table.items())

    def _seeds(self) -> dict[str, Any]:
        if "seeds" not in self.document:
            return {}
        seeds = self.document["seeds"]
        whole = all(isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**32 for seed in seeds)
        if not seeds or not whole or len(set(seeds)) < len(seeds):
            raise self.error(("seeds",), f"different whole numbers from 0 to 2^32 were wanted, got {seeds!r}")
        return {"seeds": tuple(seeds)}

    def _data(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "data" in self.document:
            table = self.document["data"]
            self.check(table, dict.fromkeys(table, str), "data")
            if "train" not in table:
                raise self.error(("data",), "a study trains on what is called 'train'; name it here")
            found["data"] = {name: placed(reference, self.folder) for name, reference in table.items()}
        if "samples" in self.document:
            table = self.document["samples"]
            self.check(table, dict.fromkeys(table, int), "samples")
            known = found.get("data") or {"train": "", "test": ""}
            for name, number in table.items():
                if name not in known:
                    raise self.error(("samples", name), f"there is no such data set; there are {', '.join(known)}")
                if number < 1:
                    raise self.error(("samples", name), f"at least 1 sample was wanted, got {number}")
            found["samples"] = dict(table)
        return found

    def _variants(self) -> dict[str, Variant]:
        base = self.document.get("recipe", {})
        self.check(base, _RECIPE, "recipe")
        found = {}
        for name, table in self._named("variants"):
            self.check(table, _VARIANT, "variants", name)
            own = table.get("recipe", {})
            self.check(own, _RECIPE, "variants", name, "recipe")
            whole = merged(base, own)
            whole["arguments"] = merged(whole.get("arguments", {}), table.get("arguments", {}))
            found[name] = Variant(name, self._recipe(whole, name, own), table.get("title", ""))
        if not found:
            raise self.error(("variants",), "a study compares variants; there is none")
        return found

    def _recipe(self, table: dict[str, Any], variant: str, own: Mapping[str, Any]) -> Recipe:
        def wrong(key: str, text: str) -> UsageError:
            return self.error(("variants", variant, "recipe", key) if key in own else ("recipe", key), text)

        if not table.get("network") and not table.get("training"):
            raise wrong("network", "a recipe says what builds the network: file.py:function")
        for key, choices in _CHOICES.items():
            if table.get(key, choices[0]) not in choices:
                raise wrong(key, f"there is no {key} {table[key]!r}; {suggestion(table[key], choices)}")
        for key, (least, allowed) in _LEAST.items():
            value = table.get(key, least if allowed else 1.0)
            if value < least or (value == least and not allowed):
                raise wrong(key, f"{'at least' if allowed else 'more than'} {least:g} was wanted, got {value}")
        whole: dict[str, Any] = dict(table)
        for key in ("network", "training", "loss"):
            if key in table:
                whole[key] = placed(table[key], self.folder)
        return Recipe(**whole)

    def _measurement(self, name: str, table: Any, variants: Sequence[str]) -> Measurement:
        place = ("measurements", name)
        self.check(table, _MEASUREMENT, *place)
        if "measure" not in table:
            raise self.error(place, "'measure' is missing: a built-in measurement or file.py:function")
        if table.get("per", "network") not in SCOPES:
            raise self.error((*place, "per"), f"one of {', '.join(SCOPES)} was wanted, got {table['per']!r}")
        self._known(table.get("variants", []), variants, *place, "variants")
        measure = placed(table["measure"], self.folder)
        return Measurement(
            name, measure, table.get("arguments", {}), table.get("per", "network"), tuple(table.get("variants", ()))
        )

    def _known(self, names: Sequence[Any], variants: Sequence[str], *place: str) -> None:
        for each in names:
            if each not in variants:
                raise self.error(place, f"there is no variant {each!r}; {suggestion(str(each), variants)}")
        if len(set(names)) < len(names):
            raise self.error(place, "a variant comes twice")

    def _hypothesis(
        self, name: str, table: Any, variants: Sequence[str], measurements: Sequence[Measurement]
    ) -> Hypothesis:
        place = ("hypotheses", name)
        self.check(table, _HYPOTHESIS, *place)
        if not table.get("statement") or "expect" not in table or ("value" in table) == ("correlate" in table):
            raise self.error(
                place, "a hypothesis has a 'statement', 'expect', and either 'value' or 'correlate' with two values"
            )
        values = table.get("correlate") or [table.get("value")]
        if "correlate" in table and len(values) != 2:
            raise self.error((*place, "correlate"), f"two values were wanted, got {values!r}")
        possible = [self._measured(each, variants, measurements, place) for each in values]
        for key in ("margin", "effect"):
            if table.get(key, 0.0) < 0:
                raise self.error((*place, key), f"at least 0 was wanted, got {table[key]}")
        more: dict[str, Any] = {"expect": table["expect"]}
        if "correlate" in table:
            more["correlate"] = tuple(values)
            more["sign"] = table["expect"].replace(" ", "")[:1]
            if table["expect"].replace(" ", "") not in ("<0", ">0"):
                raise self.error((*place, "expect"), f"'> 0' or '< 0' was wanted, got {table['expect']!r}")
        else:
            try:
                more["relations"] = parse_expectation(table["expect"], possible[0])
            except UsageError as error:
                raise self.error((*place, "expect"), str(error)) from None
            if any(each.relation == "=" for each in more["relations"]) and not table.get("margin"):
                raise self.error((*place, "expect"), "'=' needs a margin up to which differences count as none")
        if self._own_interval(table, place):
            self._require_own(more.get("relations", ()), table, measurements, place)
        plain = ("statement", "source", "value", "margin", "effect", "untrained", "about", "given", "interval")
        return Hypothesis(name, **{key: table[key] for key in plain if key in table}, **more)

    def _require_given(self, hypotheses: Sequence[Hypothesis]) -> None:
        """Refuse a hypothesis that is asked given one that the study has not."""
        for each in hypotheses:
            others = [other.name for other in hypotheses if other.name != each.name]
            if each.given and each.given not in others:
                raise self.error(
                    ("hypotheses", each.name, "given"),
                    f"there is no other hypothesis {each.given!r}; {suggestion(each.given, others)}",
                )

    def _own_interval(self, table: Mapping[str, Any], place: tuple[str, ...]) -> bool:
        if table.get("interval", INTERVALS[0]) not in INTERVALS:
            raise self.error(
                (*place, "interval"), f"one of {', '.join(INTERVALS)} was wanted, got {table['interval']!r}"
            )
        return bool(table.get("interval") == "own")

    def _require_own(
        self,
        relations: Sequence[Relation],
        table: Mapping[str, Any],
        measurements: Sequence[Measurement],
        place: tuple[str, ...],
    ) -> None:
        """Refuse what no single interval can decide."""
        seeds = "leave interval out, and the spread over seeds decides"
        if "correlate" in table:
            raise self.error((*place, "interval"), f"a correlation has no interval of its own; {seeds}")
        measured = table["value"].partition("/")[0]
        scope = next((each.per for each in measurements if each.name == measured), "network")
        if scope in ("network", "seed"):
            raise self.error(
                (*place, "interval"),
                f"{table['value']} is measured for each {scope}, so that there are as many intervals; {seeds}, or "
                'measure all seeds together (per = "variant" or "study")',
            )
        for each in relations:
            if len(each.weights) > 1:
                raise self.error(
                    (*place, "expect"),
                    f"{each.text!r} is about {len(each.weights)} numbers, whose own intervals say nothing of their "
                    f"difference; {seeds}, or measure the difference itself",
                )
        if table.get("effect"):
            raise self.error((*place, "effect"), f"seeds for an effect are counted from their spread; {seeds}")

    def _measured(
        self, value: Any, variants: Sequence[str], measurements: Sequence[Measurement], place: tuple[str, ...]
    ) -> Sequence[str]:
        """Return the variants of which a number is measured."""
        measurement, slash, number = str(value).partition("/")
        known = {each.name: each for each in measurements}
        if not slash or not number or measurement not in (*known, TRAINING):
            near = difflib.get_close_matches(measurement, [*known, TRAINING], n=1)
            offer = f"did you mean {near[0]}/...?" if near else f"measured are {', '.join([*known, TRAINING])}"
            key = "value" if (*place, "value") in self.source.lines else "correlate"
            raise self.error((*place, key), f"{value!r} is not MEASUREMENT/NUMBER; {offer}")
        own = known[measurement].variants if measurement in known else ()
        return own or variants
