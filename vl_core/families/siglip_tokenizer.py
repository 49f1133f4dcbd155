"""SigLIP's tokenizer, in a form that knows which characters of a text each token stands for.

transformers has it in another form only, which needs a further package besides. The vocabulary is
read from where a checkpoint keeps it, tokenizer.json or SentencePiece's own file; what is done to a
text before it is cut is told by no file and follows SiglipTokenizer: SigLIP was trained on texts in
small letters without punctuation.
"""

import json
import re
import string
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import import_protobuf

NAME = "SiglipTokenizer"
_CONFIG, _PIECES = "tokenizer_config.json", "spiece.model"
# What the class takes them for where a checkpoint does not say.
_SIGNS = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}


def is_meant(path: Path) -> bool:
    """Whether the checkpoint in this folder names that tokenizer, or leaves it to its model."""
    named = _settings(path, _CONFIG).get("tokenizer_class")
    is_siglip = _settings(path, "config.json").get("model_type") == "siglip"
    return named == NAME or (named is None and is_siglip)


def load(path: Path) -> PreTrainedTokenizerFast:
    """The tokenizer; raises OSError if there is no vocabulary in this folder."""
    settings = _settings(path, "special_tokens_map.json") | _settings(path, _CONFIG)
    own: dict[str, Any] = {name: sign for name, sign in _SIGNS.items() if name not in settings}
    if not (path / "tokenizer.json").exists():
        own["tokenizer_object"] = _of_pieces(path / _PIECES)
    found = PreTrainedTokenizerFast.from_pretrained(path, local_files_only=True, **own)
    backend: Tokenizer = found.backend_tokenizer
    first = _small_letters_alone(is_lowered=settings.get("do_lower_case", True))
    then = () if backend.normalizer is None else (backend.normalizer,)
    backend.normalizer = normalizers.Sequence([*first, *then])
    backend.post_processor = processors.TemplateProcessing(
        single=f"$A {found.eos_token}", special_tokens=[(found.eos_token, found.eos_token_id)]
    )
    return found


def _settings(path: Path, name: str) -> dict[str, Any]:
    file = path / name
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def _small_letters_alone(*, is_lowered: bool) -> list[normalizers.Normalizer]:
    return [
        *([normalizers.Lowercase()] if is_lowered else []),
        normalizers.Replace(Regex(f"[{re.escape(string.punctuation)}]"), ""),
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Strip(),
    ]


def _of_pieces(file: Path) -> Tokenizer:
    """What SentencePiece's file describes: pieces with scores, and what characters become."""
    model = import_protobuf().ModelProto()
    model.ParseFromString(file.read_bytes())
    vocabulary = [(one.piece, one.score) for one in model.pieces]
    backend = Tokenizer(models.Unigram(vocabulary, unk_id=model.trainer_spec.unk_id))
    if table := model.normalizer_spec.precompiled_charsmap:
        backend.normalizer = normalizers.Precompiled(table)
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    return backend
