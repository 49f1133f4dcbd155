"""Vocabularies that are trained on a few sentences, as those of published tokenizers on many.

All come out the same whenever they are trained: what differs from one run to the next is left out.
"""

import json
from collections.abc import Iterable
from functools import cache

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import BertTokenizer

SENTENCES = (
    "what color is the red star ?",
    "what is left of the star: a red star",
    "is this a red star of this color ?",
    "user: what is this ? assistant: this is a star",
    "the color of a star is red, what is left of this ?",
    "a quick brown fox jumps over the lazy dog, amazed about cobras",
) * 9
ALPHABET = tuple(sorted(pre_tokenizers.ByteLevel.alphabet()))
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))

Pairs = tuple[list[str], list[tuple[str, str]]]


def numbered(pieces: Iterable[str]) -> dict[str, int]:
    """The pieces with their places in the list; of equal ones the first."""
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


@cache
def byte_pairs() -> Pairs:
    """Bytes, blanks at the beginning of words among them, and what they are joined to."""
    return _pairs(_bytes(), vocab_size=256 + 50, initial_alphabet=list(ALPHABET))


@cache
def word_pairs() -> Pairs:
    """The same without blanks; the last byte of a word is another."""
    cut = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), _bytes()])
    size, alphabet = 256 + 256 + 50, list(ALPHABET)
    pieces, merges = _pairs(cut, "</w>", vocab_size=size, initial_alphabet=alphabet)
    return [*ALPHABET, *(f"{letter}</w>" for letter in ALPHABET), *pieces], merges


@cache
def letter_pairs() -> Pairs:
    """Letters, SentencePiece's sign for a blank among them, and what they are joined to."""
    return _pairs(pre_tokenizers.Metaspace(prepend_scheme="always"), vocab_size=90)


def _bytes() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.ByteLevel(add_prefix_space=False)


def _pairs(cut: pre_tokenizers.PreTokenizer, suffix: str = "", **options: object) -> Pairs:
    """Pieces in the order in which they were found, and of which two each is made."""
    made = Tokenizer(models.BPE(end_of_word_suffix=suffix))
    made.pre_tokenizer = cut
    trainer = trainers.BpeTrainer(show_progress=False, end_of_word_suffix=suffix, **options)
    made.train_from_iterator(SENTENCES, trainer)
    found = json.loads(made.to_str())["model"]
    return list(found["vocab"]), [tuple(pair) for pair in found["merges"]]


@cache
def unigrams() -> list[tuple[str, float]]:
    """T5's signs, then SentencePiece's likeliest pieces with the logarithm of their probability."""
    signs = ["<pad>", "</s>", "<unk>"]
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=80, special_tokens=signs, unk_token="<unk>", show_progress=False
    )
    made.train_from_iterator(SENTENCES, trainer)
    found = json.loads(made.to_str())["model"]["vocab"][len(signs) :]
    # Training rounds differently each time, and gives equals in any order.
    rest = sorted((-round(score, 2), text) for text, score in found)
    return [*((sign, 0.0) for sign in signs), *((text, -score) for score, text in rest)]


@cache
def word_pieces() -> tuple[str, ...]:
    """BERT's signs, then words, and letters at the beginning of a word and within."""
    signs = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    bert = BertTokenizer().backend_tokenizer
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = bert.normalizer, bert.pre_tokenizer
    trainer = trainers.WordPieceTrainer(min_frequency=10, special_tokens=signs, show_progress=False)
    made.train_from_iterator(SENTENCES, trainer)
    # Training takes another way to the words each time: what lies between them and letters varies.
    words = {word for word, _ in bert.pre_tokenizer.pre_tokenize_str(" ".join(SENTENCES))}
    found = [one for one in made.get_vocab() if one in words or len(one.removeprefix("##")) == 1]
    return (*signs, *sorted(found))
