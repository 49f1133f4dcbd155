"""What tiny random checkpoints of published architectures are made of.

Tokenizers are of each family's own class, as its checkpoints have it: common words are one token,
others several, and blanks are a part of tokens.
"""

import json

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from transformers import (
    BertTokenizer,
    CLIPTokenizer,
    GemmaTokenizer,
    GPT2Tokenizer,
    LlamaTokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    ProcessorMixin,
    Qwen2Tokenizer,
    T5Tokenizer,
)
from transformers.utils import sentencepiece_model_pb2_new as sentencepiece

from tests.families import trained

WORDS = ("what", "color", "is", "the", "star", "this", "?", "a", "left", "of", ":", "red")
LINES = ("\n", "\n\n", "\n\n\n")


def tokenizer() -> PreTrainedTokenizerFast:
    """No published one: a token for each word, and nothing around a text."""
    names = ["<unk>", "<pad>", "<s>", "</s>", *WORDS]
    words = Tokenizer(models.WordLevel(trained.numbered(names), unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.decoder = decoders.Fuse()
    signs = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=words, **signs)


def qwen(*specials: str, **named: str) -> Qwen2Tokenizer:
    """Of Qwen, InternVL, LLaVA-OneVision: pairs of bytes. named: special tokens with a role."""
    pieces, merges = trained.byte_pairs()
    return Qwen2Tokenizer(
        vocab=trained.numbered(pieces),
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>", *specials],
        **named,
    )


def smol(*specials: str) -> GPT2Tokenizer:
    """Of SmolVLM: pairs of bytes; a turn begins with the first token and ends with the last."""
    return _gpt2(
        bos_token="<|im_start|>",
        eos_token="<end_of_utterance>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
        additional_special_tokens=list(specials),
    )


def opt(*specials: str) -> GPT2Tokenizer:
    """Of BLIP-2 with OPT: pairs of bytes, one sign for the beginning and the end."""
    ends = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "</s>")
    return _gpt2(
        **ends,
        pad_token="<pad>",
        add_bos_token=True,
        additional_special_tokens=list(specials),
    )


def _gpt2(**options) -> GPT2Tokenizer:
    pieces, merges = trained.byte_pairs()
    return GPT2Tokenizer(vocab=trained.numbered(pieces), merges=merges, **options)


def clip() -> CLIPTokenizer:
    """Of CLIP: pairs of bytes, of which the last of a word is another."""
    pieces, merges = trained.word_pairs()
    vocabulary = trained.numbered([*pieces, "<|startoftext|>", "<|endoftext|>"])
    return CLIPTokenizer(vocab=vocabulary, merges=merges)


def llama(*specials: str, **named: str) -> LlamaTokenizer:
    """Of LLaVA and InstructBLIP: SentencePiece's pairs, and bytes for what is in none of them.

    named: special tokens with a role.
    """
    pieces, merges = trained.letter_pairs()
    return LlamaTokenizer(
        vocab=trained.numbered(["<unk>", "<s>", "</s>", *trained.BYTES, *pieces]),
        merges=merges,
        pad_token="<pad>",
        add_bos_token=True,
        additional_special_tokens=list(specials),
        **named,
    )


def gemma(*specials: str, **named: str) -> GemmaTokenizer:
    """Of PaliGemma and Gemma 3: the same without a blank before the first word.

    Runs of new lines and tags of HTML are tokens of their own, and no signs. named: special tokens
    with a role.
    """
    pieces, merges = trained.letter_pairs()
    signs = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    made = GemmaTokenizer(
        vocab=trained.numbered([*signs, *LINES, *trained.BYTES, *pieces]),
        merges=merges,
        add_bos_token=True,
        additional_special_tokens=list(specials),
        **named,
    )
    made.add_tokens([AddedToken(text, normalized=False) for text in (*LINES, "<b>", "<table>")])
    return made


def t5(*specials: str) -> T5Tokenizer:
    """Of BLIP-2 with Flan-T5: SentencePiece's likeliest pieces; among the signs a hundred gaps."""
    gaps = [(f"<extra_id_{i}>", 0.0) for i in reversed(range(100))]
    made = T5Tokenizer(vocab=[*trained.unigrams(), *gaps])
    made.add_tokens([AddedToken(text, special=True) for text in specials])
    return made


def siglip() -> PreTrainedTokenizerFast:
    """Of SigLIP, but for what is done to a text first: the same pieces; save_siglip saves it."""
    made = Tokenizer(models.Unigram(trained.unigrams(), unk_id=2))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    made.decoder = decoders.Metaspace(prepend_scheme="always")
    signs = dict.fromkeys(("eos_token", "pad_token"), "</s>") | {"unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=17, **signs)


def save_siglip(folder, *, as_pieces=False, table=b"") -> None:
    """As published, with a class that transformers has in SentencePiece's form alone.

    as_pieces: with SentencePiece's own file in place of tokenizer.json. table: what becomes of
    characters, in that file.
    """
    siglip().save_pretrained(folder)
    config = folder / "tokenizer_config.json"
    settings = json.loads(config.read_text()) | {"tokenizer_class": "SiglipTokenizer"}
    config.write_text(json.dumps(settings))
    if as_pieces:
        (folder / "tokenizer.json").unlink()
        model = sentencepiece.ModelProto()
        model.trainer_spec.unk_id = 2
        model.normalizer_spec.precompiled_charsmap = table
        for text, score in trained.unigrams():
            model.pieces.add(piece=text, score=score)
        (folder / "spiece.model").write_bytes(model.SerializeToString())


def bert() -> BertTokenizer:
    """Of ViLT, BLIP, LXMERT, VisualBERT and Q-Formers: words, else letters, first and later."""
    return BertTokenizer(vocab=trained.numbered(trained.word_pieces()))


def without_video(kind: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """The processor without its part for videos, which nothing here needs and few can build."""

    class WithoutVideo(kind):
        def __init__(self, image_processor, tokenizer, **options) -> None:
            super().__init__(image_processor, tokenizer, None, **options)

    return WithoutVideo


def language(words: PreTrainedTokenizerBase, **options) -> dict:
    """A decoder of 3 layers and 6 heads that share 2 key heads, for these words."""
    sizes = {
        "hidden_size": 48,
        "intermediate_size": 40,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "vocab_size": len(words),
        "max_position_embeddings": 512,
        "pad_token_id": words.pad_token_id,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
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
