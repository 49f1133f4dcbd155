"""Heads that say what they say on average, against hooks on the layers' output projections."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tests.attribution.models import (
    DIM,
    HEADS,
    LAYERS,
    Across,
    TwoStacks,
    as_family,
    example,
    run_with,
    tiny_model,
)
from vl_core.attribution import ablation
from vl_core.attribution.ablation import HeadMeans, head_effects, head_means, roles, without_heads
from vl_core.errors import EmptySelectionError, ModelError
from vl_core.example import Example
from vl_core.trace import TokenTable


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny random model."""
    return tiny_model(tmp_path_factory.mktemp("kdvlp"))


@pytest.fixture(scope="module")
def means(model):
    """Of three examples."""
    return head_means(model, [example(number) for number in range(3)])


def fed(model, number=0):
    """What the model is fed, and the role of each token."""
    one = example(number)
    inputs = model.family.inputs(one)
    return dict(inputs), roles(model.family.streams(one, inputs)["encoder"])


def exchanged(means, head, role):
    """A change for `run_with`: this head's outputs become the means, token by token."""

    def change(layer, heads):
        for sequence in range(len(heads)):
            for token, number in enumerate(role):
                if layer == head[0] and number >= 0:
                    mean = means.values[layer, head[1], number]
                    heads[sequence, token, head[1]] = torch.tensor(mean)
        return heads

    return change


def test_roles_are_told_from_the_table():
    """The first special token is the class token; padding has no role, even before it."""
    table = TokenTable.of(
        ["[PAD]", "[CLS]", "star", "[SEP]", "patch", "[SEP]", "patch"],
        ["special", "special", "text", "special", "image", "special", "image"],
        is_padding=np.arange(7) % 6 == 0,
    )

    assert roles(table).tolist() == [-1, 0, 2, 1, 3, 1, -1]
    assert roles(TokenTable.of(["star"], ["text"])).tolist() == [2]


def test_means_run_over_all_tokens_of_a_role(model, means):
    """Longer examples count more: every token counts once."""
    said = {}

    for number in range(3):
        inputs, role = fed(model, number)

        def keep(layer, heads, role=role):
            for token, one in enumerate(role):
                for head in range(HEADS):
                    said.setdefault((layer, head, one), []).append(heads[0, token, head].numpy())
            return heads

        run_with(model, inputs, keep)

    assert means.values.shape == (LAYERS, HEADS, 4, DIM)
    assert means.counts.tolist() == [len(said[0, 0, role]) for role in range(4)]
    assert means.counts[0] == 3
    for place, values in said.items():
        np.testing.assert_allclose(means.values[place], np.mean(values, axis=0), atol=1e-5)


def test_a_role_that_is_never_seen_stays_zero(model):
    """Texts without a picture have no patches; the count says so."""
    found = head_means(model, [Example(None, "what is this")])

    assert found.counts[3] == 0
    assert not found.values[:, :, 3].any()
    assert found.values[:, :, :3].all()


def test_means_over_nothing_are_refused(model):
    """As any mean over nothing."""
    with pytest.raises(EmptySelectionError, match="no example"):
        head_means(model, [])


def test_means_come_back_from_a_file(means, tmp_path):
    """To the bit, for the weights that they belong to."""
    means.save(tmp_path / "means.safetensors")

    found = HeadMeans.load(tmp_path / "means.safetensors", means.weights_hash)

    np.testing.assert_array_equal(found.values, means.values)
    np.testing.assert_array_equal(found.counts, means.counts)
    assert found.weights_hash == means.weights_hash


def test_means_of_other_weights_are_refused(model, means, tmp_path):
    """From a file, and where they would be used."""
    means.save(tmp_path / "a")
    other = HeadMeans(means.values, means.counts, "other")

    with pytest.raises(ModelError, match="a holds the head means of other weights"):
        HeadMeans.load(tmp_path / "a", "other")
    with pytest.raises(ModelError, match="other weights than those of"):
        head_effects(model, example(), other)


def test_files_that_hold_no_means_are_refused(means, tmp_path):
    """Nothing, noise, other arrays, arrays of another shape."""
    (tmp_path / "noise").write_bytes(b"\xff" * 100)
    save_file({"weight": np.zeros(3)}, tmp_path / "weights")
    for name in ("missing", "noise", "weights"):
        with pytest.raises(ModelError, match=f"{name} holds no head means"):
            HeadMeans.load(tmp_path / name, means.weights_hash)
    with pytest.raises(ModelError, match="Head means of shape"):
        HeadMeans(means.values[:, :, :3], means.counts[:3], means.weights_hash)
    with pytest.raises(ModelError, match="finite"):
        HeadMeans(means.values * np.float32(np.nan), means.counts, means.weights_hash)


def test_effects_are_those_of_one_run_for_each_head(model, means, monkeypatch):
    """The answer's log-probability without the head, less that with it, in any size of batch."""
    inputs, role = fed(model)
    intact = run_with(model, inputs)[0]
    top = int(intact.argmax())
    change, flips = np.zeros((LAYERS, HEADS)), np.zeros((LAYERS, HEADS), bool)
    for layer in range(LAYERS):
        for head in range(HEADS):
            ablated = run_with(model, inputs, exchanged(means, (layer, head), role))[0]
            change[layer, head] = ablated[top] - intact[top]
            flips[layer, head] = int(ablated.argmax()) != top

    for most in (64, 4):
        monkeypatch.setattr(ablation, "MOST_SEQUENCES", most)
        found = head_effects(model, example(), means)
        np.testing.assert_allclose(found.change, change, atol=1e-5)
        np.testing.assert_array_equal(found.flips, flips)
        assert found.answer == model.family.model.config.id2label[top]
    assert len(np.unique(change)) == change.size


def test_an_answer_that_hangs_by_a_thread_flips(tmp_path):
    """Means far from what a head says take the answer away, and the map says so."""
    model = tiny_model(tmp_path)
    means = head_means(model, [example()])
    loud = HeadMeans(means.values * 300, means.counts, means.weights_hash)

    found = head_effects(model, example(), loud)

    assert found.flips.any()
    assert (found.change[found.flips] < 0).all()


def test_a_head_that_always_says_the_same_has_no_effect(tmp_path):
    """Its mean is what it says; the others' is not."""
    model = tiny_model(tmp_path)
    value = model.family.model.kdvlp.encoder.layers[1].attention.value
    with torch.no_grad():
        value.weight[2 * DIM : 3 * DIM] = 0
        value.bias[2 * DIM : 3 * DIM] = torch.arange(DIM) / DIM
    means = head_means(model, [example(1), example(2)])

    change = np.abs(head_effects(model, example(), means).change)

    np.testing.assert_allclose(means.values[1, 2, 3], np.arange(DIM) / DIM, atol=1e-6)
    assert change[1, 2] < 1e-6
    assert (np.delete(change.ravel(), HEADS + 2) > 1e-6).all()


def padded_batch(model):
    """Two questions of different length about pictures of one size, and the roles of all tokens."""
    pictures = [example().image, example().image.rotate(180)]
    texts = [example(0).text, example(2).text]
    processor = model.family.processor
    inputs = processor(text=texts, images=pictures, padding=True, return_tensors="pt")
    singles = [Example(picture, text) for picture, text in zip(pictures, texts, strict=True)]
    own = [roles(model.family.streams(one, model.family.inputs(one))["encoder"]) for one in singles]
    n_text, n_cells = inputs["input_ids"].shape[1], int((own[0] == 3).sum())
    padding = [np.full(n_text + n_cells - len(role), -1) for role in own]
    together = [
        np.concatenate([role[:-n_cells], filling, role[-n_cells:]])
        for role, filling in zip(own, padding, strict=True)
    ]
    return dict(inputs), torch.tensor(np.array(together)), singles, own


@pytest.mark.parametrize("heads", [((0, 3), (2, 1)), (None, (1, 4)), ((1, 0), (1, 2))])
def test_each_sequence_of_a_padded_batch_loses_its_own_head(model, means, heads):
    """As if it had been run alone, without padding."""
    inputs, role, singles, own = padded_batch(model)
    assert (role[1] == -1).any()

    with torch.inference_mode(), without_heads(model, means, heads, role):
        logits = model.family.answer_logits(model.family.model(**inputs))

    for i, (single, head) in enumerate(zip(singles, heads, strict=True)):
        change = exchanged(means, head, own[i]) if head else None
        wanted = run_with(model, dict(model.family.inputs(single)), change)[0]
        torch.testing.assert_close(logits[i].double().log_softmax(-1), wanted, atol=1e-5, rtol=0)


def test_padding_is_left_as_it_is(model, means):
    """Only tokens with a role are exchanged."""
    inputs, role, *_ = padded_batch(model)

    def said(chosen):
        """What the first layer's heads say."""
        heard = []
        with without_heads(model, means, chosen, role):
            run_with(model, inputs, lambda _, heads: heard.append(heads) or heads)
        return heard[0]

    is_same = (said(((0, 3), (0, 3))) == said((None, None))).all(dim=-1)

    assert torch.equal(is_same[:, :, 3], role < 0)
    assert is_same[:, :, [0, 1, 2, 4]].all()


def test_no_head_left_out_changes_nothing(model, means):
    """To the last bit."""
    inputs, role, *_ = padded_batch(model)

    plain = run_with(model, inputs)
    with without_heads(model, means, (None, None), role):
        intact = run_with(model, inputs)

    assert torch.equal(intact, plain)
    assert torch.equal(run_with(model, inputs), plain)


def test_what_does_not_fit_the_batch_is_refused(model, means):
    """Too few heads, heads that are not there, sequences of another number or length."""
    inputs, role, *_ = padded_batch(model)
    for wrong, message in (
        (((0, 0),), "1 heads to leave out of 2 sequences"),
        (((3, 0), None), "Layer 3, head 0 .* there are 3 layers of 5 heads"),
        (((0, -1), None), "head -1"),
    ):
        with pytest.raises(ModelError, match=message), without_heads(model, means, wrong, role):
            pass
    for shorter in (role[:1], role[:, 1:]):
        heads = [None] * len(shorter)
        with pytest.raises(ModelError, match="A batch of 2 sequences"):  # noqa: SIM117
            with without_heads(model, means, heads, shorter):
                run_with(model, inputs)


@pytest.mark.parametrize("kind", [TwoStacks, Across])
def test_models_of_several_stacks_are_refused(model, means, kind):
    """The message says what the model has."""
    with pytest.raises(ModelError, match=r"a single stack of self-attention; .* has "):
        head_effects(as_family(model, kind), example(), means)


def test_threads_leave_each_other_alone(model, means):
    """Plain runs beside ablated ones of the same model give what they give alone."""
    inputs, _ = fed(model)
    plain = run_with(model, inputs)
    wanted = head_effects(model, example(), means).change

    with ThreadPoolExecutor(4) as pool:
        effects = [pool.submit(head_effects, model, example(), means) for _ in range(4)]
        runs = [pool.submit(run_with, model, inputs) for _ in range(12)]
        for run in runs:
            torch.testing.assert_close(run.result(), plain, atol=1e-6, rtol=0)
        for effect in effects:
            np.testing.assert_allclose(effect.result().change, wanted, atol=1e-5)
