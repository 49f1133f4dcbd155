"""Configuration of KD-VLP-style models: the small one that ships and the published size."""

from typing import Any, Literal

from transformers import PreTrainedConfig, ResNetConfig

_CHOICES = {
    "norm_order": ("pre", "post"),
    "backbone": ("cells", "resnet"),
    "position_code": ("centred", "normalized"),
}

_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "max_cells",
    "object_tags",
    "alignment_size",
)


class KDVLPConfig(PreTrainedConfig):
    r"""Everything that shapes a KD-VLP-style model; the defaults are the small model that ships.

    Sizes of the encoder carry the names that BERT's configuration uses. The others:

    norm_order (`str`): "pre" (layer norm before each block, one more at the end) or "post" (BERT).
    backbone (`str`): "cells" (a small residual network, stride 16) or "resnet" (transformers'
    ResNet
        described by `backbone_config`, then a 2 x 2 max-pool, stride 64).
    cell_channels (`tuple`): channels of the four stages of the "cells" backbone.
    position_code (`str`): "centred" (distance to the picture's centre) or "normalized" (share of
    its height, width).
    max_cells (`int`): cells along the longer side that the processor makes at most.
    object_tags (`int`): size of the table of tag vectors that are added to the cells of a named
    box; 0 is unused.
    object_classes (`tuple`): number of classes of each label that a masked object is asked for.
    phrase_classes (`tuple`): number of classes of each label of its object that a phrase is asked
    for.
    alignment_layer (`int`): the hidden state (0 = embeddings) whose phrases and cells are aligned
    beside the last.
    alignment_size (`int`): width of the space in which phrases and cells are compared.
    query_key_std (`float`): standard deviation of new query and key weights; `None` means
    `initializer_range`.
        A small model started at the usual 0.02 attends uniformly and stays so for most of its
        training.
    id2label (`dict`): the answers.
    """

    model_type = "kdvlp"
    sub_configs = {"backbone_config": ResNetConfig}  # noqa: RUF012 - read by transformers

    vocab_size: int = 256
    hidden_size: int = 192
    num_hidden_layers: int = 6
    num_attention_heads: int = 8
    intermediate_size: int = 768
    hidden_act: str = "gelu_pytorch_tanh"
    hidden_dropout_prob: float | int = 0.0
    attention_probs_dropout_prob: float | int = 0.0
    max_position_embeddings: int = 64
    type_vocab_size: int = 4
    initializer_range: float = 0.02
    query_key_std: float | None = 0.072
    layer_norm_eps: float = 1e-5
    pad_token_id: int | None = 0
    norm_order: Literal["pre", "post"] = "pre"
    backbone: Literal["cells", "resnet"] = "cells"
    backbone_config: dict[str, Any] | ResNetConfig | None = None
    cell_channels: list[int] | tuple[int, ...] = (32, 64, 96, 128)
    position_code: Literal["centred", "normalized"] = "centred"
    max_cells: int = 8
    object_tags: int = 7
    object_classes: list[int] | tuple[int, ...] = (9, 9, 2)
    phrase_classes: list[int] | tuple[int, ...] = (8, 8, 2, 8, 8)
    alignment_layer: int = 4
    alignment_size: int = 64
    tie_word_embeddings: bool = True

    def __post_init__(self, **kwargs: object) -> None:
        """Make the ResNet's configuration out of what a JSON file holds of it.

        Raises ValueError for a choice that does not exist, which would count as another one, and
        for sizes that nothing can have.
        """
        for name in _SIZES:
            size = getattr(self, name)
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"{name} is {size!r}, wanted a whole number from 1 on")
        for name, choices in _CHOICES.items():
            came = getattr(self, name)
            if came not in choices:
                raise ValueError(f"{name} is {came!r}, wanted one of {', '.join(choices)}")
        if isinstance(self.backbone_config, dict):
            self.backbone_config = ResNetConfig(**self.backbone_config)
        elif self.backbone == "resnet" and self.backbone_config is None:
            self.backbone_config = ResNetConfig()
        super().__post_init__(**kwargs)

    @property
    def stride(self) -> int:
        """Side of a cell in pixels of the picture that the model is given."""
        return 16 if self.backbone == "cells" else 64

    @property
    def backbone_channels(self) -> int:
        """Channels of the backbone's feature map."""
        if self.backbone == "cells":
            return self.cell_channels[-1]
        resnet: Any = self.backbone_config
        return resnet.hidden_sizes[-1]

    @classmethod
    def paper_size(cls) -> "KDVLPConfig":
        """The published size: 12 layers of 12 heads, width 768, 29,077 word pieces, stride 64.

        What the published description leaves open (ResNet depth, position code, label sets) is our
        choice.
        """
        return cls(
            vocab_size=29_077,
            hidden_size=768,
            num_hidden_layers=12,
            num_attention_heads=12,
            intermediate_size=3072,
            hidden_act="gelu",
            hidden_dropout_prob=0.1,
            attention_probs_dropout_prob=0.1,
            max_position_embeddings=512,
            query_key_std=None,
            layer_norm_eps=1e-12,
            norm_order="post",
            backbone="resnet",
            backbone_config=ResNetConfig(depths=[3, 4, 23, 3]),  # ResNet-101
            position_code="normalized",
            max_cells=16,
            object_tags=81,
            object_classes=(1601,),
            phrase_classes=(1601,),
            alignment_layer=8,
            alignment_size=256,
            num_labels=3129,
        )
