"""The one stack of self-attention of a model, for what is defined for such models alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transformers import BatchFeature

from vl_core.errors import ModelError
from vl_core.example import Example
from vl_core.model import Model, on_device
from vl_core.trace import TokenTable


@dataclass(frozen=True)
class SelfAttention:
    """A model of one stream that looks at itself.

    modules: the names of its attention modules, one for each layer, from the first to the last.
    """

    model: Model
    stream: str
    modules: tuple[str, ...]

    @classmethod
    def of(cls, model: Model) -> "SelfAttention":
        """The model's only stack; raises ModelError if it has another one, or if it is no such."""
        family = model.family
        names = (name for name, _ in family.model.named_modules())
        found = sorted((place, name) for name in names for place in family.places(name))
        stacks = sorted({place.stack for place, _ in found})
        if len(stacks) != 1 or found[0][0].query_stream != found[0][0].key_stream:
            raise ModelError(
                f"This is defined for a model with a single stack of self-attention; "
                f"{model.model_id} has {', '.join(stacks) or 'none'}."
            )
        return cls(model, found[0][0].query_stream, tuple(name for _, name in found))

    def read(self, example: Example) -> tuple[BatchFeature, TokenTable]:
        """What the model is fed, a batch of one on its device, and the tokens of its stream.

        Raises TextError or ImageError for an example that the model cannot read.
        """
        family = self.model.family
        inputs = on_device(family, family.inputs(example))
        return inputs, family.streams(example, inputs)[self.stream]

    def run(self, inputs: BatchFeature) -> Mapping[str, Any]:
        """The model's outputs."""
        outputs: Mapping[str, Any] = self.model.family.model(**inputs)
        return outputs
