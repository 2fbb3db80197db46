"""Networks and losses of other people's packages, each compared with a loop of its own that moves the weights.

    python tests/real/strangers.py            all whose package is installed: a table row each
    python tests/real/strangers.py NAME ...   some

Two networks of random weights; the loss on the line between them, at 0, 0.4 and 1, is compared with that of a network
whose weights were mixed by hand, measured sample by sample (or batch by batch, where a loss is of a batch). The table
in docs/networks.md is what this prints. Nothing here trains: any weights do.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import landscape

PLACES = (0.0, 0.4, 1.0)
N = 12


@dataclasses.dataclass(frozen=True)
class Case:
    """What is measured by the product, and the same by hand."""

    make: Callable[[], nn.Module]
    data: Any
    own: Callable[[nn.Module], Tensor]  # the mean over all samples, by a plain loop
    loss: Any = "cross_entropy"
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    save: Callable[[nn.Module], Any] = lambda model: model.state_dict()
    trust: bool = False  # where there is more than tensors in its state


CASES: dict[str, tuple[str, str, Callable[[], Case]]] = {}


def case(package: str, what: str) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    """Register a case: the module it needs, and what it is in a few words."""

    def keep(function: Callable[[], Case]) -> Callable[[], Case]:
        CASES[function.__name__] = (package, what, function)
        return function

    return keep


def draw(*shape: int, seed: int = 1) -> Tensor:
    """Return normal numbers, the same each time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def whole(most: int, *shape: int, seed: int = 2) -> Tensor:
    """Return whole numbers below ``most``, the same each time."""
    return torch.randint(0, most, shape, generator=torch.Generator().manual_seed(seed))


def mean(values: Sequence[Tensor]) -> Tensor:
    """Return the mean of single values in float64."""
    return torch.stack([each.double() for each in values]).mean()


@case("x_transformers", "rotary decoder, tied embedding; next token")
def decoder() -> Case:
    """Predict the next token, each sample's loss the mean over its tokens."""
    from x_transformers import Decoder, TransformerWrapper

    tokens = whole(17, N, 9)

    def make() -> nn.Module:
        layers = Decoder(dim=16, depth=2, heads=2, rotary_pos_emb=True, attn_dim_head=8)
        return TransformerWrapper(num_tokens=17, max_seq_len=16, attn_layers=layers, tie_embedding=True)

    return Case(
        make,
        (tokens[:, :-1], tokens[:, 1:]),
        lambda model: mean([F.cross_entropy(model(each[None, :-1])[0], each[1:]) for each in tokens]),
    )


@case("transformers", "Llama; the loss in the output (`--loss output`)")
def llama() -> Case:
    """Take the loss that the network gives itself."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokens = whole(31, N, 8)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=31, num_key_value_heads=1, max_position_embeddings=16, **sizes)
    rows = [{"input_ids": each, "labels": each} for each in tokens]
    return Case(
        lambda: LlamaForCausalLM(config),
        rows,
        lambda model: mean([model(input_ids=each[None], labels=each[None]).loss for each in tokens]),
        loss="output",
        settings={"batch_size": 4},
    )


@case("transformers", "T5, encoder and decoder, masked labels")
def t5() -> Case:
    """Leave labels of -100 out."""
    from transformers import T5Config, T5ForConditionalGeneration

    tokens, labels = whole(31, N, 7), whole(31, N, 5, seed=4)
    config = T5Config(vocab_size=31, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0)
    rows = [{"input_ids": one, "labels": other} for one, other in zip(tokens, labels, strict=True)]
    return Case(
        lambda: T5ForConditionalGeneration(config),
        rows,
        lambda model: mean(
            [model(input_ids=one[None], labels=two[None]).loss for one, two in zip(tokens, labels, strict=True)]
        ),
        loss="output",
    )


@case("transformers", "CLIP; contrast within a batch, batches as a list")
def clip() -> Case:
    """Compare the samples of a batch with each other."""
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = CLIPTextConfig(vocab_size=31, max_position_embeddings=8, **small).to_dict()
    vision = CLIPVisionConfig(image_size=8, patch_size=4, **small).to_dict()
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    batches = [{"input_ids": whole(31, 4, 6, seed=k), "pixel_values": draw(4, 3, 8, 8, seed=k)} for k in range(3)]

    def contrast(model: nn.Module, batch: Any) -> Tensor:
        found: Tensor = model(**batch, return_loss=True).loss
        return found

    return Case(lambda: CLIPModel(config), batches, lambda m: mean([contrast(m, each) for each in batches]), contrast)


@case("transformers", "Mamba, state space model")
def mamba() -> Case:
    """Scan a state."""
    from transformers import MambaConfig, MambaForCausalLM

    tokens = whole(31, N, 8)
    config = MambaConfig(vocab_size=31, hidden_size=16, state_size=4, num_hidden_layers=2)
    return Case(
        lambda: MambaForCausalLM(config),
        (tokens[:, :-1], tokens[:, 1:]),
        lambda model: mean([F.cross_entropy(model(each[None, :-1]).logits[0], each[1:]) for each in tokens]),
    )


@case("lightning", "LightningModule, its .ckpt with hyperparameters")
def lightning_module() -> Case:
    """Read what a Trainer writes."""
    import lightning

    class Net(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.body = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.GELU(), nn.Linear(16, 3))

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.body(x)
            return found

    x, y = draw(N, 6), whole(3, N)
    return Case(
        Net,
        (x, y),
        lambda model: mean([F.cross_entropy(model(one[None]), two[None]) for one, two in zip(x, y, strict=True)]),
        save=lambda model: {"state_dict": model.state_dict(), "pytorch-lightning_version": "2.6", "epoch": 3},
    )


def graphs(size: int = N) -> list[Any]:
    """Return graphs of different sizes with a class each."""
    from torch_geometric.data import Data

    found = []
    for number in range(size):
        nodes = 4 + number % 3
        edges = whole(nodes, 2, 2 * nodes, seed=number)
        found.append(Data(x=draw(nodes, 5, seed=number), edge_index=edges, y=torch.tensor([number % 3])))
    return found


@case("torch_geometric", "GIN over graphs; a list of `Data`")
def graph_network() -> Case:
    """Classify whole graphs, batched by the package itself."""
    from torch_geometric.data import Batch
    from torch_geometric.nn import GIN, global_add_pool

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = GIN(5, 8, num_layers=2), nn.Linear(8, 3)

        def forward(self, data: Any) -> Tensor:
            found: Tensor = self.head(global_add_pool(self.body(data.x, data.edge_index), data.batch))
            return found

    samples = graphs()

    def each(model: nn.Module, batch: Any) -> Tensor:
        return F.cross_entropy(model(batch), batch.y, reduction="none")

    return Case(
        Net,
        samples,
        lambda model: mean([each(model, Batch.from_data_list([one]))[0] for one in samples]),
        each,
        {"batch_size": 5},
    )


@case("torch_geometric", "GAT on one graph's nodes, its own DataLoader")
def graph_attention() -> Case:
    """Classify nodes; the loader makes the batches."""
    from torch_geometric.loader import DataLoader
    from torch_geometric.nn import GAT, global_mean_pool

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = GAT(5, 8, num_layers=2, out_channels=3, heads=2)

        def forward(self, data: Any) -> Tensor:
            return global_mean_pool(self.body(data.x, data.edge_index), data.batch)

    samples = graphs()

    def each(model: nn.Module, batch: Any) -> Tensor:
        return F.cross_entropy(model(batch), batch.y, reduction="none")

    loader = DataLoader(samples, batch_size=4)
    return Case(Net, loader, lambda m: mean([each(m, b).sum() / 4 for b in loader]), each)


@case("gpytorch", "variational Gaussian process; likelihood of each sample")
def gaussian_process() -> Case:
    """Measure the expected log likelihood under a variational posterior."""
    import gpytorch

    class Net(gpytorch.models.ApproximateGP):
        def __init__(self) -> None:
            posterior = gpytorch.variational.CholeskyVariationalDistribution(6)
            super().__init__(gpytorch.variational.VariationalStrategy(self, draw(6, 2), posterior))
            self.mean_module = gpytorch.means.ConstantMean()
            self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel())
            self.variational_strategy.variational_params_initialized.fill_(1)
            with torch.no_grad():
                for parameter in self.parameters():
                    parameter.add_(0.3 * torch.randn_like(parameter))

        def forward(self, x: Tensor) -> Any:
            return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))

    x, y = draw(N, 2, seed=5), draw(N, seed=6)

    def each(model: nn.Module, batch: Any) -> Tensor:
        found = model(batch[0])
        return 0.5 * ((batch[1] - found.mean) ** 2 + found.variance)

    return Case(Net, (x, y), lambda model: mean([each(model, (x[k : k + 1], y[k : k + 1]))[0] for k in range(N)]), each)


@case("neuralop", "Fourier neural operator; complex weights")
def fourier_operator() -> Case:
    """Move complex tensors as two numbers each."""
    from neuralop.models import FNO

    x, y = draw(N, 1, 8, 8), draw(N, 1, 8, 8, seed=3)
    return Case(
        lambda: FNO(n_modes=(4, 4), in_channels=1, out_channels=1, hidden_channels=8, n_layers=2),
        (x, y),
        lambda model: mean([F.mse_loss(model(x[k : k + 1]), y[k : k + 1]) for k in range(N)]),
        "mse",
        trust=True,
    )


@case("e3nn", "rotation-equivariant tensor product")
def equivariant() -> Case:
    """Multiply tensors by learned weights."""
    from e3nn import o3

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.product = o3.FullyConnectedTensorProduct("2x0e + 1x1o", "1x0e + 1x1o", "4x0e + 1x1o")
            self.head = o3.Linear("4x0e + 1x1o", "1x0e")

        def forward(self, x: Tensor, z: Tensor) -> Tensor:
            found: Tensor = self.head(self.product(x, z))
            return found

    x, z, y = draw(N, 5), draw(N, 4, seed=3), draw(N, 1, seed=4)
    return Case(
        Net,
        ((x, z), y),
        lambda m: mean([F.huber_loss(m(x[k : k + 1], z[k : k + 1]), y[k : k + 1]) for k in range(N)]),
        nn.HuberLoss(),
    )


@case("diffusers", "diffusion U-Net; the loss draws noise (`--noise common`)")
def diffusion() -> Case:
    """Predict noise that is drawn anew in the loss, the same at each point."""
    from diffusers import UNet2DModel

    images = draw(4, 1, 8, 8)

    def make() -> nn.Module:
        blocks = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)}
        return UNet2DModel(8, 1, 1, block_out_channels=(8,), layers_per_block=1, norm_num_groups=4, **blocks)

    def each(model: nn.Module, batch: Any) -> Tensor:
        (x,) = batch
        noise, time = torch.randn_like(x), torch.randint(0, 100, (len(x),))
        mixed = x * (1 - time / 100)[:, None, None, None] + noise * (time / 100)[:, None, None, None]
        return (model(mixed, time).sample - noise).square().flatten(1).mean(1)

    def own(model: nn.Module) -> Tensor:
        from landscape.evaluation.forward_pass.noise import seed_generators  # which numbers is the product's own choice
        from landscape.problem.data.datasets import choose
        from landscape.problem.named_data import named_data

        order = list(choose(named_data((images,))["train"], 4, 0))
        seed_generators(0, "train", 0)
        return each(model, (images[order],)).double().mean()

    return Case(make, (images,), own, each, {"noise": "common"})


@case("torchdiffeq", "neural ODE")
def neural_ode() -> Case:
    """Integrate a field."""
    from torchdiffeq import odeint

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.field, self.head = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 4)), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            times = torch.tensor([0.0, 1.0], device=x.device)
            path = odeint(lambda t, state: self.field(state), x, times, method="rk4", options={"step_size": 0.25})
            found: Tensor = self.head(path[-1])
            return found

    x, y = draw(N, 4), whole(3, N)
    return Case(Net, (x, y), lambda m: mean([F.cross_entropy(m(x[k : k + 1]), y[k : k + 1]) for k in range(N)]))


@case("snntorch", "spiking network; hidden states in its modules")
def spiking() -> Case:
    """Step through time with a membrane."""
    import snntorch

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.cell, self.head = nn.Linear(6, 16), snntorch.Leaky(beta=0.8), nn.Linear(16, 3)

        def forward(self, x: Tensor) -> Tensor:
            state, total = self.cell.init_leaky(), 0.0
            for _ in range(4):
                spikes, state = self.cell(self.first(x), state)
                total = total + self.head(spikes) + 0.1 * state[:, :3]
            return total  # type: ignore[return-value]

    x, y = draw(N, 6), whole(3, N)
    return Case(Net, (x, y), lambda m: mean([F.cross_entropy(m(x[k : k + 1]), y[k : k + 1]) for k in range(N)]))


@case("pytorch_tabnet", "TabNet; a tuple out, ghost batch norm")
def tabnet() -> Case:
    """Take the first of a tuple of outputs."""
    from pytorch_tabnet.tab_network import TabNetNoEmbeddings

    x, y = draw(N, 6), whole(3, N)
    return Case(
        lambda: TabNetNoEmbeddings(6, 3, n_d=4, n_a=4, n_steps=2, group_attention_matrix=torch.eye(6)),
        (x, y),
        lambda model: mean([F.cross_entropy(model(x[k : k + 1])[0], y[k : k + 1]) for k in range(N)]),
    )


@case("nflows", "normalising flow; -log p of each sample")
def flow() -> Case:
    """Ask the network for a density, not for an output."""
    from nflows.distributions.normal import StandardNormal
    from nflows.flows.base import Flow
    from nflows.transforms.autoregressive import MaskedAffineAutoregressiveTransform

    x = draw(N, 3)

    def each(model: nn.Module, batch: Any) -> Tensor:
        found: Tensor = -model.log_prob(batch[0])
        return found

    return Case(
        lambda: Flow(MaskedAffineAutoregressiveTransform(3, 8), StandardNormal([3])),
        (x,),
        lambda model: mean([each(model, (x[k : k + 1],))[0] for k in range(N)]),
        each,
    )


@case("opacus", "private attention, saved inside its GradSampleModule (`_module.`)")
def private() -> Case:
    """Read a checkpoint with a wrapper's prefix."""
    from opacus import GradSampleModule
    from opacus.layers import DPMultiheadAttention

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend, self.head = DPMultiheadAttention(8, 2), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = x.transpose(0, 1)
            found: Tensor = self.head(self.attend(x, x, x)[0].mean(0))
            return found

    x, y = draw(N, 5, 8), whole(3, N)
    return Case(
        Net,
        (x, y),
        lambda m: mean([F.cross_entropy(m(x[k : k + 1]), y[k : k + 1]) for k in range(N)]),
        save=lambda model: GradSampleModule(copy.deepcopy(model)).state_dict(),
    )


@case("performer_pytorch", "Performer; random features in buffers, left alike")
def performer() -> Case:
    """Attend through random features, which are buffers."""
    from performer_pytorch import Performer

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = Performer(dim=16, depth=1, heads=2, dim_head=8), nn.Linear(16, 3)
            for name, buffer in self.named_buffers():
                if name.endswith("projection_matrix"):
                    buffer.copy_(draw(*buffer.shape))

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.head(self.body(x).mean(1))
            return found

    x, y = draw(N, 6, 16), whole(3, N)
    return Case(Net, (x, y), lambda m: mean([F.cross_entropy(m(x[k : k + 1]), y[k : k + 1]) for k in range(N)]))


@case("pytorch_metric_learning", "triplets within a batch, batches as a list")
def triplets() -> Case:
    """Compare embeddings of a batch with each other."""
    from pytorch_metric_learning.losses import NTXentLoss

    criterion = NTXentLoss(temperature=0.5)
    batches = [(draw(6, 4, seed=k), torch.arange(6) % 3) for k in range(3)]

    def contrast(model: nn.Module, batch: Any) -> Tensor:
        found: Tensor = criterion(model(batch[0]), batch[1])
        return found

    return Case(
        lambda: nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8)),
        batches,
        lambda model: mean([contrast(model, each) for each in batches]),
        contrast,
    )


@case("sentence_transformers", "pairs of sentences; cosine of pooled BERTs")
def sentence_pairs() -> Case:
    """Run one network on both sentences of a pair."""
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertConfig, BertModel

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
            self.body, self.pool = BertModel(BertConfig(vocab_size=31, **small)), Pooling(16)

        def forward(self, tokens: Tensor) -> Tensor:
            mask = torch.ones_like(tokens)
            told = {"token_embeddings": self.body(tokens, mask).last_hidden_state, "attention_mask": mask}
            found: Tensor = self.pool(told)["sentence_embedding"]
            return found

    first, second, score = whole(31, N, 6), whole(31, N, 6, seed=9), draw(N).tanh()

    def each(model: nn.Module, batch: Any) -> Tensor:
        return (F.cosine_similarity(model(batch[0]), model(batch[1])) - batch[2]).square()

    rows = (first, second, score)
    return Case(Net, rows, lambda m: mean([each(m, [t[k : k + 1] for t in rows])[0] for k in range(N)]), each)


@case("siren_pytorch", "SIREN; slope of a fitted field, derivatives in the loss")
def siren() -> Case:
    """Differentiate the network in its input, as physics-informed losses do."""
    from siren_pytorch import SirenNet

    x = draw(N, 2)

    def residual(model: nn.Module, batch: Any) -> Tensor:
        place = batch[0].requires_grad_()
        (slope,) = torch.autograd.grad(model(place).sum(), place, create_graph=True)
        return (slope.square().sum(1) - 1).square()

    return Case(
        lambda: SirenNet(dim_in=2, dim_hidden=16, dim_out=1, num_layers=2),
        (x,),
        lambda model: mean([residual(model, (x[k : k + 1].clone(),))[0] for k in range(N)]),
        residual,
    )


def error_of(found: Case) -> tuple[float, str]:
    """Return the largest relative error of the loss on the line between two networks, and which engine ran."""
    torch.manual_seed(1)
    first = found.make().eval()
    torch.manual_seed(2)
    second = found.make().eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "second.pt"
        torch.save(found.save(second), path)
        plane = landscape.checkpoint_plane(first, [path], trust=found.trust)
        surface = landscape.evaluate(first, found.data, plane, x=list(PLACES), loss=found.loss, **found.settings)
    wanted = []
    for at in PLACES:
        mixed, there = found.make().eval(), second.state_dict()  # a copy might hold functions of the first
        with torch.no_grad():
            for name, here in first.state_dict().items():
                if isinstance(here, Tensor) and (here.is_floating_point() or here.is_complex()):
                    same = here.isclose(there[name], rtol=0, atol=0)  # inf is inf, whatever its multiples
                    mixed.state_dict()[name].copy_(torch.where(same, here, (1 - at) * here + at * there[name]))
        wanted.append(float(found.own(mixed).detach()))
    got = surface["train/loss"]
    return float(np.max(np.abs(got - wanted) / np.abs(wanted))), str(surface.quality.get("engine"))


def main(names: Sequence[str]) -> int:
    """Print a row of the table for each case that can be run; return how many are wrong."""
    wrong = 0
    for name, (package, what, build) in CASES.items():
        if names and name not in names:
            continue
        try:
            version = getattr(importlib.import_module(package), "__version__", "")
        except ImportError:
            print(f"| {package} | {what} | not installed | |")
            continue
        try:
            error, engine = error_of(build())
        except Exception as failure:
            print(f"| {package} {version} | {what} | {type(failure).__name__}: {str(failure)[:300]} | |")
            wrong += 1
            continue
        wrong += not error < 1e-5
        print(f"| {package} {version} | {what} | {error:.0e} | {engine} |", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
