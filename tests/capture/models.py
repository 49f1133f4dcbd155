"""Tiny random models of every kind of attention that goes through transformers' interface.

Sizes differ on every axis, and weights are large enough that attention is far from even.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import PreTrainedModel

SIZES = {"hidden_size": 48, "intermediate_size": 20, "vocab_size": 50, "num_hidden_layers": 3}
DECODER = {
    **SIZES,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
N_TOKENS = 11
N_PADDED = 3


@dataclass(frozen=True)
class Case:
    """A model, what it is fed (a batch of two, the second padded where the model can pad).

    modules: its attention modules in the order in which eager's weights come. is_padding:
    sequence x position, for queries and keys.
    """

    model: PreTrainedModel
    inputs: dict[str, Tensor]
    modules: list[str]
    is_padding: Tensor

    def attentions(self, outputs: Any) -> tuple[Tensor, ...]:
        """What the model itself says its weights were, in the order of modules."""
        return outputs.attentions


def sharpened(model: PreTrainedModel, std: float = 0.25) -> PreTrainedModel:
    """The model with larger random weights: fresh ones attend evenly, which hides mistakes."""
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=std)
    return model.eval()


def _tokens() -> dict[str, Tensor]:
    return {"input_ids": torch.randint(5, 50, (2, N_TOKENS))}


def _padded(side: str) -> tuple[dict[str, Tensor], Tensor]:
    mask = torch.ones(2, N_TOKENS, dtype=torch.long)
    mask[1, -N_PADDED:] = 0
    if side == "left":
        mask = mask.flip(1)
    return {**_tokens(), "attention_mask": mask}, mask == 0


def _modules(model: PreTrainedModel, ending: str) -> list[str]:
    return [name for name, _ in model.named_modules() if name.endswith(ending)]


def llama(padding: str | None = None) -> Case:
    """Causal, six heads on two key heads."""
    config = transformers.LlamaConfig(**DECODER, attn_implementation="eager")
    return _decoder(transformers.LlamaForCausalLM(config), padding)


def qwen2(padding: str | None = None) -> Case:
    """Causal with a bias on the keys; the last two layers see four tokens back."""
    config = transformers.Qwen2Config(
        **DECODER,
        use_sliding_window=True,
        sliding_window=4,
        max_window_layers=1,
        attn_implementation="eager",
    )
    return _decoder(transformers.Qwen2ForCausalLM(config), padding)


def gemma2(padding: str | None = None) -> Case:
    """Softcapped scores with a scale of their own, every other layer in a sliding window."""
    config = transformers.Gemma2Config(
        **DECODER,
        head_dim=10,
        query_pre_attn_scalar=7,
        attn_logit_softcapping=5.0,
        sliding_window=4,
        attn_implementation="eager",
    )
    return _decoder(transformers.Gemma2ForCausalLM(config), padding)


def _decoder(model: PreTrainedModel, padding: str | None) -> Case:
    inputs, is_padding = _padded(padding or "right")
    if padding is None:
        inputs, is_padding = _tokens(), torch.zeros_like(is_padding)
    return Case(sharpened(model), inputs, _modules(model, "self_attn"), is_padding)


def bert(padding: str | None = None) -> Case:
    """Full attention, both ways."""
    config = transformers.BertConfig(
        **SIZES, num_attention_heads=4, max_position_embeddings=64, attn_implementation="eager"
    )
    model = transformers.BertModel(config)
    inputs, is_padding = _padded(padding or "right")
    if padding is None:
        inputs, is_padding = _tokens(), torch.zeros_like(is_padding)
    return Case(sharpened(model), inputs, _modules(model, "attention.self"), is_padding)


def t5(padding: str | None = None) -> Case:
    """Full attention with a bias for each head and distance, the same in all layers."""
    config = transformers.T5Config(
        vocab_size=50,
        d_model=48,
        d_kv=4,
        d_ff=20,
        num_layers=3,
        num_heads=6,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=12,
        attn_implementation="eager",
    )
    model = transformers.T5EncoderModel(config)
    inputs, is_padding = _padded(padding or "right")
    if padding is None:
        inputs, is_padding = _tokens(), torch.zeros_like(is_padding)
    model = sharpened(model, std=0.15)  # its scores are not scaled down
    bias = model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias
    torch.nn.init.normal_(bias.weight, std=3)
    return Case(model, inputs, _modules(model, "SelfAttention"), is_padding)


@dataclass(frozen=True)
class TwoTowers(Case):
    """A case whose weights come from two encoders."""

    def attentions(self, outputs: Any) -> tuple[Tensor, ...]:
        """Text first, as the modules are named."""
        return outputs.text_model_output.attentions + outputs.vision_model_output.attentions


def clip() -> Case:
    """A causal text tower beside a vision tower without any mask."""
    config = transformers.CLIPConfig(
        text_config={**SIZES, "num_attention_heads": 4},
        vision_config={
            **SIZES,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "image_size": 64,
            "patch_size": 16,
        },
        projection_dim=10,
        attn_implementation="eager",
    )
    model = transformers.CLIPModel(config)
    inputs = {**_tokens(), "pixel_values": torch.rand(2, 3, 64, 64)}
    no_padding = torch.zeros(2, N_TOKENS, dtype=torch.bool)
    return TwoTowers(sharpened(model), inputs, _modules(model, "self_attn"), no_padding)


@dataclass(frozen=True)
class EncoderDecoder(Case):
    """A decoder that looks at itself and at given states; both come in each layer's turn."""

    def attentions(self, outputs: Any) -> tuple[Tensor, ...]:
        """Self-attention and cross-attention of each layer in turn."""
        pairs = zip(outputs.attentions, outputs.cross_attentions, strict=True)
        return tuple(weights for pair in pairs for weights in pair)


def pix2struct() -> Case:
    """A decoder that adds a position bias to its scores, with cross-attention."""
    config = transformers.Pix2StructTextConfig(
        vocab_size=50,
        hidden_size=48,
        d_kv=12,
        d_ff=20,
        num_layers=3,
        num_heads=4,
        is_decoder=True,
        initializer_range=0.02,  # its weights cannot be made without
        attn_implementation="eager",
    )
    model = transformers.Pix2StructTextModel(config)
    inputs = {**_tokens(), "encoder_hidden_states": torch.randn(2, 7, 48)}
    no_padding = torch.zeros(2, N_TOKENS, dtype=torch.bool)
    return EncoderDecoder(
        sharpened(model, std=0.1), inputs, _modules(model, ".attention"), no_padding
    )


CASES: dict[str, Callable[[], Case]] = {
    "llama": llama,
    "llama, padded": lambda: llama("right"),
    "llama, padded on the left": lambda: llama("left"),
    "qwen2": qwen2,
    "qwen2, padded": lambda: qwen2("right"),
    "gemma2": gemma2,
    "gemma2, padded": lambda: gemma2("right"),
    "bert": bert,
    "bert, padded": lambda: bert("right"),
    "t5": t5,
    "t5, padded": lambda: t5("right"),
    "clip": clip,
    "pix2struct": pix2struct,
}
