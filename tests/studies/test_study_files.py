"""Studies as TOML files: what is wrong is named with its line and key, and a miniature is the same study."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from landscape.errors import LandscapeError, UsageError
from landscape.studies.expectations import parse_expectation
from landscape.studies.study import Hypothesis, Measurement, Recipe, Relation, Study, TrainedNetwork, Variant
from landscape.studies.study_files import find_study, given_data, read_study
from tests.helpers import tiny_study

TEXT = """
title = "A study"
question = "What?"
seeds = [1, 2]
least_accuracy = 0.5

[data]
train = "digits:train"
test = "own.py:test"

[recipe]
network = "own.py:net"
arguments = { width = 4, depth = 2 }
optimizer = "sgd"
learning_rate = 0.1
epochs = 5

[variants.small]
title = "small ones"

[variants.large]
arguments = { width = 8 }
recipe = { epochs = 6, optimizer = "adam" }

[measurements.plane]
measure = "plane"
arguments = { x = "-1:1:5", samples = 100 }

[measurements.pair]
measure = "own.py:pair"
per = "seed"
variants = ["large", "small"]

[hypotheses.flat]
statement = "Large is flatter"
value = "plane/width"
expect = "large > small"
margin = 0.1

[smoke]
seeds = [5]
recipe.epochs = 1
measurements.plane.arguments.samples = 10

[cifar10]
seeds = [7]
recipe.arguments.depth = 9
variants.large.arguments.width = 16
"""


def written(folder: Path, text: str = TEXT) -> Path:
    path = folder / "own.toml"
    path.write_text(text)
    return path


def read(folder: Path, text: str = TEXT, **options: object) -> Study:
    return read_study(written(folder, text), **options)  # type: ignore[arg-type]


def test_what_a_file_says_is_in_the_study(tmp_path):
    study = read(tmp_path)
    small, large = study.variants
    assert (small.recipe.epochs, large.recipe.epochs) == (5, 6)
    assert (small.recipe.optimizer, large.recipe.optimizer) == ("sgd", "adam")
    assert large.recipe.arguments == {"width": 8, "depth": 2}
    assert small.recipe.arguments == {"width": 4, "depth": 2}
    assert small.recipe.network == f"{tmp_path.resolve()}/own.py:net"
    assert study.data == {"train": "digits:train", "test": f"{tmp_path.resolve()}/own.py:test"}
    assert [each.per for each in study.measurements] == ["network", "seed"]
    assert study.measurements[1].variants == ("large", "small")
    (flat,) = study.hypotheses
    assert flat.relations == (Relation({"large": 1.0, "small": -1.0}, ">", 0.0, "large > small"),)
    assert (flat.margin, flat.untrained, study.name, study.shown) == (0.1, False, "own", "A study")


def test_a_miniature_and_other_data_change_what_they_say_and_nothing_else(tmp_path):
    study = read(tmp_path, smoke=True)
    assert study.seeds == (5,)
    assert study.least_accuracy == 0.0
    assert study.variants[0].recipe.epochs == 1
    assert study.variants[1].recipe.epochs == 6  # the variant's own
    assert study.measurements[0].arguments == {"x": "-1:1:5", "samples": 10}
    other = read(tmp_path, data=["cifar10:/somewhere"])
    assert other.data == {"train": "cifar10:/somewhere:train", "test": "cifar10:/somewhere:test"}
    assert other.seeds == (7,)
    assert [dict(each.recipe.arguments) for each in other.variants] == [
        {"width": 4, "depth": 9},
        {"width": 16, "depth": 9},
    ]
    here = read(tmp_path, data=["train=npz:a.npz", "test=own.py:test"])  # from where it was typed, not from the file
    assert here.data == {"train": f"npz:{Path.cwd() / 'a.npz'}", "test": f"{Path.cwd() / 'own.py'}:test"}
    both = read(tmp_path, data=["cifar10:/somewhere"], smoke=True)
    assert both.seeds == (5,)  # a miniature of that
    # Minutes are those of what was timed: this study, on its own data, unless a part says what it took.
    timed = TEXT.replace("seeds = [1, 2]", "seeds = [1, 2]\nminutes = 9.0")
    told = timed.replace("[cifar10]", "[cifar10]\nminutes = 50.0")
    cifar = {"data": ["cifar10:/somewhere"]}
    for text, options, minutes in (
        (timed, {}, 9.0), (timed, {"data": ["digits"]}, 9.0), (timed, {"smoke": True}, 0.0), (timed, cifar, 0.0),
        (told, cifar, 50.0), (told, {**cifar, "smoke": True}, 0.0),
    ):  # fmt: skip
        assert read(tmp_path, text, **options).minutes == minutes, options


# What is changed, into what, the line of the error, and what it says.
WRONG = [
    ('title = "A study"', 'titel = "A study"', 2, r"titel: there is no such key; did you mean title\?"),
    ('title = "A study"', "title = 5", 2, "title: text was wanted, got 5"),
    ('question = "What?"', "", None, "question: a study has to have this key"),
    ("seeds = [1, 2]", "seeds = [1, 1]", 4, "seeds: different whole numbers"),
    ("seeds = [1, 2]", "seeds = []", 4, "seeds: different whole numbers"),
    ("seeds = [1, 2]", "seeds = [true]", 4, "seeds: different whole numbers"),
    ("seeds = [1, 2]", "seeds = [-1]", 4, "seeds: different whole numbers"),
    ("least_accuracy = 0.5", "least_accuracy = nan", 5, "least_accuracy: a number was wanted"),
    ('train = "digits:train"', 'training = "digits:train"', 7, "data: a study trains on what is called 'train'"),
    ("epochs = 5", "epochs = 5.5", 16, "recipe.epochs: a whole number was wanted, got 5.5"),
    ("epochs = 5", "epochs = true", 16, "recipe.epochs: a whole number was wanted, got True"),
    ("epochs = 5", "epochs = -1", 16, "recipe.epochs: at least 0 was wanted, got -1"),
    ("learning_rate = 0.1", "learning_rate = 0", 15, "recipe.learning_rate: more than 0 was wanted"),
    ("learning_rate = 0.1", "learning_rte = 0.1", 15, r"recipe.learning_rte: .* did you mean learning_rate\?"),
    ('optimizer = "sgd"', 'optimizer = "sgdd"', 14, r"recipe.optimizer: .*'sgdd'; did you mean sgd\?"),
    ('optimizer = "adam"', 'optimizer = "adan"', 23, "variants.large.recipe.optimizer: .* did you mean adam"),
    ('network = "own.py:net"', "", None, "recipe.network: a recipe says what builds the network"),
    ("[variants.small]", '[variants."sm all"]', 18, "a name is of letters"),
    ("[variants.small]", "[variants.all]", 18, "neither 'all' nor 'training'"),
    ('measure = "plane"', "", 25, "measurements.plane: 'measure' is missing"),
    ('per = "seed"', 'per = "seeds"', 31, "measurements.pair.per: one of network, seed, variant, study"),
    ('["large", "small"]', '["large", "smal"]', 32, r"measurements.pair.variants: .*did you mean small\?"),
    ('["large", "small"]', '["large", "large"]', 32, "a variant comes twice"),
    ('statement = "Large is flatter"', "", 34, "hypotheses.flat: a hypothesis has a 'statement'"),
    ('value = "plane/width"', 'value = "plan/width"', 36, r"value: 'plan/width' is not .*did you mean plane/\.\.\.\?"),
    ('value = "plane/width"', 'value = "plane"', 36, "is not MEASUREMENT/NUMBER"),
    ('"large > small"', '"large > smal"', 37, r"expect: 'large > smal' names 'smal'.*did you mean small\?"),
    ('"large > small"', '"large = small"', None, None),  # it has a margin
    ('"large > small"', '"large"', 37, "'large' compares nothing"),
    ('"large > small"', '"large > large"', 37, "says nothing of any variant"),
    ("margin = 0.1", "margin = -0.1", 38, "margin: at least 0 was wanted"),
    ("margin = 0.1", 'given = "flat"', 38, "given: there is no other hypothesis 'flat'"),
    ("recipe.epochs = 1", "recipe.epoch = 1", 42, r"smoke.recipe.epoch: .*did you mean epochs\?"),
    ("seeds = [7]", "seeds = 7", 46, "cifar10.seeds: a list was wanted"),
    ("[cifar10]", "[cifar]", 45, r"cifar: there is no such key; did you mean cifar10\?"),
    ("[smoke]", "[smoke", 40, "is no TOML file"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "said"), WRONG, ids=[new or old for old, new, *_ in WRONG])
def test_an_error_names_line_key_and_what_is_near(tmp_path, old, new, line, said):
    assert TEXT.count(old) == 1
    text = TEXT.replace(old, new)
    if said is None:
        read(tmp_path, text)
        return
    with pytest.raises(UsageError, match=said) as raised:
        read(tmp_path, text)
    if line is not None:
        assert re.search(rf"line {line}\b", str(raised.value)), raised.value
    assert "\n" not in str(raised.value)


OWN = 'value = "plane/width"\ninterval = "own"'


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({'value = "plane/width"': 'value = "plane/width"\ninterval = "owm"'}, "one of seeds, own was wanted"),
        ({'value = "plane/width"': OWN}, "interval: plane/width is measured for each network, .* leave interval out"),
        ({'value = "plane/width"': OWN.replace("plane/width", "pair/a")}, "pair/a is measured for each seed"),
        ({'value = "plane/width"': OWN.replace("plane/width", "training/loss")}, "measured for each network"),
        ({'value = "plane/width"': OWN, 'measure = "plane"': 'measure = "plane"\nper = "study"'},
         "expect: 'large > small' is about 2 numbers, .* measure the difference itself"),
        ({'value = "plane/width"': OWN, 'measure = "plane"': 'measure = "plane"\nper = "study"',
          '"large > small"': '"all > 0"', "margin = 0.1": "effect = 0.1"}, "effect: seeds for an effect"),
        ({'value = "plane/width"': 'correlate = ["plane/a", "plane/b"]\ninterval = "own"', '"large > small"': '"> 0"'},
         "a correlation has no interval of its own"),
    ],
)  # fmt: skip
def test_an_interval_of_its_own_is_of_one_number_of_all_seeds(tmp_path, changes, said):
    text = TEXT
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    with pytest.raises(UsageError, match=said):
        read(tmp_path, text)


def test_an_interval_of_its_own_is_read(tmp_path):
    text = TEXT.replace('value = "plane/width"', OWN).replace('"large > small"', '"0.1 < all < 0.5"')
    study = read(tmp_path, text.replace('measure = "plane"', 'measure = "plane"\nper = "study"'))
    assert study.hypotheses[0].interval == "own"


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_file_with_anything_wrong_in_it_is_refused_in_one_line_or_read(tmp_path, data):
    """Lines dropped, doubled, swapped, cut, or with a letter changed: never a traceback of ours."""
    lines = TEXT.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        here, there = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        kind = data.draw(st.sampled_from(["drop", "double", "swap", "cut", "letter", "value"]))
        if kind == "drop" and len(lines) > 2:
            del lines[here]
        elif kind == "double":
            lines.insert(there, lines[here])
        elif kind == "swap":
            lines[here], lines[there] = lines[there], lines[here]
        elif kind == "cut":
            lines[here] = lines[here][: data.draw(st.integers(0, len(lines[here])))]
        elif kind == "letter" and lines[here]:
            place = data.draw(st.integers(0, len(lines[here]) - 1))
            letter = data.draw(st.characters(codec="utf-8", exclude_characters="\r\n"))
            lines[here] = lines[here][:place] + letter + lines[here][place + 1 :]
        elif kind == "value" and "=" in lines[here]:
            odd = ["1e400", "-1", "[]", "{}", '""', "true", "1979-05-27", "[[1]]", "9" * 30, '"\\u202e"']
            lines[here] = lines[here].partition("=")[0] + "= " + data.draw(st.sampled_from(odd))
    path = tmp_path / "own.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    for options in ({}, {"smoke": True}, {"data": ["cifar10:x"]}):
        with suppress(LandscapeError):
            assert isinstance(read_study(path, **options), Study)


def test_bytes_that_are_no_toml_are_refused(tmp_path):
    path = tmp_path / "own.toml"
    path.write_bytes(b"title = '\xff'")
    with pytest.raises(UsageError, match="byte 9 is not UTF-8"):
        read_study(path)


def test_data_are_named_or_stand_for_both_parts():
    assert given_data(["digits"]) == {"train": "digits:train", "test": "digits:test"}
    assert given_data(["train=npz:a.npz", "test=npz:b.npz"]) == {"train": "npz:a.npz", "test": "npz:b.npz"}
    for wrong in (["npz:a.npz"], ["digits:test"], ["test=digits:test"], ["own.py:data"], [""]):
        with pytest.raises(UsageError, match="--data"):
            given_data(wrong)


def test_a_file_in_the_home_folder_is_found(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert find_study("~/own.toml") == Path("/home/somebody/own.toml")


def test_a_study_that_does_not_ship_is_refused_with_those_that_do():
    with pytest.raises(UsageError, match="no study called 'shortcutz' comes with landscape"):
        find_study("shortcutz")


@pytest.mark.parametrize(
    ("text", "weights", "relation", "bound"),
    [
        ("a > b", {"a": 1, "b": -1}, ">", 0),
        ("2 a - 3*b < c + 0.5", {"a": 2, "b": -3, "c": -1}, "<", 0.5),
        ("-a + b = 1e-3", {"a": -1, "b": 1}, "=", 0.001),
        ("0.4 < all", {"all": -1}, "<", -0.4),
        ("a - b > c - b", {"a": 1, "c": -1}, ">", 0),
    ],
)
def test_an_expectation_is_a_weighted_sum_against_a_number(text, weights, relation, bound):
    (found,) = parse_expectation(text, ["a", "b", "c"])
    assert (dict(found.weights), found.relation, found.bound) == (weights, relation, pytest.approx(bound))


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-3, 3)), min_size=1, max_size=5),
    st.dictionaries(st.sampled_from("abc"), st.integers(-9, 9), min_size=3, max_size=3),
)
def test_an_expectation_holds_where_python_says_so(terms, values):
    side = " ".join(f"{'-' if factor < 0 else '+'} {abs(factor)} {name}" for name, factor in terms)
    sentence = f"{side} < 2 a + 1"
    sum_of_terms = sum(factor * values[name] for name, factor in terms)
    try:
        (found,) = parse_expectation(sentence, list("abc"))
    except UsageError:
        assert all(sum(f for n, f in terms if n == name) == (2 if name == "a" else 0) for name in "abc")
        return
    held = sum(weight * values[name] for name, weight in found.weights.items()) < found.bound
    assert held == (sum_of_terms < 2 * values["a"] + 1)


def test_a_chain_is_several_comparisons_and_nonsense_is_refused():
    assert [each.text for each in parse_expectation("a < b < c", list("abc"))] == ["a < b", "b < c"]
    for wrong in ("a b > c", "a >", "> a", "a ~ b", "a > 2 3", "a > b *", "a > (b)", "a >= b", "1 > 2", "a > 1e999"):
        with pytest.raises(UsageError):
            parse_expectation(wrong, list("abc"))


def test_the_tests_own_study_is_one(tmp_path):
    study = read_study(path := tiny_study.write(tmp_path))
    assert (len(study.variants), study.path) == (2, str(path))


def test_what_a_study_leaves_open_stays_as_it_was_when_its_results_were_written_down():
    recipe = Recipe("own.py:net")
    assert (recipe.loss, recipe.optimizer, recipe.learning_rate, recipe.momentum) == ("cross_entropy", "sgd", 0.1, 0.9)
    assert (recipe.nesterov, recipe.rho, recipe.weight_decay) == (False, 0.05, 0.0)
    assert (recipe.schedule, recipe.warmup, recipe.batch_size, recipe.epochs) == ("constant", 0.0, 64, 20)
    assert (recipe.samples, recipe.augmentation, recipe.checkpoints, recipe.walk) == (0, "none", 0, 0)
    study = Study("own", "What?", (Variant("one", recipe),))
    assert (study.seeds, study.direction_seed, study.least_accuracy) == ((0, 1, 2), 0, 0.0)
    assert study.data == {"train": "digits:train", "test": "digits:test"}
    asked = Hypothesis("flat", "It is flat")
    assert (asked.margin, asked.untrained, asked.sign, asked.interval) == (0.0, False, ">", "seeds")
    assert Measurement("plane", "plane").per == "network"
    assert Hypothesis("flat", "It is flat", value="plane/width").values == ("plane/width",)
    pair = ("plane/width", "plane/depth")
    assert Hypothesis("flat", "Both go together", correlate=pair).values == pair


def test_what_is_shown_is_the_title_where_there_is_one():
    recipe = Recipe("own.py:net")
    for title, shown in (("A title", "A title"), ("", "name")):
        assert Variant("name", recipe, title).shown == shown
        assert Study("name", "What?", (), title=title).shown == shown


def test_a_trained_network_is_that_of_its_recipe_with_its_last_weights_and_its_steps_in_order(tmp_path):
    (tmp_path / "own.py").write_text(
        "from torch import nn\ndef net(width=1):\n    return nn.Sequential(nn.Linear(2, width), nn.Dropout())\n"
    )
    weights = nn.Sequential(nn.Linear(2, 3), nn.Dropout()).state_dict()
    torch.save(weights, tmp_path / "final.pt")
    (tmp_path / "checkpoints").mkdir()
    steps = [tmp_path / "checkpoints" / f"step-{step:08d}.safetensors" for step in (100, 2, 30, 1, 7)]
    for other in (
        *steps,
        tmp_path / "checkpoints" / "best.safetensors",
        tmp_path / "checkpoints" / "step-00000003.tmp",
    ):
        other.touch()
    trained = TrainedNetwork("one", "", 0, Recipe(f"{tmp_path}/own.py:net", {"width": 3}), tmp_path)
    model = trained.model()
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    assert trained.steps() == sorted(steps)
