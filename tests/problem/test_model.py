"""Networks are built as their users build them, and say what is wrong when that fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from landscape.errors import CheckpointError, ProblemError, UsageError
from landscape.problem.checkpoints.checkpoint import apply_checkpoint, load_checkpoint
from landscape.problem.model import build_model, describe_model, load_model, misfit, parse_arguments
from landscape.problem.params import digest

NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=2, *, deep=False):
        super().__init__()
        if width < 1:
            raise ValueError("too thin")
        self.fc = nn.Linear(3, width)

def factory(width=4):
    return Net(width)

def number():
    return 3

ready = Net(7)
"""


@pytest.fixture
def nets(tmp_path) -> Path:
    (tmp_path / "has_networks.py").write_text(NETS)
    return tmp_path / "has_networks.py"


def test_a_network_is_built_by_a_function_or_a_class_with_arguments(nets):
    assert build_model(f"{nets}:factory").fc.out_features == 4
    assert build_model(f"{nets}:Net", {"width": 5, "deep": True}).fc.out_features == 5
    assert build_model("torch.nn:Linear", {"in_features": 2, "out_features": 3}).out_features == 3
    assert build_model(lambda: nn.Linear(1, 1)).in_features == 1


def test_a_network_may_be_there_already(nets):
    ready = build_model(f"{nets}:ready")
    assert ready.fc.out_features == 7
    assert build_model(ready) is ready
    with pytest.raises(ProblemError, match="nothing to go to"):
        build_model(f"{nets}:ready", {"width": 3})


def test_building_a_network_leaves_torchs_random_numbers_alone(nets):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    build_model(f"{nets}:factory")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("Net", {"width": 0}, r"Net\(width=0\) failed: ValueError: too thin \(has_networks\.py, line 9\)"),
        ("factory", {"depth": 2}, r"factory\(depth=2\) failed: TypeError: .*unexpected keyword argument 'depth'"),
        ("number", {}, r"number returned a int, a torch\.nn\.Module is needed"),
        ("Nett", {}, r"has no 'Nett'; did you mean Net\?"),
    ],
)
def test_a_network_that_cannot_be_built_says_why(nets, name, args, text):
    with pytest.raises(ProblemError, match=text):
        build_model(f"{nets}:{name}", args)


def test_a_network_of_a_folder_of_save_pretrained_is_built_by_its_config(tmp_path):
    transformers = pytest.importorskip("transformers")
    sizes = {"n_layer": 1, "n_head": 2, "n_embd": 8, "vocab_size": 11, "n_positions": 8}
    config = transformers.GPT2Config(**sizes, bos_token_id=1, eos_token_id=1)
    torch.manual_seed(0)
    source = transformers.GPT2LMHeadModel(config).eval()
    source.save_pretrained(tmp_path, max_shard_size="1KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    model, _ = load_model(f"hf:{tmp_path}", None, tmp_path)
    assert type(model) is type(source)
    ids = torch.arange(6)[None]
    assert torch.equal(model(ids).logits, source(ids).logits)
    assert build_model(f"hf:{tmp_path}", {"n_layer": 3}).config.n_layer == 3
    with pytest.raises(ProblemError, match=r"no config\.json"):
        build_model(f"hf:{tmp_path}/no")
    (tmp_path / "config.json").write_text('{"architectures": ["NoSuchNet"], "model_type": "gpt2"}')
    with pytest.raises(ProblemError, match="no NoSuchNet in transformers"):
        build_model(f"hf:{tmp_path}")


def test_a_network_that_does_not_fit_its_data_says_where_and_on_what_shapes():
    model = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(5, 8), nn.ReLU()))
    with pytest.raises(RuntimeError) as caught:
        model(torch.zeros(8, 7))
    said = misfit(model, torch.zeros(8, 7), "train", caught.value)
    assert "Sequential does not take the samples of data set 'train', float32 8 x 7: RuntimeError: mat1" in said
    assert said.endswith("in 1.0 (Linear), which is given (float32 8 x 7)")
    assert misfit(model, torch.zeros(8, 5), "train", caught.value) == ""

    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = model

        def forward(self, x):
            return self.part(input=x)

    said = misfit(Named(), torch.zeros(8, 7), "train", caught.value)
    assert said.endswith("in part.1.0 (Linear), which is given (float32 8 x 7)")
    model.forward = lambda input: model[1](model[0](input)) + torch.zeros(3)  # its own last line fails
    said = misfit(Named(), torch.zeros(8, 5), "train", caught.value)
    assert said.endswith("in part (Sequential), which is given (float32 8 x 5)")
    del model.forward
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_arguments_are_json():
    assert parse_arguments(None) == {}
    assert parse_arguments('{"width": 16, "name": "a", "deep": [1, null]}') == {
        "width": 16,
        "name": "a",
        "deep": [1, None],
    }


@pytest.mark.parametrize("text", ["width=16", "{width: 16}", "[1]", "3", "null", "{", "NaN"])
def test_arguments_that_are_no_json_object_are_misuse(text):
    with pytest.raises(UsageError, match=r"""write a JSON object, as in '\{"width": 16\}'"""):
        parse_arguments(text)


def test_a_network_comes_with_its_checkpoints_weights_in_eval_mode(nets, tmp_path):
    source = build_model(f"{nets}:factory").half()
    torch.save({"model": source.state_dict(), "epoch": 4}, tmp_path / "net.pt")
    model, checkpoint = load_model(f"{nets}:factory", {"width": 4}, tmp_path / "net.pt")
    assert digest(model.state_dict()) == checkpoint.sha256 == digest(source.state_dict())
    assert not model.training
    assert checkpoint.metadata == {"epoch": 4}
    with pytest.raises(CheckpointError, match="does not fit Net: 2 of another shape"):
        load_model(f"{nets}:factory", {"width": 5}, tmp_path / "net.pt")


def test_a_networks_description_is_json(nets):
    text = json.dumps(describe_model(build_model(f"{nets}:Net"), f"{nets}:Net", {"width": 2}))
    assert json.loads(text) == {"reference": f"{nets}:Net", "args": {"width": 2}, "class": "Net"}


# Networks of kinds that people have: what is in them is read back exactly, in every precision.


class Tied(nn.Module):
    """Attention over an embedding whose weight also gives the output."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 8, padding_idx=0)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.out = nn.Linear(8, 11)
        self.out.weight = self.embed.weight
        self.register_buffer("mask", torch.triu(torch.full((5, 5), float("-inf")), 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        attended, _ = self.attend(x, x, x, attn_mask=self.mask, need_weights=False)
        return self.out(self.norm(x + attended))


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, groups=2),
        nn.BatchNorm2d(4),
        nn.ConvTranspose2d(4, 2, 2, stride=2),
        nn.GroupNorm(1, 2),
        nn.PReLU(),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 1, 1)),
    )


KINDS = {
    "tied": (Tied, lambda: torch.tensor([[1, 2, 3, 0, 5]])),
    "convolutional": (convolutional, lambda: torch.ones(2, 2, 4, 4)),
    "recurrent": (lambda: nn.LSTM(3, 4, bidirectional=True), lambda: torch.ones(2, 1, 3)),
    "transformer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), lambda: torch.ones(2, 3, 8)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", [torch.float32, torch.float64, torch.bfloat16])
def test_networks_of_many_kinds_answer_as_before(tmp_path, kind, precision):
    factory, inputs = KINDS[kind]
    torch.manual_seed(3)
    source = factory().to(precision).eval()
    first = next(source.parameters())
    first.requires_grad_(False)
    torch.save(source.state_dict(), tmp_path / "net.pt")
    model = factory().eval()
    apply_checkpoint(model, load_checkpoint(tmp_path / "net.pt"))
    x = inputs()
    x = x.to(precision) if x.is_floating_point() else x
    with torch.no_grad():
        for got, expected in zip(_flat(model(x)), _flat(source(x)), strict=True):
            assert torch.equal(got, expected)


def _flat(output: object) -> list[torch.Tensor]:
    return [output] if isinstance(output, torch.Tensor) else [each for part in output for each in _flat(part)]
