"""What tells the weights of one checkpoint from those of another."""

import hashlib
import os
import shutil

import pytest

from tests.hub import REPOSITORY
from vl_core.checkpoints import find, hashing
from vl_core.checkpoints.hashing import weights_hash
from vl_core.checkpoints.naming import EMBEDDED

READ = (
    "config.json",
    "model.safetensors",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)


@pytest.fixture
def own(folder, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(folder, tmp_path / "own")


def plain_hash(folder):
    """Name, size and bytes of each file, one after the other."""
    digest = hashlib.sha256()
    for name in READ:
        content = (folder / name).read_bytes()
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()


def test_a_small_folder_is_read_whole(folder):
    """The embedded model among them: its findings refer to it by this value."""
    assert weights_hash(folder) == plain_hash(folder)
    assert weights_hash(EMBEDDED) == plain_hash(EMBEDDED)


@pytest.mark.parametrize("name", READ)
def test_whatever_shapes_an_answer_is_in_the_hash(own, name):
    """One blank in any of these files tells."""
    before = weights_hash(own)
    with (own / name).open("ab") as content:
        content.write(b" ")

    assert weights_hash(own) != before


def test_notes_beside_a_model_are_not(own):
    """How it was trained changes no answer."""
    before = weights_hash(own)
    (own / "README.md").write_text("something else")

    assert weights_hash(own) == before


def test_bytes_that_move_between_files_change_the_hash(tmp_path):
    """Two files have another hash than the same bytes cut elsewhere."""
    hashes = set()
    for cut in (1, 2):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "a.safetensors").write_bytes(b"abc"[:cut])
        (folder / "b.safetensors").write_bytes(b"abc"[cut:])
        hashes.add(weights_hash(folder))

    assert len(hashes) == 2


def test_a_snapshot_is_known_by_the_hubs_content_hashes(published):
    """No weight is read: other bytes of the same length under the same name change nothing."""
    snapshot = find(REPOSITORY).path
    before = weights_hash(snapshot)
    blob = (snapshot / "model.safetensors").resolve()
    blob.write_bytes(bytes(blob.stat().st_size))

    assert before.startswith("manifest:")
    assert weights_hash(snapshot) == before


def test_another_content_at_the_hub_is_another_manifest(published, folder):
    """One blank in one setting, in a new commit."""
    before = weights_hash(find(REPOSITORY).path)
    changed = {name: (folder / name).read_bytes() for name in READ}
    published.publish(REPOSITORY, changed | {"config.json": changed["config.json"] + b" "})

    assert weights_hash(find(REPOSITORY).path) != before


def test_a_snapshot_without_links_is_read_whole(published, folder):
    """Where the disk knows no links, the cache holds plain files: hashed as any folder."""
    snapshot = find(REPOSITORY).path
    for name in READ:
        content = (snapshot / name).read_bytes()
        (snapshot / name).unlink()
        (snapshot / name).write_bytes(content)

    assert weights_hash(snapshot) == plain_hash(folder)


def test_links_outside_of_the_hubs_cache_stand_for_their_content(own, folder):
    """Whatever the folder is called that they lead to."""
    (own.parent / "blobs").mkdir()
    for name in READ:
        (own / name).rename(own.parent / "blobs" / name)
        (own / name).symlink_to(f"../blobs/{name}")

    assert weights_hash(own) == plain_hash(folder)


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A folder beyond the limit: 3 MiB of weights where 2 MiB may be read whole."""
    monkeypatch.setattr(hashing, "LARGE", 2 << 20)
    (tmp_path / "model.safetensors").write_bytes(bytes(3 << 20))
    os.utime(tmp_path / "model.safetensors", (1, 1))
    return tmp_path


def changed_at(folder, place, time):
    """The hash once the byte at this place is another."""
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(place)
        file.write(b"x")
    os.utime(folder / "model.safetensors", (time, time))
    return weights_hash(folder)


@pytest.mark.parametrize("place", [0, (1 << 20) - 1, 2 << 20, (3 << 20) - 1])
def test_of_a_large_folder_the_ends_of_files_are_read(large, place):
    """Any byte of the first and the last MiB tells, be the time of change the same."""
    before = weights_hash(large)

    assert before.startswith("sampled:")
    assert changed_at(large, place, time=1) != before


def test_of_a_large_folder_the_time_of_change_stands_for_the_rest(large):
    """In the middle a byte is not seen, but the time of its change is."""
    before = weights_hash(large)

    assert changed_at(large, 3 << 19, time=1) == before
    assert changed_at(large, 3 << 19, time=2) != before


def test_a_file_shorter_than_a_sample_is_read_whole(large):
    """Settings are small: each byte of them tells."""
    (large / "config.json").write_text("{}")
    os.utime(large / "config.json", (1, 1))
    before = weights_hash(large)
    (large / "config.json").write_text("[]")
    os.utime(large / "config.json", (1, 1))

    assert weights_hash(large) != before
