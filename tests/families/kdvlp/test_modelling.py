"""The models: attention, hidden states, padding, files, the published size."""

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForVisualQuestionAnswering,
    ResNetConfig,
)
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from tests.families.kdvlp.small import noise, small_config, small_model, small_processor
from vl_core import capture
from vl_core.families.kdvlp import KDVLPConfig, KDVLPForTasks, KDVLPModel
from vl_core.families.kdvlp.encoder import eager_attention_forward


def padded_inputs():
    """Two sequences that differ in text length and in aspect."""
    return small_processor()(
        images=[noise(300, 200), noise(128, 128, seed=1)],
        text=["what color is the star left of the circle?", "is the circle red?"],
        padding=True,
        return_tensors="pt",
    )


@pytest.fixture
def custom_attention():
    """An implementation of somebody else's, registered under a name of its own."""
    calls = []

    def attention(module, *args, **kwargs):
        calls.append(module.layer_idx)
        return eager_attention_forward(module, *args, **kwargs)

    ALL_ATTENTION_FUNCTIONS.register("somebody_elses", attention)
    ALL_MASK_ATTENTION_FUNCTIONS.register("somebody_elses", eager_mask)
    yield calls
    ALL_ATTENTION_FUNCTIONS._global_mapping.pop("somebody_elses")
    ALL_MASK_ATTENTION_FUNCTIONS._global_mapping.pop("somebody_elses")


def test_every_attention_implementation_gives_the_same(custom_attention):
    """Eager, sdpa and a registered one agree on a padded batch; every layer went through it."""
    model, inputs = small_model(), padded_inputs()
    outputs = {}
    for name in ("eager", "sdpa", "somebody_elses"):
        model.set_attn_implementation(name)
        outputs[name] = model(**inputs)

    assert custom_attention == [0, 1, 2, 3, 4]
    for name in ("sdpa", "somebody_elses"):
        torch.testing.assert_close(outputs[name].answer_logits, outputs["eager"].answer_logits)


def test_hidden_states_and_attentions_of_every_layer():
    """Embeddings plus a state per layer, the last before the final norm; weights sum to 1."""
    model, inputs = small_model(), padded_inputs()
    model.set_attn_implementation("eager")
    output = model(**inputs, output_hidden_states=True, output_attentions=True)
    n_tokens = inputs["input_ids"].shape[1] + 64

    assert [state.shape for state in output.hidden_states] == [(2, n_tokens, 24)] * 6
    assert [weights.shape for weights in output.attentions] == [(2, 4, n_tokens, n_tokens)] * 5
    torch.testing.assert_close(output.attentions[2].sum(-1), torch.ones(2, 4, n_tokens))
    normed = model.kdvlp.encoder.norm(output.hidden_states[-1])
    torch.testing.assert_close(normed, output.last_hidden_state)


def test_a_layer_turns_one_hidden_state_into_the_next():
    """State k + 1 is layer k of state k."""
    model = small_model()
    inputs = small_processor()(images=noise(300, 200), text="the star", return_tensors="pt")
    states = model(**inputs, output_hidden_states=True).hidden_states

    for layer, before, after in zip(
        model.kdvlp.encoder.layers, states[:-1], states[1:], strict=True
    ):
        torch.testing.assert_close(layer(before), after)


def test_padding_of_text_and_picture_changes_nothing():
    """Each sequence of a padded batch has the answer that it has alone."""
    model, processor, batch = small_model(), small_processor(), padded_inputs()
    together = model(**batch).answer_logits
    alone = processor(
        images=noise(300, 200),
        text="what color is the star left of the circle?",
        return_tensors="pt",
    )
    other = processor(
        images=noise(128, 128, seed=1), text="is the circle red?", return_tensors="pt"
    )

    torch.testing.assert_close(together[:1], model(**alone).answer_logits)
    torch.testing.assert_close(together[1:], model(**other).answer_logits)


def test_each_head_answers_for_each_sequence():
    """All heads of the [CLS] token exist and depend on the picture."""
    model, batch = small_model(), padded_inputs()
    output = model(**batch)

    assert output.answer_logits.shape == (2, 3)
    assert output.matching_logits.shape == (2, 2)
    assert output.candidate_score.shape == (2,)
    assert output.source_score.shape == (2,)
    batch["pixel_values"] = batch["pixel_values"] + 1
    assert (model(**batch).source_score != output.source_score).all()


def test_text_alone_is_encoded_without_a_picture():
    """Without pixels the sequence is the text, and return_dict=False gives a tuple."""
    model = small_model()
    inputs = small_processor()(text="what color is the star?", return_tensors="pt")

    assert model(**inputs).last_hidden_state.shape == (1, 8, 24)
    assert isinstance(model(**inputs, return_dict=False), tuple)


def test_files_round_trip_through_the_auto_classes(tmp_path):
    """A saved model comes back with its weights; float16 on disk loads as float32."""
    model, inputs = small_model().half(), padded_inputs()
    model.save_pretrained(tmp_path)
    expected = model.float()(**inputs)
    loaded = AutoModelForVisualQuestionAnswering.from_pretrained(tmp_path, dtype=torch.float32)

    assert isinstance(AutoConfig.from_pretrained(tmp_path), KDVLPConfig)
    assert isinstance(loaded, KDVLPForTasks)
    assert loaded.config.id2label == {0: "red", 1: "left", 2: "no"}
    assert [path.suffix for path in tmp_path.glob("model*")] == [".safetensors"]
    torch.testing.assert_close(loaded.eval()(**inputs).answer_logits, expected.answer_logits)
    base = AutoModel.from_pretrained(tmp_path, dtype=torch.float32).eval()
    assert isinstance(base, KDVLPModel)
    torch.testing.assert_close(base(**inputs).last_hidden_state, expected.last_hidden_state)


@pytest.mark.parametrize("changes", [{}, {"norm_order": "post", "position_code": "normalized"}])
def test_gradients_reach_every_parameter(changes):
    """Nothing that is trained is left out of the computation."""
    model, inputs = small_model(**changes).train(), padded_inputs()
    tags = torch.ones(2, 64, 7)
    masked = torch.zeros(2, 64, dtype=torch.bool)
    masked[:, 3] = True
    output = model(**inputs, cell_tags=tags, masked_cells=masked)
    hidden = output.last_hidden_state
    parts = [output.answer_logits, output.matching_logits, output.candidate_score]
    parts += [output.source_score, model.word_logits(hidden[:, :5])]
    parts += [*model.masked_objects.labels(hidden), *model.phrase_objects.labels(hidden)]
    parts += [head(hidden[:, 1], hidden) for head in (model.alignment, model.early_alignment)]
    sum((part**2).sum() for part in parts).backward()

    without = [name for name, value in model.named_parameters() if value.grad is None]
    assert without == []


def test_published_size_answers_and_is_captured_on_a_picture_that_is_not_square():
    """12 layers of 12 heads, width 768 and ResNet-101, random weights: 2 x 3 cells, all seen."""
    torch.manual_seed(0)
    config = KDVLPConfig.paper_size()
    model = KDVLPForTasks(config).eval()
    ids = torch.randint(5, config.vocab_size, (1, 11))
    inputs = {"input_ids": ids, "pixel_values": torch.randn(1, 3, 128, 192)}
    expected = [f"kdvlp.encoder.layers.{layer}.attention" for layer in range(12)]

    with torch.inference_mode():
        output = model(**inputs, output_hidden_states=True)
    assert len(output.hidden_states) == 13
    assert output.last_hidden_state.shape == (1, 11 + 2 * 3, 768)
    assert output.answer_logits.shape == (1, 3129)
    assert output.answer_logits.isfinite().all()
    assert output.answer_logits.std() > 0

    capture.attach(model)
    fidelity = capture.measured_at_load(model, inputs, expected)
    assert fidelity["output_on_off"] <= 1e-5
    assert fidelity["weights_vs_eager"] <= 1e-5


def test_published_size_survives_its_file(tmp_path):
    """The ResNet's configuration is kept inside and comes back as one."""
    KDVLPConfig.paper_size().save_pretrained(tmp_path)
    loaded = AutoConfig.from_pretrained(tmp_path)

    assert isinstance(loaded.backbone_config, ResNetConfig)
    assert loaded.backbone_config.depths == [3, 4, 23, 3]
    assert (loaded.stride, loaded.backbone_channels, loaded.vocab_size) == (64, 2048, 29_077)
    assert small_config().stride == 16
