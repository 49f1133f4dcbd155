"""Small models with random weights: no two of their sizes are equal."""

import torch
from PIL import Image

from vl_core.families.kdvlp import (
    KDVLPConfig,
    KDVLPForTasks,
    KDVLPImageProcessor,
    KDVLPProcessor,
    word_level_tokenizer,
)

WORDS = ["what", "color", "is", "the", "star", "left", "of", "circle", "red", "?", "."]
ANSWERS = ("red", "left", "no")


def small_config(**changes) -> KDVLPConfig:
    """Five layers of four heads of size six."""
    settings = {
        "vocab_size": 11 + len(WORDS),
        "hidden_size": 24,
        "num_hidden_layers": 5,
        "num_attention_heads": 4,
        "intermediate_size": 40,
        "max_position_embeddings": 32,
        "cell_channels": (4, 6, 10, 14),
        "alignment_size": 9,
        "alignment_layer": 3,
        "id2label": dict(enumerate(ANSWERS)),
    }
    return KDVLPConfig(**(settings | changes))


def small_model(**changes) -> KDVLPForTasks:
    """Random weights, sharpened such that attention is far from uniform."""
    torch.manual_seed(3)
    return KDVLPForTasks(small_config(query_key_std=0.4, **changes)).eval()


def small_processor() -> KDVLPProcessor:
    """Words of the tests, pictures of up to 8 x 8 cells."""
    return KDVLPProcessor(KDVLPImageProcessor(), word_level_tokenizer(WORDS, 32))


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture in which every place looks different."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=generator)
    return Image.fromarray(pixels.numpy())
