"""Tiny random models of every vision-language architecture, with something to feed them.

Two sequences each, the second shorter where there is a mask to say so. Two layers everywhere, of
four heads; weights large enough that attention is far from even. Models are on eager attention.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import PreTrainedModel

from tests.capture.models import sharpened

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
TEXT = {**SIZES, "vocab_size": 120}
LANGUAGE = {
    **TEXT,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
PIXELS = {"image_size": 64, "patch_size": 16}
VISION = {**SIZES, **PIXELS}
SIGLIP = {**VISION, "model_type": "siglip_vision_model", "vision_use_head": False}
OPT = {**LANGUAGE, "model_type": "opt", "ffn_dim": 40, "word_embed_proj_dim": 32}
QFORMER = {**TEXT, "encoder_hidden_size": 32, "cross_attention_frequency": 1}
EAGER = {"attn_implementation": "eager"}
PICTURE, START, END, VIDEO = 99, 97, 98, 95  # token ids

Inputs = dict[str, Tensor]


@dataclass(frozen=True)
class Specimen:
    """A model and what it is fed.

    n_evaluations: how often one run evaluates attention, counted by hand: for each sequence (or
    picture, tile, window) each layer's.
    """

    model: PreTrainedModel
    inputs: Inputs
    n_evaluations: int

    def run(self, **options: Any) -> Any:
        """The model's outputs."""
        with torch.inference_mode():
            return self.model(**self.inputs, **options)


def _specimen(
    model: PreTrainedModel, inputs: Inputs, n_evaluations: int, std: float = 0.25
) -> Specimen:
    return Specimen(sharpened(model, std), inputs, n_evaluations)


def _pictures(*shape: int) -> Tensor:
    return torch.rand(*(shape or (2, 3, 64, 64)))


def _ids(length: int) -> Tensor:
    return torch.randint(10, 90, (2, length))


def _shorter(length: int, missing: int) -> Tensor:
    """Which positions hold something: the second sequence ends before the first."""
    mask = torch.ones(2, length, dtype=torch.long)
    mask[1, -missing:] = 0
    return mask


def _text(length: int = 7) -> Inputs:
    return {"input_ids": _ids(length), "attention_mask": _shorter(length, 3)}


def _prompt(n_places: int, *, before: tuple[int, ...] = (), after: tuple[int, ...] = ()) -> Inputs:
    """Placeholders for a picture, then seven words."""
    picture = torch.tensor([*before, *[PICTURE] * n_places, *after]).expand(2, -1)
    ids = torch.cat([picture, _ids(7)], dim=1)
    return {"input_ids": ids, "attention_mask": _shorter(ids.shape[1], 3)}


def _is_picture(inputs: Inputs) -> Tensor:
    return (inputs["input_ids"] == PICTURE).long()


def _in_one_order(embed: Callable[..., Any]) -> Callable[..., Any]:
    """ViLT shuffles its patches anew in each run; here in the same way each time."""

    def embedded(*args: Any, **kwargs: Any) -> Any:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return embed(*args, **kwargs)

    return embedded


def vilt() -> Specimen:
    """One stream of words and patches; the second picture is narrower."""
    model = transformers.ViltModel(transformers.ViltConfig(**TEXT, **PIXELS, **EAGER))
    model.embeddings.visual_embed = _in_one_order(model.embeddings.visual_embed)
    pixel_mask = torch.ones(2, 64, 48, dtype=torch.long)
    pixel_mask[1, :, 32:] = 0
    inputs = {**_text(), "pixel_values": _pictures(2, 3, 64, 48), "pixel_mask": pixel_mask}
    return _specimen(model, inputs, 2 * 2)


def visual_bert() -> Specimen:
    """One stream of words and regions."""
    config = transformers.VisualBertConfig(**TEXT, visual_embedding_dim=24, **EAGER)
    inputs = {
        **_text(),
        "visual_embeds": torch.rand(2, 5, 24),
        "visual_attention_mask": _shorter(5, 2),
    }
    return _specimen(transformers.VisualBertModel(config), inputs, 2 * 2)


def lxmert() -> Specimen:
    """Two streams of two layers, then two layers of cross-attention and self-attention in both."""
    config = transformers.LxmertConfig(
        **TEXT, l_layers=2, x_layers=2, r_layers=2, visual_feat_dim=24, **EAGER
    )
    inputs = {
        **_text(),
        "visual_feats": torch.rand(2, 5, 24),
        "visual_pos": torch.rand(2, 5, 4),
        "visual_attention_mask": _shorter(5, 2),
    }
    return _specimen(transformers.LxmertModel(config), inputs, 2 * (2 + 2 + 2 * 4), std=0.15)


def flava() -> Specimen:
    """An encoder for pictures, one for text and one for both."""
    config = transformers.FlavaConfig(
        image_config=VISION,
        text_config=TEXT,
        multimodal_config=SIZES,
        hidden_size=32,
        projection_dim=16,
        **EAGER,
    )
    inputs = {**_text(), "pixel_values": _pictures()}
    return _specimen(transformers.FlavaModel(config), inputs, 2 * (2 + 2 + 2))


def bridgetower() -> Specimen:
    """Two towers of four layers, and two layers of self- and cross-attention from each to each."""
    config = transformers.BridgeTowerConfig(
        **{**SIZES, "hidden_size": 128},
        text_config={**TEXT, "hidden_size": 128, "num_hidden_layers": 4},
        vision_config={**VISION, "hidden_size": 128, "num_hidden_layers": 4},
        **EAGER,
    )
    pixel_mask = torch.ones(2, 64, 64, dtype=torch.long)
    inputs = {**_text(), "pixel_values": _pictures(), "pixel_mask": pixel_mask}
    model = transformers.BridgeTowerModel(config)
    return _specimen(model, inputs, 2 * (4 + 4 + 2 * 4), std=0.1)


def clip() -> Specimen:
    """Two towers that never meet."""
    config = transformers.CLIPConfig(
        text_config=TEXT, vision_config=VISION, projection_dim=16, **EAGER
    )
    inputs = {**_text(), "pixel_values": _pictures()}
    return _specimen(transformers.CLIPModel(config), inputs, 2 * (2 + 2))


def siglip() -> Specimen:
    """Two towers, and a probe that looks at the picture's patches."""
    config = transformers.SiglipConfig(text_config=TEXT, vision_config=VISION, **EAGER)
    inputs = {**_text(), "pixel_values": _pictures()}
    return _specimen(transformers.SiglipModel(config), inputs, 2 * (2 + 2 + 1))


def siglip2() -> Specimen:
    """The same on patches that come cut out, the second picture with fewer."""
    config = transformers.Siglip2Config(
        text_config=TEXT, vision_config={**SIZES, "patch_size": 16, "num_patches": 16}, **EAGER
    )
    inputs = {
        **_text(),
        "pixel_values": torch.rand(2, 16, 3 * 16 * 16),
        "pixel_attention_mask": _shorter(16, 4),
        "spatial_shapes": torch.tensor([[4, 4], [3, 4]]),
    }
    return _specimen(transformers.Siglip2Model(config), inputs, 2 * (2 + 2 + 1))


def _blip_config() -> transformers.BlipConfig:
    return transformers.BlipConfig(
        text_config={**TEXT, "encoder_hidden_size": 32, "bos_token_id": 1, "sep_token_id": 2},
        vision_config=VISION,
        projection_dim=16,
        **EAGER,
    )


def blip_question() -> Specimen:
    """A picture, a question that looks at it and an answer that looks at the question."""
    inputs = {**_text(), "pixel_values": _pictures(), "decoder_input_ids": _ids(4)}
    inputs["decoder_attention_mask"] = _shorter(4, 1)
    model = transformers.BlipForQuestionAnswering(_blip_config())
    return _specimen(model, inputs, 2 * (2 + 2 * 2 + 2 * 2))


def blip_caption() -> Specimen:
    """A picture and words that look at it."""
    inputs = {**_text(), "pixel_values": _pictures()}
    model = transformers.BlipForConditionalGeneration(_blip_config())
    return _specimen(model, inputs, 2 * (2 + 2 * 2))


def blip_matching() -> Specimen:
    """Whether the text belongs to the picture."""
    inputs = {**_text(), "pixel_values": _pictures()}
    model = transformers.BlipForImageTextRetrieval(_blip_config())
    return _specimen(model, inputs, 2 * (2 + 2 * 2))


def blip2() -> Specimen:
    """Six query tokens between the picture and a language model."""
    config = transformers.Blip2Config(
        vision_config=VISION,
        qformer_config=QFORMER,
        text_config=OPT,
        num_query_tokens=6,
        image_token_index=PICTURE,
        **EAGER,
    )
    inputs = {**_prompt(6), "pixel_values": _pictures()}
    model = transformers.Blip2ForConditionalGeneration(config)
    return _specimen(model, inputs, 2 * (2 + 2 * 2 + 2))


def instructblip() -> Specimen:
    """The same, with the question beside the query tokens."""
    config = transformers.InstructBlipConfig(
        vision_config=VISION,
        qformer_config=QFORMER,
        text_config=OPT,
        num_query_tokens=6,
        image_token_index=PICTURE,
        **EAGER,
    )
    question = {"qformer_input_ids": _ids(4), "qformer_attention_mask": _shorter(4, 1)}
    inputs = {**_prompt(6), **question, "pixel_values": _pictures()}
    model = transformers.InstructBlipForConditionalGeneration(config)
    return _specimen(model, inputs, 2 * (2 + 2 * 2 + 2))


def pix2struct() -> Specimen:
    """An encoder of patches and a decoder that adds a position bias to its scores."""
    config = transformers.Pix2StructConfig(
        text_config={
            "vocab_size": 120,
            "hidden_size": 32,
            "d_kv": 8,
            "d_ff": 40,
            "num_layers": 2,
            "num_heads": 4,
        },
        vision_config={
            **SIZES,
            "patch_embed_hidden_size": 3 * 16 * 16,
            "d_ff": 40,
            "d_kv": 8,
            "seq_len": 16,
        },
        **EAGER,
    )
    row, column = torch.meshgrid(torch.arange(1.0, 5), torch.arange(1.0, 5), indexing="ij")
    places = torch.stack([row, column], dim=-1).flatten(0, 1).expand(2, -1, -1)
    inputs = {
        "flattened_patches": torch.cat([places, torch.rand(2, 16, 3 * 16 * 16)], dim=-1),
        "attention_mask": _shorter(16, 5).float(),
        "decoder_input_ids": _ids(4),
    }
    model = transformers.Pix2StructForConditionalGeneration(config)
    return _specimen(model, inputs, 2 * (2 + 2 * 2), std=0.15)


def florence2() -> Specimen:
    """A tower that looks within windows and from channel to channel, then encoder and decoder.

    On 16 x 16 cells there are four windows of a picture, on 8 x 8 there is one.
    """
    stages = {"patch_size": (7, 3), "patch_stride": (4, 2), "patch_padding": (3, 1)}
    config = transformers.Florence2Config(
        vision_config={
            **stages,
            "embed_dim": (16, 32),
            "depths": (1, 1),
            "patch_prenorm": (False, True),
            "num_heads": (2, 4),
            "num_groups": (2, 4),
            "projection_dim": 32,
        },
        text_config={
            **{name: LANGUAGE[name] for name in ("pad_token_id", "bos_token_id", "eos_token_id")},
            "vocab_size": 120,
            "d_model": 32,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 40,
            "decoder_ffn_dim": 40,
        },
        image_token_id=PICTURE,
        **EAGER,
    )
    inputs = {**_prompt(8 * 8 + 1), "pixel_values": _pictures(), "decoder_input_ids": _ids(4)}
    model = transformers.Florence2ForConditionalGeneration(config)
    return _specimen(model, inputs, 2 * (4 + 1 + 1 + 1) + 2 * (2 + 2 * 2))


def mllama() -> Specimen:
    """A decoder whose second layer looks at the picture's tiles; the second picture has one."""
    config = transformers.MllamaConfig(
        vision_config={
            **SIZES,
            **PIXELS,
            "attention_heads": 4,
            "num_global_layers": 1,
            "max_num_tiles": 2,
            "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
            "vision_output_dim": 96,
            "intermediate_layers_indices": [0, 1],
        },
        text_config={
            **LANGUAGE,
            "num_hidden_layers": 3,
            "cross_attention_layers": [1],
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4},
        },
        image_token_index=PICTURE,
        **EAGER,
    )
    inputs = {
        **_prompt(1),
        "pixel_values": _pictures(2, 1, 2, 3, 64, 64),
        "aspect_ratio_ids": torch.tensor([[2], [1]]),
        "aspect_ratio_mask": torch.tensor([[[1, 1]], [[1, 0]]]),
        "cross_attention_mask": torch.tensor([[1, 1], [1, 0]])[:, None, None].repeat(1, 8, 1, 1),
    }
    model = transformers.MllamaForConditionalGeneration(config)
    return _specimen(model, inputs, 2 * (2 + 1 + 3))


def git() -> Specimen:
    """A vision tower through the interface, and a decoder that is not."""
    config = transformers.GitConfig(**TEXT, vision_config=VISION, **EAGER)
    inputs = {**_text(), "pixel_values": _pictures()}
    return _specimen(transformers.GitForCausalLM(config), inputs, 2 * (2 + 2))


def llava() -> Specimen:
    """Sixteen patches before the words."""
    config = transformers.LlavaConfig(
        vision_config={**VISION, "model_type": "clip_vision_model"},
        text_config={**LANGUAGE, "model_type": "llama"},
        image_token_index=PICTURE,
        vision_feature_layer=-2,
        **EAGER,
    )
    inputs = {**_prompt(16), "pixel_values": _pictures()}
    return _specimen(transformers.LlavaForConditionalGeneration(config), inputs, 2 * (2 + 2))


# A whole view and two tiles, 4 x 4 each; in the tiles' rows of eight a token for the line's end.
TILED: dict[str, Tensor] = {"image_sizes": torch.tensor([[64, 128], [64, 128]])}
N_TILED = 4 * 4 + 4 * (8 + 1)


def llava_next() -> Specimen:
    """Each picture comes as a whole and in two tiles."""
    config = transformers.LlavaNextConfig(
        vision_config={**VISION, "model_type": "clip_vision_model"},
        text_config={**LANGUAGE, "model_type": "llama"},
        image_token_index=PICTURE,
        image_grid_pinpoints=[[64, 128], [128, 64]],
        **EAGER,
    )
    inputs = {**_prompt(N_TILED), **TILED, "pixel_values": _pictures(2, 3, 3, 64, 64)}
    model = transformers.LlavaNextForConditionalGeneration(config)
    return _specimen(model, inputs, 2 * (3 * 2 + 2))


def llava_onevision() -> Specimen:
    """The same with SigLIP's tower and Qwen's language model."""
    config = transformers.LlavaOnevisionConfig(
        vision_config=SIGLIP,
        text_config={**LANGUAGE, "model_type": "qwen2"},
        image_token_id=PICTURE,
        vision_feature_layer=-1,
        image_grid_pinpoints=[[64, 128], [128, 64]],
        **EAGER,
    )
    inputs = {**_prompt(N_TILED), **TILED, "pixel_values": _pictures(2, 3, 3, 64, 64)}
    model = transformers.LlavaOnevisionForConditionalGeneration(config)
    return _specimen(model, inputs, 2 * (3 * 2 + 2))


def paligemma() -> Specimen:
    """A prompt that is looked at both ways."""
    config = transformers.PaliGemmaConfig(
        vision_config=SIGLIP,
        text_config={**LANGUAGE, "model_type": "gemma", "head_dim": 8},
        projection_dim=32,
        image_token_index=PICTURE,
        **EAGER,
    )
    inputs = {**_prompt(16), "pixel_values": _pictures()}
    inputs["token_type_ids"] = torch.zeros_like(inputs["input_ids"])
    return _specimen(transformers.PaliGemmaForConditionalGeneration(config), inputs, 2 * (2 + 2))


def gemma3() -> Specimen:
    """Five layers in a sliding window of eight tokens and one without; patches pooled to 2 x 2."""
    config = transformers.Gemma3Config(
        vision_config=SIGLIP,
        text_config={**LANGUAGE, "head_dim": 8, "sliding_window": 8, "num_hidden_layers": 6},
        mm_tokens_per_image=4,
        image_token_index=PICTURE,
        boi_token_index=START,
        eoi_token_index=END,
        **EAGER,
    )
    inputs = {**_prompt(4), "pixel_values": _pictures()}
    inputs["token_type_ids"] = _is_picture(inputs)
    return _specimen(transformers.Gemma3ForConditionalGeneration(config), inputs, 2 * (2 + 6))


def _qwen_inputs(patch_size: int) -> Inputs:
    """Two pictures of 8 x 6 patches, merged two by two."""
    inputs = _prompt(4 * 3, before=(START,), after=(END,))
    return {
        **inputs,
        "pixel_values": torch.rand(2 * 8 * 6, 3 * 2 * patch_size**2),
        "image_grid_thw": torch.tensor([[1, 8, 6], [1, 8, 6]]),
        "mm_token_type_ids": _is_picture(inputs),
    }


def _qwen_text(sections: list[int]) -> dict[str, Any]:
    rope = {"rope_type": "default", "mrope_section": sections, "rope_theta": 1e4}
    return {**LANGUAGE, "head_dim": 8, "rope_parameters": rope}


QWEN = {
    "image_token_id": PICTURE,
    "video_token_id": VIDEO,
    "vision_start_token_id": START,
    "vision_end_token_id": END,
    **EAGER,
}


def qwen2_vl() -> Specimen:
    """The tower looks within one picture after the other."""
    config = transformers.Qwen2VLConfig(
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 4,
            "mlp_ratio": 2,
            "patch_size": 14,
        },
        text_config=_qwen_text([1, 1, 2]),
        **QWEN,
    )
    model = transformers.Qwen2VLForConditionalGeneration(config)
    return _specimen(model, _qwen_inputs(14), 2 * (2 + 2))


def qwen2_5_vl() -> Specimen:
    """The tower's first layer looks within windows of 4 x 4 patches, of which 8 x 6 make four."""
    config = transformers.Qwen2_5_VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "out_hidden_size": 32,
            "intermediate_size": 40,
            "num_heads": 4,
            "patch_size": 14,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        text_config=_qwen_text([1, 1, 2]),
        **QWEN,
    )
    model = transformers.Qwen2_5_VLForConditionalGeneration(config)
    return _specimen(model, _qwen_inputs(14), 2 * (4 + 1 + 2))


def qwen3_vl() -> Specimen:
    """What the tower's first layer made is added within the language model as well."""
    config = transformers.Qwen3VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "out_hidden_size": 32,
            "intermediate_size": 40,
            "num_heads": 4,
            "patch_size": 16,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
        text_config=_qwen_text([2, 1, 1]),
        **QWEN,
    )
    model = transformers.Qwen3VLForConditionalGeneration(config)
    return _specimen(model, _qwen_inputs(16), 2 * (2 + 2))


def _of_three_crops(family: str) -> Specimen:
    """Three crops of 4 x 4 patches, shuffled into 2 x 2 tokens each."""
    config = getattr(transformers, f"{family}Config")(
        vision_config=VISION,
        text_config={**LANGUAGE, "model_type": "llama"},
        scale_factor=2,
        image_token_id=PICTURE,
        pad_token_id=0,
        **EAGER,
    )
    inputs = {**_prompt(3 * 4), "pixel_values": _pictures(2, 3, 3, 64, 64)}
    model = getattr(transformers, f"{family}ForConditionalGeneration")(config)
    return _specimen(model, inputs, 2 * (3 * 2 + 2))


def smolvlm() -> Specimen:
    """Crops one after the other."""
    return _of_three_crops("SmolVLM")


def idefics3() -> Specimen:
    """Crops one after the other."""
    return _of_three_crops("Idefics3")


def internvl() -> Specimen:
    """Sixteen patches shuffled into four tokens."""
    config = transformers.InternVLConfig(
        vision_config={**VISION, "image_size": [64, 64], "patch_size": [16, 16]},
        text_config={**LANGUAGE, "model_type": "qwen2"},
        image_token_id=PICTURE,
        image_seq_length=4,
        **EAGER,
    )
    inputs = {**_prompt(4), "pixel_values": _pictures()}
    return _specimen(transformers.InternVLForConditionalGeneration(config), inputs, 2 * (2 + 2))


ZOO: dict[str, Callable[[], Specimen]] = {
    build.__name__: build
    for build in (
        vilt,
        visual_bert,
        lxmert,
        flava,
        bridgetower,
        clip,
        siglip,
        siglip2,
        blip_question,
        blip_caption,
        blip_matching,
        blip2,
        instructblip,
        pix2struct,
        florence2,
        mllama,
        git,
        llava,
        llava_next,
        llava_onevision,
        paligemma,
        gemma3,
        qwen2_vl,
        qwen2_5_vl,
        qwen3_vl,
        smolvlm,
        idefics3,
        internvl,
    )
}
