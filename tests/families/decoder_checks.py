"""What is checked of every decoder besides: that its answer is read as it was written."""

import json

import torch
from safetensors.torch import load_file, save_file

from tests.families.checks import FamilyChecks
from vl_core import families
from vl_core.families import generation
from vl_core.model import on_device


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


class DecoderChecks(FamilyChecks):
    """The checks of a family whose model writes its answer token by token."""

    def test_one_pass_reads_what_was_written_step_by_step(self, folder, example):
        """The model's own generation, with its memory and its masks, has the same logits."""
        family = families.load(folder)
        inputs = on_device(family, family.inputs(example))
        with torch.inference_mode():
            answered = family.answered(inputs)
            once = family.model(**answered)["logits"][0, :-1]
            steps = family.model.generate(
                **inputs,
                **generation.GREEDY,
                suppress_tokens=[family.model.config.image_token_id],
                output_logits=True,
                return_dict_in_generate=True,
            )

        assert torch.equal(steps.sequences, answered["input_ids"])
        assert (torch.cat(steps.logits) - once).abs().max() <= 1e-4
