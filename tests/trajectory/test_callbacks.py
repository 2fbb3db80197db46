"""The callbacks for Lightning and Hugging Face's Trainer, inside real trainings of both."""

import importlib
import math
import pickle
import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from landscape.errors import UsageError
from landscape.trajectory import callbacks
from landscape.trajectory.record_losses import put_record
from landscape.trajectory.recorder import Recorder
from landscape.trajectory.runs import find_run
from tests.helpers import jobs

# What the libraries and what they import say of each other is not ours to change.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_end_of_a_training_closes_what_records_it(tmp_path, monkeypatch):
    closed = []
    close = Recorder.close
    monkeypatch.setattr(Recorder, "close", lambda self: (closed.append(self), close(self)))
    recording = callbacks._Recording(tmp_path / "run", {"every": 2})
    recording.begin(nn.Linear(2, 1), 0, 10)
    recording.end(3)
    recording.end(4)  # a trainer may say so twice
    assert len(closed) == 1
    assert [record.step for record in find_run(tmp_path / "run").records] == [0, 3]


@pytest.fixture
def lightning():
    return importlib.import_module("lightning.pytorch")


@pytest.fixture
def transformers():
    importlib.import_module("accelerate")
    return importlib.import_module("transformers")


def data(number=24):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(number, 3, generator=generator), torch.randint(0, 2, (number,), generator=generator)


def module_of(lightning, fail_at=None):
    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(3, 2)

        def training_step(self, batch, number):
            if self.global_step == fail_at:
                raise RuntimeError("the power went out")
            x, y = batch
            return nn.functional.cross_entropy(self.net(x), y)

        def configure_optimizers(self):
            groups = [{"params": [self.net.weight]}, {"params": [self.net.bias], "lr": 0.7}]
            optimizer = torch.optim.SGD(groups, lr=0.1)  # the first group's rate is recorded
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.1)]

    torch.manual_seed(0)
    return Module()


def fit(lightning, module, callback, folder, **settings):
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = lightning.Trainer(
        callbacks=[callback], default_root_dir=folder, enable_model_summary=False, **quiet, **settings
    )
    trainer.fit(module, DataLoader(TensorDataset(*data()), batch_size=4))
    return trainer


def epochs(run):
    """Return the epochs that files between the first and the last say."""
    found = []
    for record in run.records[1:-1]:
        with safe_open(record.path, "pt") as file:
            found.append(float(file.metadata()["epoch"]))
    return found


def test_lightning_records_start_due_steps_and_end(lightning, tmp_path):
    from landscape.trajectory.callbacks import LightningRecorder

    module = module_of(lightning)
    start = module.net.weight.detach().clone()
    fit(lightning, module, LightningRecorder(tmp_path / "run", every=5), tmp_path, max_epochs=2)
    run = find_run(tmp_path / "run")
    assert [record.step for record in run.records] == [0, 5, 10, 12]
    assert torch.equal(run.records[0].tensors["net.weight"], start)
    assert torch.equal(run.records[-1].tensors["net.weight"], module.net.weight)
    assert all(math.isfinite(record.loss) for record in run.records[1:-1])
    assert run.records[1].learning_rate == pytest.approx(0.1)
    assert run.records[2].learning_rate == pytest.approx(0.01)
    assert epochs(run) == [0.0, 1.0]


def test_lightning_counts_steps_of_the_optimizer_not_batches(lightning, tmp_path):
    from landscape.trajectory.callbacks import LightningRecorder

    callback = LightningRecorder(tmp_path / "run")
    fit(lightning, module_of(lightning), callback, tmp_path, max_epochs=1, accumulate_grad_batches=2)
    assert [record.step for record in find_run(tmp_path / "run").records] == [0, 1, 2, 3]


def test_lightning_records_what_is_due_where_it_counts_by_twos(lightning, tmp_path):
    from landscape.trajectory.callbacks import LightningRecorder

    class Two(lightning.LightningModule):
        """Two optimizers, as of a GAN: each batch is two steps."""

        def __init__(self):
            super().__init__()
            self.net, self.other = nn.Linear(3, 2), nn.Linear(3, 2)
            self.automatic_optimization = False

        def training_step(self, batch, number):
            x, y = batch
            for optimizer, part in zip(self.optimizers(), (self.net, self.other), strict=True):
                optimizer.zero_grad()
                self.manual_backward(nn.functional.cross_entropy(part(x), y))
                optimizer.step()

        def configure_optimizers(self):
            return [torch.optim.SGD(part.parameters(), lr=0.1) for part in (self.net, self.other)]

    fit(lightning, Two(), LightningRecorder(tmp_path / "run", every=5), tmp_path, max_epochs=2)
    # Due are 0, 5, 10, 15, 20; seen are the even steps to 24, of which the last is recorded as well.
    assert [record.step for record in find_run(tmp_path / "run").records] == [0, 6, 10, 16, 20, 24]


@pytest.mark.parametrize(
    ("name", "libraries"),
    [
        ("LightningRecorder", ["lightning", "lightning.pytorch", "pytorch_lightning"]),
        ("TrainerRecorder", ["transformers"]),
    ],
)
def test_a_library_that_is_missing_is_named_with_what_installs_it(monkeypatch, name, libraries):
    import landscape.trajectory.callbacks

    monkeypatch.delitem(vars(landscape.trajectory.callbacks), name, raising=False)
    for library in libraries:
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match=rf"{name} needs .*pip install 'torch-landscape\[callbacks\]'"):
        getattr(landscape.trajectory.callbacks, name)


def test_lightning_records_in_log_time_of_a_known_length(lightning, tmp_path):
    from landscape.trajectory.callbacks import LightningRecorder

    callback = LightningRecorder(tmp_path / "run", log_points=3)
    fit(lightning, module_of(lightning), callback, tmp_path, max_epochs=3)
    assert [record.step for record in find_run(tmp_path / "run").records] == [0, 1, 4, 18]
    with pytest.raises(UsageError, match="log_points needs a training of known length"):
        fit(lightning, module_of(lightning), LightningRecorder(tmp_path / "2", log_points=3), tmp_path, max_epochs=-1)


def test_a_lightning_training_that_fails_keeps_its_records(lightning, tmp_path):
    from landscape.trajectory.callbacks import LightningRecorder

    with pytest.raises(RuntimeError, match="the power went out"):
        fit(lightning, module_of(lightning, 4), LightningRecorder(tmp_path / "run"), tmp_path, max_epochs=1)
    assert [record.step for record in find_run(tmp_path / "run").records] == [0, 1, 2, 3, 4]


def test_records_of_a_lightning_module_fit_the_network_inside(lightning, tmp_path):
    from landscape.trajectory.callbacks import LightningRecorder

    module = module_of(lightning)
    fit(lightning, module, LightningRecorder(tmp_path / "run", every=4), tmp_path, max_epochs=1)
    network = nn.Linear(3, 2)
    put_record(network, find_run(tmp_path / "run").records[-1])
    assert torch.equal(network.weight, module.net.weight)


class Classifier(nn.Module):
    """As the Trainer wants it: a loss from named inputs."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(3, 2)

    def forward(self, x, labels):
        output = self.net(x)
        return {"loss": nn.functional.cross_entropy(output, labels), "logits": output}


def train(transformers, model, callback, folder, **settings):
    x, y = data()
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=4,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        learning_rate=0.1,
        lr_scheduler_type="linear",
        **settings,
    )
    rows = [{"x": each, "labels": label} for each, label in zip(x, y, strict=True)]
    trainer = transformers.Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[callback])
    trainer.train()


def test_the_trainer_records_start_due_steps_and_end(transformers, tmp_path):
    from landscape.trajectory.callbacks import TrainerRecorder

    torch.manual_seed(0)
    model = Classifier()
    start = model.net.weight.detach().clone()
    train(transformers, model, TrainerRecorder(tmp_path / "run", every=5), tmp_path, num_train_epochs=2)
    run = find_run(tmp_path / "run")
    assert [record.step for record in run.records] == [0, 5, 10, 12]
    assert torch.equal(run.records[0].tensors["net.weight"], start)
    assert torch.equal(run.records[-1].tensors["net.weight"], model.net.weight)
    assert run.records[2].learning_rate < run.records[1].learning_rate < 0.1
    assert epochs(run) == pytest.approx([5 / 6, 10 / 6])


def test_the_trainer_records_in_log_time_and_counts_steps_of_the_optimizer(transformers, tmp_path):
    from landscape.trajectory.callbacks import TrainerRecorder

    callback = TrainerRecorder(tmp_path / "run", log_points=3, dtype="float16")
    train(transformers, Classifier(), callback, tmp_path, max_steps=9, gradient_accumulation_steps=2)
    run = find_run(tmp_path / "run")
    assert [record.step for record in run.records] == [0, 1, 3, 9]
    assert run.records[0].tensors["net.weight"].dtype == torch.float16


@pytest.mark.parametrize("name", ["LightningRecorder", "TrainerRecorder"])
def test_a_callback_can_be_sent_to_another_process(lightning, transformers, name, tmp_path):
    import landscape.trajectory.callbacks

    callback = getattr(landscape.trajectory.callbacks, name)(tmp_path, every=3)
    assert type(pickle.loads(pickle.dumps(callback))) is type(callback)
    with pytest.raises(TypeError, match="known to the trainer"):
        getattr(landscape.trajectory.callbacks, name)(tmp_path, log_points=3, steps=10)


def test_of_several_processes_only_the_first_records(lightning, transformers, tmp_path):
    from landscape.trajectory.callbacks import LightningRecorder, TrainerRecorder

    one, two = LightningRecorder(tmp_path / "one"), TrainerRecorder(tmp_path / "two")
    trainer = SimpleNamespace(is_global_zero=False, global_step=0, estimated_stepping_batches=3, optimizers=[])
    trainer.current_epoch = 0
    state = SimpleNamespace(is_world_process_zero=False, global_step=0, max_steps=3, epoch=0.0)
    one.on_train_start(trainer, nn.Linear(3, 2))
    two.on_train_begin(None, state, None, model=nn.Linear(3, 2))
    trainer.global_step = state.global_step = 1
    one.on_train_batch_end(trainer, nn.Linear(3, 2), None, None, 0)
    one.on_train_end(trainer, nn.Linear(3, 2))
    two.on_step_end(None, state, None)
    two.on_train_end(None, state, None)
    assert list(tmp_path.iterdir()) == []


def test_neither_library_is_loaded_before_its_callback_is_asked_for():
    script = "import sys, landscape.trajectory.callbacks; assert not {'lightning', 'transformers'} & set(sys.modules)"
    code, _, err = jobs.run(["-c", script])
    assert code == 0, err


def test_another_name_is_not_there():
    import landscape.trajectory.callbacks

    with pytest.raises(AttributeError, match="no attribute 'KerasRecorder'"):
        _ = landscape.trajectory.callbacks.KerasRecorder
