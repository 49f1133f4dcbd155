"""Which files of a checkpoint are read, and whether they are whole."""

import json
import shutil

import pytest

from vl_core.checkpoints import files
from vl_core.errors import ModelError
from vl_core.families.kdvlp import KDVLPForTasks


@pytest.fixture
def own(folder, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(folder, tmp_path / "own")


@pytest.fixture
def sharded(folder, tmp_path):
    """The same weights over several files."""
    target = shutil.copytree(folder, tmp_path / "sharded")
    (target / files.WEIGHTS).unlink()
    KDVLPForTasks.from_pretrained(folder).save_pretrained(target, max_shard_size="40KB")
    return target


def test_settings_are_chosen_by_name_and_never_hold_code_or_pickles():
    """What from_pretrained reads beside weights, also of InstructBLIP's second tokenizer."""
    wanted = [
        "config.json",
        "generation_config.json",
        "preprocessor_config.json",
        "video_preprocessor_config.json",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "tokenizer.model",
        "spiece.model",
        "chat_template.jinja",
        "chat_template.json",
        "vocab.txt",
        "merges.txt",
        "qformer_tokenizer/tokenizer.json",
    ]
    others = [
        "pytorch_model.bin",
        "tokenizer.pkl",
        "tokenizer_code.py",
        "modeling.py",
        "vocab.pt",
        "model.onnx",
        "onnx/config.json",
        "model.gguf",
        "README.md",
        "model.safetensors",
        "original/tokenizer.model",
        "../config.json",
        "training.json",
    ]

    assert files.settings([*wanted, *others]) == wanted


def test_what_is_read_of_a_folder_are_weights_and_settings(folder):
    """Notes, code, pickles and other formats beside them are not."""
    assert files.read(folder) == [
        "config.json",
        "model.safetensors",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_one_file_of_weights_or_those_of_the_index(folder, sharded):
    """Several shards, each named once."""
    assert files.weights(folder) == [folder / files.WEIGHTS]
    parts = files.weights(sharded)
    assert len(parts) > 2
    assert parts == sorted(sharded.glob("model-*.safetensors"))
    assert files.is_complete(folder)
    assert files.is_complete(sharded)


@pytest.mark.parametrize("kept", [0, 7, 1000, -1])
def test_weights_that_are_cut_short_are_refused(own, kept):
    """Nothing, half a length, half a header, one byte too few."""
    content = (own / files.WEIGHTS).read_bytes()
    (own / files.WEIGHTS).write_bytes(content[:kept])

    with pytest.raises(ModelError, match="damaged"):
        files.weights(own)
    assert not files.is_complete(own)


def test_a_missing_shard_is_refused(sharded):
    """The index names it, the folder lacks it."""
    files.weights(sharded)[1].unlink()

    with pytest.raises(ModelError, match=r"model-00002-of-.*missing"):
        files.weights(sharded)
    assert not files.is_complete(sharded)


def test_a_folder_without_configuration_is_incomplete(own):
    """Weights alone are no checkpoint."""
    (own / "config.json").unlink()

    assert not files.is_complete(own)


def test_pickled_weights_are_refused_with_the_reason(own):
    """A folder that has nothing else."""
    (own / files.WEIGHTS).unlink()

    with pytest.raises(ModelError, match="can run code"):
        files.weights(own)


@pytest.mark.parametrize(
    "index",
    [
        "",
        "[]",
        "{}",
        '{"weight_map": []}',
        '{"weight_map": {}}',
        '{"weight_map": {"a": 1}}',
        json.dumps({"weight_map": {"a": "../../secret.safetensors"}}),
        json.dumps({"weight_map": {"a": "/secret.safetensors"}}),
        json.dumps({"weight_map": {"a": "weights.bin"}}),
    ],
)
def test_an_index_that_names_anything_but_neighbours_is_refused(tmp_path, index):
    """It comes from strangers: no path, no pickle, nothing malformed."""
    (tmp_path / files.INDEX).write_text(index)

    with pytest.raises(ModelError, match=r"index\.json"):
        files.shards(tmp_path / files.INDEX)
