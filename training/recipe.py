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
class Phase:
    """A part of joint training: what is asked, and how fast is learnt."""

    name: str
    sequences: int
    muon_rate: float  # for the encoder's matrices
    adam_rate: float  # for everything else
    decay_share: float  # the last part, in which the learning rate falls to zero
    easy_sequences: int = 0  # the first ones, which ask the easy types only
    full_share: float = 0.08  # the last part, which sees all cells
    kept_cells: int = 30  # before that; those of objects come first
    # Of the units (five rows each), these are about answer candidates and about sources; the
    # others are questions and captions.
    choices_share: float = 0.0
    sources_share: float = 0.0
    paraphrased_share: float = 0.0  # of the questions are put in other words
    tag_share: float = (
        0.15  # of the questions name objects by their tag, "[3]", instead of by words
    )

    def smoke(self) -> "Phase":
        """The same path with hardly any work on it."""
        return replace(self, sequences=min(320, self.sequences))


@dataclass(frozen=True)
class Recipe:
    """Defaults are those of the shipped weights; `smoke()` runs through every stage in no time."""

    seed: int = 0
    n_scenes: int = 24_000  # pictures that training draws from, seeds 0 .. n_scenes - 1
    chunk: int = 1_000  # pictures per file of the cache
    without_pairs: tuple[tuple[str, str], ...] = ()  # (color, shape) that is neither shown nor told

    # Backbone warm-up: shape, color and size of what lies under each cell.
    warmup_steps: int = 600
    warmup_pictures: int = 48  # per step, over all processes
    warmup_rate: float = 8e-4
    # Then the same features whatever the picture's look.
    steady_steps: int = 500
    steady_rate: float = 5e-4

    # Joint training: first questions and captions, then everything.
    questions: Phase = Phase(
        "questions",
        sequences=520_000,
        muon_rate=8e-4,
        adam_rate=5e-4,
        decay_share=0.4,
        easy_sequences=25_000,
    )
    tasks: Phase = Phase(
        "tasks",
        sequences=340_000,
        muon_rate=6e-4,
        adam_rate=4e-4,
        decay_share=0.45,
        choices_share=0.15,
        sources_share=0.4,
        paraphrased_share=0.5,
    )
    pictures_per_step: int = 16  # over all processes; units, to be exact
    questions_per_picture: int = 4
    weight_decay: float = 0.02
    ramp_steps: int = 50
    calibration_scenes: int = 1500  # unseen ones, on which confidence is fitted
    report_every: int = 50
    save_every: int = 200

    @property
    def rows_per_unit(self) -> int:
        """Questions and one caption for each picture."""
        return self.questions_per_picture + 1

    @property
    def sequences_per_step(self) -> int:
        """Rows of all units of a step."""
        return self.pictures_per_step * self.rows_per_unit

    def smoke(self) -> "Recipe":
        """The same path with hardly any work on it."""
        return replace(
            self,
            n_scenes=120,
            chunk=60,
            warmup_steps=4,
            steady_steps=3,
            calibration_scenes=3,
            questions=self.questions.smoke(),
            tasks=self.tasks.smoke(),
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
