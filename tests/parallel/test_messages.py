"""Messages between processes: all arrive, those of one sender in their order, whatever their size."""

from __future__ import annotations

import pytest

from tests.helpers import jobs

pytestmark = pytest.mark.slow

SCRIPT = """
import sys
import numpy as np
from mpi4py import MPI
from landscape.parallel.messages import EAGER, Messenger, sleep_until

world = MPI.COMM_WORLD
messenger = Messenger(world.Dup())
# Large ones need the other side to agree first, small ones do not: both kinds, mixed.
sizes = [1, 3_000_000, 2, 100, 1_000_000, EAGER, EAGER * 2, 0] * 3
if world.rank:
    for number, size in enumerate(sizes):
        messenger.send(0, (number, np.full(size, number, np.uint8)))
    assert sleep_until(messenger.sent, 60)
else:
    found = {rank: [] for rank in range(1, world.size)}
    def look():
        for source, message in messenger.received():
            found[source].append(message)
        return all(len(each) == len(sizes) for each in found.values())
    assert sleep_until(look, 60)
    for messages in found.values():
        assert [number for number, _ in messages] == list(range(len(sizes)))
        for (number, data), size in zip(messages, sizes):
            assert len(data) == size and (data == number).all()
    assert not sleep_until(lambda: bool(messenger.received()), 0.05)  # nothing twice

    class Request:
        def __init__(self, value, done):
            self.value, self.done = value, done

        def test(self):
            return self.done, self.value

    # A second message of one sender that is there before its first one waits for it.
    late = Request("first", False)
    messenger._incoming = [(1, late), (1, Request("second", True)), (2, Request("other", True))]
    assert messenger.received() == [(2, "other")]
    late.done = True
    assert messenger.received() == [(1, "first"), (1, "second")]
world.Barrier()
sys.stdout.write("ok\\n")
"""


@pytest.mark.parametrize("mpi", jobs.LAUNCHERS)
def test_messages_of_one_sender_come_whole_and_in_order_whatever_their_size(mpi):
    code, out, err = jobs.run(["-c", SCRIPT], mpi=mpi, ranks=3)
    assert code == 0, err
    # A launcher may join the lines of two ranks: counted, not split.
    assert out.count("ok") == 3
