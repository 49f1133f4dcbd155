"""From a run to the stacks of a trace: layers in order, statistics of the live weights."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.builders import random_tokens
from tests.capture import models
from vl_core import capture, head_stats
from vl_core.capture import Place
from vl_core.errors import ModelError
from vl_core.trace import KeptQueriesKeys, TokenTable

EVERYTHING = slice(None)


class EagerRows:
    """A layer of eager attention as a source of rows."""

    def __init__(self, weights, is_hidden):
        self.weights, self.is_hidden = weights, is_hidden
        self.n_heads, n_queries, n_keys = weights.shape
        self.query_positions, self.key_positions = np.arange(n_queries), np.arange(n_keys)

    def rows(self, heads, queries, keys):
        """Head x row x key."""
        return self.weights[heads, queries, keys].clone()

    def allowed(self, queries):
        """Row x key."""
        return ~self.is_hidden[queries]


@pytest.fixture(params=["llama", "bert, padded", "gemma2"])
def case(request):
    """A tiny model on eager attention."""
    torch.manual_seed(0)
    return models.CASES[request.param]()


def places(name):
    """The layers of the tiny models, as their modules are named."""
    found = re.search(r"layers?\.(\d+)\.(self_attn|attention\.self)$", name)
    return (Place("encoder", "encoder", "encoder", int(found[1])),) if found else ()


def gathered(evaluations, where, tables):
    """The stacks of what was heard."""
    gathering = capture.Gathering(where, tables)
    for name, heard in evaluations.items():
        for evaluation in heard:
            gathering.hear(name, evaluation)
    return gathering.stacks()


def tokens_of(case, item):
    """Eleven tokens: class, three words, separator, 2 x 3 patches; padding as the model has it."""
    table = random_tokens(n_text=3)
    padding = case.is_padding[item].numpy()
    return replace(table, is_padding=padding)


@pytest.mark.parametrize("item", [0, 1])
def test_live_statistics_are_those_of_eager_weights(case, item):
    """Measured on live float32, each statistic is within 1e-5 of that on eager's own weights."""
    with torch.inference_mode():
        outputs = case.model(**case.inputs, output_attentions=True)
        capture.attach(case.model)
        with capture.recording(case.model) as recorder:
            case.model(**case.inputs)
        tokens = tokens_of(case, item)
        heard = {name: [both[item]] for name, both in recorder.evaluations.items()}
        stack = gathered(heard, places, {"encoder": tokens})["encoder"]
        eager = [
            [EagerRows(weights[item].double(), hidden_keys(weights[item]))]
            for weights in case.attentions(outputs)
        ]
        expected = head_stats.measure(eager, tokens, tokens)

    assert stack.head_stats.keys() == expected.keys()
    for key, values in expected.items():
        np.testing.assert_allclose(stack.head_stats[key], values, atol=1e-5, rtol=1e-5, err_msg=key)


def hidden_keys(weights):
    """Softmax gives no key a weight of exactly 0 unless it is masked."""
    return (weights == 0).all(dim=0)


def test_layers_stand_in_the_models_order():
    """However the modules were heard, the stack has their layers from first to last."""
    torch.manual_seed(0)
    case = models.llama()
    capture.attach(case.model)
    with torch.inference_mode(), capture.recording(case.model) as recorder:
        case.model(input_ids=case.inputs["input_ids"][:1])
    heard = dict(reversed(recorder.evaluations.items()))

    stack = gathered(heard, places, {"encoder": tokens_of(case, 0)})["encoder"]

    assert stack.layers == (0, 1, 2)
    for layer, name in enumerate(case.modules):
        live = recorder.evaluations[name][0].rows(EVERYTHING, EVERYTHING).numpy()
        np.testing.assert_allclose(stack.weights[layer], live, atol=2e-3)


def places_of_t5(name):
    """Each block is a layer."""
    found = re.search(r"block\.(\d+)\..*SelfAttention$", name)
    return (Place("encoder", "encoder", "encoder", int(found[1])),) if found else ()


@pytest.mark.parametrize("item", [0, 1])
def test_a_bias_that_layers_share_is_kept_once(item):
    """T5 adds the same to the scores of all layers: queries and keys are kept, and one bias."""
    torch.manual_seed(0)
    case = models.t5("right")
    capture.attach(case.model)
    with torch.inference_mode(), capture.recording(case.model) as recorder:
        case.model(**case.inputs)
    tokens = tokens_of(case, item)
    heard = {name: [both[item]] for name, both in recorder.evaluations.items()}

    stack = gathered(heard, places_of_t5, {"encoder": tokens})["encoder"]

    kept = [block.kept for (block,) in stack.blocks]
    assert all(isinstance(one, KeptQueriesKeys) for one in kept)
    assert len({id(one.bias) for one in kept}) == 1
    assert kept[0].bias.values.shape == (6, 2 * len(tokens) - 1)
    for layer, name in enumerate(case.modules):
        live = recorder.evaluations[name][item].rows(EVERYTHING, EVERYTHING).numpy()
        np.testing.assert_allclose(stack.weights[layer], live, atol=2e-3)


def test_layers_with_a_bias_of_their_own_keep_it():
    """As UMT5 has it: a number for each distance takes next to no room."""
    torch.manual_seed(0)
    case = models.t5()
    capture.attach(case.model)
    with torch.inference_mode(), capture.recording(case.model) as recorder:
        case.model(input_ids=case.inputs["input_ids"][:1])
    heard = {
        name: [replace(one, mask=replace(one.mask, bias=one.mask.bias * factor))]
        for factor, (name, (one,)) in enumerate(recorder.evaluations.items(), 1)
    }

    stack = gathered(heard, places_of_t5, {"encoder": tokens_of(case, 0)})["encoder"]

    for layer, name in enumerate(case.modules):
        assert isinstance(stack.blocks[layer][0].kept, KeptQueriesKeys)
        live = heard[name][0].rows(EVERYTHING, EVERYTHING).numpy()
        np.testing.assert_allclose(stack.weights[layer], live, atol=2e-3)


def test_cross_attention_has_a_stream_on_each_side():
    """Queries and keys of different length make a stack of their own."""
    torch.manual_seed(0)
    case = models.pix2struct()
    capture.attach(case.model)
    with torch.inference_mode(), capture.recording(case.model) as recorder:
        case.model(**{name: value[:1] for name, value in case.inputs.items()})
    patches = TokenTable.of([f"patch {i}" for i in range(7)], ["image"] * 7)
    tables = {"decoder": random_tokens(n_text=3), "vision": patches}

    def places_of_two(name):
        layer = int(name.split(".")[1])
        if "encoder_decoder" in name:
            return (Place("decoder<-vision", "decoder", "vision", layer),)
        return (Place("decoder", "decoder", "decoder", layer),)

    stacks = gathered(recorder.evaluations, places_of_two, tables)

    assert stacks["decoder"].weights.shape == (3, 4, 11, 11)
    assert stacks["decoder<-vision"].weights.shape == (3, 4, 11, 7)
    assert stacks["decoder<-vision"].keys is tables["vision"]


@pytest.mark.parametrize(
    ("misplaced", "message"),
    [
        (Place("encoder", "encoder", "vision", 2), "encoder<-encoder and encoder<-vision"),
        (Place("encoder", "vision", "vision", 2), "encoder<-encoder and vision<-vision"),
        (Place("encoder", "encoder", "encoder", 0), "two modules in layer 0"),
    ],
)
def test_modules_that_do_not_belong_together_are_an_error(misplaced, message):
    """An adapter that mixes streams, or gives two modules one layer number, is refused."""
    torch.manual_seed(0)
    case = models.llama()
    capture.attach(case.model)
    with torch.inference_mode(), capture.recording(case.model) as recorder:
        case.model(input_ids=case.inputs["input_ids"][:1])
    tables = dict.fromkeys(("encoder", "vision"), tokens_of(case, 0))

    def misplacing(name):
        return (misplaced,) if name == case.modules[2] else places(name)

    with pytest.raises(ModelError, match=message):
        gathered(recorder.evaluations, misplacing, tables)
