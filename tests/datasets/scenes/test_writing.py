"""`python -m vl_core.datasets.scenes`: what it writes, what it says, what it refuses."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.datasets.scenes import vcr_reader, webqa_reader
from vl_core.datasets.scenes import TRAINING_SEEDS, UNSEEN_SEEDS
from vl_core.datasets.scenes.__main__ import main


@pytest.fixture
def run(monkeypatch):
    """Runs the command with these arguments."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["scenes", *map(str, arguments)])
        main()

    return run


def test_it_writes_either_format_and_says_how_far_it_is(run, tmp_path, capsys):
    """Progress goes to standard error, and the last line has the full number."""
    run("vcr", tmp_path / "vcr", "--count", 52)
    run("webqa", tmp_path / "webqa", "--count", 3, "--split", "train")

    assert len(vcr_reader.read(tmp_path / "vcr", "val")) == 52
    assert len(webqa_reader.read(tmp_path / "webqa", "train")) == 3
    assert capsys.readouterr().err.splitlines() == [
        "50 of 52 questions written",
        "52 of 52 questions written",
        "3 of 3 questions written",
    ]


def test_splits_have_scenes_of_their_own(run, tmp_path):
    """Those for training from the seeds for training, the other two from unseen ones."""
    seeds = {}
    for split in ("train", "val", "test"):
        run("vcr", tmp_path, "--count", 5, "--split", split)
        seeds[split] = [
            int(one.line["img_fn"].split("/")[1].split("@")[0])
            for one in vcr_reader.read(tmp_path, split)
        ]

    assert set(seeds["train"]) <= set(range(100))
    assert all(seed in TRAINING_SEEDS for seed in seeds["train"])
    assert all(seed in UNSEEN_SEEDS for seed in (*seeds["val"], *seeds["test"]))
    assert max(seeds["val"]) + 100_000_000 < min(seeds["test"])


def test_the_first_seed_can_be_chosen(run, tmp_path):
    """The same seed gives the same questions."""
    for name in ("one", "other"):
        run("vcr", tmp_path / name, "--count", 4, "--first-seed", 1234)
    one, other = (vcr_reader.read(tmp_path / name, "val") for name in ("one", "other"))

    assert [found.line for found in one] == [found.line for found in other]
    assert "scenes_1/12" in one[0].line["img_fn"]


@pytest.mark.parametrize("chosen", ["vcr", "webqa"])
def test_a_folder_in_use_is_refused_in_one_sentence(run, tmp_path, chosen):
    """It says which file is in the way, and ends as a failure without a traceback."""
    run(chosen, tmp_path, "--count", 2)
    with pytest.raises(SystemExit, match=r"already holds .*\. Choose another folder"):
        run(chosen, tmp_path, "--count", 2)


def test_a_place_that_is_no_folder_is_refused(run, tmp_path):
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="file"):
        run("vcr", tmp_path / "file", "--count", 2)


def test_running_out_of_seeds_for_training_is_refused(run, tmp_path):
    """Sets for training never run on into scenes that are held out."""
    with pytest.raises(SystemExit, match="and 50 were asked for"):
        run("vcr", tmp_path, "--count", 50, "--first-seed", TRAINING_SEEDS[-1])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong", [("--count", 0), ("--first-seed", -1), ("--first-seed", 2**31), ("--split", "all")]
)
def test_arguments_that_make_no_sense_are_refused(run, tmp_path, capsys, wrong):
    """With what is wanted, before anything is written."""
    with pytest.raises(SystemExit) as stopped:
        run("vcr", tmp_path / "new", *wrong)

    assert stopped.value.code == 2
    assert wrong[0] in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_example_of_the_help_runs(run, tmp_path, capsys):
    """As it stands there, but for the folder and the number."""
    with pytest.raises(SystemExit):
        run("--help")
    start = "python -m vl_core.datasets.scenes "
    examples = [
        line.strip().removeprefix(start)
        for line in capsys.readouterr().out.splitlines()
        if line.strip().startswith(start)
    ]
    assert len(examples) == 5
    for example in examples:
        chosen, folder, *options = shlex.split(re.sub("[12]00", "3", example))
        run(chosen, tmp_path / Path(folder).name, *options)
    assert len(vcr_reader.read(tmp_path / "scenes-vcr", "test")) == 3
