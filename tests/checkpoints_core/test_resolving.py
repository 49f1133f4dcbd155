"""From a name to a folder, against a hub of our own."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from inspect import unwrap
from pathlib import Path
from threading import Event, get_ident

import pytest
from huggingface_hub import constants

from tests import hub as hub_module
from tests.hub import REPOSITORY, files_of
from vl_core import checkpoints, families
from vl_core.checkpoints import Checkpoint, cache, find, find_published, is_cached
from vl_core.errors import ModelError
from vl_core.families.kdvlp import KDVLPForTasks

READ = {
    "config.json",
    "model.safetensors",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
}


@pytest.fixture
def forget(monkeypatch):
    """Gone offline: nothing answers any more."""

    def now(how="refused"):
        if how == "setting":
            monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        else:
            monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")

    return now


def test_the_embedded_checkpoint_needs_no_network(cache):
    """It ships with the code."""
    expected = Checkpoint(checkpoints.EMBEDDED, "embedded", "local")

    assert find("embedded") == find_published("embedded") == expected
    assert find("embedded", may_download=False) == expected
    assert is_cached("embedded")
    assert (expected.path / "model.safetensors").is_file()


def test_a_local_folder_stands_for_itself(folder, tmp_path, monkeypatch):
    """Also one whose relative path looks like a name at the hub."""
    assert find(str(folder)) == Checkpoint(folder, str(folder), "local")
    (tmp_path / "own" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find("own/model") == Checkpoint(Path("own/model"), "own/model", "local")


@pytest.mark.parametrize("name", ["/etc", ".", "..", "models/embedded/..", "no\0name", "x" * 5000])
def test_a_name_from_a_browser_is_never_a_path(name, published):
    """Be the folder there or not, it is refused by its form, and nobody is asked."""
    with pytest.raises(ModelError, match="owner/name"):
        find_published(name)
    assert published.asked == []


def test_a_folder_that_looks_like_a_name_is_not_opened_for_a_browser(
    published, tmp_path, monkeypatch
):
    """The name means the hub's model, though the server has such a folder."""
    (tmp_path / REPOSITORY).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    assert find(REPOSITORY).revision == "local"
    assert find_published(REPOSITORY).path.is_relative_to(cache.root())


@pytest.mark.parametrize("name", ["nowhere/at/all", "no\0name", "x" * 5000, "/nowhere"])
def test_what_is_nothing_at_all_is_refused(name):
    """With words that say the three things it may be."""
    with pytest.raises(ModelError, match=r"folder with a config\.json"):
        find(name)


@pytest.mark.parametrize("name", [None, 5, b"embedded"])
def test_a_name_is_a_text(name):
    """What is none is told so; nothing checks types where the app runs."""
    with pytest.raises(ModelError, match="Give a string: the folder"):
        unwrap(find)(name)


def test_a_checkpoint_is_fetched_and_loads(published, folder):
    """Only what from_pretrained reads comes; its commit is told; the model is the same."""
    found = find_published(REPOSITORY)

    assert found.model_id == REPOSITORY
    assert found.revision == published.refs[REPOSITORY]["main"] == found.path.name
    assert set(files_of(found.path)) == READ
    assert all((found.path / name).read_bytes() == (folder / name).read_bytes() for name in READ)
    family = families.load(found.path)
    assert family.model.num_parameters() == families.load(folder).model.num_parameters()


def test_several_visitors_may_ask_at_once(published):
    """All get the same folder, and the weights travel once."""
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(find, [REPOSITORY] * 4))

    assert len(set(found)) == 1
    assert set(files_of(found[0].path)) == READ
    assert len(published.requested("model.safetensors")) == 1


def test_what_is_cached_is_fetched_once(published):
    """The second time the hub is asked for what is new, and no content travels."""
    first = find(REPOSITORY)
    published.asked.clear()

    assert find(REPOSITORY) == first
    assert [line.split()[0] for line in published.asked] == ["GET"]


def test_a_new_commit_is_fetched_and_shares_what_is_the_same(published, folder):
    """Weights that did not change do not travel again."""
    first = find(REPOSITORY)
    files = files_of(folder)
    commit = published.publish(REPOSITORY, files | {"config.json": files["config.json"] + b"\n"})
    published.asked.clear()

    second = find(REPOSITORY)

    assert second.revision == commit != first.revision
    assert published.requested("model.safetensors") == []
    assert first.path.is_dir()


def test_a_branch_and_a_commit_can_be_asked_for(published, folder):
    """A commit that is in the cache is not asked after: it cannot change."""
    files = files_of(folder)
    other = files | {"config.json": files["config.json"] + b"\n"}
    commit = published.publish(REPOSITORY, other, ref="refs/pr/7")

    by_branch = find(f"{REPOSITORY}@refs/pr/7")
    published.asked.clear()
    by_commit = find(f"{REPOSITORY}@{commit}")

    assert by_branch.path == by_commit.path
    assert by_branch.revision == commit
    assert published.asked == []
    assert is_cached(f"{REPOSITORY}@refs/pr/7")
    assert not is_cached(REPOSITORY)


def test_sharded_weights_come_whole(hub, folder, tmp_path):
    """The index and each file it names; shards of other formats stay."""
    KDVLPForTasks.from_pretrained(folder).save_pretrained(tmp_path, max_shard_size="40KB")
    files = files_of(folder) | files_of(tmp_path)
    del files["model.safetensors"]
    parts = {name for name in files if name.startswith("model-")}
    hub.publish(REPOSITORY, files | {"consolidated.safetensors": b"of another program"})

    found = find(REPOSITORY)

    assert len(parts) > 2
    assert set(files_of(found.path)) == (
        READ - {"model.safetensors"} | parts | {"model.safetensors.index.json"}
    )
    families.load(found.path)


def test_a_shard_that_the_index_names_and_nobody_has_is_told(hub, folder):
    """Before anything large travels."""
    files = files_of(folder)
    del files["model.safetensors"]
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    files |= {
        "model.safetensors.index.json": json.dumps(index).encode(),
        "model-1.safetensors": b"1",
    }
    hub.publish(REPOSITORY, files)

    with pytest.raises(ModelError, match=r"lacks weights.*model-2"):
        find(REPOSITORY)
    assert hub.requested("model-1") == []


@pytest.mark.parametrize("how", ["refused", "setting"])
def test_without_network_the_cache_will_do(published, forget, how):
    """And it is said so."""
    first, told = find(REPOSITORY), []
    forget(how)

    assert is_cached(REPOSITORY)
    assert find(REPOSITORY, tell=lambda words, _: told.append(words)) == first
    assert "cache" in told[-1]
    assert find(REPOSITORY, may_download=False) == first


def test_without_downloads_only_the_cache_is_looked_into(published):
    """Nobody is asked, and the message names the owner's choice."""
    with pytest.raises(ModelError, match="downloads are switched off"):
        find(REPOSITORY, may_download=False)
    assert published.asked == []


@pytest.mark.parametrize(
    ("how", "words"),
    [("refused", "cannot be reached"), ("setting", "not in the local cache, and HF_HUB_OFFLINE")],
)
def test_without_network_and_without_cache(published, forget, how, words):
    """The two reasons are told apart."""
    forget(how)

    assert not is_cached(REPOSITORY)
    with pytest.raises(ModelError, match=words):
        find(REPOSITORY)


def test_an_architecture_that_is_not_covered_is_told_before_weights_travel(published, folder):
    """The configuration alone decides."""
    files = files_of(folder) | {"config.json": b'{"model_type": "mamba"}'}
    published.publish(REPOSITORY, files)

    with pytest.raises(ModelError, match=r"'mamba', which is not covered.*kdvlp"):
        find(REPOSITORY)
    assert published.requested("model.safetensors") == []
    assert not is_cached(REPOSITORY)


def test_a_repository_without_configuration(published, folder):
    """No model for transformers."""
    files = files_of(folder)
    del files["config.json"]
    published.publish(REPOSITORY, files)

    with pytest.raises(ModelError, match=r"no config\.json"):
        find(REPOSITORY)


def test_weights_that_are_damaged_at_the_hub_are_told_of(published, folder):
    """They came as they are there: loading them would fail in other words."""
    files = files_of(folder)
    published.publish(REPOSITORY, files | {"model.safetensors": files["model.safetensors"][:-9]})

    with pytest.raises(ModelError, match=r"model\.safetensors are missing or damaged"):
        find(REPOSITORY)
    assert not is_cached(REPOSITORY)


def test_no_such_model(hub):
    """Not there, or private: the hub does not say which."""
    with pytest.raises(ModelError, match=r"no model nobody/knows .* or it is private"):
        find("nobody/knows")


def test_no_such_revision(published):
    """The model is there, the branch is not."""
    with pytest.raises(ModelError, match="no branch, tag or commit 'v9'"):
        find(f"{REPOSITORY}@v9")


def test_a_gated_model_says_what_to_do_and_opens_with_a_token(published, monkeypatch):
    """Accept the licence, set HF_TOKEN; the token goes to the hub and not to its storage."""
    published.gated.add(REPOSITORY)
    with pytest.raises(ModelError, match=r"gated.*licence.*HF_TOKEN"):
        find(REPOSITORY)
    assert not is_cached(REPOSITORY)

    monkeypatch.setenv("HF_TOKEN", hub_module.TOKEN)

    assert find(REPOSITORY).revision == published.refs[REPOSITORY]["main"]


@pytest.mark.parametrize("failure", [hub_module.BROKEN, (429, None)])
def test_a_hub_that_is_down_is_as_good_as_none(published, failure):
    """What is cached loads; what is not is told of."""
    published.failure = failure
    with pytest.raises(ModelError, match="cannot be reached"):
        find(REPOSITORY)
    published.failure = None
    first = find(REPOSITORY)
    published.failure = failure

    assert find(REPOSITORY) == first


def test_a_token_that_is_not_valid_is_told_of(published):
    """As the hub answers for one that is wrong or has expired."""
    published.failure = (403, None)

    with pytest.raises(ModelError, match="refuses access"):
        find(REPOSITORY)


def test_a_page_of_a_hotel_is_no_hub(published):
    """Something answers, in another language."""
    published.failure = (200, None)

    with pytest.raises(ModelError, match="cannot be reached"):
        find(REPOSITORY)


def test_a_broken_connection_is_taken_up_where_it_broke(published, folder, monkeypatch):
    """Within one download: the rest is asked for, not the whole."""
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # bytes written at a time
    published.cuts["model.safetensors"] = [70_500]

    found = find(REPOSITORY)

    expected = (folder / "model.safetensors").read_bytes()
    assert (found.path / "model.safetensors").read_bytes() == expected
    ranges = [line.rpartition(" ")[2] for line in published.requested("model.safetensors")]
    assert len(ranges) == 2
    assert ranges[1] == "bytes=70000-"


@pytest.mark.parametrize("resets", [False, True])
def test_an_interrupted_download_is_never_taken_for_complete(published, folder, resets, forget):
    """It is told, what came whole is kept, and the next load fetches only the rest."""
    size = (folder / "model.safetensors").stat().st_size
    published.resets = resets
    published.cuts["model.safetensors"] = [size // 2] + [0] * 20

    with pytest.raises(ModelError, match=r"interrupted.*load it again"):
        find(REPOSITORY)
    assert not is_cached(REPOSITORY)
    with pytest.raises(ModelError, match="downloads are switched off"):
        find(REPOSITORY, may_download=False)

    published.cuts.clear()
    published.asked.clear()
    found = find(REPOSITORY)
    assert set(files_of(found.path)) == READ
    assert is_cached(REPOSITORY)
    assert not [line for line in published.asked if "tokenizer.json" in line]


class EnoughError(Exception):
    """Who asked for a download wants it no longer."""


def test_a_download_that_is_stopped_ends_at_its_next_chunk(published, monkeypatch):
    """Nothing of the file is left or taken for the whole; another load fetches it."""
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    held = published.holds["model.safetensors"] = Event()

    def tell(_, share):
        if share is not None and share > 0.2:
            raise EnoughError

    with pytest.raises(EnoughError):
        find(REPOSITORY, tell=tell)
    held.set()
    for thread in threading.enumerate():
        if thread.name.startswith("download"):
            thread.join(hub_module.PATIENCE)

    assert len(published.requested("model.safetensors")) == 1
    assert not list(cache.root().rglob("*.incomplete"))
    assert not list(cache.root().rglob("model.safetensors"))
    assert not is_cached(REPOSITORY)
    assert set(files_of(find(REPOSITORY).path)) == READ


def test_a_snapshot_that_lacks_a_tokenizer_is_not_complete(published):
    """Weights alone do not load: the list that came with them tells what is missing."""
    snapshot = find(REPOSITORY).path
    (snapshot / "tokenizer.json").unlink()

    assert not is_cached(REPOSITORY)
    assert set(files_of(find(REPOSITORY).path)) == READ


@pytest.mark.parametrize("linked", [True, False])
def test_weights_that_were_cut_short_on_disk_are_fetched_again(published, folder, linked):
    """They look whole to the hub's client; their length says otherwise."""
    weights = find(REPOSITORY).path / "model.safetensors"
    content = weights.read_bytes()
    if not linked:
        weights.resolve().unlink()
        weights.unlink()
    weights.write_bytes(content[:-5])
    assert not is_cached(REPOSITORY)

    find(REPOSITORY)

    assert weights.read_bytes() == content


def test_a_cache_that_other_programs_filled_will_do(published, forget):
    """They leave no list of the repository's files behind."""
    snapshot = find(REPOSITORY).path
    for listed in snapshot.parents[1].glob("trees/*"):
        listed.unlink()
    forget()
    code = (
        "from vl_core.checkpoints import is_cached\n"
        f"print(is_cached({REPOSITORY!r}), is_cached('nobody/knows'))"
    )
    environment = os.environ | {"HF_HUB_CACHE": str(cache.root()), "HF_HUB_OFFLINE": "1"}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert found.stdout.split() == ["True", "False"]


def test_the_usual_settings_reach_the_client(published, tmp_path):
    """HF_ENDPOINT and HF_HOME, as an owner sets them, in a process of its own."""
    code = f"from vl_core.checkpoints import find\nprint(find({REPOSITORY!r}).path)"
    environment = os.environ | {"HF_ENDPOINT": published.url, "HF_HOME": str(tmp_path / "home")}
    environment = {name: value for name, value in environment.items() if name != "HF_HUB_CACHE"}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert Path(found.stdout.strip()).is_relative_to(tmp_path / "home" / "hub")


def test_a_full_disk_is_told_before_the_download(published, folder, monkeypatch):
    """With what is needed and what there is."""
    needed = sum((folder / name).stat().st_size for name in READ - {"config.json"})
    usage = type("Usage", (), {"free": needed - 1})
    monkeypatch.setattr("vl_core.checkpoints.hub.shutil.disk_usage", lambda _: usage)

    with pytest.raises(ModelError, match=r"needs .* of disk; .* are free.*HF_HOME"):
        find(REPOSITORY)
    assert published.requested("model.safetensors") == []
    usage.free += 1
    assert find(REPOSITORY)


def test_progress_is_told_in_the_thread_that_asked(published, folder, monkeypatch):
    """Shares rise to what has come, of what is missing; words carry both amounts."""
    monkeypatch.setattr("vl_core.checkpoints.progress._EVERY", 0.0)
    here, told = get_ident(), []

    def tell(words, share):
        assert get_ident() == here
        told.append((words, share))

    find(REPOSITORY, tell=tell)

    shares = [share for words, share in told if words.startswith("Downloading")]
    assert told[0] == (f"Asking Hugging Face for {REPOSITORY}", None)
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
    assert " of " in told[-1][0]


def test_importing_names_and_catalogue_is_light():
    """Neither torch nor transformers nor an HTTP client before a model is asked for."""
    code = (
        "import sys, vl_core.checkpoints as c\n"
        "c.find('embedded'), c.is_cached('embedded'), c.offered(), c.weights_hash(c.EMBEDDED)\n"
        "print(sorted({'torch', 'transformers', 'httpx2', 'streamlit'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
