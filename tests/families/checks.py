"""What is checked of every family, on a tiny random checkpoint loaded as any other.

    class TestLlava(FamilyChecks):
        @pytest.fixture(scope="class")
        @classmethod
        def folder(cls, tmp_path_factory):
            return save(tmp_path_factory.mktemp("llava"))

A family whose streams, pictures or questions differ says so in its class's constants.
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import vl_core
from pages.shared import session
from tests import probes
from tests.builders import random_picture
from vl_core import capture, families
from vl_core.capture.tap import tapped
from vl_core.example import Example
from vl_core.model import Model, attention_modules, on_device

EVERYTHING = slice(None)
APP = str(Path(__file__).parents[2] / "streamlit_app.py")
PAGES = [f"pages/{name}.py" for name in ("overview", "heads", "attention", "hidden_states")]


class FamilyChecks:
    """The checks, each on the model in the folder that the fixture of that name gives."""

    size: ClassVar = (330, 190)  # of the picture: not square, sides no multiples of a patch
    question: ClassVar = "what color is the zebra?"
    reads_text_alone: ClassVar = True
    # For each stream with patches, which share of them reacts most to its own part of the picture.
    pass_rates: ClassVar = {"language": 1.0, "vision tower": 1.0}
    off_centre: ClassVar = 1.0  # pixels that the middle of a patch's box may be off

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, folder) -> Model:
        """The checkpoint, loaded as a user loads it."""
        return vl_core.load(str(folder))

    @pytest.fixture(scope="class")
    @classmethod
    def example(cls) -> Example:
        """A picture of noise and a question."""
        return cls.asked(cls.question)

    @classmethod
    def asked(cls, question, seed=0) -> Example:
        """This question about a picture of noise."""
        return Example(random_picture(cls.size, seed=seed), question)

    @pytest.fixture(scope="class")
    @classmethod
    def trace(cls, model, example):
        """All that a run left."""
        return model.trace(example)

    def test_capture_changes_nothing_and_is_the_models_own(self, trace):
        """At load and on the run; the stored queries and keys give back the output."""
        figures = trace.provenance.fidelity

        assert figures["weights_vs_eager"] <= 1e-5
        assert figures["output_on_off"] <= 1e-5
        assert figures["row_reconstruction"] <= 2e-3

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_half_precision_is_what_transformers_makes_of_it(self, folder, dtype):
        """Every weight and buffer, in type and value, though torch's default is left alone."""
        found = families.load(folder, {"dtype": dtype}).model
        wanted = type(found).from_pretrained(folder, dtype=dtype)

        loaded = dict(found.named_parameters()) | dict(found.named_buffers())
        for name, value in (*wanted.named_parameters(), *wanted.named_buffers()):
            assert loaded[name].dtype == value.dtype, name
            assert torch.equal(loaded[name], value), name

    def test_every_evaluation_is_captured_as_the_tap_sees_it(self, folder, model):
        """Live to 1e-5 and as stored to 2e-3, in a batch of two of which one is padded."""
        plain = families.load(folder)
        inputs = on_device(plain, self.batch(plain))
        torch.manual_seed(0)
        with torch.inference_mode(), tapped(plain.model) as matrices:
            plain.model(**inputs)
        torch.manual_seed(0)
        with torch.inference_mode(), capture.recording(model.family.model) as recorder:
            model.family.model(**inputs)

        assert set(recorder.evaluations) == set(matrices)
        for name, seen in matrices.items():
            for evaluation, weights in zip(recorder.evaluations[name], seen, strict=True):
                live = evaluation.rows(EVERYTHING, EVERYTHING)
                has_keys = live.sum(dim=-1, keepdim=True) > 0
                assert ((live - weights).abs() * has_keys).max() <= 1e-5, name
                stored = capture.keeping.block(evaluation).kept.rows(EVERYTHING, EVERYTHING)
                assert np.abs(stored - live.numpy()).max() <= 2e-3, name

    @pytest.mark.parametrize(("precision", "row_error"), [("bfloat16", 3e-3), ("float16", 2e-3)])
    def test_half_precision_is_captured_as_exactly(self, folder, example, precision, row_error):
        """Weights to 1e-5 of what the model's queries and keys give in float32, also in a batch.

        Whatever part of it a model keeps in float32, it is fed in its own precision. row_error:
        outputs of attention in bfloat16 are themselves rounded by 2e-3.
        """
        trace = vl_core.load(str(folder), precision=precision).trace(example)
        dtype = getattr(torch, precision)
        plain = families.load(folder, {"dtype": dtype})
        inputs = on_device(plain, self.batch(plain))
        assert {one.dtype for one in inputs.values() if one.is_floating_point()} <= {dtype}
        modules = attention_modules(plain, trace.streams)

        # Refuses a model whose outputs change by more than some of its last digits.
        batch = capture.measured_at_load(plain.model, inputs, modules)

        assert trace.provenance.dtype == precision
        for figures in (trace.provenance.fidelity, batch):
            assert figures["weights_vs_eager"] <= 1e-5
        assert trace.provenance.fidelity["row_reconstruction"] <= row_error

    def batch(self, family):
        """Two questions of different length about two pictures, the shorter one padded."""
        twice = f"{self.question} {self.question}"
        examples = [self.asked(self.question), self.asked(twice, seed=1)]
        return probes.padded([family.inputs(example) for example in examples])

    def test_all_attention_has_a_place_in_a_stack(self, model, trace):
        """Every module that is placed is a layer of a stack; streams are as long as said."""
        modules = attention_modules(model.family, trace.streams)
        layers = sum(stack.n_layers for stack in trace.stacks.values())

        assert layers == sum(len(model.family.places(name)) for name in modules)

    def test_streams_keep_their_states(self, model, trace):
        """Each stream with doors has its embeddings and a state after each layer, not all alike."""
        doors = model.family.doors()

        for name, stream in trace.streams.items():
            states = stream.hidden_states
            assert len(states) == len(doors.get(name, ()))
            for before, after in pairwise(states):
                assert np.abs(after - before).max() > 1e-3

    def test_the_question_is_found_in_the_prompt(self, trace):
        """Text tokens stand for the characters of the question, all of them and in order."""
        tables = [stream.tokens for stream in trace.streams.values()]
        spans = np.concatenate([table.spans[table.spans[:, 0] >= 0] for table in tables])

        covered = {c for start, end in spans for c in range(start, end)}
        wanted = {i for i, c in enumerate(self.question) if c != " "}
        assert covered >= wanted
        for table in tables:
            assert all(table.kinds[i] == "text" for i in np.flatnonzero(table.spans[:, 0] >= 0))

    def test_tokens_are_called_by_what_they_stand_for(self, trace):
        """Not by a vocabulary's signs for blanks, bytes, ends of words and pieces of them."""
        strange = re.compile(r"[ĠĊ▁]|^##.|</w>|<0x..>")
        texts = [text for stream in trace.streams.values() for text in stream.tokens.texts]

        assert [text for text in texts if strange.search(text)] == []
        assert all(text.strip() for text in texts)

    def test_patches_lie_where_the_model_sees_them(self, model, example, trace, record_property):
        """Inverting the pixels of a patch changes its own token more than any other of its view."""
        for stream, wanted in self.pass_rates.items():
            rate = probes.pass_rate(model, example, trace.streams[stream].tokens, stream)
            record_property("measured", f"{model.family.name}, {stream}: {rate:.0%} of patches")
            assert rate >= wanted, stream

    def test_boxes_are_centred_on_what_the_model_sees(self, model, example, trace, record_property):
        """A picture of coordinates, read back from the pixels that each patch is made of."""
        for stream in self.pass_rates:
            tokens = trace.streams[stream].tokens
            errors = probes.centre_errors(model, example, tokens, stream)
            rate, worst = np.mean(errors <= self.off_centre), errors.max()
            said = f"{rate:.0%} centred, at most {worst:.2f} pixels off"
            record_property("measured", f"{model.family.name}, {stream}: {said}")
            assert rate == 1, (stream, worst)

    def test_the_answer_is_the_plain_models(self, folder, trace, example):
        """Capture changes no word of it and no probability."""
        plain = families.load(folder)
        with torch.inference_mode():
            inputs = plain.answered(on_device(plain, plain.inputs(example)))
            outputs = plain.model(**inputs)
        expected = plain.prediction(example, inputs, outputs)

        assert trace.prediction.kind == expected.kind
        assert trace.prediction.text == expected.text
        assert [name for name, _ in trace.prediction.top] == [name for name, _ in expected.top]
        np.testing.assert_allclose(
            [value for _, value in trace.prediction.top],
            [value for _, value in expected.top],
            atol=1e-4,
        )

    def test_a_trace_takes_no_more_than_was_estimated(self, model, example, trace):
        """Before anything was run, whatever the model generates."""
        assert trace.n_bytes <= model.estimate(example).total

    def test_a_trace_outlives_its_file(self, trace, tmp_path):
        """Saved and loaded it shows the same."""
        trace.save(tmp_path / "a.safetensors")
        loaded = vl_core.Trace.load(tmp_path / "a.safetensors")

        assert loaded.prediction == trace.prediction
        for name, stack in trace.stacks.items():
            np.testing.assert_array_equal(loaded.stacks[name].weights[0], stack.weights[0])

    def test_all_pages_open_on_it(self, trace, monkeypatch):
        """With every stack chosen, no page has anything to complain of."""
        shown = f"{type(self).__module__} {type(self).__name__}"
        monkeypatch.setattr(session, "_shown", lambda: (shown, trace))
        app = AppTest.from_file(APP, default_timeout=120).run()
        for name in trace.stacks:
            app.session_state["selection"] = {"stack": name}
            for page in PAGES:
                app.switch_page(page).run()
                assert not app.exception, (page, name)
                assert not app.error, (page, name, app.error[0].value)

    def test_text_alone(self, model):
        """Without a picture there are words only, or a sentence that says why not."""
        words = Example(None, self.question)
        if self.reads_text_alone:
            tables = [stream.tokens for stream in model.trace(words).streams.values()]
            assert not any(table.is_image.any() for table in tables)
        else:
            with pytest.raises(vl_core.errors.ImageError, match="picture"):
                model.trace(words)
