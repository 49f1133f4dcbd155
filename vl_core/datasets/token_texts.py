"""Tokens that are known by their strings alone: which of them are words, and where in the text.

Strings of WordPiece ("##ing"), SentencePiece ("\u2581the") and byte-level tokenizers ("\u0120the")
are understood, and the names that special tokens usually have: [CLS], [SEP], [PAD], </s>, ...
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from vl_core.arrays import Boxes, Spans, TokenMask
from vl_core.errors import TextError
from vl_core.example import clean_text
from vl_core.trace import TokenTable

_SPECIAL = re.compile(r"\[(CLS|SEP|PAD|MASK)\]|<[^<>\s]+>")
_PADDING = ("[PAD]", "<pad>", "<|pad|>")
_UNKNOWN = ("[UNK]", "<unk>")
_STARTS = "\u2581\u0120"  # mark a blank before the piece, by SentencePiece and byte-level BPE
_CONTINUES = "##"  # marks that there is none, by WordPiece


def token_table(
    strings: Sequence[str],
    is_image: TokenMask,
    text: str = "",
    boxes: Boxes | None = None,
    is_special: TokenMask | None = None,
) -> tuple[TokenTable, str]:
    """The table of these tokens, and their text: the one given, else the words put together.

    text: as clean_text gives it; each word is looked for after the one before it, upper and lower
    case alike, and one that is not found has no span. is_special: which tokens are special, where
    the usual names do not tell. Tokens of the picture keep their strings.
    """
    if is_special is None:
        is_special = np.array([_is_special(one) for one in strings], bool)
    is_word = ~is_image & ~is_special
    words = [one for one, wanted in zip(strings, is_word, strict=True) if wanted]
    text = text or joined(words)
    spans = np.full((len(strings), 2), -1)
    spans[is_word] = _spans(words, text)
    kinds = np.select([is_image, is_special], ["image", "special"], "text")
    table = TokenTable.of(
        [bare(one) or one if word else one for one, word in zip(strings, is_word, strict=True)],
        kinds.tolist(),
        boxes,
        spans,
        np.array([one in _PADDING for one in strings], bool) & ~is_image,
        np.array([one in _UNKNOWN for one in strings], bool) & is_word,
    )
    return table, text


def joined(words: Sequence[str]) -> str:
    """The text that these tokens were cut from, as far as they tell."""
    marks_starts = any(one.startswith(tuple(_STARTS)) for one in words)
    parts = []
    for one in words:
        follows = one[:1] not in _STARTS if marks_starts else _continues(one)
        parts.append(bare(one) if follows else f" {bare(one)}")
    return _clean("".join(parts))


def bare(string: str) -> str:
    """The characters of the text that a token stands for; none for a line break or a blank."""
    if _continues(string):
        string = string.removeprefix(_CONTINUES)
    return _clean(re.sub(f"[{_STARTS}\u010a]", " ", string))


def _clean(text: str) -> str:
    """As an example keeps its text, so that places in it stay; empty if nothing is left."""
    try:
        return clean_text(text)
    except TextError:
        return ""


def _continues(string: str) -> bool:
    return string.startswith(_CONTINUES) and len(string) > len(_CONTINUES)


def _is_special(string: str) -> bool:
    return string not in _UNKNOWN and _SPECIAL.fullmatch(string) is not None


def _spans(words: Sequence[str], text: str) -> Spans:
    return np.array(list(_found(map(bare, words), text)), int).reshape(-1, 2)


def _found(words: Iterator[str], text: str) -> Iterator[tuple[int, int]]:
    """Where each word stands, none before the one before it; -1 where it does not."""
    lowered, end = _lowered(text), 0
    for word in words:
        start = lowered.find(_lowered(word), end) if word else -1
        if start < 0:
            yield -1, -1
        else:
            end = start + len(word)
            yield start, end


def _lowered(text: str) -> str:
    """In lower case, unless that changes the number of characters, as with a dotted capital I."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text
