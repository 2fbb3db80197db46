"""How accuracy falls under attack, and whether the attacks themselves can be believed: plain NumPy.

An accuracy under attack is an upper bound: a better attack may find more. What may hide the way to a wrong answer
(gradient masking) is looked for as in Athalye, Carlini and Wagner, "Obfuscated Gradients Give a False Sense of
Security", ICML 2018, section 3.1, and Carlini et al., "On Evaluating Adversarial Robustness", 2019, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import UsageError
from landscape.surface.grid import Floats

LEVEL = 0.95
# Of samples that a check looks at: more than this share, and more than one, is no accident.
FEW = 0.02
# Attacks that follow gradients; the others only test them.
GRADIENT_ATTACKS = ("fgsm", "pgd", "margin")

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Check:
    """One question about the attacks: whether its answer speaks against them, and the answer in words."""

    name: str
    suspicious: bool
    words: str


@dataclass(frozen=True, eq=False)
class Robustness:
    """Whether each sample is right after each attack at each strength."""

    data: str  # name of the data set
    norm: str  # "linf" or "l2"
    epsilons: Floats  # (k,), ascending, in the units of the data before normalisation
    clean: Bools  # (n,): right without any change
    attacks: tuple[str, ...]
    right: Bools  # (attacks, k, n): after any change of at most epsilon that the attack looked at
    restarts: Bools  # (restarts, k, n): of "pgd", after each restart and all before it
    more_steps: Bools  # (k, n): of "pgd" with twice the steps, one restart
    course: Floats  # (k, steps + 1): mean loss at the start and after each step of "pgd", first restart
    flat: Bools  # (n,): where the gradient of the loss by the input is exactly 0
    far: Bools  # (n,): right after "pgd" at `far_epsilon`
    far_epsilon: float  # so large that nothing can stay right
    numbers: NDArray[np.int64]  # (n,): of the samples in the data set
    problem: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    software: str = ""
    created: str = ""
    command: str = ""
    path: str = ""

    @property
    def samples(self) -> int:
        """How many samples were attacked."""
        return len(self.clean)

    def survived(self, attack: str | None = None) -> Bools:
        """Return whether each sample is right after an attack, or after all that follow gradients, shape (k, n).

        A change that is allowed at one strength is so at every greater one, so what broke a sample counts there, too.

        Raises
        ------
        UsageError
            There was no such attack.
        """
        names = GRADIENT_ATTACKS if attack is None else (attack,)
        chosen = [number for number, name in enumerate(self.attacks) if name in names]
        if not chosen:  # of nothing everything is right
            asked = attack or "along gradients"
            raise UsageError(f"there was no attack {asked!r}; there were {', '.join(self.attacks)}")
        return _kept(self.right[chosen].all(0) & self.clean)

    def accuracy(self, attack: str | None = None) -> Floats:
        """Return accuracy under one attack, or all that follow gradients together, shape (k,)."""
        found: Floats = self.survived(attack).mean(1)
        return found

    def interval(self, attack: str | None = None) -> Floats:
        """Return 95 % intervals of `accuracy` for the draw of the samples (Wilson), shape (k, 2)."""
        return np.array([wilson(int(row.sum()), len(row)) for row in self.survived(attack)])

    @property
    def clean_interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy without an attack."""
        return wilson(int(self.clean.sum()), self.samples)

    def checks(self) -> tuple[Check, ...]:
        """Return what speaks for and against the attacks."""
        return tuple(check for check in (ask(self) for ask in _CHECKS) if check is not None)

    @property
    def verdict(self) -> str:
        """One sentence on what the numbers are worth."""
        against = [check for check in self.checks() if check.suspicious]
        if against:
            return (
                "The attacks may be too weak (gradient masking): "
                + "; ".join(check.words for check in against)
                + ". The accuracies say little of what a better attack would leave."
            )
        return (
            f"None of {len(self.checks())} checks speaks against the attacks; the accuracies are upper bounds all the "
            "same, a better attack may find more."
        )


def wilson(successes: int, number: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson's score interval)."""
    from scipy import stats

    found = stats.binomtest(successes, number).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)


def _kept(right: Bools) -> Bools:
    """Return what is right at a strength and at all smaller ones, shape (k, n)."""
    found: Bools = np.logical_and.accumulate(right, axis=0)
    return found


def _check(found: Robustness, name: str, broken: Bools, words: str) -> Check:
    """Judge samples that one attack breaks, shape (k, n), and those that it tests leave right."""
    counts = broken.sum(1)
    worst = int(counts.argmax())
    suspicious = counts[worst] > max(1.0, FEW * found.samples)
    number = f"{int(counts[worst])} of {found.samples}"
    where = f", at {found.epsilons[worst]:g}" if counts[worst] else ""
    return Check(name, bool(suspicious), words.format(number) + where)


def _one_step(found: Robustness) -> Check | None:
    """One step finds what many steps miss."""
    if not {"fgsm", "pgd"} <= set(found.attacks):
        return None
    broken = found.survived("pgd") & ~found.survived("fgsm")
    return _check(found, "one step", broken, "one step (FGSM) breaks {} samples that PGD leaves right")


def _random(found: Robustness) -> Check | None:
    """Blind changes find what gradients miss."""
    return _without_gradients(found, "random", "random changes break {} samples that gradients leave right")


def _transfer(found: Robustness) -> Check | None:
    """Another network's attacks find what this one's own gradients miss."""
    words = "changes made for another network break {} samples that this one's gradients leave right"
    return _without_gradients(found, "transfer", words)


def _without_gradients(found: Robustness, attack: str, words: str) -> Check | None:
    if attack not in found.attacks:
        return None
    return _check(found, attack, found.survived() & ~found.survived(attack), words)


def _steps(found: Robustness) -> Check:
    """Twice the steps find what so many miss."""
    broken = found.survived() & ~_kept(found.more_steps)
    return _check(found, "steps", broken, "twice the steps break {} samples more")


def _restarts(found: Robustness) -> Check | None:
    """Another start finds what the ones before miss."""
    if len(found.restarts) < 2:
        return None
    before, after = (_kept(each & found.clean) for each in found.restarts[-2:])
    words = f"the last of {len(found.restarts)} starts breaks {{}} samples more"
    return _check(found, "restarts", before & ~after, words)


def _unbounded(found: Robustness) -> Check:
    """Changes without a bound have to succeed."""
    words = "PGD leaves {} samples right where nothing of the input need be left"
    left = (found.far & found.clean)[None]
    return _check(replace(found, epsilons=np.array([found.far_epsilon])), "unbounded", left, words)


def _gradient(found: Robustness) -> Check:
    """Where the gradient is exactly 0, an attack along it goes nowhere."""
    broken = found.flat & found.survived()
    return _check(found, "gradient", broken, "the loss's gradient is exactly 0 at {} samples that stay right")


_CHECKS = (_one_step, _random, _transfer, _unbounded, _gradient, _steps, _restarts)
