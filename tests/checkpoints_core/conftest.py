"""A hub of our own, an empty cache, and a checkpoint to fetch."""

from types import SimpleNamespace

import pytest
from huggingface_hub import constants, file_download
from huggingface_hub.utils import close_session

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
    """Where fetched files go: nowhere near the cache of whoever runs the tests."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return tmp_path / "hub"


@pytest.fixture
def hub(cache, monkeypatch):
    """A hub with one repository, which the client takes for Hugging Face."""
    with hub_module.running() as served:
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        # Between two tries the client waits a second.
        monkeypatch.setattr(file_download, "time", SimpleNamespace(sleep=lambda _: None))
        yield served
        close_session()


@pytest.fixture
def published(hub, folder):
    """The hub, with the tiny checkpoint in it."""
    hub.publish(hub_module.REPOSITORY, hub_module.files_of(folder))
    return hub
