"""Models that always read a picture and a sentence of their user's, and nothing around it."""

from dataclasses import dataclass

import torch
from PIL import Image
from transformers import (
    BaseImageProcessor,
    BatchFeature,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from vl_core.errors import ImageError, TextError
from vl_core.example import Example, Task
from vl_core.families import geometry
from vl_core.families.prompts import Prompt, check_text
from vl_core.trace import Prediction, TokenTable

# What a model can score that compares a picture with a text: how well the whole text matches it.
SCORED_TASKS: frozenset[Task] = frozenset({"candidate", "source"})


class Choosing:
    """A family whose model generates nothing: all that it says is read off one pass."""

    def answered(self, inputs: BatchFeature) -> BatchFeature:
        """The inputs as they are."""
        return inputs


@dataclass(frozen=True)
class Paired:
    """One loaded checkpoint that looks at the whole picture at once, ready to be traced."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    image_processor: BaseImageProcessor

    def sentence(self, text: str) -> Prompt:
        """What is read for this text."""
        return Prompt.whole(text)

    def features(self, example: Example) -> BatchFeature:
        """The picture as the image processor leaves it; raises ImageError if there is none."""
        return self.image_processor(picture(example), return_tensors="pt")

    def seen(self, example: Example) -> Image.Image:
        """The picture as the model sees it."""
        return geometry.picture(self.image_processor, self.features(example)["pixel_values"][0])

    def patches(self, example: Example) -> TokenTable:
        """The patches of a vision tower, row by row."""
        frame = geometry.as_processed(self.image_processor, picture(example).size)
        return geometry.patches(frame.squares(self.model.config.vision_config.patch_size))


def picture(example: Example) -> Image.Image:
    """The picture; raises ImageError if there is none."""
    if example.image is None:
        raise ImageError("This model reads no text alone. Add a picture to the text.")
    return example.image


def token_ids(
    tokenizer: PreTrainedTokenizerBase, sentence: Prompt, limit: int, allowed: str = ""
) -> list[int]:
    """The sentence's tokens by number, those that the tokenizer adds among them.

    limit: how many the model can read. allowed: a sign of the model's own that its user may write.
    Raises TextError for other such signs, for too many tokens and if nothing is legible.
    """
    check_text(tokenizer, sentence.question.replace(allowed, " ") if allowed else sentence.question)
    if not sentence.tokens(tokenizer).is_text.any():
        raise TextError("The text has no character that this model can read. Type it in words.")
    ids = sentence.ids(tokenizer)
    if len(ids) > limit:
        raise TextError(
            f"The text makes {len(ids)} tokens, those included that the model adds; it reads at "
            f"most {limit}. Shorten it."
        )
    return ids


def words(
    tokenizer: PreTrainedTokenizerBase, sentence: Prompt, limit: int, allowed: str = ""
) -> BatchFeature:
    """The same as a batch of one, with its mask."""
    ids = torch.tensor([token_ids(tokenizer, sentence, limit, allowed)])
    return BatchFeature({"input_ids": ids, "attention_mask": torch.ones_like(ids)})


def match(share: float, similarity: float | None = None) -> Prediction:
    """Whether picture and text belong together; share: the model's probability that they do."""
    both = (("match", share), ("no match", 1 - share))
    return Prediction("match", tuple(sorted(both, key=lambda one: -one[1])), similarity)
