"""The store: what was put comes back, bounded, whole, and unharmed by other processes."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.builders import content_of, random_picture, random_provenance, random_trace
from vl_core import store
from vl_core.example import Example, Region
from vl_core.store import TraceStore
from vl_core.trace import files

ROOT = Path(__file__).parents[1]
REGION = Region("star", (1, 2, 9, 8), (7, 11))
TEXT = "is the star red?"
SIZE = len(content_of(random_trace()))


def names(count):
    """Valid keys."""
    return [f"{i:064x}" for i in range(count)]


def used(folder, key, seconds_ago):
    """Set the time of an entry's last use."""
    moment = time.time() - seconds_ago
    os.utime(folder / f"{key}{store.SUFFIX}", (moment, moment))


def answer(trace):
    """Something by which the random traces differ."""
    return trace.stacks["encoder"].weights[0, 0, 0]


def test_what_was_put_comes_back(tmp_path):
    """By its key, from a second store on the same folder, too."""
    one, other = names(2)
    TraceStore(tmp_path / "new" / "folder", 10 * SIZE).put(one, random_trace(seed=1))

    again = TraceStore(tmp_path / "new" / "folder", 10 * SIZE)

    np.testing.assert_array_equal(answer(again.get(one)), answer(random_trace(seed=1)))
    assert again.get(other) is None


def test_a_new_trace_takes_the_place_of_the_old(tmp_path):
    """One key has one trace."""
    (one,) = names(1)
    traces = TraceStore(tmp_path, 10 * SIZE)
    traces.put(one, random_trace(seed=1))
    traces.put(one, random_trace(seed=2))

    np.testing.assert_array_equal(answer(traces.get(one)), answer(random_trace(seed=2)))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    """Asking makes no folder."""
    assert TraceStore(tmp_path / "a", 10).get(names(1)[0]) is None
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "ab", "X" * 64, "0" * 64 + "\n"])
def test_only_keys_name_entries(tmp_path, key):
    """A name from outside never becomes a path."""
    traces = TraceStore(tmp_path, 10 * SIZE)
    with pytest.raises(ValueError, match="is no key of a trace"):
        traces.get(key)
    with pytest.raises(ValueError, match="is no key of a trace"):
        traces.put(key, random_trace())


def test_the_least_recently_used_go_first(tmp_path):
    """Reading counts as use; what is left fits the bound."""
    traces = TraceStore(tmp_path, int(3.5 * SIZE))
    first, second, third, fourth = names(4)
    for i, key in enumerate((first, second, third)):
        traces.put(key, random_trace(seed=i))
        used(tmp_path, key, 100 - i)
    assert traces.get(first)

    traces.put(fourth, random_trace(seed=3))

    assert traces.get(second) is None
    assert all(traces.get(key) for key in (first, third, fourth))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= traces.max_bytes


def test_what_is_larger_than_the_store_is_not_kept(tmp_path):
    """And the others stay."""
    one, other = names(2)
    TraceStore(tmp_path, 10 * SIZE).put(one, random_trace())
    larger = random_trace(layers=9, heads=8)
    assert len(content_of(larger)) > 1.2 * SIZE

    traces = TraceStore(tmp_path, int(1.1 * SIZE))
    traces.put(other, larger)

    assert traces.get(other) is None
    assert traces.get(one)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign", "version"])
def test_a_damaged_entry_is_dropped(tmp_path, damage, monkeypatch):
    """It counts as missing, and its file goes, so that it is computed anew."""
    (one,) = names(1)
    traces = TraceStore(tmp_path, 10 * SIZE)
    if damage == "version":
        monkeypatch.setattr(files, "VERSION", 0)
    traces.put(one, random_trace())
    monkeypatch.undo()
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[-10] ^= 1
    changed = {"cut": content[:-5], "empty": b"", "foreign": b"PK\x03\x04"}
    path.write_bytes(changed.get(damage, content))

    assert traces.get(one) is None
    assert not path.exists()


def test_other_files_are_left_alone(tmp_path):
    """An owner who points the store at a folder of models must not lose one."""
    others = ["model.safetensors", "0.safetensors", ".hidden", f"{'g' * 64}.trace.safetensors"]
    for name in others:
        (tmp_path / name).write_bytes(bytes(5 * SIZE))
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / "folder").mkdir()
    traces = TraceStore(tmp_path, SIZE + 1)
    for key in names(3):
        traces.put(key, random_trace())

    assert {path.name for path in tmp_path.iterdir()} >= {*others, "folder"}
    assert len(list(tmp_path.iterdir())) == len(others) + 2


def test_what_a_killed_process_left_is_thrown_away(tmp_path):
    """After an hour; what is being written now stays."""
    (one,) = names(1)
    traces = TraceStore(tmp_path, 10 * SIZE)
    old, new = (tmp_path / f".{one}{store.SUFFIX}.{i:016x}" for i in range(2))
    for path, age in ((old, store.STALE + 60), (new, 5)):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)

    traces.put(one, random_trace())

    assert not old.exists()
    assert new.exists()


def test_a_disk_that_cannot_be_written_changes_nothing(tmp_path, monkeypatch, caplog):
    """The trace is not kept, the log says why, and the old entry is still there."""
    one, other = names(2)
    traces = TraceStore(tmp_path, 10 * SIZE)
    traces.put(one, random_trace(seed=1))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "save_file", full)
    traces.put(one, random_trace(seed=2))
    traces.put(other, random_trace(seed=2))

    np.testing.assert_array_equal(answer(traces.get(one)), answer(random_trace(seed=1)))
    assert traces.get(other) is None
    assert "No space left on device" in caplog.text


def test_a_folder_that_is_a_file_holds_nothing(tmp_path):
    """A wrong setting costs the store, not the app."""
    (tmp_path / "a").write_text("not a folder")
    traces = TraceStore(tmp_path / "a", 10 * SIZE)
    traces.put(names(1)[0], random_trace())

    assert traces.get(names(1)[0]) is None


WORKER = """
import json, random, sys, time
from pathlib import Path
from tests.builders import random_trace
from vl_core.store import TraceStore

folder, seed, max_bytes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
traces = TraceStore(folder, max_bytes)
made = [random_trace(seed=i) for i in range(6)]
rng = random.Random(seed)
print("ready", flush=True)
sys.stdin.readline()
found = 0
for _ in range(60):
    i = rng.randrange(6)
    trace = traces.get(f"{i:064x}")
    if trace is None:
        traces.put(f"{i:064x}", made[i])
        continue
    found += 1
    weights = trace.stacks["encoder"].weights[0, 0, 0]
    assert (weights == made[i].stacks["encoder"].weights[0, 0, 0]).all()
print(json.dumps(found))
"""


def test_several_processes_write_read_and_evict_at_once(tmp_path):
    """Four processes on a folder for half of their traces: each reads whole traces only."""
    max_bytes = int(3.5 * SIZE)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), str(seed), str(max_bytes)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(4)
    ]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    outputs = [worker.communicate(timeout=300)[0] for worker in workers]

    assert [worker.returncode for worker in workers] == [0] * 4
    assert sum(json.loads(output) for output in outputs) > 0
    TraceStore(tmp_path, max_bytes).put(names(1)[0], random_trace(seed=0))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= max_bytes
    assert all(store.ENTRY.fullmatch(path.name) for path in tmp_path.iterdir())


# Keys


def a_key(provenance=None, options=None, **changes):
    """The key of one example, with changes."""
    parts = {"image": random_picture((40, 24)), "text": TEXT, "regions": (REGION,)} | changes
    return store.key(provenance or random_provenance(), Example(**parts), options)


@pytest.mark.parametrize(
    "change",
    [
        {"model_id": "other"},
        {"revision": "other"},
        {"weights_hash": "other"},
        {"family": "vilt"},
        {"dtype": "float16"},
        {"device": "cuda"},
        {"versions": {"torch": "2.14.0"}},
        {"preprocessing": {"patch": 32, "mean": [0.5, 0.5, 0.5]}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_model_is_another_key(change):
    """Weights, dtype, libraries, preprocessing: each changes what would be found."""
    assert a_key(replace(random_provenance(), **change)) != a_key()


@pytest.mark.parametrize(
    "change",
    [
        {"image": None},
        {"image": random_picture((40, 24), seed=1)},
        {"image": random_picture((24, 40))},
        {"text": "is the star blue"},
        {"regions": ()},
        {"regions": (replace(REGION, box=(1, 2, 9, 9)),)},
        {"regions": (replace(REGION, span=None),)},
        {"answer": "yes"},
    ],
    ids=["no image", "other pixels", "other size", "text", "no regions", "box", "span", "answer"],
)
def test_another_example_is_another_key(change):
    """Pixels, text, regions, answer: all of it is in the trace."""
    assert a_key(**change) != a_key()


def test_pixels_of_another_shape_are_another_key():
    """A picture of 40 x 24 and one of 24 x 40 can have the same bytes."""
    wide, high = (Image.new("RGB", size, "red") for size in ((40, 24), (24, 40)))
    assert wide.tobytes() == high.tobytes()

    assert a_key(image=wide) != a_key(image=high)


def test_other_options_and_another_format_are_another_key(monkeypatch):
    """What is captured, and how it is written."""
    before = a_key()
    assert a_key(options={"keep": "weights"}) != before

    monkeypatch.setattr(files, "VERSION", files.VERSION + 1)
    assert a_key() != before


def test_the_same_is_the_same_key_however_it_came(tmp_path):
    """The pixels count, not the file; fidelity is measured and does not."""
    path = tmp_path / "a.png"
    random_picture((40, 24)).save(path)
    measured = replace(random_provenance(), fidelity={"row_reconstruction": 0.5})

    assert a_key(measured, image=path) == a_key()
    assert store.ENTRY.fullmatch(a_key() + store.SUFFIX)


def test_keys_are_the_same_in_every_process():
    """They do not hang on a process's own hashing."""
    code = "from tests.test_store import a_key; print(a_key())"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.strip() == a_key()


# The folder


def test_the_owner_chooses_the_folder(monkeypatch, tmp_path):
    """By a setting, in which ~ is the home directory."""
    monkeypatch.setenv("VLINTERPRET_CACHE", str(tmp_path))
    assert store.default_folder() == tmp_path
    monkeypatch.setenv("VLINTERPRET_CACHE", "~/traces")
    assert store.default_folder() == Path.home() / "traces"


@pytest.mark.parametrize(
    ("platform", "wanted"),
    [
        ("linux", "cache/vl-interpret"),
        ("darwin", "home/Library/Caches/vl-interpret"),
        ("win32", "local/vl-interpret"),
    ],
)
def test_else_it_lies_in_the_users_cache(monkeypatch, tmp_path, platform, wanted):
    """Where each system keeps such things."""
    monkeypatch.delenv("VLINTERPRET_CACHE", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))

    assert store.default_folder() == tmp_path / wanted


def test_without_any_setting_it_lies_in_the_home_directory(monkeypatch, tmp_path):
    """As the desktop standard says."""
    monkeypatch.delenv("VLINTERPRET_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)

    assert store.default_folder() == tmp_path / ".cache" / "vl-interpret"
