"""What goes wrong is told by the name that the user gave, and by no folder of this machine."""

from pathlib import Path

import pytest
import torch

from vl_core.checkpoints import Checkpoint, told_by_name
from vl_core.checkpoints.telling import without_folders
from vl_core.errors import ModelError, TextError


@pytest.fixture
def snapshot(tmp_path):
    """A folder as the cache has it: reached by a link."""
    real = tmp_path / "blobs" / "abc"
    real.mkdir(parents=True)
    link = tmp_path / "snapshots"
    link.symlink_to(real)
    return Checkpoint(link, "someone/large", "0" * 40)


def test_the_folder_is_called_by_the_models_name(snapshot):
    """Wherever it stands in the sentence, by either of its paths; the kind of error stays."""
    for folder in (snapshot.path, snapshot.path.resolve()):
        with (
            pytest.raises(TextError, match=r"^someone/large has no someone/large/config\.json\.$"),
            told_by_name(snapshot),
        ):
            raise TextError(f"{folder} has no {folder}/config.json.")


def test_other_files_are_called_by_their_names_alone(snapshot):
    """Of libraries, say; addresses, shares and dates are no folders."""
    text = (
        "cannot import name 'x' from 'y' (/usr/lib/python3/y/__init__.py), see "
        "https://huggingface.co/docs/x and 3/4 of 24/07/2025; /srv/models/a.json: no such file"
    )

    assert without_folders(text, snapshot) == (
        "cannot import name 'x' from 'y' (__init__.py), see "
        "https://huggingface.co/docs/x and 3/4 of 24/07/2025; a.json: no such file"
    )


@pytest.mark.parametrize("name", ["/home/me/model", "./model", "model"])
def test_a_folder_that_the_user_named_stays_as_it_was_given(tmp_path, name):
    """It is the name of the model, and says nothing new."""
    checkpoint = Checkpoint(tmp_path, name, "local")

    with pytest.raises(ModelError) as caught, told_by_name(checkpoint):
        raise ModelError(f"{tmp_path} holds no checkpoint: /etc/x/config.json")

    assert str(caught.value) == f"{name} holds no checkpoint: config.json"


def test_a_word_that_is_a_folder_stays_a_word(tmp_path, monkeypatch):
    """A checkpoint in a folder called model has a file of that name."""
    monkeypatch.chdir(tmp_path)
    checkpoint = Checkpoint(Path("model"), "./model", "local")
    text = f"The file model.safetensors of the model in {tmp_path}/model is damaged."

    assert without_folders(text, checkpoint) == (
        "The file model.safetensors of the model in ./model is damaged."
    )


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_a_want_of_memory_says_so_and_what_to_do(snapshot, error):
    """It is not taken for damage."""
    with (
        pytest.raises(ModelError, match=r"not enough memory to load someone/large .* precision"),
        told_by_name(snapshot),
    ):
        raise error


def test_errors_of_our_own_pass(snapshot):
    """They belong in the log, with all that they say."""
    with pytest.raises(AttributeError, match="no attribute"), told_by_name(snapshot):
        raise AttributeError(f"{snapshot.path} has no attribute 'x'")
