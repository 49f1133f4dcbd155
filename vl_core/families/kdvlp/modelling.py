"""KD-VLP-style models, re-implemented from the published description.

Neither the authors' weights nor their code.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.masking_utils import create_bidirectional_mask
from transformers.utils import ModelOutput
from transformers.utils.generic import can_return_tuple
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from .backbone import backbone
from .configuration import KDVLPConfig
from .embeddings import CellEmbeddings, Cells, KDVLPEmbeddings, raster
from .encoder import KDVLPAttention, KDVLPEncoder, KDVLPLayer
from .heads import AlignmentHead, AnswerHead, LabelHead, WordHead
from .starts import HeadLinear, SpreadEmbedding, SpreadLinear


@dataclass
class KDVLPModelOutput(ModelOutput):
    """What the encoder leaves. Tokens are the text, then the cells row by row.

    last_hidden_state: (sequence, token, width), after the final norm where there is one.
    hidden_states: layers + 1 tensors of that shape, embeddings first; the last one is taken
    *before* the final norm.
    attentions: for each layer (sequence, head, query, key), with the "eager" implementation.
    """

    last_hidden_state: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class KDVLPTasksOutput(ModelOutput):
    """What the heads read off the [CLS] token, and what the encoder leaves.

    answer_logits: (sequence, answer). matching_logits: (sequence, 2), the second for a text that
    fits the picture. candidate_score, source_score: (sequence,), higher for the better answer
    candidate and the more relevant source.
    """

    answer_logits: Tensor | None = None
    matching_logits: Tensor | None = None
    candidate_score: Tensor | None = None
    source_score: Tensor | None = None
    last_hidden_state: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class KDVLPPreTrainedModel(PreTrainedModel):
    """Loading, saving and new weights of both models."""

    config_class = KDVLPConfig
    base_model_prefix = "kdvlp"
    main_input_name = "input_ids"
    input_modalities = ("image", "text")
    _supports_sdpa = True
    _supports_attention_backend = True
    _no_split_modules = ["KDVLPLayer", "KDVLPEmbeddings"]  # noqa: RUF012 - read by transformers
    _can_record_outputs = {  # noqa: RUF012 - read by transformers
        "hidden_states": OutputRecorder(KDVLPLayer, index=0),
        "attentions": OutputRecorder(KDVLPAttention, index=1),
    }

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """New weights."""
        super()._init_weights(module)
        if isinstance(module, SpreadLinear | SpreadEmbedding | HeadLinear):
            module.start()
        elif isinstance(module, nn.Conv2d):
            init.kaiming_uniform_(module.weight, a=math.sqrt(5))  # PyTorch's own
        elif isinstance(module, CellEmbeddings):
            init.normal_(module.mask_vector, std=0.5)
        elif isinstance(module, WordHead):
            init.zeros_(module.bias)
        elif isinstance(module, AlignmentHead):
            init.constant_(module.log_scale, 2.0)


class KDVLPModel(KDVLPPreTrainedModel):
    """Backbone, embeddings and encoder: text tokens and picture cells in, hidden states out."""

    def __init__(self, config: KDVLPConfig) -> None:
        super().__init__(config)
        self.backbone = backbone(config)
        self.embeddings = KDVLPEmbeddings(config)
        self.encoder = KDVLPEncoder(config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        """The word table."""
        return self.embeddings.text.word_embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Exchange the word table."""
        self.embeddings.text.word_embeddings = value

    def cells(self, pixel_values: Tensor, pixel_mask: Tensor | None = None) -> Cells:
        """The backbone's features of all cells, row by row."""
        return raster(self.backbone(pixel_values, pixel_mask), pixel_mask, self.config.stride)

    @capture_outputs(tie_last_hidden_states=False)
    def forward(  # noqa: PLR0917 - what the processor gives, and what training adds
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        pixel_mask: Tensor | None = None,
        cells: Cells | None = None,
        masked_cells: Tensor | None = None,
        cell_tags: Tensor | None = None,
        **kwargs: object,
    ) -> KDVLPModelOutput:
        """Encode sequences of text and picture; without a picture, text alone.

        pixel_values: (sequence, 3, height, width), both multiples of the stride; pixel_mask: 0
        where it is padded.
        cells: the backbone's features instead of pixels; a selection of cells will do.
        masked_cells, cell_tags: see `CellEmbeddings`.
        """
        if cells is None and pixel_values is not None:
            cells = self.cells(pixel_values, pixel_mask)
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        if token_type_ids is None:
            token_type_ids = torch.zeros_like(input_ids)
        hidden = self.embeddings(input_ids, token_type_ids, cells, masked_cells, cell_tags)
        is_token = (
            attention_mask.bool()
            if cells is None
            else torch.cat([attention_mask.bool(), cells.mask], dim=1)
        )
        mask = create_bidirectional_mask(self.config, inputs_embeds=hidden, attention_mask=is_token)
        return KDVLPModelOutput(last_hidden_state=self.encoder(hidden, mask, **kwargs))


class KDVLPForTasks(KDVLPPreTrainedModel):
    """The model with all its heads; those that need more than [CLS] are called by name."""

    def __init__(self, config: KDVLPConfig) -> None:
        super().__init__(config)
        width = config.hidden_size
        self.kdvlp = KDVLPModel(config)
        self.answers = AnswerHead(config)
        self.matching = nn.Linear(width, 2)
        self.candidate = nn.Linear(width, 1)
        self.source = nn.Linear(width, 1)
        self.words = WordHead(config)
        self.masked_objects = LabelHead(width, config.object_classes)
        self.phrase_objects = LabelHead(width, config.phrase_classes)
        self.alignment = AlignmentHead(config)
        self.early_alignment = AlignmentHead(config)
        self.post_init()

    @can_return_tuple
    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **inputs: object
    ) -> KDVLPTasksOutput:
        """Encode as `KDVLPModel` does and read the four heads of the [CLS] token."""
        encoded = self.kdvlp(input_ids, attention_mask, **inputs)
        summary = encoded.last_hidden_state[:, 0]
        return KDVLPTasksOutput(
            answer_logits=self.answers(summary),
            matching_logits=self.matching(summary),
            candidate_score=self.candidate(summary)[:, 0],
            source_score=self.source(summary)[:, 0],
            **encoded,
        )

    def word_logits(self, hidden: Tensor) -> Tensor:
        """Masked language modelling: logits (..., word) of hidden states (..., width)."""
        return self.words(hidden, self.kdvlp.get_input_embeddings().weight)
