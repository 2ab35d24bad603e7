"""Torch in the worker processes of `nlp.pipe(n_process=...)`."""

import multiprocessing
import sys


def single_thread_in_worker() -> None:
    """Limit torch to one thread in a worker process: with more, a forked worker hangs in its
    first parallel region. Does nothing in the main process, or where torch is not in use."""
    if multiprocessing.parent_process() is not None and "torch" in sys.modules:
        import torch

        if torch.get_num_threads() > 1:
            torch.set_num_threads(1)
