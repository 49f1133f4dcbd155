"""Candidates for models that generate: read in the place of the answer, and scored by the words.

The model reads the prompt with the question, and behind it, in place of an answer of its own, the
candidate. How likely each token of it was, given all before, says how well it fits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from vl_core.errors import TextError
from vl_core.example import Example
from vl_core.families.prompts import Prompt
from vl_core.trace import TokenTable


def asked(example: Example) -> str:
    """What stands in the question's place: the whole text, but for a candidate at its end."""
    if example.task != "candidate":
        return example.text
    return example.text[: example.breaks[-1]].rstrip()


@dataclass(frozen=True)
class Candidate:
    """A prompt and the candidate behind it; start: where that begins in the example's text."""

    prompt: Prompt
    text: str
    start: int

    @classmethod
    def of(cls, example: Example, prompt: Prompt) -> "Candidate":
        """The last part of the example's text; prompt: with what comes before it."""
        text = example.parts[-1]
        return cls(prompt, text, example.text.index(text, example.breaks[-1]))

    @property
    def _whole(self) -> Prompt:
        """All that is read, with the candidate in the question's role."""
        # An answer begins behind a blank or a new line, with which some templates end already.
        before = self.prompt.text + ("" if self.prompt.text[-1:].isspace() else " ")
        return Prompt(before + self.text, len(before), self.text)

    def ids(self, tokenizer: PreTrainedTokenizerBase) -> list[int]:
        """All tokens by number."""
        return self._whole.ids(tokenizer)

    def tokens(self, tokenizer: PreTrainedTokenizerBase) -> TokenTable:
        """All tokens by name; those of the question and of the candidate are text."""
        before = replace(self.prompt, text=self._whole.text).tokens(tokenizer)
        own = self._whole.tokens(tokenizer)
        own = replace(own, spans=np.where(own.spans < 0, -1, own.spans + self.start))
        first = self.first(tokenizer)
        return TokenTable.joined([before.chosen(slice(first)), own.chosen(slice(first, None))])

    def first(self, tokenizer: PreTrainedTokenizerBase) -> int:
        """Where the candidate's tokens begin; raises TextError if it has none."""
        is_own = self._whole.tokens(tokenizer).is_text
        if not is_own.any():
            raise TextError(
                "The candidate has no character that this model can read. Give it in words."
            )
        return int(is_own.argmax())


def mean_log_probability(ids: Sequence[int], logits: Tensor) -> float:
    """How likely these tokens are, each given those before: 0 is certain, and there is no least.

    In nats, as a mean, so that long candidates and short ones compare. logits: token x vocabulary,
    of the position before each.
    """
    told = logits.float().log_softmax(dim=-1).cpu()
    return float(told[torch.arange(len(ids)), torch.tensor(list(ids))].mean())
