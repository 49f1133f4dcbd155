"""The text that a decoder reads: a template with the question in it and a place for each patch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from transformers import BatchEncoding, PreTrainedTokenizerBase

from vl_core.errors import TextError
from vl_core.families import pieces
from vl_core.trace import TokenTable

_QUESTION = "\ue000"  # stands for the question while the template is filled in; of private use


@dataclass(frozen=True)
class Prompt:
    """What is read, and where in it the question stands.

    text: everything, with a placeholder for each patch. start: where the question begins.
    """

    text: str
    start: int
    question: str

    @classmethod
    def whole(cls, text: str) -> "Prompt":
        """A text that is read as it is."""
        return cls(text, 0, text)

    @classmethod
    def of(cls, template: str, question: str, placeholders: str, image_token: str) -> "Prompt":
        """The template with the question in its place and the picture's placeholders in theirs.

        template: as `filled` gives it. image_token: what stands for the picture in it.
        """
        before, after = (
            part.replace(image_token, placeholders, 1) if image_token in part else part
            for part in template.split(_QUESTION)
        )
        return cls(before + question + after, len(before), question)

    def ids(self, tokenizer: PreTrainedTokenizerBase) -> list[int]:
        """The tokens by number, as the model's own tokenizer cuts the whole text."""
        return list(self._encoded(tokenizer)["input_ids"])

    def _encoded(self, tokenizer: PreTrainedTokenizerBase) -> BatchEncoding:
        first = tokenizer.bos_token
        # A template that begins with the first token itself wants no second one.
        has_first = first is not None and self.text.startswith(first)
        return tokenizer(self.text, add_special_tokens=not has_first, return_offsets_mapping=True)

    def tokens(self, tokenizer: PreTrainedTokenizerBase) -> TokenTable:
        """The tokens by name; what is not of the question is special.

        Placeholders of patches are special, too, until `with_patches` puts the patches there.
        """
        encoded = self._encoded(tokenizer)
        ids, given = encoded["input_ids"], np.array(encoded["offset_mapping"])
        offsets = pieces.standing_for(tokenizer.convert_ids_to_tokens(ids), given, self.text)
        end = self.start + len(self.question)
        spans = offsets.clip(self.start, end) - self.start
        # A token may hold the blank before the question's first word, and is of the question yet.
        is_text = spans[:, 1] > spans[:, 0]
        return TokenTable.of(
            pieces.names(tokenizer, ids, offsets, self.text),
            np.where(is_text, "text", "special").tolist(),
            spans=np.where(is_text[:, None], spans, -1),
            is_unknown=is_text & (np.array(ids) == tokenizer.unk_token_id),
        )


def filled(
    tokenizer: PreTrainedTokenizerBase, template: str | None, *, with_picture: bool
) -> str | None:
    """The checkpoint's chat template around a question, a private character in its place.

    None if the checkpoint has no template. transformers fills it in, within a sandbox.
    """
    if template is None:
        return None
    content = [{"type": "image"}] * with_picture + [{"type": "text", "text": _QUESTION}]
    return str(
        tokenizer.apply_chat_template(
            [{"role": "user", "content": content}],
            chat_template=template,
            tokenize=False,
            add_generation_prompt=True,
        )
    )


def own_template(text: str) -> str:
    """A template of our own, for checkpoints without: `{question}` is the question's place."""
    return text.replace("{question}", _QUESTION)


def chat_template(path: Path, tokenizer: PreTrainedTokenizerBase) -> str | None:
    """The template of the checkpoint in this folder, wherever it is kept, or None."""
    for name in ("chat_template.json", "processor_config.json"):
        if (file := path / name).exists():
            found = json.loads(file.read_text(encoding="utf-8")).get("chat_template")
            if isinstance(found, str):
                return found
    found = tokenizer.chat_template
    return found if isinstance(found, str) else None


def check_text(tokenizer: PreTrainedTokenizerBase, text: str, *placeholders: str) -> None:
    """Raise TextError for a text that holds what the model takes for a command.

    placeholders: what stands for a picture, which not every checkpoint declares to be a sign.
    """
    for token in sorted({*pieces.signs(tokenizer).values(), *placeholders}):
        if token.strip() and token in text:
            raise TextError(
                f"The text contains {token}, which this model takes for a sign of its own "
                "and not for text. Write it in another way."
            )


def with_patches(tokens: TokenTable, is_patch: np.ndarray, patches: TokenTable) -> TokenTable:
    """The tokens with those of the picture at their places.

    Raises ValueError unless there is a place for each.
    """
    places = np.flatnonzero(is_patch)
    if len(places) != len(patches):
        raise ValueError(f"{len(places)} placeholders for {len(patches)} tokens of the picture")
    order = np.arange(len(tokens))
    order[places] = len(tokens) + np.arange(len(patches))
    return TokenTable.joined([tokens, patches]).chosen(order)


def generated_tokens(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], before: Sequence[int] = ()
) -> TokenTable:
    """The tokens of an answer; those that end it are special. before: what it goes on from."""
    found = pieces.written(tokenizer, ids, before)
    return TokenTable.of(
        [piece.name for piece in found],
        ["special" if piece.is_sign else "text" for piece in found],
        is_generated=np.ones(len(found), bool),
    )
