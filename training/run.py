"""A training run: what every stage needs to know."""

from dataclasses import dataclass
from pathlib import Path

import torch

from training.group import Group
from training.log import Log
from training.recipe import Recipe


@dataclass(frozen=True)
class Run:
    """The recipe, this process's place among the others, the folder of everything made, the log."""

    recipe: Recipe
    group: Group
    folder: Path
    log: Log

    @property
    def device(self) -> torch.device:
        """The GPU where there is one."""
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
