"""BLIP: a tower, a question that looks at it, an answer that looks at the question."""

import json
from typing import ClassVar
from unittest import mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    BlipForQuestionAnswering,
    BlipImageProcessorPil,
    BlipModel,
    BlipProcessor,
)

import vl_core
from tests.builders import random_picture
from tests.families import tiny
from tests.families.checks import FamilyChecks
from tests.families.decoder_checks import likeliest
from vl_core import families
from vl_core.capture.tap import tapped
from vl_core.errors import ModelError, TextError
from vl_core.example import Example
from vl_core.families.generation import LONGEST

LIMIT = 70


def save(folder, kind):
    """A tower of 4 layers and 5 heads, 4 x 4 patches; text layers, 3 of 6 heads each."""
    tokenizer = tiny.bert()
    # An answer looks at a question by keys that are as wide as the tower, so both must be.
    widths = (60, 60) if kind is BlipForQuestionAnswering else (40, 48)
    text = {
        "vocab_size": len(tokenizer) + 1,
        "hidden_size": widths[1],
        "intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "max_position_embeddings": LIMIT,
        "bos_token_id": len(tokenizer),  # no token that the tokenizer knows, as published
        "sep_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = tiny.tower(hidden_size=widths[0])
    config = BlipConfig(text_config=text, vision_config=vision, image_text_hidden_size=20)
    seed = (
        124 if kind is BlipForQuestionAnswering else 0
    )  # one answer ends early, the caption never
    talkative(tiny.sharpened(kind(config), seed)).save_pretrained(folder)
    BlipImageProcessorPil(size={"height": 56, "width": 56}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def talkative(model):
    """A random decoder says one word for ever, unless it sees where it is and little else."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("text_decoder"):
                parameter.mul_(4 if "position_embeddings" in name else 1)
                parameter.mul_(0.3 if name.endswith("attention.output.dense.weight") else 1)
    return model


class BlipChecks(FamilyChecks):
    """What all three have in common."""

    reads_text_alone = False
    pass_rates: ClassVar = {"vision tower": 1.0}
    kind = BlipForQuestionAnswering

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save(tmp_path_factory.mktemp("blip"), cls.kind)

    @pytest.fixture(scope="class")
    @classmethod
    def untouched(cls, folder):
        """The published class."""
        return cls.kind.from_pretrained(folder).eval()

    @pytest.fixture(scope="class")
    @classmethod
    def published(cls, model, example):
        """What the published processor makes of the example."""
        family = model.family
        processor = BlipProcessor(family.image_processor, family.tokenizer)
        return processor(images=example.image, text=example.text, return_tensors="pt")

    def test_the_whole_picture_is_squeezed_into_a_square(self, trace):
        """330 x 190 becomes 56 x 56: four by four patches over all of it, nothing cut off."""
        tokens = trace.streams["vision tower"].tokens

        assert trace.example.image.size == (56, 56)
        assert tokens.texts[:2] == ("class", "patch 1")
        assert len(tokens) == 17
        np.testing.assert_allclose(tokens.boxes[1], [0, 0, 82.5, 47.5])
        np.testing.assert_allclose(tokens.boxes[6], [82.5, 47.5, 165, 95])
        np.testing.assert_allclose(tokens.boxes[16], [247.5, 142.5, 330, 190])

    def test_the_picture_is_the_published_processors(self, model, example, published):
        """Pixel by pixel."""
        assert torch.equal(model.family.inputs(example)["pixel_values"], published["pixel_values"])


class TestAnswering(BlipChecks):
    """A question and a generated answer."""

    def test_streams_and_stacks(self, trace):
        """Three streams; the answer looks at the question, and the question at the picture."""
        shapes = {
            name: (stack.query_stream, stack.key_stream, stack.n_layers, stack.n_heads)
            for name, stack in trace.stacks.items()
        }

        assert set(trace.streams) == {"vision tower", "question", "answer"}
        assert shapes == {
            "vision tower": ("vision tower", "vision tower", 4, 5),
            "question": ("question", "question", 3, 6),
            "question<-vision tower": ("question", "vision tower", 3, 6),
            "answer": ("answer", "answer", 3, 6),
            "answer<-question": ("answer", "question", 3, 6),
        }

    def test_all_is_seen_that_the_published_model_evaluates(self, model, trace, untouched):
        """16 of 16: four layers of the tower, and two looks in each of six layers of text."""
        inputs = model.family.inputs(Example(random_picture((330, 190)), "what"))
        with torch.inference_mode(), tapped(untouched) as matrices:
            untouched(**inputs)

        assert sum(map(len, matrices.values())) == 16
        assert sum(stack.n_layers for stack in trace.stacks.values()) == 16

    def test_the_answer_is_what_the_published_model_generates(self, model, untouched):
        """Token by token, capture attached or not, to its end."""
        example = Example(random_picture((330, 190)), "what color is the zebra?")
        inputs = model.family.inputs(example)
        asked = {k: v for k, v in inputs.items() if k != "decoder_input_ids"}
        wanted = untouched.generate(**asked, **likeliest(model.family))
        with torch.inference_mode():
            found = model.family.answered(inputs)["decoder_input_ids"]

        assert torch.equal(found, wanted)
        tokens = model.trace(example).streams["answer"].tokens
        assert len(tokens) == wanted.shape[1] > 2
        assert tokens.texts[0] == "[DEC]"
        assert tokens.is_generated.tolist() == [False] + [True] * (len(tokens) - 1)
        assert (tokens.texts[-1], tokens.kinds[-1]) == ("[SEP]", "special")
        assert len(set(tokens.texts)) > 4

    def test_one_pass_says_what_was_generated_word_by_word(self, model, example):
        """Each token is the likeliest after those before it, with the probability that is told."""
        family = model.family
        with torch.inference_mode():
            inputs = family.answered(family.inputs(example))
            logits = family.model(**inputs)["logits"][0]
        answer = inputs["decoder_input_ids"][0, 1:]
        shares = logits[:-1].softmax(dim=-1)

        assert torch.equal(shares.argmax(dim=-1), answer)
        first = family.answer_logits(family.model(**family.inputs(example)))
        assert first.shape == (1, len(tiny.bert()) + 1)
        torch.testing.assert_close(first[0].softmax(dim=-1), shares[0], atol=1e-5, rtol=0)
        said = model.trace(example).prediction
        assert said.text == family.tokenizer.decode(answer, skip_special_tokens=True)
        words = ["is", "[UNK]", "l", "w", " is", " t", "[SEP]"]
        assert [word for word, _ in said.top] == words
        found = [share for _, share in said.top]
        np.testing.assert_allclose(found, shares.amax(dim=-1), atol=1e-5)

    def test_the_answer_looks_back_only_and_at_the_whole_question(self, trace):
        """Its self-attention is causal, its look at the question is not."""
        own = trace.stacks["answer"].allowed(0)
        across = trace.stacks["answer<-question"].allowed(0)

        np.testing.assert_array_equal(own, np.tri(len(own), dtype=bool))
        assert across.all()
        assert across.shape == (len(own), len(trace.streams["question"].tokens))

    def test_what_is_added_to_the_published_outputs_is_its_decoders(self, model, untouched):
        """In a batch with padding: the published class has these logits, and gives none back."""
        inputs = self.batch(model.family)
        inputs["decoder_input_ids"] = torch.tensor([[len(tiny.bert()), 5, 6]]).expand(2, -1)
        heard = []
        hook = untouched.text_decoder.register_forward_hook(
            lambda _module, _inputs, output: heard.append(output.logits)
        )
        with torch.inference_mode():
            wanted = untouched(**inputs)
            found = model.family.model(**inputs)
        hook.remove()

        torch.testing.assert_close(found["logits"], heard[0], atol=1e-5, rtol=0)
        assert found["logits"].shape == (2, 3, len(tiny.bert()) + 1)
        for name, output in wanted.items():
            torch.testing.assert_close(found[name], output, atol=1e-5, rtol=0)

    def test_the_question_is_the_published_processors(self, model, example, published):
        """With [CLS] and [SEP] around it."""
        inputs = model.family.inputs(example)

        assert torch.equal(inputs["input_ids"], published["input_ids"])
        assert torch.equal(inputs["attention_mask"], published["attention_mask"])

    def test_too_long_a_question_is_refused_with_both_numbers(self, model):
        """One token more than fits, and as many as fit."""
        picture = random_picture((96, 96))
        model.family.inputs(Example(picture, "star " * (LIMIT - 2)))

        with pytest.raises(TextError, match=rf"makes {LIMIT + 1} tokens.* most {LIMIT}\. Shorten"):
            model.trace(Example(picture, "star " * (LIMIT - 1)))


class TestCaptioning(BlipChecks):
    """A caption whose beginning is given."""

    kind = BlipForConditionalGeneration
    question = "a star is"

    def test_streams_and_stacks(self, trace):
        """The caption looks at itself and at the picture."""
        ends = {name: (one.query_stream, one.key_stream) for name, one in trace.stacks.items()}

        assert set(trace.streams) == {"vision tower", "text"}
        assert ends == {
            "vision tower": ("vision tower", "vision tower"),
            "text": ("text", "text"),
            "text<-vision tower": ("text", "vision tower"),
        }
        own = trace.stacks["text"].allowed(2)
        np.testing.assert_array_equal(own, np.tri(len(own), dtype=bool))

    def test_the_caption_is_what_the_published_model_generates(self, model, untouched, published):
        """From what the published processor feeds it, [CLS] and [SEP] and all."""
        example = Example(random_picture(self.size), self.question)
        wanted = untouched.generate(**published, **likeliest(model.family))[0]
        tokens = model.trace(example).streams["text"].tokens
        with torch.inference_mode():
            found = model.family.answered(model.family.inputs(example))["input_ids"][0]

        assert torch.equal(found, wanted)
        assert tokens.texts[:4] == ("[DEC]", "a", "star", "is")
        assert tokens.kinds[:4] == ("special", "text", "text", "text")
        assert tokens.is_generated.tolist() == [False] * 4 + [True] * (len(wanted) - 4)
        assert len(tokens) == len(wanted) == 4 + LONGEST  # longer ones are cut off
        assert len(set(tokens.texts)) > 10
        assert "None" not in tokens.texts

    def test_its_first_inputs_are_what_the_published_decoder_reads_first(
        self, model, example, untouched, published
    ):
        """The beginning of the caption behind [DEC], with nothing at its end."""
        with mock.patch.object(untouched.text_decoder, "generate") as generate:
            untouched.generate(**published)
        given = generate.call_args.kwargs
        inputs = model.family.inputs(example)

        assert torch.equal(inputs["input_ids"], given["input_ids"])
        assert torch.equal(inputs["attention_mask"], given["attention_mask"])

    def test_each_word_has_the_probability_that_it_was_chosen_by(self, model, example, trace):
        """Only what was generated is told."""
        with torch.inference_mode():
            inputs = model.family.answered(model.family.inputs(example))
            shares = model.family.model(**inputs)["logits"][0, 3:-1].softmax(dim=-1)
            first = model.family.answer_logits(model.family.model(**model.family.inputs(example)))

        torch.testing.assert_close(first[0].softmax(dim=-1), shares[0], atol=1e-5, rtol=0)
        found = [share for _, share in trace.prediction.top]
        np.testing.assert_allclose(found, shares.amax(dim=-1), atol=1e-5)

    def test_a_caption_may_begin_within_a_word(self, model):
        """What is said first goes on from what was given, with the rest of its last word."""
        family = model.family
        example = Example(random_picture((96, 96)), "a z")
        inputs = family.inputs(example)
        rest = torch.tensor([family.tokenizer.convert_tokens_to_ids(["##e", "##b", "is", "[SEP]"])])
        inputs["input_ids"] = torch.cat([inputs["input_ids"], rest], dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        with torch.inference_mode():
            said = family.prediction(example, inputs, family.model(**inputs))

        assert said.text == "eb is"
        assert [word for word, _ in said.top] == ["e", "b", " is", "[SEP]"]
        tokens = family.streams(example, inputs)["text"]
        assert tokens.texts == ("[DEC]", "a", "z", "e", "b", "is", "[SEP]")

    def test_too_long_a_beginning_leaves_no_room_for_the_rest(self, model):
        """As long a caption as is ever generated must fit behind it."""
        picture, most = random_picture((96, 96)), LIMIT - LONGEST
        longest = Example(picture, "star " * (most - 2))

        assert len(model.trace(longest).streams["text"].tokens) <= LIMIT
        with pytest.raises(TextError, match=rf"makes {most + 1} tokens.* most {most}\. Shorten"):
            model.family.inputs(Example(picture, "star " * (most - 1)))


class TestMatching(BlipChecks):
    """A text that looks at a picture, and the same that does not."""

    kind = BlipForImageTextRetrieval

    def test_streams_and_stacks(self, trace):
        """The text is read twice, by the same weights."""
        ends = {name: (one.query_stream, one.key_stream) for name, one in trace.stacks.items()}

        assert set(trace.streams) == {"vision tower", "text", "text alone"}
        assert ends == {
            "vision tower": ("vision tower", "vision tower"),
            "text": ("text", "text"),
            "text<-vision tower": ("text", "vision tower"),
            "text alone": ("text alone", "text alone"),
        }
        seeing, alone = (trace.streams[name].hidden_states for name in ("text", "text alone"))
        np.testing.assert_array_equal(seeing[0], alone[0])
        assert np.abs(seeing[1] - alone[1]).max() > 0.1

    def test_both_numbers_are_the_published_models(self, model, example, trace, untouched):
        """The matching head's second output is a match; the cosine is what it gives instead."""
        inputs = model.family.inputs(example)
        with torch.inference_mode():
            scores = untouched(**inputs)["itm_score"][0]
            cosine = untouched(**inputs, use_itm_head=False)["itm_score"][0, 0]
        no_match, match = scores.softmax(dim=-1).tolist()

        assert dict(trace.prediction.top) == pytest.approx(
            {"match": match, "no match": no_match}, abs=1e-5
        )
        assert trace.prediction.similarity == pytest.approx(float(cosine), abs=1e-5)
        assert abs(match - no_match) > 0.01

    def test_the_likelier_comes_first(self, model):
        """Of several pictures, some match and some do not."""
        examples = [Example(random_picture((60, 90), seed=i), "red star") for i in range(8)]
        tops = [model.trace(one).prediction.top for one in examples]

        assert all(first[1] >= second[1] for first, second in tops)

    def test_a_batch_has_a_cosine_for_each(self, model):
        """And not of each text with each picture."""
        family, batch = model.family, self.batch(model.family)
        with torch.inference_mode():
            found = family.model(**batch)["similarity"]
            alone = family.model(
                **family.inputs(Example(random_picture(self.size, seed=0), self.question))
            )["similarity"]

        assert found.shape == (2,)
        torch.testing.assert_close(found[0], alone[0], atol=1e-5, rtol=0)

    def test_reading_twice_takes_no_second_set_of_weights(self, model):
        """The same parameters, and the same after a move to another precision."""
        network = model.family.model
        pairs = list(
            zip(network.text_encoder.parameters(), network.text_alone.parameters(), strict=True)
        )

        assert pairs
        assert all(one is other for one, other in pairs)
        assert not set(network.text_encoder.modules()) & set(network.text_alone.modules())

    def test_the_text_is_the_published_processors(self, model, example, published):
        """With [CLS] and [SEP] around it."""
        inputs = model.family.inputs(example)

        assert torch.equal(inputs["input_ids"], published["input_ids"])


KINDS = (BlipForQuestionAnswering, BlipForConditionalGeneration, BlipForImageTextRetrieval)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_runs(tmp_path, kind):
    """In bfloat16, what was generated included."""
    family = families.load(save(tmp_path, kind), {"dtype": torch.bfloat16})
    example = Example(random_picture((96, 96)), "a")
    inputs = vl_core.model.on_device(family, family.inputs(example))
    with torch.inference_mode():
        inputs = family.answered(inputs)
        outputs = family.model(**inputs)

    assert family.answer_logits(outputs).dtype == torch.bfloat16
    assert family.prediction(example, inputs, outputs).top


@pytest.mark.parametrize("kind", KINDS[:2])
def test_an_older_checkpoint_is_whole(tmp_path, kind):
    """It holds positions by number, and each of the tied weights only once."""
    save(tmp_path, kind)
    wanted = families.load(tmp_path).model.state_dict()
    weights = load_file(tmp_path / "model.safetensors")
    weights["text_decoder.bert.embeddings.position_ids"] = torch.arange(LIMIT)[None]
    tied = {"text_decoder.cls.predictions.decoder.bias", "text_decoder.cls.predictions.bias"}
    assert len(tied & weights.keys()) == 1
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    found = families.load(tmp_path).model.state_dict()

    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_a_head_that_is_not_covered_is_refused(tmp_path):
    """The two towers without a task."""
    save(tmp_path, BlipModel)

    with pytest.raises(ModelError, match=r"BlipModel, which is not covered.*BlipForQuestion"):
        families.load(tmp_path)


@pytest.mark.parametrize("size", [{"height": 42, "width": 56}, {"height": 70, "width": 70}])
def test_pictures_of_another_size_than_the_towers_are_refused(tmp_path, size):
    """A smaller one would be read with the wrong positions, without a word."""
    path = save(tmp_path, BlipForQuestionAnswering) / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"size": size}))

    with pytest.raises(ModelError, match=rf"pictures of {size['height']} x .* 56 x 56"):
        families.load(tmp_path)
