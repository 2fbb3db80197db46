"""What a study is: a question, variants and seeds, how they are trained, what is measured, what is expected.

Frozen values, the same whether they come from a file (`landscape.studies.study_files`) or from Python. A hypothesis is
written down before the study runs, and ends in one of `VERDICTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from landscape.problem.data.datasets import Data

REPRODUCED, NOT_REPRODUCED, NOT_RESOLVED = "reproduced", "not reproduced", "not resolved"
VERDICTS = (REPRODUCED, NOT_REPRODUCED, NOT_RESOLVED)

# What numbers that belong to no single variant are kept under, and what numbers of training are called.
ALL = "all"
TRAINING = "training"
# Of what a measurement is a task each: a network, all variants of a seed, all seeds of a variant, everything.
SCOPES = ("network", "seed", "variant", "study")

# What a hypothesis is judged by: the spread of a number over seeds, or the interval that it was measured with.
INTERVALS = ("seeds", "own")

# What the built-in training knows.
OPTIMIZERS = ("sgd", "adam", "adamw", "sam")
SCHEDULES = ("constant", "cosine", "step", "onecycle")
AUGMENTATIONS = ("none", "shift", "shift_flip")


@dataclass(frozen=True)
class Recipe:
    """How one network is trained. Paths in references are absolute once a file was read."""

    network: str = ""  # "file.py:name" or "package.module:name": called with `arguments`, returns the Module
    arguments: Mapping[str, Any] = field(default_factory=dict)
    loss: str = "cross_entropy"
    optimizer: str = "sgd"  # sgd, adam, adamw, sam
    learning_rate: float = 0.1
    momentum: float = 0.9  # sgd and sam
    nesterov: bool = False
    rho: float = 0.05  # sam
    weight_decay: float = 0.0
    schedule: str = "constant"  # constant, cosine, step, onecycle
    warmup: float = 0.0  # epochs in which the rate rises linearly from 0
    batch_size: int = 64
    epochs: int = 20
    samples: int = 0  # of the training set, the first N of a permutation by the seed of the data; 0: all
    augmentation: str = "none"  # none, shift, shift_flip
    checkpoints: int = 0  # records of the run: every N epochs; 0: none but the end; -N: every N steps
    walk: int = 0  # loss and gradient along the gradient every N steps; 0: not
    attack: Mapping[str, Any] = field(default_factory=dict)  # adversarial training: norm, epsilon, steps, clip
    tasks: Mapping[str, Any] = field(default_factory=dict)  # tasks in sequence: kind, number
    training: str = ""  # a training function of the user's own, called as the built-in one
    options: Mapping[str, Any] = field(default_factory=dict)  # for that function


@dataclass(frozen=True)
class Variant:
    """One of the things compared."""

    name: str
    recipe: Recipe
    title: str = ""

    @property
    def shown(self) -> str:
        """What pictures and tables call it."""
        return self.title or self.name


@dataclass(frozen=True)
class Measurement:
    """What is measured, of each network or of several together."""

    name: str
    measure: str  # one of the built-in ones, or "file.py:name"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    per: str = "network"  # one of SCOPES
    variants: tuple[str, ...] = ()  # of these; all where empty


@dataclass(frozen=True)
class Relation:
    """A linear comparison: the sum of ``weights[v] * value(v)`` is less than, greater than, or equal to ``bound``."""

    weights: Mapping[str, float]  # variant -> factor
    relation: str  # "<", ">", "="
    bound: float = 0.0
    text: str = ""


@dataclass(frozen=True)
class Hypothesis:
    """What is expected, of which number, and from where: either `relations` of one number or a correlation of two."""

    name: str
    statement: str
    source: str = ""
    value: str = ""  # "MEASUREMENT/NUMBER"
    relations: tuple[Relation, ...] = ()  # all of them have to hold
    correlate: tuple[str, ...] = ()  # two values; `sign` says which way they go together
    sign: str = ">"
    expect: str = ""  # as it was written
    margin: float = 0.0  # differences up to this one count as none
    effect: float = 0.0  # a difference one would care about, for the power; 0: not stated
    untrained: bool = False  # networks that did not train count as well
    about: str = ""  # hypotheses about one thing, "flatness" say: the report says where their verdicts differ
    given: str = ""  # the hypothesis that has to hold for this one to be about what it says: equal accuracy, say
    interval: str = "seeds"  # one of INTERVALS; "own": of one number, measured with NUMBER_low and NUMBER_high

    @property
    def values(self) -> tuple[str, ...]:
        """The numbers it is about."""
        return self.correlate or (self.value,)


@dataclass(frozen=True)
class Study:
    """A question and how it is answered."""

    name: str
    question: str
    variants: tuple[Variant, ...]
    measurements: tuple[Measurement, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    data: Mapping[str, str] = field(default_factory=lambda: {"train": "digits:train", "test": "digits:test"})
    samples: Mapping[str, int] = field(default_factory=dict)  # data set -> the first N of a seeded permutation
    normalize: str = ""  # "MEAN/STD", of the built-in data sets
    title: str = ""
    source: str = ""
    notes: str = ""
    minutes: float = 0.0  # on two cores, as it was measured; 0: not known
    least_accuracy: float = 0.0  # of the training set: a network below it did not train
    direction_seed: int = 0  # of directions and of samples, the same for all networks
    path: str = ""  # the file it was read from

    @property
    def shown(self) -> str:
        """What the report calls it."""
        return self.title or self.name

    def variant(self, name: str) -> Variant:
        """Return a variant by its name."""
        return next(each for each in self.variants if each.name == name)


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that the study trained: where it lies, and how to have it back."""

    variant: str
    title: str
    seed: int
    recipe: Recipe
    folder: Path
    scores: Mapping[str, float] = field(default_factory=dict)  # what training returned

    @property
    def checkpoint(self) -> Path:
        """The weights at the end of training."""
        return self.folder / "final.pt"

    def steps(self) -> list[Path]:
        """Return the recorded checkpoints in their order; none where the recipe keeps none."""
        return sorted((self.folder / "checkpoints").glob("step-*.safetensors"))

    def model(self) -> nn.Module:
        """Build the network and give it its trained weights; in eval mode.

        Raises
        ------
        ProblemError, CheckpointError
            The network cannot be built, or the weights do not fit it.
        """
        from landscape.problem.checkpoints.checkpoint import apply_checkpoint, load_checkpoint
        from landscape.problem.model import build_model

        model = build_model(self.recipe.network, self.recipe.arguments)
        apply_checkpoint(model, load_checkpoint(self.checkpoint))
        return model.eval()


@dataclass(frozen=True)
class Context:
    """What a measurement is given."""

    networks: tuple[TrainedNetwork, ...]  # one, or those of its scope: variants in the order asked for, then seeds
    data: Mapping[str, Data]
    arguments: Mapping[str, Any]
    folder: Path  # files go there; what a killed run left may be there
    seed: int = 0  # of directions and samples
    progress: Callable[[int, int], None] = lambda done, total: None


@dataclass(frozen=True)
class Verdict:
    """What became of a hypothesis."""

    name: str
    verdict: str  # one of VERDICTS
    estimate: float  # of the contrast, or the correlation
    interval: tuple[float, float]  # of 95 %, over seeds
    seeds: int
    p: float = float("nan")
    p_corrected: float = float("nan")  # for the number of hypotheses of the study
    # Both at 5 % over the number of questions that were tested.
    resolvable: float = float("nan")  # the least difference that so many seeds show in 8 of 10 studies
    seeds_needed: int = 0  # for the effect stated, or the one estimated, and the margin; 0: none, or not known
    text: str = ""
    unmet: str = ""  # what it takes for granted and what was not shown

    @property
    def shown(self) -> str:
        """The verdict with what speaks against reading it by itself."""
        claims = self.unmet and self.verdict != NOT_RESOLVED
        return f"{self.verdict}, but {self.unmet}" if claims else self.verdict
