"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL: blocks of patches, windows, positions, deepstack."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
)

import vl_core
from tests import probes
from tests.builders import random_picture
from tests.families import tiny
from tests.families.decoder_checks import DecoderChecks, assert_fed_as_published
from vl_core import families
from vl_core.errors import ImageError
from vl_core.example import Example
from vl_core.families import qwen_vl
from vl_core.model import on_device

# Built as the published ones are: a system prompt, then the picture's sign between two others.
TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message.role != 'system' %}<|im_start|>system\n:<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SIGNS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
VISION = {"depth": 4, "num_heads": 5}


def save(folder, config, model, vision, patch=14, **text):
    """3 layers of 6 heads behind a tower of 4 layers and 5 heads."""
    tokenizer = tiny.qwen(*SIGNS)
    tokenizer.chat_template = TEMPLATE
    numbers = dict(zip(SIGNS, tokenizer.convert_tokens_to_ids(SIGNS), strict=True))
    rope = {"rope_type": "default", "rope_theta": 10000.0}
    language = tiny.language(tokenizer)
    made = config(
        text_config=language | {"rope_parameters": rope | {"mrope_section": [2, 1, 1]}} | text,
        vision_config=VISION | vision,
        image_token_id=numbers["<|image_pad|>"],
        video_token_id=numbers["<|video_pad|>"],
        vision_start_token_id=numbers["<|vision_start|>"],
        vision_end_token_id=numbers["<|vision_end|>"],
    )
    tiny.sharpened(model(made)).save_pretrained(folder)
    Qwen2VLImageProcessorPil(patch_size=patch).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_qwen2(folder):
    """A tower that looks at the whole picture, its blocks one after another."""
    vision = {"embed_dim": 40, "hidden_size": 48, "mlp_ratio": 2}
    return save(folder, Qwen2VLConfig, Qwen2VLForConditionalGeneration, vision)


def save_qwen2_5(folder):
    """Windows of 2 x 2 blocks in all layers but the third."""
    vision = {
        "hidden_size": 40,
        "intermediate_size": 24,
        "out_hidden_size": 48,
        "window_size": 56,
        "fullatt_block_indexes": [2],
    }
    return save(folder, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, vision)


def save_qwen3(folder):
    """Two layers of the tower are added in again, after layers 1 and 2; patches of 16 pixels."""
    vision = {
        "hidden_size": 40,
        "intermediate_size": 24,
        "out_hidden_size": 48,
        "num_position_embeddings": 36,
        "deepstack_visual_indexes": [0, 2],
    }
    config, model = Qwen3VLConfig, Qwen3VLForConditionalGeneration
    return save(folder, config, model, vision, patch=16, head_dim=8)


@pytest.fixture(scope="module", autouse=True)
def _short_answers():
    """Six tokens are an answer here; a random model says no sensible one and does not end."""
    load = qwen_vl.load
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qwen_vl, "load", lambda *asked: load(*asked).with_longest_answer(6))
        yield


def positions(family, run):
    """What the language model is told of each token's place: 3 x token, over all calls."""
    told = []
    rotary = family.model.get_submodule("model.language_model.rotary_emb")
    handle = rotary.register_forward_pre_hook(
        lambda _, args, kwargs: told.append(kwargs.get("position_ids", args[-1])), with_kwargs=True
    )
    try:
        with torch.inference_mode():
            run()
    finally:
        handle.remove()
    return torch.cat([call[:, 0] for call in told], dim=1)


def assert_same(trace, other):
    """Two traces that show the same, up to the rounding of half precision."""
    assert [word for word, _ in trace.prediction.top] == [word for word, _ in other.prediction.top]
    assert set(trace.streams) == set(other.streams)
    for name, stream in trace.streams.items():
        theirs = other.streams[name].hidden_states
        np.testing.assert_allclose(stream.hidden_states, theirs, atol=1e-2)
    for name, stack in trace.stacks.items():
        for layer in range(stack.n_layers):
            theirs = other.stacks[name].weights[layer]
            np.testing.assert_allclose(stack.weights[layer], theirs, atol=1e-3)


class QwenChecks(DecoderChecks):
    """What the three have in common."""

    size = (165, 95)
    processor: ClassVar
    patch: ClassVar = 14

    @pytest.mark.parametrize("size", [(330, 190), (61, 97), (31, 300), (16, 19)])
    def test_inputs_are_those_of_the_published_processor(self, folder, size):
        """From the same messages the same tokens, kinds of tokens and patches."""
        family = families.load(folder)
        processor = tiny.without_video(self.processor)(
            family.image_processor, family.tokenizer, chat_template=TEMPLATE
        )

        assert_fed_as_published(family, processor, self.question, random_picture(size))

    def test_the_picture_as_seen_is_the_resized_original(self, model, example):
        """Its sides are whole blocks: 2 patches."""
        seen = model.family.seen(example)
        block = 2 * self.patch
        wanted = tuple(round(side / block) * block for side in self.size)

        assert seen.size == wanted
        resized = example.image.resize(wanted, Image.Resampling.BICUBIC)
        np.testing.assert_allclose(np.asarray(seen, int), np.asarray(resized, int), atol=1)

    def test_the_language_model_reads_the_blocks_line_by_line(self, trace):
        """Between the signs for where a picture starts and ends, which are no part of it."""
        tokens = trace.streams["language"].tokens
        columns, rows = (round(side / (2 * self.patch)) for side in self.size)
        start = int(tokens.is_image.argmax())
        read = tokens.chosen(slice(start, start + rows * columns))

        assert tokens.is_image.sum() == rows * columns
        assert read.is_image.all()
        around = tokens.chosen(np.array([start - 1, start + rows * columns]))
        assert around.texts == ("<|vision_start|>", "<|vision_end|>")
        assert around.kinds == ("special", "special")
        width, height = self.size[0] / columns, self.size[1] / rows
        for line, column in ((0, 0), (0, 1), (1, 0), (rows - 1, columns - 1)):
            wanted = [column * width, line * height, (column + 1) * width, (line + 1) * height]
            np.testing.assert_allclose(read.boxes[line * columns + column], wanted)

    def test_another_order_would_be_noticed(self, model, example, trace):
        """The probe of places is sharp: were the tower's patches line by line, it would fail."""
        tokens = trace.streams["vision tower"].tokens
        lines = tokens.chosen(np.lexsort((tokens.boxes[:, 0], tokens.boxes[:, 1])))

        assert probes.pass_rate(model, example, lines, "vision tower") < 0.5

    def test_positions_are_the_models_own(self, model, example):
        """While it generates and in the one pass over all, they are as counted by hand."""
        family = model.family
        inputs = on_device(family, family.inputs(example))
        found = {}
        generating = positions(family, lambda: found.update(inputs=family.answered(inputs)))
        reading = positions(family, lambda: family.model(**found["inputs"]))

        # The last token of the answer is read in the one pass only.
        assert torch.equal(generating, reading[:, :-1])
        is_patch = found["inputs"]["mm_token_type_ids"][0].bool()
        start, count = int(is_patch.int().argmax()), int(is_patch.sum())
        columns, rows = (round(side / (2 * self.patch)) for side in self.size)
        before = torch.arange(start).expand(3, -1)
        line, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        picture = torch.stack([torch.zeros(count, dtype=int), line.flatten(), column.flatten()])
        after = torch.arange(reading.shape[1] - start - count).expand(3, -1)
        wanted = [before, picture + start, after + start + max(rows, columns)]
        assert torch.equal(reading, torch.cat(wanted, dim=1))

    def test_nothing_is_left_of_an_earlier_picture(self, model, example, trace):
        """A picture of another shape, text alone and a question again: the first trace again."""
        other = Example(random_picture((70, 140), seed=3), "is this a red star?")
        assert_same(model.trace(example), trace)
        model.trace(other)
        model.trace(Example(None, self.question))

        assert_same(model.trace(example), trace)

    def test_threads_do_not_hear_each_other(self, model):
        """Three threads, two pictures of different shape in turn, one model."""
        examples = [
            Example(random_picture(size, seed=seed), "is this a red star?")
            for seed, size in enumerate([(70, 140), (110, 60)])
        ]
        alone = [model.trace(example) for example in examples]
        with ThreadPoolExecutor(3) as threads:
            together = list(threads.map(model.trace, examples * 2))

        for i, trace in enumerate(together):
            assert_same(trace, alone[i % 2])

    def test_pictures_are_bounded(self, folder):
        """However large, a picture makes at most 1280 tokens, and the trace's file says so."""
        family = families.load(folder)
        family.image_processor.size["longest_edge"] = 10**8
        qwen_vl._bound(family.image_processor)
        area = (2 * self.patch) ** 2

        for size in ((1700, 1200), (900, 2400), (16, 3000)):
            grid = family.reading(random_picture(size)).features["image_grid_thw"]
            assert grid.prod() // 4 <= 1280
        assert family.preprocessing()["max_pixels"] == 1280 * area
        assert family.preprocessing()["image_processor"]["size"]["longest_edge"] == 1280 * area

    def test_what_the_checkpoint_allows_is_not_widened(self, folder, tmp_path):
        """A lower bound of the checkpoint's own stays; it may name the fast processor."""
        for file in folder.iterdir():
            (tmp_path / file.name).symlink_to(file)
        path = tmp_path / "preprocessor_config.json"
        settings = json.loads(path.read_text())
        del settings["size"]
        settings |= {"min_pixels": 4000, "max_pixels": 50000}
        settings["image_processor_type"] = "Qwen2VLImageProcessorFast"
        path.unlink()
        path.write_text(json.dumps(settings))

        family = families.load(tmp_path)

        assert family.preprocessing()["max_pixels"] == 50000
        _, rows, columns = family.reading(random_picture(self.size)).features["image_grid_thw"][0]
        assert rows * columns * self.patch**2 <= 50000

    def test_pictures_that_are_all_length_are_refused(self, model):
        """With what came, what is wanted and what to do."""
        narrow = Example(random_picture((3205, 16)), self.question)

        with pytest.raises(ImageError, match=r"3205 x 16 pixels.*200 times.*Crop"):
            model.trace(narrow)


class TestQwen2(QwenChecks):
    """Blocks of 2 x 2 patches one after another."""

    processor = Qwen2VLProcessor

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save_qwen2(tmp_path_factory.mktemp("qwen2"))

    def test_the_towers_order(self, model):
        """By hand for 4 x 6 patches."""
        config = model.family.model.config.vision_config
        order = qwen_vl.tower_order(config, torch.tensor([[1, 4, 6]]))

        above = [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]
        assert order.tolist() == above + [12 + i for i in above]

    def test_configurations_are_read_as_published(self, folder, tmp_path, example, trace):
        """Flat, with "mrope" for a kind of positions, and of the tower hardly more than sizes."""
        config = json.loads((folder / "config.json").read_text())
        for file in folder.iterdir():
            if file.name != "config.json":
                (tmp_path / file.name).symlink_to(file)
        text, vision = config.pop("text_config"), config["vision_config"]
        rope = text.pop("rope_parameters")
        for name in ("model_type", "layer_types"):
            text.pop(name)
        for name in ("model_type", "rope_parameters"):
            vision.pop(name)
        flat = {
            "rope_theta": rope["rope_theta"],
            "rope_scaling": {"type": "mrope", "mrope_section": rope["mrope_section"]},
            "tie_word_embeddings": False,
        }
        (tmp_path / "config.json").write_text(json.dumps(text | config | flat))

        assert_same(vl_core.load(str(tmp_path)).trace(example), trace)

    def test_placeholders_are_never_said(self, folder, example):
        """However likely: nothing of a picture would stand behind them."""
        family = families.load(folder)
        number = family.model.config.image_token_id

        def insist(_module, _args, logits):
            logits[..., number] = 1000

        family.model.lm_head.register_forward_hook(insist)
        with torch.inference_mode():
            inputs = family.answered(family.inputs(example))
            family.model(**inputs)

        kinds = inputs["mm_token_type_ids"]
        assert (inputs["input_ids"] == number).sum() == kinds.sum() == 18


class TestQwen25(QwenChecks):
    """The same, and window after window."""

    processor = Qwen2_5_VLProcessor

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save_qwen2_5(tmp_path_factory.mktemp("qwen2_5"))

    def test_the_towers_order(self, model):
        """By hand for 4 x 6 patches: a window of 2 x 2 blocks, then one of 2 x 1."""
        config = model.family.model.config.vision_config
        order = qwen_vl.tower_order(config, torch.tensor([[1, 4, 6]]))

        first = [0, 1, 6, 7, 2, 3, 8, 9]
        last = [4, 5, 10, 11]
        assert order.tolist() == [
            *first,
            *(12 + i for i in first),
            *last,
            *(12 + i for i in last),
        ]

    def test_layers_look_within_windows_but_one(self, trace):
        """A patch looks at its own window of the picture only, in the third layer at all of it."""
        stack = trace.stacks["vision tower"]
        # Of 6 x 3 blocks two across and two down make a window.
        window = np.floor(stack.keys.boxes[:, :2] / (165 / 3, 95 / 1.5) + 1e-6)
        is_own = (window[:, None] == window).all(axis=-1)

        assert [len(layer) for layer in stack.blocks] == [6, 6, 1, 6]
        for layer in (0, 1, 3):
            np.testing.assert_array_equal(stack.allowed(layer), is_own)
            assert not stack.weights[layer][:, ~is_own].any()
        assert stack.allowed(2).all()


class TestQwen3(QwenChecks):
    """Deepstack, and positions in the tower's embeddings."""

    processor = Qwen3VLProcessor
    patch = 16

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        """A tiny random checkpoint."""
        return save_qwen3(tmp_path_factory.mktemp("qwen3"))

    def test_states_hold_what_deepstack_adds(self, folder, example, trace):
        """State k is layer k's output, on patches with what the tower's merger k made of it."""
        plain = families.load(folder)
        outputs = {}
        for name in (
            *(f"model.language_model.layers.{i}" for i in range(3)),
            *(f"model.visual.deepstack_merger_list.{i}" for i in range(2)),
        ):
            plain.model.get_submodule(name).register_forward_hook(
                lambda *call, name=name: outputs.update({name: call[-1].squeeze(0)})
            )
        with torch.inference_mode():
            inputs = plain.answered(plain.inputs(example))
            plain.model(**inputs)

        states = trace.streams["language"].hidden_states
        is_image = trace.streams["language"].tokens.is_image
        for k in (1, 2, 3):
            wanted = outputs[f"model.language_model.layers.{k - 1}"].clone()
            if k < 3:
                added = outputs[f"model.visual.deepstack_merger_list.{k - 1}"]
                assert added.abs().max() > 0.1
                wanted[torch.from_numpy(is_image.copy())] += added
            close = 2e-3 * float(wanted.abs().max())  # states are kept in half precision
            np.testing.assert_allclose(states[k], wanted.numpy(), atol=close)
