"""What the tokens of a picture are called together: patches, regions or query tokens.

A family names its tokens; what they are follows from these names, here and nowhere else.
"""

import re
from dataclasses import dataclass

from vl_core.trace.tokens import TokenTable


@dataclass(frozen=True)
class Noun:
    """What one token of the picture is called, and several of them."""

    one: str
    many: str

    def named(self, text: str) -> str:
        """A text that speaks of patches, with this noun in their place."""
        return re.sub(r"\bpatch(es)?\b", lambda found: self.many if found[1] else self.one, text)


PATCH = Noun("patch", "patches")
REGION = Noun("region", "regions")  # of a detector, numbered as in its file
QUERY_TOKEN = Noun("query token", "query tokens")  # learned: it stands for no place
IMAGE_TOKEN = Noun("image token", "image tokens")  # of several kinds, so none of the above

_NAMED = {"region": REGION, "query": QUERY_TOKEN}  # by the word before a token's number


def image_noun(tokens: TokenTable) -> Noun:
    """What the tokens of the picture in this table are: patches unless all are named otherwise."""
    texts = {text for text, is_image in zip(tokens.texts, tokens.is_image, strict=True) if is_image}
    for word, noun in _NAMED.items():
        if texts and all(re.fullmatch(rf"{word} \d+", text) for text in texts):
            return noun
    return PATCH


def common_noun(*tables: TokenTable) -> Noun:
    """What the tokens of the picture in all of these tables are, or what they have in common."""
    nouns = {image_noun(tokens) for tokens in tables if tokens.is_image.any()}
    if len(nouns) > 1:
        return IMAGE_TOKEN
    return next(iter(nouns), PATCH)
