"""Backbones: strides, and padding that is not seen."""

import torch
from transformers import ResNetConfig

from tests.families.kdvlp.small import small_config
from vl_core.families.kdvlp import KDVLPConfig
from vl_core.families.kdvlp.backbone import CellsBackbone, backbone


def test_cells_backbone_has_a_feature_for_each_16_pixels():
    """Height and width shrink by 16, each on its own."""
    features = backbone(small_config())(torch.randn(2, 3, 48, 80))

    assert features.shape == (2, 14, 3, 5)


def test_resnet_backbone_has_a_feature_for_each_64_pixels():
    """Height and width shrink by 64, each on its own."""
    tiny = ResNetConfig(
        embedding_size=6, hidden_sizes=[8, 12, 16, 20], depths=[1, 1, 1, 1], layer_type="basic"
    )
    config = small_config(backbone="resnet", backbone_config=tiny)
    mask = torch.ones(2, 128, 192)

    assert backbone(config).eval()(torch.randn(2, 3, 128, 192), mask).shape == (2, 20, 2, 3)
    assert (config.stride, config.backbone_channels) == (64, 20)


@torch.no_grad()
def test_a_cell_is_centred_on_its_own_pixels():
    """New pixels in a cell's box change the features around that cell, on no side more.

    With four strided convolutions padded alike, the change would lie almost half a cell to the
    right and below.
    """
    torch.manual_seed(0)
    model = CellsBackbone(KDVLPConfig())
    for _ in range(5):  # batch norm statistics of pictures like these
        model(torch.randn(2, 3, 96, 128) * 0.5 + torch.randn(2, 3, 1, 1))
    model.eval()
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    offsets = []
    for row in range(1, 5):
        for column in range(1, 7):
            picture = torch.randn(1, 3, 96, 128) * 0.1
            changed = picture.clone()
            box = (slice(row * 16, row * 16 + 16), slice(column * 16, column * 16 + 16))
            changed[:, :, box[0], box[1]] += torch.randn(1, 3, 16, 16)
            change = (model(changed) - model(picture)).norm(dim=1)[0]
            share = change / change.sum()
            offsets.append([(share * rows).sum() - row, (share * columns).sum() - column])

    assert torch.tensor(offsets).mean(0).abs().max() < 0.1


def test_padding_does_not_change_the_features_of_a_picture():
    """A picture padded to the size of a larger one keeps the features that it has alone."""
    torch.manual_seed(0)
    model = CellsBackbone(small_config())
    for _ in range(3):  # batch norm statistics that are not their starting values
        model(torch.randn(4, 3, 32, 32))
    model.eval()
    picture = torch.randn(1, 3, 48, 64)
    padded, mask = torch.full((1, 3, 80, 96), 7.0), torch.zeros(1, 80, 96)
    padded[..., :48, :64], mask[..., :48, :64] = picture, 1

    alone, with_padding = model(picture), model(padded, mask)

    torch.testing.assert_close(with_padding[..., :3, :4], alone)
    assert not with_padding[..., 3:, :].any()
    assert not with_padding[..., 4:].any()
