"""The model's own answer: generated word by word, then read in one pass with the question."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import BatchFeature, PreTrainedModel, PreTrainedTokenizerBase

from vl_core.trace import Prediction

LONGEST = 48  # tokens of an answer: longer ones are cut off
# How transformers is told to take the likeliest token, one after another.
GREEDY = {
    "max_new_tokens": LONGEST,
    "do_sample": False,
    "num_beams": 1,
    "temperature": None,
    "top_p": None,
    "top_k": None,
    "repetition_penalty": 1.0,  # Qwen's checkpoints ask for more: then another token is said
}
# Columns that go with the tokens, and what they say of new ones: they are text, and seen.
FILLERS = {"attention_mask": 1, "token_type_ids": 0, "mm_token_type_ids": 0}


def answered(model: PreTrainedModel, inputs: BatchFeature) -> BatchFeature:
    """The inputs with the likeliest answer, one token after another, behind the question.

    Columns that go with the tokens (masks, kinds of token) grow with them. The model is told to
    remember nothing and to work out no more logits than those of the answer: of a long prompt they
    would take gigabytes. It is kept from saying a patch's placeholder: nothing would stand for it.
    """
    ids = inputs["input_ids"]
    placeholder = getattr(model.config, "image_token_id", None)
    unsaid = None if placeholder is None else [placeholder]
    found = model.generate(**inputs, **GREEDY, suppress_tokens=unsaid)
    new = found[:, ids.shape[1] :]
    grown = {
        name: _grown(value, FILLERS[name], new.shape[1]) if name in FILLERS else value
        for name, value in inputs.items()
    }
    options = {"use_cache": False, "logits_to_keep": new.shape[1] + 1}
    return BatchFeature(grown | {"input_ids": torch.cat([ids, new], dim=1)} | options)


def _grown(column: Tensor, filler: int, count: int) -> Tensor:
    return torch.cat([column, column.new_full((len(column), count), filler)], dim=1)


def spoken(tokenizer: PreTrainedTokenizerBase, answer: Sequence[int], logits: Tensor) -> Prediction:
    """What was generated: each token with its probability.

    logits: token x vocabulary, up to those of the last token; a token is predicted by the position
    before it.
    """
    probabilities = logits[-len(answer) - 1 : -1].float().softmax(dim=-1).cpu()
    values = probabilities[torch.arange(len(answer)), torch.tensor(answer)].tolist()
    words = [tokenizer.decode([number]) for number in answer]
    return Prediction("text", tuple(zip(words, values, strict=True)))
