"""ViLT's published classes, and what is put right in them.

The model draws the order of its patches by lot on every run. Their positions are part of them by
then, so that the order means nothing to it; whoever looks at it wants them row by row.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import ViltForMaskedLM
from transformers.modeling_outputs import MaskedLMOutput
from transformers.models.vilt.modeling_vilt import ViltEmbeddings


class WithMask(ViltForMaskedLM):
    """The published model, which says besides which scores stand at each text's first [MASK].

    mask_token_id: the number of [MASK].
    """

    mask_token_id: int

    def forward(self, input_ids: Tensor, **inputs: Tensor) -> MaskedLMOutput:
        """`answer_logits`, sequence x vocabulary, beside what the published model gives."""
        outputs: MaskedLMOutput = super().forward(input_ids, **inputs)
        first = (input_ids == self.mask_token_id).int().argmax(dim=1)
        outputs["answer_logits"] = outputs["logits"][torch.arange(len(first)), first]
        return outputs


def put_in_rows(embeddings: ViltEmbeddings) -> None:
    """From now on the patches of this model come row by row, whatever order was drawn."""
    # A partial, unlike a method, is copied together with what it belongs to.
    embeddings.visual_embed = partial(_in_rows, embeddings)


def _in_rows(
    embeddings: ViltEmbeddings,
    *args: Any,  # noqa: ANN401 whatever its own method is given
    **kwargs: Any,  # noqa: ANN401
) -> tuple[Tensor, Tensor, tuple[Tensor, tuple[int, int]]]:
    """What visual_embed of ViltEmbeddings gives, the patches row by row, those of padding last.

    States and mask (class token, then patches), row and column of each patch, and the grid's size.
    """
    states, mask, (cells, size) = type(embeddings).visual_embed(embeddings, *args, **kwargs)
    is_padding = 1 - mask[:, 1:]
    order = ((is_padding * size[0] + cells[..., 0]) * size[1] + cells[..., 1]).argsort(
        dim=1, stable=True
    )
    whole = torch.cat([torch.zeros_like(order[:, :1]), order + 1], dim=1)
    return (
        states.gather(1, whole[..., None].expand_as(states)),
        mask.gather(1, whole),
        (cells.gather(1, order[..., None].expand_as(cells)), size),
    )
