"""The text that tokens stand for, and what each is called.

Tokenizers cut between bytes as well as between characters, and decode a token by itself to
something else than in its place: SentencePiece drops the blank in front, WordPiece leaves its sign
for "goes on", and of a character in several tokens each alone is nothing legible.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from transformers import PreTrainedTokenizerBase

Offsets = Int[np.ndarray, "token 2"]  # first character of each token, and one past its last

_BLANK = "▁"  # how SentencePiece writes a blank
_CUT_OFF = "\ufffd"  # what is decoded of a character as long as some of its bytes are missing


class Piece(NamedTuple):
    """What one token adds to the text, what it is called, and whether it is a sign and no text.

    All texts together are the whole text. That of a sign is empty, and so is that of a part of a
    character until its last.
    """

    text: str
    name: str
    is_sign: bool


def signs(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """The tokens that tell the model something and stand for no text, by number: <s>, [SEP]...

    Others that were added to a vocabulary, such as "<b>" or runs of new lines, are text.
    """
    added = tokenizer.added_tokens_decoder.items()
    named = zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True)
    return {number: str(token) for number, token in added if token.special} | dict(named)


def written(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], before: Sequence[int] = ()
) -> list[Piece]:
    """What was written, token by token; before: the tokens of the text that it goes on from."""
    known = signs(tokenizer)

    def is_sign(number: int) -> bool:
        # A model may have more tokens than its tokenizer knows.
        return number in known or tokenizer.convert_ids_to_tokens(number) is None

    words = [number for number in ids if not is_sign(number)]
    added = iter(_added(tokenizer, words, [number for number in before if not is_sign(number)]))
    found = []
    for number in ids:
        text, name = ("", "") if is_sign(number) else next(added)
        found.append(Piece(text, name or _called(tokenizer, number), is_sign(number)))
    return found


def _added(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], before: Sequence[int]
) -> list[tuple[str, str]]:
    """What each token adds to the text of those before it, and a name for that, if it is any."""
    read, said = list(before), _decoded(tokenizer, before)
    found: list[tuple[str, str]] = []
    waiting = 0
    for count, number in enumerate(ids, start=1):
        read.append(number)
        now, waiting = _decoded(tokenizer, read), waiting + 1
        if now.endswith(_CUT_OFF) and count < len(ids):
            continue  # the rest of the character is to come
        text = now[len(said) :]
        names = [_part(_legible(text), i, waiting) for i in range(waiting)]
        found += zip([""] * (waiting - 1) + [text], names, strict=True)
        said, waiting = now, 0
    return found


def _decoded(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    # Cleaning up would move blanks about: no token could be said to have added one.
    return str(tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))


def standing_for(vocabulary: Sequence[str], offsets: Offsets, text: str) -> Offsets:
    """The offsets, where a token that is but the sign for a blank stands for that blank or nothing.

    Before a word tokenizers say of such a token that it is the word's first character.
    vocabulary: what each token is called there. text: what was cut into tokens.
    """
    found = offsets.copy()
    for token in range(len(offsets) - 1):
        first = int(offsets[token, 0])
        if vocabulary[token] == _BLANK and _overlap(offsets, token):
            found[token] = first - text[first - 1 : first].isspace(), first
    return found


def names(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], offsets: Offsets, text: str
) -> list[str]:
    """What tokens are called: by the characters that they stand for, as far as they do.

    Where several stand for one character, each is a numbered part of it.
    """
    found: list[str] = []
    start = 0
    for past in range(1, len(ids) + 1):
        if past < len(ids) and _overlap(offsets, past - 1):
            continue
        for token in range(start, past):
            first, last = offsets[token]
            name = _part(_legible(text[first:last]), token - start, past - start)
            found.append(name or _called(tokenizer, ids[token]))
        start = past
    return found


def _overlap(offsets: Offsets, token: int) -> bool:
    """Whether a token and the next stand for a character in common."""
    (first, last), (next_first, next_last) = offsets[token], offsets[token + 1]
    return bool(next_first < last and first < next_last)


def _part(name: str, number: int, count: int) -> str:
    return name if count == 1 or not name else f"{name} ({number + 1}/{count})"


def _legible(text: str) -> str:
    """The text without blanks around it; one of blanks alone with signs for them."""
    return text.strip() or "".join(map(_visible, text))


def _visible(blank: str) -> str:
    return "␣" if blank == " " else blank.encode("unicode_escape").decode()


def _called(tokenizer: PreTrainedTokenizerBase, number: int) -> str:
    """What the vocabulary calls a token."""
    name = tokenizer.convert_ids_to_tokens(number)
    return f"token {number}" if name is None else str(name).replace(_BLANK, "␣")
