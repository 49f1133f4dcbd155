"""WebQA's file format, read back by a plain reader of it."""

from dataclasses import replace

import pytest

from tests.datasets.scenes import webqa_reader
from vl_core.datasets.scenes import sourced_items
from vl_core.datasets.scenes.webqa_files import write_webqa
from vl_core.errors import VLError

N_ITEMS = 23
N_SOURCES = 7


@pytest.fixture(scope="module")
def items():
    """Questions of every category with pictures of several canvases."""
    return sourced_items(range(4000), N_ITEMS, N_SOURCES)


@pytest.fixture(scope="module")
def folder(items, tmp_path_factory):
    """The items as a split for validation, in a folder two levels deep."""
    folder = tmp_path_factory.mktemp("webqa") / "new" / "folder"
    write_webqa(folder, items, "val")
    return folder


@pytest.fixture(scope="module")
def told(folder):
    """What a plain reader finds; it checks all rules of the format."""
    return webqa_reader.read(folder, "val")


def facts_by_text(question, names):
    """The facts of these lists by the caption or text that they hold."""
    return sorted(
        fact.get("fact", fact.get("caption")) for name in names for fact in question[name]
    )


def test_every_item_is_a_question_with_its_answer(items, told):
    """In the items' order, with what the sentence and the key word are."""
    assert len(told) == N_ITEMS
    for item, question in zip(items, told.values(), strict=True):
        asked = item.asked
        assert question["Q"] == f'"{asked.text}"'
        assert question["A"] == [f'"{asked.sentence}"']
        assert question["topic"] == asked.place
        assert question.get("Keywords_A") == (None if asked.by_text else f'"{asked.answer}"')
        assert question["Qcate"] == ("text" if asked.by_text else asked.category)
    assert len({question["Qcate"] for question in told.values()}) == 6


def test_sources_stand_among_the_right_facts(items, told):
    """By whether they are pictures, and by whether they answer; all of them, each once."""
    for item, question in zip(items, told.values(), strict=True):
        for what, is_text in (("img", False), ("txt", True)):
            for kind, is_gold in (("posFacts", True), ("negFacts", False)):
                assert facts_by_text(question, [f"{what}_{kind}"]) == sorted(
                    one.text
                    for one in item.asked.sources
                    if (one.scene is None) == is_text and one.is_gold == is_gold
                )
        n_facts = len(webqa_reader.image_facts(question) + webqa_reader.text_facts(question))
        assert n_facts == N_SOURCES


def test_the_pictures_are_the_rendered_scenes_to_the_pixel(items, told, folder):
    """Found by seeking to the offset of their number, on every canvas."""
    sizes = set()
    for item, question in zip(items, told.values(), strict=True):
        found = []
        for fact in webqa_reader.image_facts(question):
            picture = webqa_reader.picture(folder, fact["image_id"])
            assert picture.mode == "RGB"
            sizes.add(picture.size)
            found.append((fact["caption"], picture.size, picture.tobytes()))
        shown = [(one.text, one.scene) for one in item.asked.sources if one.scene]
        assert sorted(found) == sorted(
            (text, (one.width, one.height), one.render().tobytes()) for text, one in shown
        )
    assert len(sizes) > 4


def test_offsets_are_those_of_the_lines(folder):
    """One for each line, from 0, and the last line ends the file."""
    content = (folder / "imgs.tsv").read_bytes()
    starts = webqa_reader.offsets(folder)

    assert starts[0] == 0
    assert all(content[start - 1 : start] == b"\n" for start in starts[1:])
    assert content.count(b"\n") == len(starts)
    assert content.endswith(b"\n")
    assert (folder / "imgs.lineidx").read_bytes().endswith(b"\n")


def test_the_order_of_numbers_says_nothing_of_what_is_gold(told):
    """Neither the first nor the last picture of a question is always the right one."""
    places = set()
    for question in told.values():
        ids = sorted(fact["image_id"] for fact in webqa_reader.image_facts(question))
        places.update(ids.index(fact["image_id"]) for fact in question["img_posFacts"])

    assert len(places) >= 3


def test_guids_are_those_of_the_questions_wherever_they_stand(items, told, tmp_path):
    """Written again in another order and split, a question keeps its Guid."""
    write_webqa(tmp_path, list(reversed(items)), "train")
    again = webqa_reader.read(tmp_path, "train")

    assert list(again) == list(reversed(told))
    assert len(set(told)) == N_ITEMS


def test_the_test_split_says_nothing_of_what_is_right(items, tmp_path):
    """Sources are pooled in their order; no answer, category, topic or label is told."""
    write_webqa(tmp_path, items, "test")
    told = webqa_reader.read(tmp_path, "test")
    assert not (tmp_path / "WebQA_train_val.json").exists()
    for item, question in zip(items, told.values(), strict=True):
        assert question["Q"] == f'"{item.asked.text}"'
        assert question["A"] == ['"TBD"']
        for name, is_text in (("img_Facts", False), ("txt_Facts", True)):
            assert [fact.get("fact", fact.get("caption")) for fact in question[name]] == [
                one.text for one in item.asked.sources if (one.scene is None) == is_text
            ]


def test_nothing_but_the_guid_changes_with_the_labels_of_the_test_split(items, tmp_path):
    """Whichever source is marked as gold, and whatever the answer is."""
    asked = items[0].asked
    sources = tuple(replace(one, is_gold=not one.is_gold) for one in asked.sources)
    other = replace(asked, sources=sources, answer="4", sentence="nothing.", category="number")
    told = []
    for name, item in (("one", items[0]), ("other", replace(items[0], asked=other))):
        write_webqa(tmp_path / name, [item], "test")
        ((guid, question),) = webqa_reader.read(tmp_path / name, "test").items()
        told.append(str(question).replace(guid, "GUID"))

    assert told[0] == told[1]


@pytest.mark.parametrize("name", ["WebQA_train_val.json", "imgs.tsv", "imgs.lineidx"])
def test_none_of_the_files_is_written_over(items, tmp_path, name):
    """The message names folder and file and says what to do; nothing is touched."""
    (tmp_path / name).write_text("precious")
    with pytest.raises(VLError, match=rf"{tmp_path} already holds {name}.*another folder"):
        write_webqa(tmp_path, items[:1], "val")

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_a_stop_leaves_nothing_behind(items, tmp_path):
    """No file is there in part; a second try finds its way free."""
    told = []

    def stop_at_second(n_written):
        told.append(n_written)
        if n_written == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_webqa(tmp_path, items, "val", stop_at_second)
    assert told == [1, 2]
    assert not list(tmp_path.iterdir())

    write_webqa(tmp_path, items, "val")
    assert len(webqa_reader.read(tmp_path, "val")) == N_ITEMS
