"""Several texts as one sequence: [CLS] question [SEP] answer [SEP] rationale [SEP]."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from tokenizers import Encoding, Tokenizer
from transformers import PreTrainedTokenizerFast

# Token types of the segments. The [SEP] after a segment is of the segment's type, as in KD-VLP's
# code (UNITER's gives the first one that of the answer).
SEGMENT_TYPES = (0, 2, 3)


class Segments(NamedTuple):
    """The sequence: word numbers and token types; each segment's start and encoding."""

    ids: list[int]
    types: list[int]
    parts: list[tuple[int, Encoding]]


def joined(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], words: Tokenizer | None = None
) -> Segments:
    """Question alone, question and candidate, or question, answer and rationale.

    Object tags, as in "[2]", are words of their own here, unlike in what a visitor types. words:
    what cuts texts that come from anywhere, as `only_tags` makes it. Raises ValueError for more
    texts than there are token types.
    """
    if not 0 < len(texts) <= len(SEGMENT_TYPES):
        raise ValueError(f"{len(texts)} texts came, wanted one to {len(SEGMENT_TYPES)}")
    backend: Tokenizer = words or tokenizer.backend_tokenizer
    encodings = backend.encode_batch(list(texts), add_special_tokens=False)
    ids, types, parts = [tokenizer.cls_token_id], [SEGMENT_TYPES[0]], []
    for kind, encoding in zip(SEGMENT_TYPES, encodings, strict=False):
        parts.append((len(ids), encoding))
        ids += [*encoding.ids, tokenizer.sep_token_id]
        types += [kind] * (len(encoding.ids) + 1)
    return Segments(ids, types, parts)


def only_tags(tokenizer: PreTrainedTokenizerFast) -> Tokenizer:
    """What cuts texts as the tokenizer does and knows object tags, but none of its other signs.

    A "[SEP]" in a text is then what somebody wrote, and no separator. It is a copy, since the
    tokenizer itself switches between the two ways for all threads at once.
    """
    description = json.loads(tokenizer.backend_tokenizer.to_str())
    signs = set(tokenizer.all_special_tokens)
    description["added_tokens"] = [
        one for one in description["added_tokens"] if one["content"] not in signs
    ]
    return Tokenizer.from_str(json.dumps(description))
