"""Models that always read a picture and a sentence of their user's, and nothing around it."""

from PIL import Image
from transformers import PreTrainedTokenizerBase

from vl_core.errors import ImageError, TextError
from vl_core.example import Example
from vl_core.families.prompts import Prompt, check_text
from vl_core.trace import Prediction


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


def match(share: float, similarity: float | None = None) -> Prediction:
    """Whether picture and text belong together; share: the model's probability that they do."""
    both = (("match", share), ("no match", 1 - share))
    return Prediction("answer", tuple(sorted(both, key=lambda one: -one[1])), similarity)
