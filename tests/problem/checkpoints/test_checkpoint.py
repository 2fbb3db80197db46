"""Checkpoints of every make are read; what is none, is damaged, holds code or does not fit says so in a line."""

from __future__ import annotations

import argparse
import collections
import json
import os
import pickle
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import Tensor, nn

from landscape.errors import CheckpointError
from landscape.problem.checkpoints.checkpoint import apply_checkpoint, load_checkpoint
from landscape.problem.params import digest
from landscape.trajectory.runs import find_run
from tests.helpers.tied_network import net, same


def saved(path: Path, contents: Any, **options: Any) -> Path:
    torch.save(contents, path, **options)
    return path


def test_bare_tensors_are_read_with_their_digest(tmp_path, trained):
    checkpoint = load_checkpoint(saved(tmp_path / "net.pt", trained.state_dict()))
    assert checkpoint.sha256 == digest(trained.state_dict())
    assert checkpoint.candidates == ("",)
    assert checkpoint.description == f"{len(trained.state_dict())} tensors"
    assert all(type(tensor) is Tensor for tensor in checkpoint.tensors.values())


def test_the_digest_depends_on_the_tensors_and_not_on_the_file(tmp_path, trained):
    state = trained.state_dict()
    turned = collections.OrderedDict(reversed(state.items()))
    files = [
        saved(tmp_path / "a.pt", state),
        saved(tmp_path / "b.pt", {"epoch": 3, "model": turned}),
        saved(tmp_path / "c.pt", state, _use_new_zipfile_serialization=False),
    ]
    assert len({load_checkpoint(file).sha256 for file in files}) == 1
    state["scale"][0] += 1
    assert load_checkpoint(saved(tmp_path / "d.pt", state)).sha256 != load_checkpoint(files[0]).sha256


@pytest.mark.parametrize(
    "path",
    [
        *("state_dict", "model", "model_state_dict", "ema", "ema_state_dict", "net", "network", "params", "module"),
        *("ema.module", "state.model", "checkpoint.model.state_dict"),
    ],
)
def test_the_network_is_found_where_scripts_keep_it(tmp_path, trained, path):
    contents: Any = trained.state_dict()
    for name in reversed(path.split(".")):
        contents = {"epoch": 7, name: contents, "best": torch.tensor(0.5)}
    checkpoint = load_checkpoint(saved(tmp_path / "net.pt", contents))
    assert checkpoint.candidates == (path,)
    assert path in checkpoint.description
    assert checkpoint.sha256 == digest(trained.state_dict())
    assert checkpoint.metadata["epoch"] == 7
    assert checkpoint.metadata["best"] == 0.5
    # Counts of a network's layers are none of what is said of it.
    assert {name.rpartition(".")[2] for name in checkpoint.metadata} == {"epoch", "best"}


def test_an_optimizer_is_never_taken_for_a_network(tmp_path, trained):
    optimizer = torch.optim.Adam(trained.parameters())
    trained(torch.tensor([0, 1, 2])).sum().backward()
    optimizer.step()
    contents = {
        "state_dict": trained.state_dict(),
        "optimizer": optimizer.state_dict(),
        "optimizer_states": [optimizer.state_dict()],
        "rng_state": torch.get_rng_state(),
        "rng": {"torch": torch.get_rng_state()},
        "queue": {"of_nothing_yet": torch.zeros(0, 4)},
        "adam": optimizer.state_dict(),
    }
    assert load_checkpoint(saved(tmp_path / "net.pt", contents)).candidates == ("state_dict",)
    with pytest.raises(CheckpointError, match="holds no network"):
        load_checkpoint(saved(tmp_path / "adam.pt", optimizer.state_dict()))


def test_a_networks_own_weights_are_preferred_to_an_average_of_them(tmp_path, trained):
    contents = {"ema": net(2).state_dict(), "state_dict": trained.state_dict(), "state_dict_ema": net(3).state_dict()}
    checkpoint = load_checkpoint(saved(tmp_path / "net.pt", contents))
    assert checkpoint.sha256 == digest(trained.state_dict())
    assert checkpoint.description.endswith("under 'state_dict' (also there: ema, state_dict_ema)")
    assert load_checkpoint(tmp_path / "net.pt", key="ema").sha256 == digest(net(2).state_dict())


@pytest.mark.parametrize(
    "average", ["ema", "Body_EMA", "swa.model", "teacher", "momentum_encoder", "target_network", "averaged"]
)
def test_an_average_by_any_usual_name_is_no_second_network(tmp_path, trained, average):
    outer, _, inner = average.partition(".")
    second = {inner: net(2).state_dict()} if inner else net(2).state_dict()
    checkpoint = load_checkpoint(saved(tmp_path / "net.pt", {outer: second, "body": trained.state_dict()}))
    assert checkpoint.sha256 == digest(trained.state_dict())
    assert f"also there: {average}" in checkpoint.description


def test_of_several_networks_one_has_to_be_chosen(tmp_path, trained):
    contents = {"generator": trained.state_dict(), "discriminator": {"deep": net(2).state_dict()}}
    file = saved(tmp_path / "gan.pt", contents)
    with pytest.raises(CheckpointError, match=r"several networks: generator, discriminator\.deep; .*--checkpoint-key"):
        load_checkpoint(file)
    assert load_checkpoint(file, key="generator").sha256 == digest(trained.state_dict())
    assert load_checkpoint(file, key="discriminator").sha256 == digest(net(2).state_dict())
    assert load_checkpoint(file, key="discriminator.deep").sha256 == digest(net(2).state_dict())
    with pytest.raises(CheckpointError, match="nothing under 'encoder'; it holds 'generator'"):
        load_checkpoint(file, key="encoder")


def test_networks_may_be_kept_by_the_numbers_of_their_epochs(tmp_path, trained):
    assert load_checkpoint(saved(tmp_path / "one.pt", {10: trained.state_dict()})).candidates == ("10",)
    contents = {"epochs": {10: trained.state_dict(), 20: net(2).state_dict()}, "classes": {0: "cat", 1: "dog"}}
    file = saved(tmp_path / "two.pt", contents)
    with pytest.raises(CheckpointError, match=r"several networks: epochs\.10, epochs\.20; choose one with"):
        load_checkpoint(file)
    checkpoint = load_checkpoint(file, key="epochs.20")
    assert checkpoint.sha256 == digest(net(2).state_dict())
    assert not checkpoint.metadata
    # Beside a network by name they are none: statistics of classes, say, or an optimizer's states.
    groups = torch.optim.SGD(trained.parameters()).state_dict()["param_groups"]
    for beside in (
        {"stats": {0: {"mean": torch.ones(3)}}},
        {"param_groups": groups, "opt": {0: {"sum": torch.ones(3)}}},
    ):
        found = load_checkpoint(saved(tmp_path / "beside.pt", {"encoder": trained.state_dict(), **beside}))
        assert found.candidates == ("encoder",)


def test_a_key_may_be_the_start_of_the_tensors_names(tmp_path, trained):
    names = {f"generator.{name}": tensor for name, tensor in trained.state_dict().items()}
    names |= {f"discriminator.{name}": tensor for name, tensor in net(2).state_dict().items()}
    file = saved(tmp_path / "gan.ckpt", {"state_dict": names})
    with pytest.raises(CheckpointError, match="--checkpoint-key generator"):
        apply_checkpoint(net(3), load_checkpoint(file))
    model = net(3)
    apply_checkpoint(model, load_checkpoint(file, key="generator"))
    assert same(model, trained)


def test_a_lightning_checkpoint_is_read(tmp_path, trained):
    names = {f"model.{name}": tensor for name, tensor in trained.state_dict().items()}
    contents = {
        "epoch": 2,
        "global_step": 30,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": collections.OrderedDict(names),
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint{}": {"best_model_score": torch.tensor(0.1), "kth": torch.ones(3)}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}],
        "lr_schedulers": [],
        "hyper_parameters": {"width": 4},
    }
    checkpoint = load_checkpoint(saved(tmp_path / "last.ckpt", contents))
    assert checkpoint.metadata["global_step"] == 30
    model = net(2)
    apply_checkpoint(model, checkpoint)
    assert same(model, trained)


def test_safetensors_are_read_with_tied_tensors_left_out(tmp_path, trained):
    save_model(trained, str(tmp_path / "net.safetensors"))
    checkpoint = load_checkpoint(tmp_path / "net.safetensors")
    assert not {"embed.weight", "head.weight"} <= set(checkpoint.tensors)
    model = net(2)
    apply_checkpoint(model, checkpoint)
    assert same(model, trained)
    assert model.head.weight is model.embed.weight


def test_a_model_in_several_files_is_read_through_its_index(tmp_path, trained):
    state = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    names = list(state)
    weight_map = {name: f"model-{1 + (i > 2)}.safetensors" for i, name in enumerate(names)}
    for file in set(weight_map.values()):
        part = {name: state[name] for name in names if weight_map[name] == file}
        save_file({**part, "what no index names": torch.zeros(2)}, str(tmp_path / file))
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    assert load_checkpoint(index).sha256 == digest(state)
    for broken, text in (
        ({"weight_map": {"a": "../net.safetensors"}}, "other folders"),
        ({"weight_map": {"a": "gone.safetensors"}}, "does not lie beside it"),
        ({"weight_map": {"gone": "model-1.safetensors"}}, "promises 1 tensors"),
        ({"weights": {}}, "not the index"),
        ({"weight_map": 3}, "not the index"),
        ([], "not the index"),
    ):
        index.write_text(json.dumps(broken))
        with pytest.raises(CheckpointError, match=text):
            load_checkpoint(index)


def test_options_and_numpy_scores_beside_the_weights_need_no_trust(tmp_path, trained):
    contents = {
        "model": trained.state_dict(),
        "args": argparse.Namespace(lr=0.1, path=Path("runs")),
        "best": np.float64(0.9),
        "history": np.arange(3.0),
    }
    assert load_checkpoint(saved(tmp_path / "net.pt", contents)).sha256 == digest(trained.state_dict())


class Code:
    """A pickle that makes a folder when it is loaded, as one from a stranger may do worse."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_not_run_unless_it_is_trusted(tmp_path, trained, zipped):
    mark = tmp_path / "it ran"
    contents = {"model": trained.state_dict(), "more": Code(mark)}
    file = saved(tmp_path / "net.pt", contents, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"net\.pt holds more than tensors.*mkdir.*--trust-checkpoint"):
        load_checkpoint(file)
    assert not mark.exists()
    assert load_checkpoint(file, trust=True).sha256 == digest(trained.state_dict())
    assert mark.exists()


@pytest.mark.parametrize("nested", [True, False])
def test_a_pickled_network_is_read_when_it_is_trusted(tmp_path, trained, nested):
    file = saved(tmp_path / "net.pt", {"model": trained, "epoch": 1} if nested else trained)
    with pytest.raises(CheckpointError, match="--trust-checkpoint"):
        load_checkpoint(file)
    checkpoint = load_checkpoint(file, trust=True)
    assert checkpoint.sha256 == digest(trained.state_dict())


def test_a_trusted_pickle_of_a_class_that_is_gone_says_so(tmp_path, monkeypatch):
    module = type(sys)("module_that_will_be_gone")
    module.Gone = type("Gone", (nn.Linear,), {"__module__": "module_that_will_be_gone"})
    monkeypatch.setitem(sys.modules, "module_that_will_be_gone", module)
    file = saved(tmp_path / "net.pt", module.Gone(2, 2))
    monkeypatch.delitem(sys.modules, "module_that_will_be_gone")
    with pytest.raises(CheckpointError, match=r"code that is not here.*module_that_will_be_gone"):
        load_checkpoint(file, trust=True)


def zip_of(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return path


NOT_CHECKPOINTS = {
    "empty": (b"", "is empty"),
    "an HTML page": (b"<!DOCTYPE html><html><title>404</title></html>", "an HTML page"),
    "a text": (b"dear reader, this is no checkpoint\n" * 9, "a text file"),
    "JSON": (b'{"model": {"weight": [1, 2]}}', "a JSON file"),
    "a pointer of git-lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file"),
    "gzip": (b"\x1f\x8b\x08" + bytes(99), "gzip-compressed"),
    "zeros": (bytes(4096), "nothing but zero bytes"),
    "a plain pickle": (pickle.dumps({"weight": [1.0, 2.0]}, 2), "pickle that torch.save did not write"),
    "noise": (bytes(range(255, 60, -1)) * 9, "binary data of an unknown kind"),
    "a NumPy array": (b"\x93NUMPY" + bytes(99), "a NumPy array"),
}


@pytest.mark.parametrize("kind", NOT_CHECKPOINTS)
def test_what_is_no_checkpoint_is_called_what_it_looks_like(tmp_path, kind):
    data, text = NOT_CHECKPOINTS[kind]
    (tmp_path / "net.pt").write_bytes(data)
    with pytest.raises(CheckpointError, match=text) as caught:
        load_checkpoint(tmp_path / "net.pt")
    assert str(tmp_path / "net.pt") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_say_what_is_there(tmp_path, trained):
    saved(tmp_path / "epoch10.pt", trained.state_dict())
    with pytest.raises(CheckpointError, match=r"there is no file .*epoch1\.pt; there is .*epoch10\.pt"):
        load_checkpoint(tmp_path / "epoch1.pt")
    with pytest.raises(CheckpointError, match=r"is a folder; give a file, such as .*epoch10\.pt"):
        load_checkpoint(tmp_path)
    (tmp_path / "deep").mkdir()
    with pytest.raises(CheckpointError, match="folder without a checkpoint"):
        load_checkpoint(tmp_path / "deep")
    (tmp_path / "deep" / ".metadata").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"a distributed checkpoint .*make it a file with .*dcp_to_torch"):
        load_checkpoint(tmp_path / "deep")
    with pytest.raises(CheckpointError, match="a device or a pipe"):
        load_checkpoint("/dev/null")


def test_other_archives_are_called_what_they_are(tmp_path, trained):
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    with pytest.raises(CheckpointError, match=r"a NumPy archive \(\.npz\)"):
        load_checkpoint(tmp_path / "a.npz")
    with pytest.raises(CheckpointError, match=r"a zip archive with readme\.txt in it"):
        load_checkpoint(zip_of(tmp_path / "b.zip", **{"readme.txt": b"hello"}))
    with pytest.raises(CheckpointError, match="TorchScript"):
        load_checkpoint(zip_of(tmp_path / "c.pt", net__data_pkl=b"", **{"net/data.pkl": b"", "net/constants.pkl": b""}))


@pytest.mark.parametrize("contents", [torch.ones(3), [torch.ones(3)], {"a": 1}, {}, {1: torch.ones(3)}, None])
def test_a_file_without_named_tensors_holds_no_network(tmp_path, contents):
    with pytest.raises(CheckpointError, match="holds no network"):
        load_checkpoint(saved(tmp_path / "net.pt", contents))


def test_a_file_of_integers_alone_holds_no_weights(tmp_path):
    with pytest.raises(CheckpointError, match="no weights"):
        load_checkpoint(saved(tmp_path / "net.pt", {"steps": torch.arange(3)}))


def test_a_flipped_bit_in_the_weights_is_found(tmp_path, trained):
    file = saved(tmp_path / "net.pt", trained.state_dict())
    data = bytearray(file.read_bytes())
    weight = trained.scale.detach().numpy().tobytes()
    data[data.index(weight)] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(file)


def test_tensors_that_are_no_plain_weights_are_refused(tmp_path):
    for tensor, text in (
        (torch.ones(4, 4).to_sparse(), "sparse"),
        (torch.ones(4, device="meta"), "meta device"),
        (torch.ones(4).to(torch.float8_e4m3fn), "float8"),
    ):
        with pytest.raises(CheckpointError, match=text):
            load_checkpoint(saved(tmp_path / "net.pt", {"weight": torch.ones(2), "other": tensor}))


def test_entries_that_share_tensors_are_all_there(tmp_path):
    one, two = net(1).state_dict(), net(2).state_dict()
    file = saved(tmp_path / "net.pt", {"global": one, "clients": [one, {**two}], "deep": {"best": {"inner": one}}})
    for key, wanted in (("global", one), ("clients.0", one), ("clients.1", two), ("deep.best", one)):
        assert load_checkpoint(file, key=key).sha256 == digest(wanted)
    with pytest.raises(CheckpointError, match=r"several networks: global, clients\.0, clients\.1, deep\.best\.inner"):
        load_checkpoint(file)
    # One network under two names is no choice.
    assert load_checkpoint(saved(tmp_path / "b.pt", {"last": one, "best": one})).sha256 == digest(one)


def test_views_of_one_memory_are_told_apart_and_what_is_tied_stays_one_tensor(tmp_path):
    weight = torch.randn(4, 4)
    views = {"own": weight, "tied": weight, "turned": weight.t(), "flat": weight.view(16), "row": weight[0]}
    found = load_checkpoint(saved(tmp_path / "net.pt", views)).tensors
    assert all(torch.equal(found[name], each) for name, each in views.items())
    assert found["own"] is found["tied"]


def test_one_number_is_a_network_too(tmp_path):
    file = saved(tmp_path / "net.pt", {"scale": torch.tensor(2.0)})
    assert load_checkpoint(file).tensors["scale"].item() == 2
    assert (
        load_checkpoint(saved(file, {"model": {"a": torch.tensor(2.0)}, "epoch": 3})).description
        == "1 tensors under 'model'"
    )


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_a_name_of_any_bytes_is_read(tmp_path, trained, kind):
    file = tmp_path / os.fsdecode(b"net\xff.pt")
    if kind == "torch":
        with file.open("wb") as stream:
            torch.save(trained.state_dict(), stream)
    else:
        save_model(trained, str(tmp_path / "net"))
        (tmp_path / "net").rename(file)
    assert digest(load_checkpoint(file).tensors) == load_checkpoint(file).sha256


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("shards", [1, 3])
def test_a_folder_of_save_pretrained_is_read(tmp_path, trained, safe, shards):
    state = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    suffix = "safetensors" if safe else "bin"
    stem = "model" if safe else "pytorch_model"
    names = [f"{stem}.{suffix}"] if shards == 1 else [f"{stem}-{n}-of-{shards}.{suffix}" for n in range(shards)]
    where = {name: names[number % shards] for number, name in enumerate(state)}
    for file in names:
        part = {name: state[name] for name in state if where[name] == file}
        save_file(part, tmp_path / file) if safe else saved(tmp_path / file, part)
    if shards > 1:
        (tmp_path / f"{stem}.{suffix}.index.json").write_text(json.dumps({"weight_map": where}))
    (tmp_path / "config.json").write_text("{}")
    assert load_checkpoint(tmp_path).sha256 == digest(state)


def distributed(folder: Path, contents: dict[str, Any]) -> Path:
    from torch.distributed import checkpoint

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checkpoint.save(contents, checkpoint_id=str(folder), no_dist=True)
    return folder


def test_a_distributed_checkpoint_is_read_by_torchs_reader(tmp_path, trained):
    state = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    optimizer = {"state": {"exp_avg": torch.ones(3)}}
    folder = distributed(tmp_path / "dcp", {"model": state, "optim": optimizer, "step": 3})
    checkpoint = load_checkpoint(folder)
    assert checkpoint.candidates == ("model",)
    assert checkpoint.sha256 == digest(state)


class Runs:
    def __reduce__(self) -> Any:
        return os.mkdir, ("it ran",)


def test_a_distributed_checkpoint_runs_no_code(tmp_path, trained, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = distributed(tmp_path / "dcp", {"model": trained.state_dict(), "more": Runs()})
    assert load_checkpoint(folder).candidates == ("model",)
    (folder / ".metadata").write_bytes(pickle.dumps(Runs()))
    with pytest.raises(CheckpointError, match=r"asks for posix\.mkdir"):
        load_checkpoint(folder)
    assert not (tmp_path / "it ran").exists()


def test_a_file_that_holds_itself_ends(tmp_path, trained):
    contents: dict[str, Any] = {"model": trained.state_dict()}
    contents["again"] = contents
    assert load_checkpoint(saved(tmp_path / "net.pt", contents)).candidates == ("model",)


def test_the_tensors_do_not_change_when_the_file_does(tmp_path, trained):
    file = saved(tmp_path / "net.pt", trained.state_dict())
    checkpoint = load_checkpoint(file)
    file.write_bytes(bytes(file.stat().st_size))
    assert digest(checkpoint.tensors) == checkpoint.sha256


def test_a_pickle_of_numpy_arrays_is_refused_with_the_reason(tmp_path):
    (tmp_path / "net.pkl").write_bytes(pickle.dumps({"w": np.zeros((2, 2))}))
    with pytest.raises(CheckpointError, match=r"pickle of NumPy arrays, not written by torch\.save"):
        load_checkpoint(tmp_path / "net.pkl")


def test_an_empty_name_is_not_the_folder_here_and_a_home_of_nobody_no_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(nn.Linear(2, 2).state_dict(), "net.pt")
    for read in (load_checkpoint, find_run):
        with pytest.raises(CheckpointError, match="name is empty: is a variable not set"):
            read("")
        with pytest.raises(CheckpointError, match=r"there is no .*~nobody-here"):
            read("~nobody-here/net.pt")
