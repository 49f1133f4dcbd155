"""Repositories that hold pickles: the hub's own conversion of them, and nobody else's."""

import pytest
from huggingface_hub import constants

from tests.hub import REPOSITORY, files_of
from vl_core.checkpoints import find, is_cached
from vl_core.errors import ModelError

REQUEST = "refs/pr/15"


@pytest.fixture
def pickled(hub, folder):
    """The hub, with a model whose weights are a pickle: its files."""
    files = files_of(folder)
    del files["model.safetensors"]
    hub.publish(REPOSITORY, files)
    return files


def offer(hub, folder, author="SFconvertbot", **changes):
    """A pull request that adds safetensors."""
    hub.converters[REPOSITORY] = (author, 15)
    return hub.publish(REPOSITORY, files_of(folder) | changes, ref=REQUEST)


def test_the_converters_safetensors_are_fetched(hub, pickled, folder):
    """Under the name of the model, from the commit of the pull request."""
    commit = offer(hub, folder)

    found = find(REPOSITORY)

    assert found.model_id == REPOSITORY
    assert found.revision == commit
    assert (found.path / "model.safetensors").is_file()
    assert hub.requested("pytorch_model.bin") == []


def test_the_conversion_is_found_again_without_network(hub, pickled, folder, monkeypatch):
    """And other programs still see the branch as it is."""
    offer(hub, folder)
    first = find(REPOSITORY)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    assert is_cached(REPOSITORY)
    assert find(REPOSITORY) == first
    assert not (first.path.parents[1] / "refs" / "main").exists()


@pytest.mark.parametrize(
    ("author", "changes"),
    [
        ("somebody-else", {}),
        ("SFconvertbot", {"pytorch_model.bin": b"other weights"}),
        ("SFconvertbot", {"model.safetensors": None}),
    ],
)
def test_other_conversions_are_not_trusted(hub, pickled, folder, author, changes):
    """By somebody else, of weights that have changed since, or without any safetensors."""
    offer(hub, folder, author)
    files = {k: v for k, v in (files_of(folder) | changes).items() if v is not None}
    hub.publish(REPOSITORY, files, ref=REQUEST)

    with pytest.raises(ModelError, match=r"pickles only \(pytorch_model\.bin\).*run code"):
        find(REPOSITORY)
    assert hub.requested("model.safetensors") == []
    assert not is_cached(REPOSITORY)


def test_a_repository_without_any_weights(hub, pickled):
    """Such as an adapter: no word of pickles."""
    files = {k: v for k, v in pickled.items() if not k.endswith(".bin")}
    hub.publish(REPOSITORY, files | {"adapter_model.safetensors": b"small"})

    with pytest.raises(ModelError, match=r"no weights as safetensors.*no adapter"):
        find(REPOSITORY)
