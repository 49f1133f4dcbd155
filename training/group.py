"""The processes that train together, or the only one."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class Group:
    """This process's number and how many there are."""

    rank: int
    size: int

    def share(self, total: int) -> int:
        """How many of `total` fall to each process."""
        return max(1, total // self.size)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes, in place."""
        if self.size > 1:
            distributed.all_reduce(values)
            values /= self.size
        return values

    def wait(self) -> None:
        """Go on only once every process has come here."""
        if self.size > 1:
            distributed.barrier()


def joined(rank: int, size: int, folder: Path) -> Group:
    """Join the others, who meet through a file in the folder.

    Where there are several, each gets one thread.
    Two processes of one thread keep their speed on a busy machine; one of two threads waits at
    every operation.
    """
    if size > 1:
        torch.set_num_threads(1)
        distributed.init_process_group(
            "gloo",
            init_method=f"file://{folder / 'meeting'}",
            rank=rank,
            world_size=size,
            timeout=timedelta(hours=2),
        )
    return Group(rank, size)
