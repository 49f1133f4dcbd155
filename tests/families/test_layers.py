"""Where layers look, by the names of their modules."""

import pytest
from torch import nn

from vl_core.capture import Door, Place
from vl_core.families import layers


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("model.layers.7.attn", (Place("words", "words", "words", 7),)),
        ("model.layers.12.attn", (Place("words", "words", "words", 12),)),
        ("model.layers.7.attn.inner", ()),
        ("a.model.layers.7.attn", ()),
        ("model.layers.seven.attn", ()),
        ("model_layers.7.attn", ()),
        ("model.layers.7.cross.attn", ()),
    ],
)
def test_the_attention_of_a_layer_has_its_place_and_no_other_module(name, found):
    """By its whole name; dots are dots."""
    assert layers.places(name, "model.layers", "attn", "words") == found


def test_attention_across_is_called_after_both_streams():
    """Who looks comes first."""
    found = layers.places("b.3.cross.attn", "b", "cross.attn", "words", "picture")

    assert found == (Place("words<-picture", "words", "picture", 3),)


def test_states_are_read_before_the_first_layer_and_after_each():
    """As many as the list has."""
    model = nn.Module()
    model.stack = nn.ModuleList(nn.Linear(2, 3) for _ in range(2))

    assert layers.doors(model, "stack") == (Door("stack.0", "in"), Door("stack.0"), Door("stack.1"))
