"""A hub of our own, an empty cache, and a checkpoint to fetch."""

import pytest

from tests import hub as hub_module
from tests.checkpoints import save_kdvlp


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A tiny random checkpoint of the architecture that ships, with files that nobody reads."""
    saved = save_kdvlp(tmp_path_factory.mktemp("saved"))
    for name in ("README.md", "training.json", "code.py", "pytorch_model.bin", "model.onnx"):
        (saved / name).write_bytes(b"not read")
    return saved


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where fetched files go."""
    return hub_module.use_cache(tmp_path, monkeypatch)


@pytest.fixture
def hub(cache, monkeypatch):
    """A hub with one repository, which the client takes for Hugging Face."""
    with hub_module.in_place_of_hugging_face(monkeypatch) as served:
        yield served


@pytest.fixture
def published(hub, folder):
    """The hub, with the tiny checkpoint in it."""
    hub.publish(hub_module.REPOSITORY, hub_module.files_of(folder))
    return hub
