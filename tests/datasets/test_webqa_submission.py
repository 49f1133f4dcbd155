"""The file that WebQA's server scores."""

import json

import pytest

from tests.datasets.webqa_files import FIRST, guid, hidden, write_questions
from vl_core.datasets.webqa import Submitted, WebQA, write_submission
from vl_core.errors import DatasetError


@pytest.fixture
def data(tmp_path):
    """Three questions of the test split, the second one damaged."""
    questions = [hidden(1), hidden(2) | {"Q": 5}, hidden(3)]
    return WebQA(write_questions(tmp_path / "WebQA_test.json", questions))


def test_sources_are_named_as_the_server_compares_them(data, tmp_path):
    """Pictures by whole numbers, texts by names; in the order that was given."""
    names = [one.name for one in data[2].asked[0].options]
    places = tuple(names.index(name) for name in (f"{guid(3)}_1", str(FIRST + 32), f"{guid(3)}_0"))
    path = tmp_path / "out.json"
    write_submission(path, data, [Submitted(answer="No."), Submitted(), Submitted(places, "Yés.")])
    assert json.loads(path.read_text()) == {
        guid(1): {"sources": [], "answer": "No."},
        guid(2): {"sources": [], "answer": ""},
        guid(3): {"sources": [f"{guid(3)}_1", FIRST + 32, f"{guid(3)}_0"], "answer": "Yés."},
    }


@pytest.mark.parametrize("n_answers", [0, 2, 4])
def test_every_question_must_be_there(data, tmp_path, n_answers):
    """Those that are missing would count as wrong."""
    path = tmp_path / "out.json"
    with pytest.raises(DatasetError, match=f"{n_answers} answers came for the 3 questions"):
        write_submission(path, data, [Submitted()] * n_answers)
    assert not path.exists()


def test_what_was_there_stays_if_it_cannot_be_written(data, tmp_path):
    """A question that cannot be read has no sources that could be named."""
    path = tmp_path / "out.json"
    path.write_text("older")
    with pytest.raises(DatasetError, match=guid(2)):
        write_submission(path, data, [Submitted((0,))] * 3)
    assert path.read_text() == "older"
    write_submission(path, data, [Submitted()] * 3)
    assert len(json.loads(path.read_text())) == 3
    assert sorted(one.name for one in tmp_path.iterdir()) == ["WebQA_test.json", "out.json"]
