"""The model that is measured, and the sets of seeds that it never learnt from."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from vl_core.datasets.scenes import UNSEEN_SEEDS
from vl_core.families.kdvlp import KDVLPForTasks, KDVLPProcessor

EMBEDDED = Path(__file__).parents[2] / "models" / "embedded"

# Training draws from seeds below UNSEEN_SEEDS. Whatever is chosen with the help of unseen scenes
# (a temperature, a threshold, the best head) is chosen on the second set and reported on the first.
REPORTED_SEEDS = UNSEEN_SEEDS[:1_000_000]
CHOOSING_SEEDS = UNSEEN_SEEDS[1_000_000:2_000_000]


@dataclass(frozen=True)
class Subject:
    """A model's folder, and the model itself once it is needed."""

    folder: Path = EMBEDDED

    @cached_property
    def model(self) -> KDVLPForTasks:
        """In full precision, ready to run."""
        return KDVLPForTasks.from_pretrained(self.folder, dtype=torch.float32).eval()

    @cached_property
    def processor(self) -> KDVLPProcessor:
        """Its tokenizer and image processor."""
        return KDVLPProcessor.from_pretrained(self.folder)

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 of the weights' file."""
        return hashlib.sha256((self.folder / "model.safetensors").read_bytes()).hexdigest()
