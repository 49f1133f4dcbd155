"""What tiny random checkpoints of published architectures are made of."""

import string

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from transformers import (
    BertTokenizer,
    GemmaTokenizer,
    PreTrainedTokenizerFast,
    ProcessorMixin,
    Qwen2Tokenizer,
)

WORDS = ("what", "color", "is", "the", "star", "this", "?", "a", "left", "of", ":", "red")


def tokenizer(*specials: str, bos: str = "<s>", **named: str) -> PreTrainedTokenizerFast:
    """One token a word; unknown words are one token each. named: special tokens with a role."""
    names = ["<unk>", "<pad>", bos, "</s>", *WORDS]
    words = Tokenizer(
        models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>")
    )
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token=bos,
        eos_token="</s>",
        additional_special_tokens=list(specials),
        **named,
    )


def byte_tokenizer(*specials: str, **named: str) -> Qwen2Tokenizer:
    """Byte pairs, as Qwen has them: words behind a blank are one token, others one for each byte.

    named: special tokens with a role.
    """
    pairs = [
        (word[:i], word[i]) for word in (f"Ġ{word}" for word in WORDS) for i in range(1, len(word))
    ]
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *map("".join, pairs)]
    return Qwen2Tokenizer(
        vocab={piece: i for i, piece in enumerate(dict.fromkeys(pieces))},
        merges=list(dict.fromkeys(pairs)),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>", *specials],
        **named,
    )


def gemma_tokenizer(*specials: str, **named: str) -> GemmaTokenizer:
    """Pieces as Gemma has them: blanks are letters, runs of new lines one token, no word unknown.

    named: special tokens with a role.
    """
    runs = ["\n" * count for count in (1, 2, 3)]
    words = [*(f"▁{word}" for word in WORDS), *WORDS, *runs]
    pairs = [(word[:i], word[i]) for word in words for i in range(1, len(word))]
    letters = sorted({letter for word in [*words, string.printable] for letter in word})
    signs = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    pieces = dict.fromkeys([*signs, *letters, *map("".join, pairs)])
    return GemmaTokenizer(
        vocab={piece: i for i, piece in enumerate(pieces)},
        merges=list(dict.fromkeys(pairs)),
        add_bos_token=True,
        additional_special_tokens=list(specials),
        **named,
    )


def without_video(kind: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """The processor without its part for videos, which nothing here needs and few can build."""

    class WithoutVideo(kind):
        def __init__(self, image_processor, tokenizer, **options) -> None:
            super().__init__(image_processor, tokenizer, None, **options)

    return WithoutVideo


def bert() -> BertTokenizer:
    """Whole words and, for zebras and stars, pieces of words."""
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "ze", "##bra", "##s"]
    return BertTokenizer(vocab={name: i for i, name in enumerate(names)})


def language(vocabulary: int, **options) -> dict:
    """A decoder of 3 layers and 6 heads that share 2 key heads."""
    sizes = {
        "hidden_size": 48,
        "intermediate_size": 40,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "vocab_size": vocabulary,
        "max_position_embeddings": 512,
        "pad_token_id": 1,
        "bos_token_id": 2,
        "eos_token_id": 3,
    }
    return sizes | options


def tower(**options) -> dict:
    """A vision transformer of 4 layers and 5 heads, with patches of 14 pixels."""
    sizes = {
        "hidden_size": 40,
        "intermediate_size": 24,
        "num_hidden_layers": 4,
        "num_attention_heads": 5,
        "image_size": 56,
        "patch_size": 14,
    }
    return sizes | options


def sharpened(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model with weights large enough that attention is not even everywhere."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                fan_in = parameter[0].numel()
                parameter.normal_(std=1.5 * fan_in**-0.5, generator=generator)
    return model
