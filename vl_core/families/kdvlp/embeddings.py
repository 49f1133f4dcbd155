"""From words and picture cells to one sequence: [CLS] text [SEP], then the cells row by row."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .configuration import KDVLPConfig
from .position import position_code
from .starts import SpreadEmbedding

IMAGE_TYPE = 1  # token types: 0 question or caption, 1 picture, 2 answer candidate, 3 rationale


@dataclass(frozen=True)
class Cells:
    """The cells of a batch of pictures, in any order; training leaves some out to save time."""

    features: Tensor  # picture, cell, channel
    places: Tensor  # picture, cell, 2: row and column, from 0
    grid: Tensor  # picture, 2: the picture's number of rows and columns
    mask: Tensor  # picture, cell: False for padding


def raster(feature_map: Tensor, pixel_mask: Tensor | None, stride: int) -> Cells:
    """The cells of whole pictures, row by row; a cell is valid if any of its pixels is."""
    n_pictures, _, n_rows, n_columns = feature_map.shape
    if pixel_mask is None:
        valid = torch.ones(
            n_pictures, n_rows, n_columns, dtype=torch.bool, device=feature_map.device
        )
    else:
        valid = functional.max_pool2d(pixel_mask[:, None].float(), stride)[:, 0] > 0
    index = torch.arange(n_rows * n_columns, device=feature_map.device)
    places = torch.stack([index // n_columns, index % n_columns], dim=-1)
    grid = torch.stack([valid.any(2).sum(1), valid.any(1).sum(1)], dim=-1)
    return Cells(
        feature_map.flatten(2).transpose(1, 2),
        places.expand(n_pictures, -1, -1),
        grid,
        valid.flatten(1),
    )


class TextEmbeddings(nn.Module):
    """Word piece, position and token type of each text token."""

    def __init__(self, config: KDVLPConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.norm_first = config.norm_order == "pre"
        # Words are then normed to a spread of 1; positions beside them must not be lost.
        self.position_embeddings = SpreadEmbedding(
            config.max_position_embeddings, config.hidden_size, 0.3 if self.norm_first else None
        )
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, input_ids: Tensor, types: Tensor) -> Tensor:
        """Vectors (sequence, token, width); `types` are the token types' vectors."""
        words = self.word_embeddings(input_ids)
        place = self.position_embeddings.weight[: input_ids.shape[1]] + types
        return self.norm(words) + place if self.norm_first else self.norm(words + place)


class CellEmbeddings(nn.Module):
    """Projected features, position code, token type and object tags of each cell."""

    def __init__(self, config: KDVLPConfig) -> None:
        super().__init__()
        # On a list of cells a 1 x 1 convolution is a linear layer.
        self.projection = nn.Linear(config.backbone_channels, config.hidden_size)
        self.mask_vector = nn.Parameter(torch.zeros(config.hidden_size))
        self.tag_embeddings = SpreadEmbedding(config.object_tags, config.hidden_size, 0.3)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.norm_first = config.norm_order == "pre"
        self.code = config.position_code

    def forward(
        self,
        cells: Cells,
        type_vector: Tensor,
        masked_cells: Tensor | None = None,
        cell_tags: Tensor | None = None,
    ) -> Tensor:
        """Vectors (picture, cell, width).

        `masked_cells` (picture, cell) hides what a cell shows; `cell_tags` (picture, cell, tag)
        says which tagged objects' boxes cover it.
        """
        content = self.projection(cells.features)
        if self.norm_first:
            content = self.norm(content)
        if masked_cells is not None:
            content = torch.where(
                masked_cells[..., None], self.mask_vector.to(content.dtype), content
            )
        code = position_code(self.code, cells.places, cells.grid, content.shape[-1])
        content = content + code.to(content.dtype) + type_vector
        if cell_tags is not None:
            content = content + cell_tags.to(content.dtype) @ self.tag_embeddings.weight
        return content if self.norm_first else self.norm(content)


class KDVLPEmbeddings(nn.Module):
    """Both modalities, one after the other."""

    def __init__(self, config: KDVLPConfig) -> None:
        super().__init__()
        self.text = TextEmbeddings(config)
        self.cells = CellEmbeddings(config)
        self.token_type_embeddings = SpreadEmbedding(
            config.type_vocab_size,
            config.hidden_size,
            0.2 if config.norm_order == "pre" else None,
        )
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(
        self,
        input_ids: Tensor,
        token_type_ids: Tensor,
        cells: Cells | None,
        masked_cells: Tensor | None = None,
        cell_tags: Tensor | None = None,
    ) -> Tensor:
        """Vectors (sequence, text token + cell, width); without cells, text alone."""
        parts = [self.text(input_ids, self.token_type_embeddings(token_type_ids))]
        if cells is not None:
            image_type = self.token_type_embeddings.weight[IMAGE_TYPE]
            parts.append(self.cells(cells, image_type, masked_cells, cell_tags))
        return self.dropout(torch.cat(parts, dim=1))
