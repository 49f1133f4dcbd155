"""The model's own answer: generated word by word, then read in one pass with the question."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, TypeVar

import torch
from torch import Tensor
from transformers import (
    BatchFeature,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
)

from vl_core.errors import ModelError
from vl_core.families import pieces
from vl_core.trace import Prediction, TokenTable

G = TypeVar("G", bound="Generating")
LONGEST = 48  # tokens of an answer where nobody says how many
# What is kept of a checkpoint's own settings: with which tokens its answers begin and end.
_IDS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
# Columns that go with the tokens, and what they say of new ones: they are text, and seen.
FILLERS = {"attention_mask": 1, "token_type_ids": 0, "mm_token_type_ids": 0}


@dataclass(frozen=True, kw_only=True)
class Generating(ABC):
    """What families have in common whose model writes its answer token by token.

    longest_answer: how many tokens an answer has at most; longer ones are cut off.
    """

    longest_answer: int = LONGEST

    @property
    @abstractmethod
    def most_tokens(self) -> int:
        """How many tokens an answer can have where the question has hardly any."""

    def with_longest_answer(self: G, count: object) -> G:  # noqa: PYI019 where shapes are checked Self raises
        """The same model, whose answers have so many tokens at most.

        Raises ModelError unless it is a whole number from 1 to as many as the model can read.
        """
        number = _whole(count)
        if number is None or not 1 <= number <= self.most_tokens:
            raise ModelError(
                f"Answers of {repr(count) if number is None else number} tokens at most were asked "
                f"for; this model can give them 1 to {self.most_tokens}. Choose a whole number "
                "between."
            )
        return replace(self, longest_answer=number)


def _whole(value: object) -> int | None:
    """The value, if it is a whole number; True and False are none."""
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None


def make_greedy(model: PreTrainedModel) -> None:
    """From now on the model generates the likeliest token after each, and nothing else counts.

    Checkpoints come with settings of their own: beams, penalties, lengths, words that are forced or
    forbidden. With those another token would be said than the likeliest, and transformers adds them
    to all that it is not told. A patch's placeholder is never said: nothing would stand for it.
    """
    placeholder = getattr(model.config, "image_token_id", None)
    for part in model.modules():
        if isinstance(part, PreTrainedModel) and part.can_generate():
            part.generation_config = GenerationConfig(
                **{name: getattr(part.generation_config, name) for name in _IDS},
                do_sample=False,
                num_beams=1,
                suppress_tokens=None if placeholder is None else [placeholder],
            )


_LISTENER: ContextVar[Callable[[int], None] | None] = ContextVar("vl_generated", default=None)


@contextmanager
def heard(listener: Callable[[int], None]) -> Iterator[None]:
    """Within it, this thread's listener is told after each token how many were generated."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


class _Listening(StoppingCriteria):
    """Counts the tokens, and never stops the model."""

    def __init__(self, listener: Callable[[int], None]) -> None:
        self._listener, self._count = listener, 0

    def __call__(self, input_ids: Tensor, _scores: object, **_options: object) -> Tensor:
        self._count += 1
        self._listener(self._count)
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def generated(model: PreTrainedModel, longest: int, **inputs: Any) -> Tensor:  # noqa: ANN401 tensors and switches
    """What the model's generate() gives for these inputs, with so many new tokens at most."""
    listener = _LISTENER.get()
    listening = [] if listener is None else [_Listening(listener)]
    found: Tensor = model.generate(
        **inputs, max_new_tokens=longest, stopping_criteria=StoppingCriteriaList(listening)
    )
    return found


def answered(model: PreTrainedModel, inputs: BatchFeature, longest: int) -> BatchFeature:
    """The inputs with the likeliest answer, one token after another, behind the question.

    longest: how many tokens it has at most.

    Columns that go with the tokens (masks, kinds of token) grow with them. The model is told to
    remember nothing and to work out no more logits than those of the answer: of a long prompt they
    would take gigabytes.
    """
    ids = inputs["input_ids"]
    new = generated(model, longest, **inputs)[:, ids.shape[1] :]
    grown = {
        name: _grown(value, FILLERS[name], new.shape[1]) if name in FILLERS else value
        for name, value in inputs.items()
    }
    options = {"use_cache": False, "logits_to_keep": new.shape[1] + 1}
    return BatchFeature(grown | {"input_ids": torch.cat([ids, new], dim=1)} | options)


def _grown(column: Tensor, filler: int, count: int) -> Tensor:
    return torch.cat([column, column.new_full((len(column), count), filler)], dim=1)


def ends(model: PreTrainedModel) -> tuple[int, ...]:
    """The tokens, by number, of which any ends what this model says."""
    found: int | list[int] | None = model.generation_config.eos_token_id
    if found is None:
        return ()
    return (found,) if isinstance(found, int) else tuple(found)


def lengthened(tokens: TokenTable, count: int) -> TokenTable:
    """The tokens with so many more, as an answer has at most."""
    return TokenTable.joined([tokens, TokenTable.of(["word"] * count, ["text"] * count)])


def settings(longest: int) -> dict[str, Any]:
    """How answers of so many tokens at most are generated, as plain values for a file."""
    return {"generated": "greedy", "max_answer_tokens": longest}


def spoken(
    tokenizer: PreTrainedTokenizerBase,
    answer: Sequence[int],
    logits: Tensor,
    ends: Collection[int],
    before: Sequence[int] = (),
) -> Prediction:
    """What was generated: the text, and what each token adds to it with its probability.

    logits: token x vocabulary, up to those of the last token; a token is predicted by the position
    before it. ends: the tokens of which any ends an answer; one that neither ends so nor would have
    ended next was cut off. before: the tokens of the text that it goes on from.
    """
    probabilities = logits[-len(answer) - 1 : -1].float().softmax(dim=-1).cpu()
    values = probabilities[torch.arange(len(answer)), torch.tensor(answer)].tolist()
    found = pieces.written(tokenizer, answer, before)
    words = [piece.name if piece.is_sign else piece.text for piece in found]
    text = "".join(piece.text for piece in found)
    is_cut_off = not {answer[-1], int(logits[-1].argmax())} & set(ends)
    return Prediction(
        "text", tuple(zip(words, values, strict=True)), text=text, is_cut_off=is_cut_off
    )
