"""Convolutional backbones: a picture in, one feature vector for each cell of its grid out."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional
from transformers import ResNetModel

from .configuration import KDVLPConfig


class Downsampling(nn.Module):
    """Halve height and width: 3 x 3 convolution of stride 2, batch norm, ReLU.

    `padding` (left and above, right and below) decides which pixel each output is centred on: of
    2 i and 2 i + 1 the first with (1, 1), the second with (0, 1).
    """

    def __init__(self, channels_in: int, channels_out: int, padding: tuple[int, int]) -> None:
        super().__init__()
        self.padding = padding * 2
        self.convolution = nn.Conv2d(channels_in, channels_out, 3, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Half the rows, half the columns."""
        return functional.relu(self.norm(self.convolution(functional.pad(x, self.padding))))


class Residual(nn.Module):
    """Two 3 x 3 convolutions with batch norm around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.convolution2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """The same size; the mask (1 or 0 for each pixel) keeps padding at zero in between."""
        inner = _masked(functional.relu(self.norm1(self.convolution1(x))), mask)
        return functional.relu(x + self.norm2(self.convolution2(inner)))


class CellsBackbone(nn.Module):
    """The small backbone, stride 16: four halvings, three of them with a residual block."""

    def __init__(self, config: KDVLPConfig) -> None:
        super().__init__()
        channels = [3, *config.cell_channels]
        # Padded alike, the four would centre cell i on pixel 16 i, its corner; the last one moves
        # that to 16 i + 8, so that a cell shows what lies inside its box.
        paddings = [(1, 1)] * (len(channels) - 2) + [(0, 1)]
        self.downsampling = nn.ModuleList(
            Downsampling(*pair, padding)
            for pair, padding in zip(pairwise(channels), paddings, strict=True)
        )
        self.residual = nn.ModuleList(Residual(width) for width in channels[2:])

    def forward(self, pixel_values: Tensor, pixel_mask: Tensor | None = None) -> Tensor:
        """Feature map (picture, channel, row, column).

        Padding is set to zero after each step, so that a padded picture gives what it gives alone.
        """
        x, mask = (
            pixel_values,
            None if pixel_mask is None else pixel_mask[:, None].to(pixel_values.dtype),
        )
        for stage, downsampling in enumerate(self.downsampling):
            mask = None if mask is None else mask[:, :, ::2, ::2]
            x = _masked(downsampling(x), mask)
            if stage > 0:
                x = _masked(self.residual[stage - 1](x, mask), mask)
        return x


class ResNetBackbone(nn.Module):
    """The published size's backbone, stride 64: a ResNet, then a 2 x 2 max-pool.

    Unlike `CellsBackbone`, padding can be seen by the cells beside it, as in every padded ResNet.
    """

    def __init__(self, config: KDVLPConfig) -> None:
        super().__init__()
        self.resnet = ResNetModel(config.backbone_config)

    def forward(self, pixel_values: Tensor, pixel_mask: Tensor | None = None) -> Tensor:
        """Feature map (picture, channel, row, column)."""
        if pixel_mask is not None:
            pixel_values = pixel_values * pixel_mask[:, None].to(pixel_values.dtype)
        return functional.max_pool2d(self.resnet(pixel_values).last_hidden_state, 2)


def backbone(config: KDVLPConfig) -> CellsBackbone | ResNetBackbone:
    """The backbone that a configuration asks for."""
    return CellsBackbone(config) if config.backbone == "cells" else ResNetBackbone(config)


def _masked(x: Tensor, mask: Tensor | None) -> Tensor:
    return x if mask is None else x * mask
