"""ViLT: one stream of words and patches; patches in rows, whatever order the model draws."""

import copy
import json
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    ViltConfig,
    ViltForImageAndTextRetrieval,
    ViltForImagesAndTextClassification,
    ViltForMaskedLM,
    ViltForQuestionAnswering,
    ViltImageProcessorPil,
    ViltProcessor,
)

import vl_core
from tests.builders import random_picture
from tests.families import tiny
from tests.families.checks import FamilyChecks
from vl_core import families
from vl_core.errors import ImageError, ModelError, TextError
from vl_core.example import Example

ANSWERS = ("red", "blue", "yes", "no", "left", "two", "three")
LIMIT = 24


def save(folder, kind, **options):
    """3 layers of 5 heads; patches of 16 pixels, positions learned for 6 x 6 of them."""
    tokenizer = tiny.bert()
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 40,
        "num_hidden_layers": 3,
        "num_attention_heads": 5,
        "intermediate_size": 24,
        "image_size": 96,
        "patch_size": 16,
        "max_position_embeddings": LIMIT,
        "id2label": dict(enumerate(ANSWERS)),
    }
    tiny.sharpened(kind(ViltConfig(**sizes | options))).save_pretrained(folder)
    ViltImageProcessorPil(size={"shortest_edge": 96}, size_divisor=16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class ViltChecks(FamilyChecks):
    """What all three have in common."""

    reads_text_alone = False
    pass_rates: ClassVar = {"encoder": 1.0}
    kind = ViltForQuestionAnswering

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save(tmp_path_factory.mktemp("vilt"), cls.kind)

    @pytest.fixture(scope="class")
    @classmethod
    def untouched(cls, folder):
        """The published class, as it draws its patches."""
        return cls.kind.from_pretrained(folder).eval()

    def test_any_order_gives_the_published_models_output(self, model, untouched, example):
        """To 1e-5, whatever the model draws."""
        inputs = model.family.inputs(example)
        for seed in (1, 2, 3):
            torch.manual_seed(seed)
            with torch.inference_mode():
                wanted = untouched(**inputs)["logits"]
                found = model.family.model(**inputs)["logits"]

            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


class TestAnswering(ViltChecks):
    """Answers from a fixed list."""

    def test_two_seeds_give_one_trace(self, model, example, trace, untouched):
        """States and attention, bit by bit; the published model shuffles them."""
        torch.manual_seed(7)
        again = model.trace(example)

        np.testing.assert_array_equal(
            again.streams["encoder"].hidden_states, trace.streams["encoder"].hidden_states
        )
        for layer in range(3):
            np.testing.assert_array_equal(
                again.stacks["encoder"].weights[layer], trace.stacks["encoder"].weights[layer]
            )
        drawn = []
        for seed in (7, 8):
            torch.manual_seed(seed)
            with torch.inference_mode():
                outputs = untouched(**model.family.inputs(example), output_hidden_states=True)
            drawn.append(outputs.hidden_states[0])
        assert (drawn[0] - drawn[1]).abs().max() > 0.1

    def test_states_are_the_published_models_in_another_order(
        self, model, example, trace, untouched
    ):
        """The order that was drawn, undone from outside; the last state comes before the norm."""
        inputs = model.family.inputs(example)
        embeddings, drawn = untouched.vilt.embeddings, []
        plain = embeddings.visual_embed
        embeddings.visual_embed = lambda *args, **options: (
            drawn.append(plain(*args, **options)) or drawn[0]
        )
        with torch.inference_mode():
            states = untouched(**inputs, output_hidden_states=True).hidden_states
        del embeddings.visual_embed
        cells = drawn[0][2][0][0].tolist()
        n_text = inputs["input_ids"].shape[1]
        order = [*range(n_text + 1), *(n_text + 1 + cells.index([r, c]) for r, c in grid(5, 9))]

        assert cells != grid(5, 9)
        found = trace.streams["encoder"].hidden_states
        for mine, theirs in zip(found, states, strict=True):
            wanted = theirs[0, order].numpy()
            np.testing.assert_allclose(mine, wanted, atol=2e-3 * np.abs(wanted).max())

    def test_a_batch_with_padding_is_in_rows_too(self, model, untouched):
        """Smaller pictures come first to last as alone, their padding behind them."""
        family = model.family
        pictures = [random_picture(size, seed=i) for i, size in enumerate([(330, 190), (96, 96)])]
        batch = family.image_processor(pictures, return_tensors="pt")
        ids = family.inputs(Example(pictures[0], "what color"))["input_ids"].expand(2, -1)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **batch}
        embeddings = family.model.vilt.embeddings
        with torch.inference_mode():
            states, mask, (cells, _) = embeddings.visual_embed(
                batch["pixel_values"], batch["pixel_mask"], max_image_length=-1
            )
            logits = family.model(**inputs)["logits"]
            torch.testing.assert_close(logits, untouched(**inputs)["logits"], atol=1e-5, rtol=0)

        for row, (picture, (height, width)) in enumerate(
            zip(pictures, [(5, 9), (6, 6)], strict=True)
        ):
            count = height * width
            assert mask[row].tolist() == [1] * (1 + count) + [0] * (45 - count)
            assert cells[row, :count].tolist() == grid(height, width)
            alone = family.inputs(Example(picture, "what color"))
            with torch.inference_mode():
                torch.testing.assert_close(
                    family.model(**alone)["logits"][0], logits[row], atol=1e-5, rtol=0
                )
                own = embeddings.visual_embed(alone["pixel_values"], alone["pixel_mask"], -1)[0]
            torch.testing.assert_close(states[row, : 1 + count], own[0], atol=1e-5, rtol=0)

    def test_boxes_are_where_the_squeezed_picture_has_them(self, trace):
        """330 x 190 becomes 144 x 80: nine columns and five rows over the whole picture."""
        tokens = trace.streams["encoder"].tokens
        boxes = tokens.boxes[tokens.is_image]

        assert trace.example.image.size == (144, 80)
        assert len(boxes) == 45
        np.testing.assert_allclose(boxes[0], [0, 0, 330 / 9, 38])
        np.testing.assert_allclose(boxes[10], [330 / 9, 38, 660 / 9, 76])
        np.testing.assert_allclose(boxes[44], [330 * 8 / 9, 152, 330, 190])

    def test_words_come_first_then_a_class_token_then_patches(self, trace):
        """Pieces of a word stand for their own characters."""
        tokens = trace.streams["encoder"].tokens

        words = ("what", "color", "is", "the", *"zebra", "?")
        assert tokens.texts[:14] == ("[CLS]", *words, "[SEP]", "class", "patch 1")
        assert tokens.kinds[:14] == ("special", *["text"] * 10, "special", "special", "image")
        assert tokens.spans[5:10].tolist() == [[i, i + 1] for i in range(18, 23)]
        assert not tokens.is_unknown.any()

    def test_inputs_are_the_published_processors(self, model, example):
        """Of text and picture, and the mask that marks padding."""
        family = model.family
        processor = ViltProcessor(family.image_processor, family.tokenizer)
        wanted = processor(images=example.image, text=example.text, return_tensors="pt")
        found = family.inputs(example)

        for name in ("input_ids", "attention_mask", "pixel_values", "pixel_mask"):
            assert torch.equal(found[name], wanted[name]), name

    def test_answers_are_named_with_their_own_probability(self, model, example, trace):
        """Trained to allow several answers, the model gives each a sigmoid."""
        with torch.inference_mode():
            logits = model.family.model(**model.family.inputs(example))["logits"][0]
        order = logits.argsort(descending=True)[:5].tolist()

        assert [name for name, _ in trace.prediction.top] == [ANSWERS[i] for i in order]
        shares = [share for _, share in trace.prediction.top]
        np.testing.assert_allclose(shares, 1 / (1 + np.exp(-logits[order].numpy())), atol=1e-5)

    def test_too_long_a_question_is_refused_with_both_numbers(self, model):
        """One token more than fits, and as many as fit."""
        picture = random_picture((96, 96))
        model.family.inputs(Example(picture, "star " * (LIMIT - 2)))

        with pytest.raises(TextError, match=rf"makes {LIMIT + 1} tokens.* most {LIMIT}\. Shorten"):
            model.trace(Example(picture, "star " * (LIMIT - 1)))

    @pytest.mark.parametrize("text", ["what is [MASK]?", "what [SEP] is this", "\ufffd"])
    def test_what_is_no_text_is_refused(self, model, text):
        """Signs of the model's own, and what its tokenizer drops."""
        with pytest.raises(TextError):
            model.trace(Example(random_picture((96, 96)), text))

    @pytest.mark.parametrize(("size", "is_read"), [((1000, 97), False), ((1000, 98), True)])
    def test_a_picture_less_than_a_patch_high_is_refused(self, model, size, is_read):
        """159 pixels wide, the one is 15.4 high and the other 15.6, which rounds to 16."""
        example = Example(random_picture(size), "what")
        if is_read:
            assert model.family.inputs(example)["pixel_values"].shape == (1, 3, 16, 144)
        else:
            with pytest.raises(ImageError, match=r"1000 x 97 pixels.* 159.* 16\. Crop"):
                model.family.inputs(example)

    def test_a_copy_of_the_model_is_in_rows_by_its_own_weights(self, model, example):
        """A copy does not ask the one it was copied from."""
        copied = copy.deepcopy(model.family.model)
        with torch.inference_mode():
            copied.vilt.embeddings.cls_token += 1
            inputs = model.family.inputs(example)
            states = copied.vilt.embeddings.visual_embed(
                inputs["pixel_values"], inputs["pixel_mask"], -1
            )[0]
            own = model.family.model.vilt.embeddings.visual_embed(
                inputs["pixel_values"], inputs["pixel_mask"], -1
            )[0]

        torch.testing.assert_close(states[:, 0], own[:, 0] + 1)
        torch.testing.assert_close(states[:, 1:], own[:, 1:])


class TestFilling(ViltChecks):
    """The word at the first [MASK]."""

    kind = ViltForMaskedLM
    question = "what color is the [MASK]?"

    def test_it_fills_the_first_mask(self, model, untouched):
        """By the likeliest words of the published model there, not at the second."""
        example = Example(random_picture((330, 190)), "the [MASK] is a [MASK]")
        with torch.inference_mode():
            logits = untouched(**model.family.inputs(example))["logits"][0, 2]
        order = logits.argsort(descending=True)[:5].tolist()
        top = model.trace(example).prediction.top

        assert [word for word, _ in top] == model.family.tokenizer.convert_ids_to_tokens(order)
        shares = [share for _, share in top]
        np.testing.assert_allclose(shares, logits.softmax(dim=-1)[order].numpy(), atol=1e-5)

    def test_a_mask_of_the_users_is_text(self, trace):
        """They typed it, and it stands for its characters."""
        tokens = trace.streams["encoder"].tokens

        assert (tokens.texts[5], tokens.kinds[5]) == ("[MASK]", "text")
        assert tokens.spans[5].tolist() == [18, 24]

    def test_a_text_without_gets_one_at_its_end(self, model):
        """It is none of the user's text, and is what is filled."""
        example = Example(random_picture((330, 190)), "what color is this?")
        trace = model.trace(example)
        typed = model.trace(Example(example.image, "what color is this? [MASK]"))
        tokens = trace.streams["encoder"].tokens

        assert tokens.texts[5:8] == ("?", "[MASK]", "[SEP]")
        assert tokens.kinds[5:8] == ("text", "special", "special")
        assert trace.prediction == typed.prediction

    def test_each_text_of_a_batch_has_its_own_mask(self, model):
        """Wherever it stands."""
        family = model.family
        texts = ["[MASK] is the star", "the star is [MASK]"]
        picture = random_picture((330, 190))
        alone = [family.inputs(Example(picture, text)) for text in texts]
        batch = {name: torch.cat([one[name] for one in alone]) for name in alone[0]}
        with torch.inference_mode():
            found = family.answer_logits(family.model(**batch))
            wanted = [family.answer_logits(family.model(**one))[0] for one in alone]

        torch.testing.assert_close(found, torch.stack(wanted), atol=1e-5, rtol=0)
        assert (found[0] - found[1]).abs().max() > 0.1

    @pytest.mark.parametrize("text", ["a [SEP] [MASK]", "a [CL[MASK]S]"])
    def test_other_signs_are_refused_yet(self, model, text):
        """[MASK] alone is allowed, and makes no sign of what it stands in."""
        example = Example(random_picture((96, 96)), text)
        if "[SEP]" in text:
            with pytest.raises(TextError, match=r"\[SEP\]"):
                model.family.inputs(example)
        else:
            ids = model.family.inputs(example)["input_ids"][0].tolist()
            assert ids.count(model.family.tokenizer.cls_token_id) == 1

    def test_an_older_checkpoint_keeps_its_bias(self, folder, tmp_path):
        """Written by a transformers that called it mlm_score.bias."""
        plain = ViltForMaskedLM.from_pretrained(folder)
        torch.nn.init.normal_(plain.mlm_score.decoder.bias)
        plain.save_pretrained(tmp_path)
        weights = load_file(tmp_path / "model.safetensors")
        weights["mlm_score.bias"] = weights.pop("mlm_score.decoder.bias")
        positions = torch.arange(LIMIT)[None]
        weights["vilt.embeddings.text_embeddings.position_ids"] = positions
        save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
        for file in folder.iterdir():
            if not (tmp_path / file.name).exists():
                (tmp_path / file.name).write_bytes(file.read_bytes())
        loaded = families.load(tmp_path).model

        assert torch.equal(loaded.mlm_score.decoder.bias, plain.mlm_score.decoder.bias)
        assert loaded.mlm_score.decoder.bias.abs().max() > 0

    def test_a_tokenizer_without_a_mask_is_refused(self, tmp_path):
        """Any unknown word would be filled in place of it."""
        save(tmp_path, ViltForMaskedLM)
        tiny.tokenizer().save_pretrained(tmp_path)

        with pytest.raises(ModelError, match=r"mask is None, wanted \[MASK\]"):
            families.load(tmp_path)


class TestMatching(ViltChecks):
    """How well a text fits a picture."""

    kind = ViltForImageAndTextRetrieval

    def test_the_score_is_told_as_a_probability(self, model, example, trace, untouched):
        """The sigmoid of the published model's score, as one of match and no match."""
        inputs = model.family.inputs(example)
        with torch.inference_mode():
            score = untouched(**inputs)["logits"].item()
            logits = model.family.answer_logits(model.family.model(**inputs))
        share = 1 / (1 + np.exp(-score))
        shares = dict(trace.prediction.top)

        assert shares == pytest.approx({"match": share, "no match": 1 - share}, abs=1e-5)
        assert logits[0].softmax(dim=-1).tolist() == pytest.approx([share, 1 - share], abs=1e-5)


def grid(rows, columns):
    """Row and column of each cell, row by row."""
    return [[row, column] for row in range(rows) for column in range(columns)]


def test_half_precision_runs(tmp_path):
    """In bfloat16, one picture."""
    family = families.load(save(tmp_path, ViltForQuestionAnswering), {"dtype": torch.bfloat16})
    inputs = vl_core.model.on_device(family, family.inputs(Example(random_picture((96, 96)), "a")))
    with torch.inference_mode():
        outputs = family.model(**inputs)

    assert outputs["logits"].dtype == torch.bfloat16
    assert family.prediction(Example(None, "a"), inputs, outputs).top


def test_an_older_processors_file_is_understood(tmp_path):
    """With the name of a class that is gone, and one number for the size."""
    save(tmp_path, ViltForQuestionAnswering)
    example = Example(random_picture((330, 190)), "what")
    wanted = families.load(tmp_path).inputs(example)
    settings = {
        "feature_extractor_type": "ViltFeatureExtractor",
        "size": 96,
        "size_divisor": 16,
        "do_resize": True,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "resample": 3,
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    family = families.load(tmp_path)

    assert torch.equal(family.inputs(example)["pixel_values"], wanted["pixel_values"])
    assert family.preprocessing()["image_processor"]["image_mean"] == [0.5, 0.5, 0.5]


def test_a_head_that_is_not_covered_is_refused(tmp_path):
    """Two pictures at once: nobody could say which patch is whose."""
    save(tmp_path, ViltForImagesAndTextClassification, num_images=2)

    with pytest.raises(ModelError, match="ViltForImagesAndTextClassification, which is not cov"):
        families.load(tmp_path)


@pytest.mark.parametrize(
    ("file", "entry", "message"),
    [
        ("config.json", {"max_image_length": 20}, "max_image_length is 20.*by lot"),
        ("preprocessor_config.json", {"size_divisor": 24}, "size_divisor 24.*multiple of 16"),
        ("preprocessor_config.json", {"do_resize": False}, "do_resize is False"),
    ],
)
def test_pictures_that_the_model_cannot_read_whole_are_refused(tmp_path, file, entry, message):
    """Patches drawn by lot, or cut off at the edges."""
    path = save(tmp_path, ViltForQuestionAnswering) / file
    path.write_text(json.dumps(json.loads(path.read_text()) | entry))

    with pytest.raises(ModelError, match=message):
        families.load(tmp_path)
