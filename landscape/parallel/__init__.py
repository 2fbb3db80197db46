"""One process or many: who does what next, how messages travel, how a job ends.

Knows ranks, threads and signals, and nothing of networks. Is given tasks and a function that measures them; hands
the results to whoever records them. mpi4py is imported only where a launcher has started several processes.
"""
