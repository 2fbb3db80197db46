"""What recording costs a training: one record in 20 steps of a network of 56 layers on the digits, batches of 64.

python tests/benchmarks/recording.py [BLOCKS]        about five minutes for 24

Blocks of 20 steps with a record and without take turns in one process; the ratio of neighbours' times is what counts,
both by the clock and by the processor, which also counts the thread that writes.
"""

import sys
import tempfile
import time
from statistics import median

import torch
from torch import nn

from landscape.demo.networks import residual
from landscape.problem.data.archives import read_digits
from landscape.trajectory.recorder import Recorder

STEPS, BATCH = 20, 64


def main(blocks: int = 24) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images, labels = read_digits("train")
    x, y = torch.from_numpy(images).float() / 16, torch.from_numpy(labels)
    model = residual(blocks=9).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def block(recorder: Recorder | None, first: int) -> tuple[float, float]:
        wall, busy = time.perf_counter(), time.process_time()
        for step in range(first, first + STEPS):
            chosen = torch.randint(len(x), (BATCH,))
            loss = nn.functional.cross_entropy(model(x[chosen]), y[chosen])
            if recorder is not None:
                recorder.record(step, loss=loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return time.perf_counter() - wall, time.process_time() - busy

    with tempfile.TemporaryDirectory() as folder, Recorder(folder, model, every=STEPS) as recorder:
        block(None, 0)
        pairs = []
        for number in range(1, blocks + 1):
            # Each goes first as often.
            order = [None, recorder] if number % 2 else [recorder, None]
            times = {each is not None: block(each, STEPS * number) for each in order}
            pairs.append((times[True], times[False]))
    for what, k in (("clock", 0), ("processor", 1)):
        ratios = sorted(with_record[k] / without[k] for with_record, without in pairs)
        step = 1e3 * median(without[k] for _, without in pairs) / STEPS
        low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
        spread = f"middle half {low:.3f} to {high:.3f}"
        print(f"{what:10} {step:6.1f} ms a step; with records x {median(ratios):.4f} ({spread})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
