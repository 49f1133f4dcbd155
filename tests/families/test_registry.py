"""Checkpoints are told by their model_type, or refused in a sentence."""

import json
import shutil
from collections.abc import Callable

import pytest

from tests.checkpoints import save_kdvlp
from vl_core import families
from vl_core.errors import ModelError


def test_a_checkpoint_is_loaded_by_its_type(tmp_path):
    """The adapter of the architecture that config.json names."""
    family = families.load(save_kdvlp(tmp_path))

    assert isinstance(family, families.Family)
    assert family.name == "kdvlp"


def test_other_architectures_are_refused_with_what_is_covered(tmp_path):
    """The message says what came and what there is."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "perceiver"}))

    with pytest.raises(ModelError, match=r"'perceiver', which is not covered. Covered: .*kdvlp"):
        families.load(tmp_path)


@pytest.mark.parametrize("found", families.AUTHORS_OWN)
def test_formats_that_need_their_authors_code_are_refused_with_the_one_that_does_not(found):
    """Whoever has such a checkpoint has a covered one within reach."""
    with pytest.raises(ModelError, match=r"its name ends in -hf"):
        families.covered(found, "someone/their-model")


@pytest.mark.parametrize("config", [None, "", "{", "[]", "{}"])
def test_what_is_no_checkpoint_is_refused(tmp_path, config):
    """A folder without a readable config.json holds no model."""
    if config is not None:
        (tmp_path / "config.json").write_text(config)

    with pytest.raises(ModelError):
        families.load(tmp_path)


@pytest.mark.parametrize("damage", ["missing", "cut short", "incomplete"])
def test_damaged_weights_are_refused(tmp_path, damage):
    """No weights, half a file, or weights of another size: never a partly random model."""
    folder = save_kdvlp(tmp_path / "model")
    weights = folder / "model.safetensors"
    if damage == "missing":
        weights.unlink()
    elif damage == "cut short":
        weights.write_bytes(weights.read_bytes()[:5000])
    else:
        smaller = save_kdvlp(tmp_path / "smaller", num_hidden_layers=2)
        shutil.copy(smaller / "model.safetensors", weights)

    with pytest.raises(ModelError, match="cannot be loaded"):
        families.load(folder)


def edited(file: str, **entries: object) -> Callable[[dict], str]:
    """A damage: these entries of a JSON file, or of its image processor, are others."""

    def edit(content):
        content.get("image_processor", content).update(entries)
        return json.dumps(content)

    return file, edit


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (edited("config.json", num_hidden_layers="six"), "str"),
        (edited("config.json", hidden_size=None), "None"),
        (edited("config.json", num_attention_heads=0), "zero"),
        (edited("config.json", num_hidden_layers=2), "weights are unexpected"),
        (edited("config.json", num_hidden_layers=4), "weights are missing"),
        (edited("config.json", position_code="x"), "position_code is 'x', wanted one of centred"),
        (edited("config.json", norm_order="x"), "norm_order is 'x', wanted one of pre, post"),
        (edited("config.json", backbone="x"), "backbone is 'x', wanted one of cells, resnet"),
        (edited("config.json", id2label=[]), "list"),
        (edited("processor_config.json", stride=8), "stride is 8 .* 16"),
        (edited("processor_config.json", max_cells=9999), "max_cells is 9999 .* 8"),
        (("processor_config.json", lambda _: "[]"), "list"),
        (("tokenizer_config.json", lambda _: "[]"), "list"),
        (("tokenizer.json", lambda _: "[]"), ""),
    ],
)
def test_damaged_files_are_refused(tmp_path, damage, message):
    """Files that are no longer what they were, or that contradict each other, load no model."""
    folder = save_kdvlp(tmp_path)
    file, edit = damage
    path = folder / file
    path.write_text(edit(json.loads(path.read_text())))

    with pytest.raises(ModelError, match=f"cannot be loaded: .*{message}"):
        families.load(folder)
