"""The model's own answer: generated word by word, then read in one pass with the question."""

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import (
    BatchFeature,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from vl_core.families import pieces
from vl_core.trace import Prediction, TokenTable

LONGEST = 48  # tokens of an answer: longer ones are cut off
# What is kept of a checkpoint's own settings: with which tokens its answers begin and end.
_IDS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
# Columns that go with the tokens, and what they say of new ones: they are text, and seen.
FILLERS = {"attention_mask": 1, "token_type_ids": 0, "mm_token_type_ids": 0}


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
                max_new_tokens=LONGEST,
                do_sample=False,
                num_beams=1,
                suppress_tokens=None if placeholder is None else [placeholder],
            )


def answered(model: PreTrainedModel, inputs: BatchFeature) -> BatchFeature:
    """The inputs with the likeliest answer, one token after another, behind the question.

    Columns that go with the tokens (masks, kinds of token) grow with them. The model is told to
    remember nothing and to work out no more logits than those of the answer: of a long prompt they
    would take gigabytes.
    """
    ids = inputs["input_ids"]
    new = model.generate(**inputs)[:, ids.shape[1] :]
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


def with_longest_answer(tokens: TokenTable) -> TokenTable:
    """The tokens with as many more as an answer has at most."""
    return TokenTable.joined([tokens, TokenTable.of(["word"] * LONGEST, ["text"] * LONGEST)])


def settings() -> dict[str, Any]:
    """How answers are generated, as plain values for a file."""
    return {"generated": "greedy", "max_answer_tokens": LONGEST}


def spoken(
    tokenizer: PreTrainedTokenizerBase,
    answer: Sequence[int],
    logits: Tensor,
    ends: Collection[int],
    before: Sequence[int] = (),
) -> Prediction:
    """What was generated: the text, and what each token adds to it with its probability.

    logits: token x vocabulary, up to those of the last token; a token is predicted by the position
    before it. ends: the tokens of which any ends an answer; one as long as can be is cut off unless
    it ends so, or would have ended next. before: the tokens of the text that it goes on from.
    """
    probabilities = logits[-len(answer) - 1 : -1].float().softmax(dim=-1).cpu()
    values = probabilities[torch.arange(len(answer)), torch.tensor(answer)].tolist()
    found = pieces.written(tokenizer, answer, before)
    words = [piece.name if piece.is_sign else piece.text for piece in found]
    text = "".join(piece.text for piece in found)
    is_cut_off = len(answer) >= LONGEST and not {answer[-1], int(logits[-1].argmax())} & set(ends)
    return Prediction(
        "text", tuple(zip(words, values, strict=True)), text=text, is_cut_off=is_cut_off
    )
