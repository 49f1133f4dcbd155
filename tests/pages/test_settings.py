"""What an owner may settle, and what is said of settings that cannot be followed."""

import pytest

from pages.shared import settings
from vl_core.errors import ModelError, SettingError


@pytest.fixture(autouse=True)
def own(monkeypatch):
    """A way to settle things, where nothing is settled yet."""
    for name in ("MODELS", "FOLDERS", "PRECISION", "MODELS_GB", "TRACE_MB"):
        monkeypatch.delenv(f"VLINTERPRET_{name}", raising=False)
    return lambda name, value: monkeypatch.setenv(f"VLINTERPRET_{name}", value)


def test_where_nothing_is_settled_everything_published_is_offered():
    """Any model, no folder, the precision that suits, half of the memory, 1 GiB for an analysis."""
    settings.check_offered("someone/a-model")
    settings.check_offered("someone/a-model@main")

    assert settings.models() == ()
    assert not settings.allows_folders()
    assert settings.precision() == "auto"
    assert settings.model_bytes() is None
    assert settings.trace_bytes() == 2**30


@pytest.mark.parametrize("name", ["/etc", "..", "models/../../etc", "a b/c", "file:///etc", ""])
def test_what_is_no_published_name_is_refused(name):
    """A path is one of these as long as folders are not allowed."""
    with pytest.raises(ModelError, match="owner/name"):
        settings.check_offered(name)


@pytest.mark.parametrize(
    "name", ["/etc", "..", "~/model", "./model", "a/b/model", "models/../../etc", r"C:\model"]
)
def test_who_types_a_folder_is_told_that_folders_are_not_open(name):
    """Rather than that it is no name of a model, which it was not meant to be."""
    with pytest.raises(ModelError, match="Folders are not open to visitors of this server"):
        settings.check_offered(name)


@pytest.mark.parametrize("name", ["a b/c", "file:///etc", "https://huggingface.co/a/b", "gpt2", ""])
def test_what_is_neither_a_folder_nor_a_name_is_told_so(name):
    """An address of the hub, for instance, is no folder."""
    with pytest.raises(ModelError, match="is no name of a model at Hugging Face"):
        settings.check_offered(name)


def test_a_folder_that_is_not_there_is_told_of(own, tmp_path):
    """And that it is no name either, as nobody knows which of both was meant."""
    own("FOLDERS", "1")
    for name in ("nonsense name with blanks", str(tmp_path / "nowhere"), "no\0name"):
        with pytest.raises(ModelError, match=r"There is no folder .* and it is no name of a model"):
            settings.check_offered(name)


def test_folders_may_be_allowed(own, tmp_path):
    """Then a name that is none of the hub's is taken for a folder; the embedded one never is."""
    own("FOLDERS", "1")

    settings.check_offered(str(tmp_path))
    assert settings.is_folder(str(tmp_path))
    assert not settings.is_folder("someone/a-model")
    assert not settings.is_folder("embedded")


def test_a_list_of_models_is_all_there_is(own, tmp_path):
    """A folder on it was chosen by the owner; others are refused, whatever FOLDERS says."""
    own("MODELS", f" someone/a-model , {tmp_path},")
    own("FOLDERS", "1")

    assert settings.models() == ("someone/a-model", str(tmp_path))
    settings.check_offered("someone/a-model")
    settings.check_offered("embedded")
    assert settings.is_folder(str(tmp_path))
    for name in ("someone/another", str(tmp_path.parent)):
        with pytest.raises(ModelError, match="does not offer"):
            settings.check_offered(name)


def test_amounts_are_read(own):
    """Gigabytes of models as disks count them, megabytes of a trace as memory does."""
    own("MODELS_GB", "7.5")
    own("TRACE_MB", "64")

    assert settings.model_bytes() == 7_500_000_000
    assert settings.trace_bytes() == 64 * 2**20


@pytest.mark.parametrize("value", ["8GB", "-1", "0", "nan", "inf"])
def test_an_amount_that_is_none_is_told(own, value):
    """With the name of the setting and what it says."""
    own("MODELS_GB", value)

    with pytest.raises(SettingError, match=rf"VLINTERPRET_MODELS_GB is '{value}'"):
        settings.model_bytes()


def test_a_precision_that_is_none_is_told(own):
    """With those that there are."""
    own("PRECISION", "int3")

    with pytest.raises(SettingError, match=r"'int3'; wanted: auto, float32"):
        settings.precision()
