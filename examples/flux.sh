#!/bin/bash
# A surface of 251 x 251 points on 4 nodes of 4 GPUs, under Flux. Submit it with `flux batch examples/flux.sh`, as often
# as it takes: a job that was cut short is gone on with, a finished one ends at once.
#
# Adapt: the bank and queue, the environment, the last three lines.
#flux: --job-name=landscape
#flux: --nodes=4
#flux: --exclusive
#flux: --time-limit=2h
#flux: --output=landscape-{{id}}.log
set -euo pipefail

source .venv/bin/activate   # the same one on all nodes, with mpi4py built or installed for the cluster's MPI

# -o exit-timeout: should a process be killed, the others are ended 10 seconds later.
# -o gpu-affinity: each process sees a GPU of its own.
flux run --nodes=4 --tasks-per-node=4 --cores-per-task=8 --gpus-per-task=1 \
    -o exit-timeout=10s -o cpu-affinity=per-task -o gpu-affinity=per-task \
    landscape evaluate net.pt --model nets.py:resnet56 --data train=cifar10:data --data test=cifar10:data:test \
    --x=-1:1:251 --y=-1:1:251 --write-every 60 -o net.h5
