"""BLIP's published classes, which keep to themselves some of what they compute."""

from copy import deepcopy

import torch
from torch import Tensor, nn
from transformers import BlipForImageTextRetrieval, BlipForQuestionAnswering
from transformers.models.blip.modeling_blip import (
    BlipImageTextMatchingModelOutput,
    BlipTextVisionModelOutput,
)


class WithLogits(BlipForQuestionAnswering):
    """The published model, which gives back besides what its answer is read off."""

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor,
        decoder_input_ids: Tensor,
        attention_mask: Tensor | None = None,
    ) -> BlipTextVisionModelOutput:
        """`logits`, sequence x token x vocabulary, beside what the published model gives."""
        seen = self.vision_model(pixel_values=pixel_values).last_hidden_state
        question = self.text_encoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            encoder_hidden_states=seen,
            encoder_attention_mask=seen.new_ones(seen.shape[:-1], dtype=torch.long),
        ).last_hidden_state
        answer = self.text_decoder(
            input_ids=decoder_input_ids,
            encoder_hidden_states=question,
            encoder_attention_mask=attention_mask,
            use_cache=False,
        )
        outputs = BlipTextVisionModelOutput(image_embeds=seen, last_hidden_state=seen)
        outputs["logits"] = answer.logits
        return outputs


class WithSimilarity(BlipForImageTextRetrieval):
    """The published model, which does both of the things it can do instead of one of them.

    text_alone: the text encoder once more, by the same weights, for the text that sees no picture.
    """

    text_alone: nn.Module

    def forward(
        self, input_ids: Tensor, pixel_values: Tensor, attention_mask: Tensor | None = None
    ) -> BlipImageTextMatchingModelOutput:
        """`similarity`, the cosine for each sequence, beside what the matching head gives."""
        outputs: BlipImageTextMatchingModelOutput = super().forward(
            input_ids=input_ids, pixel_values=pixel_values, attention_mask=attention_mask
        )
        text = self.text_alone(input_ids=input_ids, attention_mask=attention_mask)
        outputs["similarity"] = nn.functional.cosine_similarity(
            self.vision_proj(outputs["last_hidden_state"][:, 0]),
            self.text_proj(text.last_hidden_state[:, 0]),
        )
        return outputs


def sharing_weights(module: nn.Module) -> nn.Module:
    """A module of its own, with its own name in a model, that computes by the same weights."""
    return deepcopy(module, {id(weight): weight for weight in module.parameters()})
