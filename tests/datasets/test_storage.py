"""Files by relative name: what is found, and all that is refused."""

import os
import random
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from vl_core.datasets import storage as module
from vl_core.datasets.storage import Folder, Zip, inside, storage
from vl_core.errors import DatasetError


@pytest.fixture
def folder(tmp_path):
    """A data set's folder with a file outside it."""
    (tmp_path / "secret.txt").write_bytes(b"secret")
    root = tmp_path / "set"
    (root / "movie").mkdir(parents=True)
    (root / "movie" / "a.png").write_bytes(b"picture a")
    return root


def packed(path, entries, method=zipfile.ZIP_DEFLATED):
    """A zip file of these entries."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return path


def test_a_folder_and_a_zip_file_give_the_same(folder, tmp_path):
    """By name, and say whether there is such a file."""
    zipped = storage(packed(tmp_path / "set.zip", {"movie/a.png": b"picture a"}))
    for files in (storage(folder), zipped):
        assert files.read("movie/a.png") == b"picture a"
        assert files.read("movie\\a.png") == b"picture a"
        assert files.has("movie/a.png")
        assert not files.has("movie/b.png")
        assert not files.has("movie")


@pytest.mark.parametrize("top", ["", "set/", "another name/"])
def test_a_zip_file_may_have_been_made_of_one_folder(tmp_path, top):
    """Names count from that folder, and in full; what macOS adds beside it does not matter."""
    entries = {f"{top}movie/a.png": b"a", f"{top}movie/b.png": b"b", "__MACOSX/._a.png": b"x"}
    files = Zip(packed(tmp_path / "set.zip", entries))

    assert files.read("movie/b.png") == b"b"
    assert files.read(f"{top}movie/a.png") == b"a"
    assert not files.has("__MACOSX/._a.png")


def test_names_in_a_zip_file_with_backslashes_are_found(tmp_path):
    """As some programs for Windows write them."""
    files = Zip(packed(tmp_path / "set.zip", {"movie\\a.png": b"a"}))
    assert files.read("movie/a.png") == b"a"


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt",
        "movie/../../secret.txt",
        "..\\secret.txt",
        "movie\\..\\..\\secret.txt",
        "out/secret.txt",
        "out.txt",
    ],
)
def test_no_name_leads_out(folder, tmp_path, name):
    """Neither by climbing nor through a link; the message does not show the server's folder."""
    (folder / "out").symlink_to(tmp_path)
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")

    with pytest.raises(DatasetError, match="leads out of the data set's folder") as refused:
        Folder(folder).read(name)
    assert str(tmp_path) not in str(refused.value)
    assert not Folder(folder).has(name)


@pytest.mark.parametrize("name", ["", "a\0.png", "\ud800.png", "\udcff" * 500])
def test_what_is_no_name_is_said_in_a_sentence(folder, tmp_path, name):
    """Also of a name that no encoding takes."""
    for files in (Folder(folder), Zip(packed(tmp_path / "a.zip", {"b.png": b"b"}))):
        assert not files.has(name)
        with pytest.raises(DatasetError, match=r"is no name of a file|is not in a\.zip") as told:
            files.read(name)
        assert len(str(told.value).encode()) < 150


def test_a_link_to_itself_is_not_found(folder):
    """It is none that leads out."""
    (folder / "loop.png").symlink_to("loop.png")
    with pytest.raises(DatasetError, match=r"loop\.png' cannot be found: a link"):
        Folder(folder).read("loop.png")


def test_names_count_from_the_folder_that_is_looked_for(tmp_path):
    """Wherever it lies in a zip file, and whatever lies beside it; of two, from neither."""
    entries = {"README": b"r", "x/pictures/movie/a.png": b"a", "x/pictures/movie/b.png": b"b"}
    files = storage(packed(tmp_path / "a.zip", entries), "pictures")
    assert files.read("movie/a.png") == b"a"
    assert not files.has("README.png")

    two = storage(packed(tmp_path / "b.zip", entries | {"y/pictures/c.png": b"c"}), "pictures")
    assert not two.has("movie/a.png")
    assert two.read("x/pictures/movie/a.png") == b"a"


def test_a_climbing_name_in_a_zip_file_is_an_entry_or_nothing(folder, tmp_path):
    """Entries are never put anywhere, so there is nowhere to climb to."""
    files = Zip(packed(folder / "set.zip", {"../a.png": b"entry"}))
    (tmp_path / "a.png").write_bytes(b"outside")

    assert files.read("../a.png") == b"entry"
    assert not files.has("../secret.txt")


def test_absolute_names_are_refused(folder, tmp_path):
    """Even those of files inside."""
    for name in (str(tmp_path / "secret.txt"), str(folder / "movie" / "a.png"), "/etc/passwd"):
        with pytest.raises(DatasetError, match="leads out"):
            Folder(folder).read(name)
        assert not Folder(folder).has(name)


def test_links_within_the_folder_are_followed(folder):
    """They lead to what belongs to it."""
    (folder / "b.png").symlink_to(folder / "movie" / "a.png")
    assert Folder(folder).read("b.png") == b"picture a"
    assert inside(folder, "b.png") == folder / "movie" / "a.png"


def test_links_in_a_circle_are_refused(folder):
    """In one sentence, however the system puts it."""
    (folder / "one").symlink_to(folder / "other")
    (folder / "other").symlink_to(folder / "one")
    with pytest.raises(DatasetError, match="one"):
        Folder(folder).read("one")
    assert not Folder(folder).has("one")


@pytest.mark.parametrize("name", ["movie", "missing.png", "x" * 5000, "pipe"])
def test_what_is_no_file_is_refused(folder, name):
    """A folder, nothing, a name too long, and a pipe, which would never end."""
    os.mkfifo(folder / "pipe")
    with pytest.raises(DatasetError, match="cannot be read") as refused:
        Folder(folder).read(name)
    assert str(folder) not in str(refused.value)
    assert not Folder(folder).has(name)


def test_files_beyond_what_a_picture_takes_are_refused(folder, tmp_path, monkeypatch):
    """The limit itself passes."""
    monkeypatch.setattr(module, "MOST_BYTES", 9)
    (folder / "b.png").write_bytes(b"picture bb")
    zipped = Zip(packed(tmp_path / "set.zip", {"a.png": b"picture a", "b.png": b"picture bb"}))

    assert Folder(folder).read("movie/a.png") == zipped.read("a.png") == b"picture a"
    for files in (Folder(folder), zipped):
        with pytest.raises(DatasetError, match=r"b\.png is 0 MiB; at most 0 are read"):
            files.read("b.png")


@pytest.mark.parametrize("is_lie", [False, True])
def test_an_entry_that_unpacks_to_gigabytes_is_refused(tmp_path, is_lie):
    """Whether it says so or claims to be small: little memory is taken for it."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        with file.open("a.png", "w", force_zip64=True) as entry:
            block = bytes(2**24)
            for _ in range(20):
                entry.write(block)
        if is_lie:
            file.filelist[0].file_size = 1000
    size = path.stat().st_size
    assert size < 2**20

    tracemalloc.start()
    with pytest.raises(DatasetError, match="is damaged" if is_lie else "is 320 MiB; at most 64"):
        Zip(path).read("a.png")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**22


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_a_block_whole_are_refused(tmp_path, method):
    """There is no limit to how large a block turns out to be."""
    files = Zip(packed(tmp_path / "set.zip", {"a.png": b"a" * 100}, method))
    with pytest.raises(DatasetError, match="packed in a way that is not read"):
        files.read("a.png")


def test_encrypted_entries_are_refused(tmp_path):
    """It says what they are, not that they are damaged."""
    path = packed(tmp_path / "set.zip", {"a.png": b"a"}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[6] |= 1  # general flags in the entry's own header ...
    content[content.index(b"PK\x01\x02") + 8] |= 1  # ... and in the table of contents
    path.write_bytes(content)

    with pytest.raises(DatasetError, match=r"a\.png in set\.zip is encrypted\. Unpack"):
        Zip(path).read("a.png")


def test_a_damaged_zip_file_is_refused_without_the_servers_folder(tmp_path):
    """Cut short, with a broken entry, and taken away while it is in use."""
    path = packed(tmp_path / "set.zip", {"a.png": random.Random(0).randbytes(3000)})
    content = path.read_bytes()

    (tmp_path / "cut.zip").write_bytes(content[:-30])
    with pytest.raises(DatasetError, match=r"cut\.zip is damaged or cut short\. Download it again"):
        storage(tmp_path / "cut.zip")
    with pytest.raises(DatasetError, match=r"cut\.zip is damaged .*Download it again"):
        Zip(tmp_path / "cut.zip").read("a.png")

    (tmp_path / "broken.zip").write_bytes(content[:100] + b"....." + content[105:])
    with pytest.raises(DatasetError, match=r"a\.png in broken\.zip is damaged"):
        Zip(tmp_path / "broken.zip").read("a.png")

    with pytest.raises(DatasetError, match=r"gone\.zip is damaged") as refused:
        Zip(tmp_path / "gone.zip").read("a.png")
    assert str(tmp_path) not in str(refused.value)


def test_a_missing_entry_is_told_by_name(tmp_path):
    """And an empty zip file has none."""
    files = Zip(packed(tmp_path / "set.zip", {}))
    with pytest.raises(DatasetError, match=r"a\.png is not in set\.zip"):
        files.read("a.png")


def test_what_is_neither_is_refused(tmp_path):
    """A plain file, and nothing."""
    (tmp_path / "file").write_bytes(b"text")
    for name in ("file", "missing"):
        with pytest.raises(DatasetError, match=f"{name} is neither a folder nor a zip file"):
            storage(tmp_path / name)


def test_many_threads_read_one_zip_file(tmp_path):
    """Each gets its own entry whole, however they interleave."""
    rng = random.Random(1)
    entries = {f"{i}.png": rng.randbytes(50_000 + 977 * i) for i in range(40)}
    files = Zip(packed(tmp_path / "set.zip", entries))
    names = [rng.choice(list(entries)) for _ in range(400)]

    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(files.read, names))
    assert all(content == entries[name] for name, content in zip(names, read, strict=True))
