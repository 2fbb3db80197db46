"""file.py:name and package.module:name are found, imported once, and say what is wrong and where."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from landscape.errors import ProblemError
from landscape.problem.references import failure, import_file, resolve


@pytest.fixture(autouse=True)
def _clean_imports(monkeypatch):
    """Forget what a test imported, and where from."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def test_a_name_in_a_file_is_found_by_absolute_and_relative_path(tmp_path, monkeypatch):
    write(
        tmp_path / "deep",
        "some_nets.py",
        "def build():\n    return 1\nclass Group:\n    member = staticmethod(build)\n",
    )
    assert resolve(f"{tmp_path}/deep/some_nets.py:build", what="model")() == 1
    monkeypatch.chdir(tmp_path)
    assert resolve("deep/some_nets.py:build", what="model")() == 1
    monkeypatch.chdir(tmp_path / "deep")
    assert resolve("some_nets.py:Group.member", what="model")() == 1


def test_a_name_in_a_module_is_found_also_in_one_of_the_working_directory(tmp_path, monkeypatch):
    assert resolve("torch.nn:Linear", what="model").__name__ == "Linear"
    assert resolve("torch:nn.Linear", what="model").__name__ == "Linear"
    write(tmp_path / "package_here", "__init__.py", "")
    write(tmp_path / "package_here", "part.py", "def build():\n    return 2\n")
    monkeypatch.chdir(tmp_path)
    assert resolve("package_here.part:build", what="model")() == 2


def test_a_file_finds_its_neighbours_at_once_and_later(tmp_path):
    write(tmp_path, "neighbour_now.py", "VALUE = 3\n")
    write(tmp_path, "neighbour_later.py", "VALUE = 4\n")
    file = write(
        tmp_path,
        "asks_neighbours.py",
        "from neighbour_now import VALUE\n"
        "def build():\n    import neighbour_later\n    return VALUE, neighbour_later.VALUE\n",
    )
    assert resolve(f"{file}:build", what="model")() == (3, 4)


def test_a_file_may_change_the_path_itself(tmp_path):
    file = write(tmp_path, "changes_the_path.py", "import sys\nsys.path.pop(0)\ndef build():\n    return 8\n")
    assert resolve(f"{file}:build", what="model")() == 8


def test_a_files_folder_never_hides_what_is_installed(tmp_path):
    write(tmp_path, "safetensors.py", "raise RuntimeError('the wrong one')\n")
    file = write(tmp_path, "lies_beside.py", "def build():\n    import wave\n    return wave\n")
    write(tmp_path, "wave.py", "raise RuntimeError('the wrong one')\n")
    sys.modules.pop("wave", None)
    assert hasattr(resolve(f"{file}:build", what="model")(), "Wave_read")
    # Nor does a file that is named itself take the name of a module that is not imported yet.
    sys.modules.pop("colorsys", None)
    theirs = write(tmp_path, "colorsys.py", "def build():\n    return 'ours'\n")
    assert resolve(f"{theirs}:build", what="model")() == "ours"
    assert hasattr(importlib.import_module("colorsys"), "rgb_to_hsv")


def test_a_file_is_run_once(tmp_path):
    count = "from pathlib import Path\nruns = Path(__file__).with_suffix('.runs')\n"
    count += "runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')\na = b = dict\n"
    write(tmp_path, "counts_runs.py", count)
    first = resolve(f"{tmp_path}/counts_runs.py:a", what="model")
    assert resolve(f"{tmp_path}/../{tmp_path.name}/counts_runs.py:b", what="model") is first
    assert (tmp_path / "counts_runs.runs").read_text() == "x"


def test_a_neighbour_that_imports_the_file_gets_the_same_classes(tmp_path):
    nets = write(tmp_path, "nets_of_one.py", "class Net:\n    pass\n")
    data = write(tmp_path, "data_of_one.py", "from nets_of_one import Net\ndef make():\n    return Net()\n")
    net = resolve(f"{nets}:Net", what="model")
    assert isinstance(resolve(f"{data}:make", what="data")(), net)


def test_two_files_of_one_name_stay_apart(tmp_path):
    a = write(tmp_path / "a", "same_name.py", "def build():\n    return 'a'\n")
    b = write(tmp_path / "b", "same_name.py", "def build():\n    return 'b'\n")
    assert resolve(f"{a}:build", what="model")() == "a"
    assert resolve(f"{b}:build", what="model")() == "b"
    assert resolve(f"{a}:build", what="model")() == "a"


def test_a_file_named_like_an_installed_module_is_itself(tmp_path):
    file = write(tmp_path, "random.py", "def build():\n    return 'mine'\n")
    assert resolve(f"{file}:build", what="model")() == "mine"
    import random

    assert hasattr(random, "Random")


def test_dataclasses_and_pickles_of_a_file_work(tmp_path):
    text = "from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass\nclass Batch:\n    x: int\n"
    for name in ("has_a_dataclass.py", "json.py"):
        batch = resolve(f"{write(tmp_path, name, text)}:Batch", what="data")
        assert pickle.loads(pickle.dumps(batch(3))) == batch(3)


@pytest.mark.parametrize(
    "reference", ["nets.py", "nets", "", ":", "nets.py:", ":build", "nets.py:3d", "a.py:b c", "C:\\nets.py"]
)
def test_a_reference_without_a_file_or_name_is_told_how_to_be_written(reference):
    with pytest.raises(ProblemError, match=r"write file\.py:name or package\.module:name"):
        resolve(reference, what="model")


def test_a_missing_file_says_so_and_what_is_near(tmp_path):
    write(tmp_path, "resnets.py", "")
    with pytest.raises(ProblemError, match=r"model: .*resnet\.py does not exist \(there is .*resnets\.py\)"):
        resolve(f"{tmp_path}/resnet.py:build", what="model")
    with pytest.raises(ProblemError, match="nor does the folder"):
        resolve(f"{tmp_path}/nowhere/resnet.py:build", what="model")
    with pytest.raises(ProblemError, match="is a folder"):
        resolve(f"{tmp_path}/:build", what="model")


def test_a_missing_module_says_so(tmp_path, monkeypatch):
    with pytest.raises(ProblemError, match="there is no module 'no_such_package'"):
        resolve("no_such_package.part:build", what="model")
    with pytest.raises(ProblemError, match=r"there is no module 'torch\.no_such_part'"):
        resolve("torch.no_such_part:build", what="model")
    write(tmp_path, "nets_here.py", "import no_such_package\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProblemError, match=r"importing nets_here failed: ModuleNotFoundError.*nets_here\.py, line 1"):
        resolve("nets_here:build", what="model")


def test_a_missing_name_is_told_what_is_near_or_what_there_is(tmp_path):
    file = write(tmp_path, "offers_two.py", "import os\ndef resnet20():\n    pass\ndef vgg():\n    pass\n")
    with pytest.raises(ProblemError, match=r"offers_two\.py has no 'resnet2'; did you mean resnet20\?"):
        resolve(f"{file}:resnet2", what="model")
    with pytest.raises(ProblemError, match=r"it offers resnet20, vgg$"):
        resolve(f"{file}:transformer", what="model")
    with pytest.raises(ProblemError, match=r"offers_two\.py\.vgg has no 'deep'"):
        resolve(f"{file}:vgg.deep", what="model")


def test_what_cannot_be_called_is_refused_unless_that_is_fine(tmp_path):
    file = write(tmp_path, "holds_a_value.py", "value = (1, 2)\n")
    with pytest.raises(ProblemError, match="is a tuple, which cannot be called"):
        resolve(f"{file}:value", what="model")
    assert resolve(f"{file}:value", what="data", call=False) == (1, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n\nraise ValueError('no good')\n", r"ValueError: no good \(fails_at_once\.py, line 3\)"),
        ("x = 1\ny = (\n", r"SyntaxError: '\(' was never closed \(fails_at_once\.py, line 2\)"),
        ("import sys\nsys.exit('stop')\n", r"SystemExit: stop \(fails_at_once\.py, line 2\)"),
        ("import json\njson.loads('{')\n", r"JSONDecodeError: .* \(fails_at_once\.py, line 2\)"),
        ("import not_installed_here\n", r"ModuleNotFoundError: .* \(fails_at_once\.py, line 1\)"),
        ("\0", r"(SyntaxError|ValueError): "),
    ],
)
def test_a_file_that_fails_names_its_own_line(tmp_path, text, said):
    file = write(tmp_path, "fails_at_once.py", text)
    for _ in range(2):  # and it is tried again, not remembered half imported
        with pytest.raises(ProblemError, match=said) as caught:
            resolve(f"{file}:build", what="model")
        assert "\n" not in str(caught.value)
    # Longer than the texts: of a file of the same size and second Python takes what it compiled before.
    file.write_text("def build():\n    number = 5\n    return number\n")
    assert resolve(f"{file}:build", what="model")() == 5


def test_a_failure_inside_a_library_names_the_users_line(tmp_path):
    file = write(
        tmp_path, "fails_when_called.py", "import torch\n\ndef build():\n    return torch.zeros(2) @ torch.zeros(3)\n"
    )
    build = resolve(f"{file}:build", what="model")
    with pytest.raises(RuntimeError) as caught:
        build()
    assert failure(caught.value).endswith("(fails_when_called.py, line 4)")
    assert failure(ValueError()) == "ValueError"


def test_an_interruption_is_passed_on(tmp_path):
    file = write(tmp_path, "is_interrupted.py", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        import_file(file, what="model")
    assert "is_interrupted" not in sys.modules


def test_a_script_may_name_itself(tmp_path):
    script = write(
        tmp_path,
        "names_itself.py",
        "from landscape.problem.references import resolve\ndef build():\n    return 6\n"
        "if __name__ == '__main__':\n    print(resolve(__file__ + ':build', what='model')())\n",
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert done.stdout == "6\n", done.stderr
