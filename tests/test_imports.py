"""Imports point one way, and importing the package is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "landscape"

# A module may import from its own layer and from those above it in this list.
LAYERS = [
    "errors grid heights surface paths strict_json",
    "control_groups pieces params memory store layout exports original sandbox sandbox_child locks files comm mpi post "
    "dispatch moments schedule leaving signals devices",
    "checkpoint checkpoint_files fitting problem references batches losses archives samples datasets sources "
    "named_data normalization drawing directions direction_files motion planes objective weight_decay "
    "demo_networks demo_training forward engine calls fusion kernels tracing lowering replay agreement precision "
    "cells interpolation refinement settings data",
    "baseline costs provenance resume tally agenda output ledger measuring starting run evaluation demo trajectory "
    "projection principal shared_planes runs step_names record_losses run_surface run_planes recorder callbacks",
    "__init__",
    "cli commands __main__",
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names.split()}


def imports_of(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, as the part behind ``landscape.``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module] if node.module != "landscape" else [f"landscape.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("landscape.")}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_a_module_imports_only_from_its_own_layer_or_above(path):
    if path.stem in ("__init__", "__main__"):
        return
    assert path.stem in LEVEL, f"say in LAYERS where {path.name} belongs"
    for name in imports_of(path) - {"__version__"}:
        if (path.stem, name) == ("surface", "plot"):  # drawing a surface in a notebook
            continue
        assert LEVEL[name] <= LEVEL[path.stem], f"{path.stem} imports {name}, which lies below it"


def test_renderers_never_see_torch_nor_what_computes():
    allowed = {"surface", "paths", "grid", "heights", "errors", "store", "files", "strict_json", "plot"}
    for path in sorted((ROOT / "plot").glob("*.py")):
        text = path.read_text()
        assert "import torch" not in text, path
        assert imports_of(path) - {"__version__"} <= allowed, path


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

    modules = {path.stem for path in PACKAGE.glob("*.py")} | {path.stem for path in PACKAGE.glob("*/__init__.py")}
    assert not modules & set(landscape._WHERE)
