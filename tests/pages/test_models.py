"""Loading models for all visitors: in the background, within limits, and gone when they go."""

import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest
from transformers import ViltForQuestionAnswering

from pages.shared import awaited, models
from pages.shared.background import Job
from tests.browser import ROOT
from tests.builders import random_picture
from tests.families import test_llava, test_vilt
from tests.pages.serving import PATIENCE, forget_all, wait
from vl_core.checkpoints import weights_bytes
from vl_core.errors import ModelError
from vl_core.example import Example


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two tiny checkpoints, of two architectures."""
    saved = tmp_path_factory.mktemp("models")
    test_vilt.save(saved / "vilt", ViltForQuestionAnswering)
    test_llava.save(saved / "llava")
    return {name: str(saved / name) for name in ("vilt", "llava")}


@pytest.fixture(autouse=True)
def own(monkeypatch):
    """A server whose owner allows folders; a way to settle more."""
    monkeypatch.setenv("VLINTERPRET_FOLDERS", "1")
    forget_all()
    yield lambda name, value: monkeypatch.setenv(f"VLINTERPRET_{name}", value)
    forget_all()


def room_for_one(folders):
    """The owner's limit that is enough for the larger of the two, and not for both."""
    sizes = [weights_bytes(Path(folder), "float32") for folder in folders.values()]
    return str((max(sizes) + sum(sizes)) / 2 / 1e9)


def load(name):
    """Load a model and wait for it; the problem, if there is one."""
    models.load(name)
    wait(name)
    job = models.loading(name)
    return None if job is None else job.problem


def test_a_model_is_there_for_all_once_it_is_loaded(folders):
    """Until then it is not, and asking for it loads nothing."""
    name = folders["vilt"]
    with pytest.raises(ModelError, match="not loaded on this server"):
        models.model(name)

    assert load(name) is None
    assert models.is_ready(name)
    assert models.loaded() == [name]
    assert models.model(name).trace(Example(random_picture(), "what color?")).prediction.top


def test_visitors_who_ask_together_share_one_load(folders, monkeypatch):
    """The second one waits for the first one's."""
    reads, read = [], models._read
    monkeypatch.setattr(models, "_read", lambda *how: reads.append(how) or read(*how))
    for _ in range(3):
        models.load(folders["vilt"])
    wait(folders["vilt"])
    models.load(folders["vilt"])

    assert len(reads) == 1


def test_a_model_that_leaves_is_gone_from_memory(folders, own):
    """Not only from the list: nothing holds its weights any more, however long it was frozen."""
    assert load(folders["vilt"]) is None
    first = models.model(folders["vilt"])
    first.trace(Example(random_picture(), "what color?"))
    object.__setattr__(first.family.model, "head", first.family.model)  # as some refer to parts
    gc.collect()
    gc.freeze()
    weights = weakref.ref(first.family.model)
    own("MODELS_GB", room_for_one(folders))
    del first
    assert weights() is not None

    assert load(folders["llava"]) is None

    assert models.loaded() == [folders["llava"]]
    assert weights() is None


def test_a_model_that_leaves_ends_its_run_first(folders, own):
    """The new one is read only when the memory is free."""
    assert load(folders["vilt"]) is None
    running = models.model(folders["vilt"])
    own("MODELS_GB", room_for_one(folders))

    models.load(folders["llava"])
    job = models._jobs()[folders["llava"]]
    while job.sentence != models.LEAVING:
        job.thread.join(0.01)
        assert not job.is_done
    assert not models.is_ready(folders["llava"])
    del running
    wait(folders["llava"])

    assert models.is_ready(folders["llava"])


def test_where_there_is_room_nobody_leaves(folders):
    """By default half of the memory."""
    assert load(folders["vilt"]) is None
    assert load(folders["llava"]) is None

    assert models.loaded() == [folders["vilt"], folders["llava"]]


def test_a_model_larger_than_the_owner_allows_is_refused_and_drives_out_none(folders, own):
    """The sentence has both sizes."""
    assert load(folders["vilt"]) is None
    own("MODELS_GB", "0.0001")

    assert "the owner of this server allows 100 kB for models" in load(folders["llava"])
    assert models.loaded() == [folders["vilt"]]


def test_a_damaged_checkpoint_is_told_by_the_name_it_was_asked_for(folders, tmp_path):
    """What cannot be read is a problem of this model, not of the server."""
    (tmp_path / "config.json").write_text('{"model_type": "vilt"}')

    assert "neither model.safetensors nor" in load(str(tmp_path))
    assert load(folders["vilt"]) is None


def test_a_problem_can_be_cured_and_tried_again(folders, tmp_path):
    """The second try counts."""
    place = tmp_path / "later"
    assert "There is no folder" in load(str(place))
    test_vilt.save(place, ViltForQuestionAnswering)

    assert load(str(place)) is None
    assert models.is_ready(str(place))


def test_only_so_many_are_on_their_way_at_once(folders, monkeypatch):
    """Who may load any model must not load all; and the sentence says so."""
    may_go_on = threading.Event()
    monkeypatch.setattr(models, "_found", lambda *_: may_go_on.wait(PATIENCE) and None)
    for number in range(models.AT_ONCE):
        models.load(f"someone/model-{number}")

    problem = load("someone/one-too-many")
    may_go_on.set()
    for number in range(models.AT_ONCE):
        wait(f"someone/model-{number}")

    assert f"{models.AT_ONCE} models are being loaded already" in problem


def test_failures_are_not_remembered_for_ever(monkeypatch):
    """The latest can be told; names that anybody may type do not fill the memory."""
    for number in range(models.REMEMBERED + 5):
        models.load(f"not a name {number}")
        wait(f"not a name {number}")
    models.load("not a name either")
    wait("not a name either")

    assert len(models._jobs()) <= models.REMEMBERED + 1
    assert models.loading("not a name 0") is None
    assert "not a name either" in models.loading("not a name either").problem


def test_loading_blocks_neither_the_embedded_model_nor_computations(monkeypatch):
    """However long a download takes, and however long weights are read."""
    may_go_on, is_reading = threading.Event(), threading.Event()

    def slow(*_):
        is_reading.set()
        may_go_on.wait(PATIENCE)
        raise ModelError("It was only a test.")

    monkeypatch.setattr(models, "_found", lambda *_: None)
    monkeypatch.setattr(models, "_make_room", slow)
    models.load("someone/slow")
    assert is_reading.wait(PATIENCE)

    computed = Job(lambda _: 6 * 7)
    computed.thread.join(PATIENCE)
    answer = models.model("embedded").trace(Example(random_picture(), "what color is this?"))
    is_waiting = not models._jobs()["someone/slow"].is_done
    may_go_on.set()

    assert is_waiting
    assert computed.result == 42
    assert answer.prediction.top


def test_a_model_that_is_stopped_while_it_is_read_is_dropped(folders, monkeypatch):
    """What was read is used by nobody and held by nothing; another try loads it."""
    name, read, seen = folders["vilt"], models._read, []

    def stopped(*how):
        found = read(*how)
        object.__setattr__(found.family.model, "head", found.family.model)  # as some refer to parts
        seen.append(weakref.ref(found.family.model))
        models.give_up(name)
        return found

    monkeypatch.setattr(models, "_read", stopped)
    problem = load(name)

    assert problem.startswith(f"Loading {name} was stopped.")
    assert models.loading(name).was_stopped
    assert not models.is_ready(name)
    assert seen[0]() is None
    monkeypatch.setattr(models, "_read", read)
    assert load(name) is None
    assert models.is_ready(name)


def test_a_model_that_waits_for_another_can_be_stopped(folders):
    """It need not wait until its turn comes."""
    with models._reading():
        models.load(folders["vilt"])
        job = models.loading(folders["vilt"])
        while job.sentence != models.WAITING:
            job.thread.join(0.01)
        models.give_up(folders["vilt"])
        wait(folders["vilt"])

    assert job.was_stopped
    assert not models.is_ready(folders["vilt"])


@pytest.fixture
def by(monkeypatch):
    """Lets one of several visitors do something with a model."""

    def act(who, what, name):
        monkeypatch.setattr(awaited, "visitor", lambda: who)
        what(name)

    return act


def test_what_others_wait_for_goes_on_when_one_gives_it_up(folders, monkeypatch, by):
    """The last of those who are here stops it; who comes back to it waits again."""
    name, here = folders["vilt"], {"one", "two", "gone"}
    monkeypatch.setattr(awaited, "is_here", here.__contains__)
    with models._reading():
        by("one", models.load, name)
        job = models.loading(name)
        by("two", models.load, name)
        by("one", models.give_up, name)
        assert not job.is_awaited_by("one")
        by("one", models.load, name)
        assert models.loading(name) is job
        assert job.is_awaited_by("one")
        by("two", models.give_up, name)
        by("gone", models.load, name)
        here.remove("gone")
        assert not job.is_stopping
        by("one", models.give_up, name)
        assert job.is_stopping
        wait(name)

    assert job.was_stopped
    by("two", models.load, name)
    wait(name)
    assert models.is_ready(name)


def test_who_only_sees_a_model_on_its_way_does_not_keep_it_there(folders, by):
    """Who had it loaded stops it alone."""
    name = folders["vilt"]
    with models._reading():
        by("one", models.load, name)
        job = models.loading(name)
        assert not job.is_awaited_by("two")
        assert job.is_awaited
        by("one", models.give_up, name)
        assert job.is_stopping
        wait(name)


def test_who_has_another_model_loaded_waits_for_the_first_no_longer(folders, by):
    """It goes on, is not kept from being stopped, and can be waited for again."""
    first, second = folders.values()
    with models._reading():
        by("one", models.load, first)
        job = models.loading(first)
        by("one", models.load, second)
        assert not job.is_awaited
        assert not job.is_stopping
        assert models.loading(second).is_awaited_by("one")
        by("two", models.load, first)
        by("two", models.give_up, first)
        assert job.is_stopping
        by("one", models.give_up, second)
        for name in folders.values():
            wait(name)


def test_what_is_not_on_its_way_cannot_be_stopped(folders):
    """A name that nobody loads, and a model that has come."""
    models.give_up("someone/nothing")
    assert load(folders["vilt"]) is None
    models.give_up(folders["vilt"])

    assert models.is_ready(folders["vilt"])


def test_downloads_come_in_a_way_that_can_be_stopped():
    """The client of Hugging Face is told so before it is imported."""
    code = (
        "import pages.shared.models\n"
        "from huggingface_hub import constants\n"
        "print(constants.HF_HUB_DISABLE_XET)"
    )
    environment = {key: text for key, text in os.environ.items() if key != "HF_HUB_DISABLE_XET"}
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.strip() == "True"
