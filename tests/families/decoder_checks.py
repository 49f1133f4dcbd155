"""What is checked of every decoder besides: that its answer is read as it was written."""

import json

import torch
from safetensors.torch import load_file, save_file

from tests.families.checks import FamilyChecks
from vl_core import families
from vl_core.example import Example
from vl_core.model import on_device

# What checkpoints ask for beside the likeliest token.
DEMANDS = {
    "do_sample": True,
    "temperature": 0.1,
    "top_k": 1,
    "top_p": 0.001,
    "num_beams": 3,
    "num_return_sequences": 2,
    "length_penalty": -2.0,
    "repetition_penalty": 9.0,
    "no_repeat_ngram_size": 1,
    "min_new_tokens": 3,
    "max_length": 7,
}


def as_published(folder, target, processor, renamed=("", "")):
    """A copy of a checkpoint with the names that files on the Hub have.

    processor: what its image processor is called. renamed: how names of some weights begin here,
    and there.
    """
    for file in folder.iterdir():
        if file.name not in {"model.safetensors", "preprocessor_config.json"}:
            (target / file.name).symlink_to(file)
    weights = load_file(folder / "model.safetensors")
    here, there = renamed
    save_file(
        {
            there + name.removeprefix(here) if name.startswith(here) else name: value
            for name, value in weights.items()
        },
        target / "model.safetensors",
        metadata={"format": "pt"},
    )
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    settings["image_processor_type"] = processor
    (target / "preprocessor_config.json").write_text(json.dumps(settings))
    return target


def assert_same(folder, other, example):
    """Two checkpoints that are fed the same and say the same."""
    one, two = (families.load(path) for path in (folder, other))
    inputs = [family.inputs(example) for family in (one, two)]
    assert set(inputs[0]) == set(inputs[1])
    assert all(torch.equal(value, inputs[1][name]) for name, value in inputs[0].items())
    with torch.inference_mode():
        logits = [family.model(**inputs[0])["logits"] for family in (one, two)]
    assert torch.equal(*logits)


def assert_fed_as_published(family, processor, question, picture):
    """From the same messages the published processor makes the same inputs, none left out."""
    content = [] if picture is None else [{"type": "image", "image": picture}]
    wanted = processor.apply_chat_template(
        [{"role": "user", "content": [*content, {"type": "text", "text": question}]}],
        tokenize=True,
        add_generation_prompt=True,
        return_dict=True,
        return_tensors="pt",
    )
    came = family.inputs(Example(picture, question))

    assert set(came) == set(wanted)
    for name, value in wanted.items():
        assert torch.equal(came[name], value), name


def likeliest(family):
    """How a published class is told to take the likeliest token, one after another."""
    return {"max_new_tokens": family.longest_answer, "do_sample": False, "num_beams": 1}


def demanding(folder, target, **demands):
    """A copy of a checkpoint that asks for all sorts of things in its answers."""
    for file in folder.iterdir():
        if file.name != "generation_config.json":
            (target / file.name).symlink_to(file)
    settings = json.loads((folder / "generation_config.json").read_text())
    (target / "generation_config.json").write_text(json.dumps(settings | DEMANDS | demands))
    return target


class DecoderChecks(FamilyChecks):
    """The checks of a family whose model writes its answer token by token."""

    def test_one_pass_reads_what_was_written_step_by_step(self, folder, example):
        """The published class's own generation, with its memory and masks, has the same logits."""
        family = families.load(folder)
        published = type(family.model).from_pretrained(folder).eval()
        inputs = on_device(family, family.inputs(example))
        with torch.inference_mode():
            answered = family.answered(inputs)
            once = family.model(**answered)["logits"][0, :-1]
            steps = published.generate(
                **inputs,
                **likeliest(family),
                suppress_tokens=[family.model.config.image_token_id],
                output_logits=True,
                return_dict_in_generate=True,
            )

        assert torch.equal(steps.sequences, answered["input_ids"])
        assert (torch.cat(steps.logits) - once).abs().max() <= 1e-4

    def test_only_the_likeliest_token_is_ever_said(self, folder, tmp_path, example):
        """Whatever the checkpoint asks for: lengths, beams, penalties, words that it forbids."""
        said = self.answer(families.load(folder), example)
        words = {"bad_words_ids": [[said[0]]], "begin_suppress_tokens": [said[0]]}
        family = families.load(demanding(folder, tmp_path, forced_eos_token_id=said[0], **words))
        with torch.inference_mode():
            inputs = on_device(family, family.inputs(example))
            logits = family.model(**family.answered(inputs))["logits"][0, :-1]
            logits[:, family.model.config.image_token_id] = -torch.inf  # which is never said

        assert self.answer(family, example) == said
        assert logits.argmax(dim=-1).tolist() == said

    def answer(self, family, example):
        """What is generated, by number."""
        inputs = on_device(family, family.inputs(example))
        with torch.inference_mode():
            answered = family.answered(inputs)
        return answered["input_ids"][0, inputs["input_ids"].shape[1] :].tolist()
