"""Imports point one way, from room to room and within a room, and importing the package is cheap."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from landscape.cli import COMMANDS

ROOT = Path(__file__).parent.parent

# From the ground up: an import never points to a room further down in this list.
FLOORS = [
    ["errors"],
    ["arguments"],
    ["data"],
    ["surface"],
    ["parallel"],
    ["files"],
    ["problem"],
    ["directions", "engine"],
    ["curvature", "similarity", "inputs"],
    ["evaluation"],
    ["trajectory", "demo"],
    ["__init__"],
    ["plot"],
    ["studies"],
    ["cli", "commands", "__main__"],
]
# The same within what has rooms of its own: those, and the files beside them.
INSIDE = {
    "problem": "references tensor_layouts batches attributes buffers repeated_passes copies chunks params stale_values "
    "data losses checkpoints named_data model",
    "surface": "recipes grid heights statistics anchors surface unmeasured other_networks derived reports",
    "plot": "scale style figures paths planes lines surfaces spectra representations comparisons page films saving "
    "notebook",
    "commands": "words printed options given_files dry_run surfaces reports shown study_commands study",
    "studies": "study expectations toml_document study_tables study_files study_networks training measures statistics "
    "tasks report study_runs",
}
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# Drawing what was measured in a notebook: imported when called.
EXCEPTIONS = {(f"landscape.surface.{name}", "landscape.plot.notebook") for name in ("surface", "reports.curvature")}

FILES = [*sorted((ROOT / "landscape").rglob("*.py")), *sorted((ROOT / "plot").rglob("*.py"))]


def module_of(path: Path) -> str:
    """Return the name under which a file is imported; a room's own file bears the room's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = ("landscape", *parts) if parts[0] == "plot" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


MODULES = {module_of(path): path for path in FILES}


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all statements below a node, expressions left out, where there are most nodes and no imports."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for inner in getattr(node, name, ()):
            yield inner
            yield from statements(inner)


@functools.cache
def imports_in(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """Return a file's imports, wherever in its text."""
    tree = ast.parse(path.read_text())
    return [node for node in statements(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def imports_of(module: str) -> set[str]:
    """Return the modules of ours that a module imports, wherever in its text."""
    path = MODULES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    found = set()
    for node in imports_in(path):
        if isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                found.add(whole if whole in MODULES else base)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name in MODULES}


# A room's __init__ names its modules for type checkers and looks them up when asked.
IMPORTING = sorted(MODULES.keys() - {"landscape.__init__", "landscape.plot", "landscape.plot.__init__"})


@functools.cache
def graph() -> dict[str, set[str]]:
    """Return what each module imports; made by the first test that asks, not in every process that has tests."""
    return {module: imports_of(module) - {module} for module in IMPORTING}


def room_of(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", IMPORTING)
def test_an_import_never_points_up(module):
    for name in graph()[module]:
        if (module, name) in EXCEPTIONS:
            continue
        assert FLOOR[room_of(name)] <= FLOOR[room_of(module)], f"{module} imports {name}, a floor above it"


def test_no_two_modules_import_each_other_in_a_circle():
    inside = {module: {name for name in names if (module, name) not in EXCEPTIONS} for module, names in graph().items()}
    try:
        TopologicalSorter(inside).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", [name for name in IMPORTING if name.startswith("landscape.plot")])
def test_renderers_see_surfaces_and_files_and_never_torch(module):
    tree = imports_in(MODULES[module])
    named = {alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in tree if isinstance(node, ast.ImportFrom) and not node.level}
    assert "torch" not in {name.partition(".")[0] for name in named}
    assert {room_of(name) for name in graph()[module]} <= {"surface", "files", "errors", "plot"}


@pytest.mark.parametrize("room", sorted(INSIDE))
def test_nor_does_one_within_a_room_of_rooms(room):
    order, start = INSIDE[room].split(), f"landscape.{room}."
    floor = {module: order.index(module.split(".")[2]) for module in IMPORTING if module.startswith(start)}
    above = [
        f"{module} -> {name}" for module in floor for name in graph()[module] if floor.get(name, 0) > floor[module]
    ]
    assert not above, f"imports that point up: {', '.join(above)}"


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sorted(name.partition('.')[0] for name in sys.modules))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(out.stdout.split())


@pytest.mark.parametrize("code", ["import landscape", "import landscape.cli; landscape.cli.build_parser()"])
def test_importing_the_package_loads_nothing_heavy(code):
    assert not loaded_by(code) & {"torch", "matplotlib", "h5py", "mpi4py", "scipy", "rich"}


def test_every_public_name_can_be_had():
    script = "import landscape\nfor name in landscape.__all__: getattr(landscape, name)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_no_module_bears_the_name_of_a_public_function():
    import landscape

    modules = {path.stem for path in (ROOT / "landscape").iterdir()} - {"plot"}
    # A room that can be called is the function of its name.
    assert {name for name in landscape.__all__ if name in modules} == {"curvature", "similarity"}
    assert callable(landscape.curvature)


def test_no_two_modules_bear_one_name():
    """A command's module bears the command's name, whatever else does; a room's file may bear the room's."""
    names = [name.rpartition(".")[2] for name, path in MODULES.items() if path.name != "__init__.py"]
    twice = {name for name in names if names.count(name) > 1} - set(COMMANDS)
    assert not twice
