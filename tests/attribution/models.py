"""A tiny random model, loaded, and what it is asked."""

from dataclasses import replace

import torch

import vl_core
from tests.builders import random_picture
from tests.checkpoints import save_kdvlp
from vl_core.capture import Place
from vl_core.example import Example
from vl_core.families.kdvlp.family import KDVLP
from vl_core.trace import TokenTable

LAYERS, HEADS, DIM = 3, 5, 8
TEXTS = ("what color is the star?", "is this a star left of the star?", "what is this")
SIZES = ((330, 190), (200, 240), (64, 96))


def tiny_model(folder, **options):
    """3 layers of 5 heads of size 8."""
    return vl_core.load(str(save_kdvlp(folder, **options)))


def example(number=0):
    """A picture that is not square and a question; the three differ in all sizes."""
    return Example(random_picture(SIZES[number], seed=number), TEXTS[number])


class TwoStacks(KDVLP):
    """A family that says its last layer belongs elsewhere."""

    def places(self, module_name):
        """A stack of its own for layer 2."""
        found = super().places(module_name)
        return tuple(replace(one, stack="late") if one.layer == 2 else one for one in found)


class Across(KDVLP):
    """A family whose one stack looks from one stream at another."""

    def places(self, module_name):
        """Words that look at a picture."""
        found = super().places(module_name)
        return tuple(Place("words<-picture", "words", "picture", one.layer) for one in found)


class WithoutSpecials(KDVLP):
    """A family that calls its special tokens words."""

    def streams(self, example, inputs):
        """The same tokens, with a word for each special one."""
        (name, table), *_ = super().streams(example, inputs).items()
        kinds = ["text" if kind == "special" else kind for kind in table.kinds]
        return {name: TokenTable.of(table.texts, kinds, table.boxes, table.spans)}


def as_family(model, kind):
    """The same model, seen by another family."""
    return replace(model, family=kind(model.family.model, model.family.processor))


def run_with(model, inputs, change=None):
    """Log-probabilities of the answers; `change` may alter what each layer's projection is given.

    It is called with the layer and the heads' outputs, sequence x token x head x dim.
    """
    network = model.family.model

    def hook(layer):
        def changed(_, arguments):
            (given,) = arguments
            heads = given.unflatten(-1, (HEADS, DIM)).clone()
            return (change(layer, heads).flatten(-2),)

        return changed

    layers = network.kdvlp.encoder.layers if change else ()
    handles = [
        one.attention.output.register_forward_pre_hook(hook(layer))
        for layer, one in enumerate(layers)
    ]
    try:
        with torch.inference_mode():
            return network(**inputs)["answer_logits"].double().log_softmax(-1)
    finally:
        for handle in handles:
            handle.remove()
