"""Networks of graphs, of physics, of densities and of what changes in time."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.real.strangers.comparison import Case, N, case, draw, mean, whole


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
