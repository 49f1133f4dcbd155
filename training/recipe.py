"""The recipe: every number that shapes the trained weights, in one place."""

from dataclasses import dataclass, replace

from vl_core.datasets import scenes
from vl_core.families.kdvlp import (
    KDVLPConfig,
    KDVLPImageProcessor,
    KDVLPProcessor,
    word_level_tokenizer,
)


@dataclass(frozen=True)
class Recipe:
    """Defaults are those of the shipped weights; `smoke()` runs through every stage in no time."""

    seed: int = 0
    n_scenes: int = 24_000  # pictures that training draws from, seeds 0 .. n_scenes - 1
    chunk: int = 1_000  # pictures per file of the cache

    # Backbone warm-up: shape, color and size of what lies under each cell.
    warmup_steps: int = 600
    warmup_pictures: int = 48  # per step, over all processes
    warmup_rate: float = 8e-4

    # Joint training.
    sequences: int = 520_000
    pictures_per_step: int = 16  # over all processes
    questions_per_picture: int = 4
    muon_rate: float = 8e-4
    adam_rate: float = 5e-4
    weight_decay: float = 0.02
    ramp_steps: int = 50
    decay_share: float = 0.4  # the last part of training, in which the learning rate falls to zero
    easy_sequences: int = 25_000  # the first ones, which ask the easy types only
    full_share: float = 0.08  # the last part, which sees all cells
    kept_cells: int = 30  # before that; those of objects come first
    tag_share: float = (
        0.15  # of the questions name objects by their tag, "[3]", instead of by words
    )
    report_every: int = 50
    save_every: int = 200

    @property
    def sequences_per_step(self) -> int:
        """Questions and one caption for each picture."""
        return self.pictures_per_step * (self.questions_per_picture + 1)

    def smoke(self) -> "Recipe":
        """The same path with hardly any work on it."""
        return replace(
            self,
            n_scenes=120,
            chunk=60,
            warmup_steps=4,
            sequences=480,
            report_every=2,
            save_every=3,
        )


def processor() -> KDVLPProcessor:
    """Tokenizer of the scenes' words and the image processor of the embedded model."""
    config = KDVLPConfig()
    tokenizer = word_level_tokenizer(scenes.VOCABULARY, config.max_position_embeddings)
    return KDVLPProcessor(
        KDVLPImageProcessor(stride=config.stride, max_cells=config.max_cells), tokenizer
    )


def config() -> KDVLPConfig:
    """The embedded model's configuration: the scenes' words in, the scenes' answers out."""
    return KDVLPConfig(
        vocab_size=len(processor().tokenizer), id2label=dict(enumerate(scenes.ANSWERS))
    )
