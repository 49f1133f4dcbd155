"""Tiny random checkpoints on disk, as save_pretrained leaves them."""

from pathlib import Path

import torch

from vl_core.families.kdvlp import (
    KDVLPConfig,
    KDVLPForTasks,
    KDVLPImageProcessor,
    KDVLPProcessor,
    word_level_tokenizer,
)

WORDS = ("what", "color", "is", "the", "star", "this", "?", "a", "left", "of")
MAX_TOKENS = 14


def save_kdvlp(folder: Path, seed: int = 0, **options) -> Path:
    """A KD-VLP-style checkpoint: 3 layers, 5 heads, width 40, 6 answers, 14 text tokens."""
    torch.manual_seed(seed)
    tokenizer = word_level_tokenizer(WORDS, MAX_TOKENS)
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 40,
        "num_hidden_layers": 3,
        "num_attention_heads": 5,
        "intermediate_size": 24,
        "cell_channels": (6, 8, 10, 12),
        "max_position_embeddings": MAX_TOKENS,
        "query_key_std": 0.3,
        "id2label": dict(enumerate(("red", "blue", "yes", "no", "left", "two"))),
    }
    KDVLPForTasks(KDVLPConfig(**sizes | options)).save_pretrained(folder)
    KDVLPProcessor(KDVLPImageProcessor(), tokenizer).save_pretrained(folder)
    return folder
