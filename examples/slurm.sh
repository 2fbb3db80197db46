#!/bin/bash
# A surface of 251 x 251 points on 4 nodes of 4 GPUs, under Slurm. Submit it with `sbatch examples/slurm.sh`, as often as
# it takes: a job that was cut short is gone on with, a finished one only measures theta* again.
#
# Adapt: the account and partition, the environment, the last three lines.
#SBATCH --job-name=landscape
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=02:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=landscape-%j.log
set -euo pipefail

source .venv/bin/activate   # the same one on all nodes, with mpi4py built or installed for the cluster's MPI

# --mpi: the language srun speaks to the MPI library; `srun --mpi=list` shows which there are.
# --kill-on-bad-exit: should a process be killed, the others do not wait for it.
# --cpu-bind: each process gets its own cores, and takes as many threads.
srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=8 --cpu-bind=cores \
    landscape evaluate net.pt --model nets.py:resnet56 --data train=cifar10:data --data test=cifar10:data:test \
    --x=-1:1:251 --y=-1:1:251 --write-every 60 -o net.h5
