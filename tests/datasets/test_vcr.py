"""VCR: lines as items, candidates as examples, tags as words with boxes."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.datasets import vcr_sample as sample
from vl_core import datasets
from vl_core.datasets import vcr
from vl_core.datasets.items import Dataset
from vl_core.datasets.vcr import VCR
from vl_core.errors import DatasetError, ImageError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    """One question about one picture."""
    return sample.write(tmp_path / "vcr1")


def example(folder, asked=0, option=0, **options):
    """The example of an option of the first item."""
    return VCR(folder, **options)[0].asked[asked].options[option].example()


def test_a_line_is_an_item_with_two_tasks(folder):
    """Words are put together for reading, objects are called by their number from 1."""
    data = vcr.opened(folder)
    (item,) = data
    answers, rationales = item.asked

    assert isinstance(data, Dataset)
    assert (len(data), data.name, data.kind) == (1, "vcr1, val", "VCR")
    assert item.name == "val-0"
    assert item.text == "Why is [1] holding [4]?"
    assert item.answer == "[1] wants to calm [4] down."
    assert item.facts["movie"] == "0000_INVENTED_MOVIE"
    assert item.facts["answer likelihood"] == "likely"
    assert (answers.name, answers.text, answers.right) == ("Q->A", item.text, {1})
    assert [one.name for one in answers.options] == ["0", "1", "2", "3"]
    assert [one.title for one in answers.options] == [
        "[3] is late.",
        "[1] wants to calm [4] down.",
        "They don't know.",
        "[1]'s cold.",
    ]
    assert (rationales.name, rationales.right) == ("QA->R", {0})
    assert rationales.text == "Why is [1] holding [4]? [1] wants to calm [4] down."
    assert rationales.options[0].title == "[4] looks scared, and [1] and [3] are smiling."
    assert data[-1].name == "val-0"
    with pytest.raises(IndexError, match="item 1 of 1"):
        data[1]


def test_an_option_is_judged_behind_what_is_asked(folder):
    """Question and answer, or question, right answer and rationale, in the picture's own pixels."""
    answer, rationale = example(folder, 0, 3), example(folder, 1, 1)

    assert answer.task == rationale.task == "candidate"
    assert answer.parts == ("Why is [1] holding [4]?", "[1]'s cold.")
    assert rationale.parts == (
        "Why is [1] holding [4]?",
        "[1] wants to calm [4] down.",
        "It is raining on [2].",
    )
    assert answer.answer == "[1] wants to calm [4] down."
    assert rationale.answer == "[4] looks scared, and [1] and [3] are smiling."
    assert np.array_equal(np.asarray(answer.image), np.asarray(sample.picture(folder)))


STYLES = {
    "number": ("[1]", "[2]", "[3]", "[4]", "[5]"),
    "name": ("Casey", "potted plant", "Riley", "dog", "dog"),
    "class": ("person 1", "the potted plant", "person 2", "dog 1", "dog 2"),
    "special": ("[PERSON_0]", "potted plant", "[PERSON_2]", "dog", "dog"),
}


@pytest.mark.parametrize("tags", STYLES)
def test_each_mention_is_a_region_of_its_object(folder, tags):
    """Its characters are the tag as read, its box and number are the object's, in text order."""
    found = example(folder, 1, 0, tags=tags)
    names = STYLES[tags]
    mentioned = [0, 3, 0, 3, 3, 0, 2]
    named = [region for region in found.regions if region.span]

    assert [region.number for region in named] == mentioned
    assert [region.span for region in named] == sorted(region.span for region in named)
    for region in named:
        start, end = region.span
        assert found.text[start:end] == region.label == names[region.number]
        assert region.is_asked
        assert list(region.box) == sample.FACTS["boxes"][region.number][:4]
    assert f"{names[0]} and {names[2]} are smiling." in found.text
    assert VCR(folder, tags=tags).metadata["tags"] == tags


def test_what_no_word_names_is_a_region_without_words(folder):
    """Its box is cut to the picture; one that has no area there is no region."""
    found = example(folder, 0, 3)
    silent = {region.number: region for region in found.regions if region.span is None}

    assert set(silent) == {1, 2}
    assert silent[1].box == (0, 200, 60, 300)
    assert silent[1].label == "[2]"
    assert not silent[1].is_asked


def test_objects_that_are_left_out_are_told(folder):
    """A box beyond the picture's edge is no place in it; one that reaches beyond it is cut."""
    assert VCR(folder)[0].facts["boxes left out"] == (
        "line 1 of val.jsonl: Region [5] has the box (405.0, 10.0, 420.0, 60.0), which is not "
        "inside the picture of 400 x 300 pixels. It is left out."
    )
    sample.write(folder, facts=sample.FACTS | {"boxes": [sample.FACTS["boxes"][0]] * 5})
    assert "boxes left out" not in VCR(folder)[0].facts


@pytest.mark.parametrize(
    ("box", "why"),
    [
        ([7.0, 60.0, 2.0, 90.0, 0.5], r"\(7.0, 60.0, 2.0, 90.0\), which has no area"),
        ([1, 2, 3, float("nan")], r"nan\); four finite numbers"),
        ([0, 0, 10**400, 1], r"nan, 1.0\); four finite numbers"),
        ([-30, 10, -20, 60], "which is not inside the picture of 400 x 300 pixels"),
    ],
)
def test_a_box_that_is_no_place_spares_the_rest_of_its_item(folder, box, why):
    """The tag stays among the words, and the others have their boxes; it is told in a sentence."""
    boxes = [*sample.FACTS["boxes"][:3], box, sample.FACTS["boxes"][0]]
    sample.write(folder, facts=sample.FACTS | {"boxes": boxes})
    item = VCR(folder, tags="class")[0]
    option = item.asked[0].options[1]
    found = option.example()

    assert found.parts[0] == "Why is person 1 holding dog 1?"
    assert {region.number for region in found.regions} == {0, 1, 2, 4}
    (sentence,) = option.left_out(found)
    assert re.search(f"^line 1 of val.jsonl: Region dog 1 has the box .*{why}", sentence)
    assert item.facts["boxes left out"] == sentence


def test_a_box_is_told_of_in_the_pixels_of_the_picture(folder):
    """Which may have been made smaller; the fact has those of the file."""
    option = VCR(sample.write(folder, size=(160, 120)))[0].asked[1].options[2]
    (sentence,) = option.left_out(option.example())
    assert "(162.0, 4.0, 168.0, 24.0), which is not inside the picture of 160 x 120" in sentence


def test_a_mention_of_an_object_without_a_box_is_no_region(folder):
    """The words stay."""
    lines = [sample.line(question=["Is", [4], "there", "?"])]
    found = example(sample.write(folder, lines))

    assert found.parts[0] == "Is [5] there?"
    assert 4 not in {region.number for region in found.regions}


def test_polygons_come_along_but_for_those_that_are_none(folder):
    """At least three points each, in the picture; an object may have several, or none."""
    outlines = {region.number: region.outlines for region in example(folder).regions}

    assert outlines[0] == (((50, 40), (170, 42), (175, 290), (45, 295)),)
    assert outlines[1] == (((0, 200), (60, 205), (30, 300)),)
    assert outlines[2] == (((215, 30), (325, 35), (320, 290)),)
    assert outlines[3] == (((130, 250), (140, 252), (135, 258), (131, 255)),)


@pytest.mark.parametrize("segms", [None, [], [None, [], [], None, []]])
def test_metadata_may_have_no_polygons(folder, segms):
    """Boxes are there all the same."""
    facts = {name: value for name, value in sample.FACTS.items() if name != "segms"}
    sample.write(folder, facts=facts if segms is None else facts | {"segms": segms})

    assert all(not region.outlines for region in example(folder).regions)


def test_boxes_and_polygons_follow_a_picture_of_another_size(folder):
    """They are in pixels of the original, by the width that the metadata gives."""
    sample.write(folder, size=(160, 120))
    regions = {region.number: region for region in example(folder).regions}

    assert regions[0].box == pytest.approx((16, 12.2, 72.1, 119.6))
    assert regions[1].box == pytest.approx((0, 80, 24, 120))
    assert regions[2].outlines[0] == (
        pytest.approx((86, 12)),
        pytest.approx((130, 14)),
        pytest.approx((128, 116)),
    )


def test_a_side_that_was_rounded_is_cut_to_the_picture(folder):
    """Of 300 lines 226.5 are left at this width, and the picture has 226."""
    facts = sample.FACTS | {"boxes": [[0, 0, 400, 300, 1.0]] * 5}
    sample.write(folder, facts=facts, size=(302, 226))

    assert {region.box for region in example(folder).regions} == {(0, 0, 302, 226)}


def test_a_picture_of_another_shape_is_not_the_one_described(folder):
    """Boxes would lie anywhere in it."""
    sample.write(folder, size=(300, 300))

    with pytest.raises(DatasetError, match=r"300 x 300 pixels.* 400 x 300, of another shape"):
        example(folder)


def test_the_test_split_tells_nothing_of_what_is_right(folder):
    """Rationales are offered given each of the answers in turn."""
    data = VCR(sample.write(folder, [sample.without_labels()], split="test") / "test.jsonl")
    (item,) = data

    assert data.name == "vcr1, test"
    assert item.answer is None
    assert [one.right for one in item.asked] == [None] * 5
    assert [one.name for one in item.asked] == [
        "Q->A",
        *(f"QA->R given answer {number}" for number in (1, 2, 3, 4)),
    ]
    assert item.asked[3].text == "Why is [1] holding [4]? They don't know."
    for given, asked in enumerate(item.asked[1:]):
        assert len(asked.options) == 4
        found = asked.options[2].example()
        assert found.parts[1:] == (item.asked[0].options[given].title, "[3] has a map.")
        assert found.answer is None


@pytest.mark.parametrize("labels", [True, False])
def test_what_gives_the_right_one_away_is_never_shown(folder, labels):
    """Neither where candidates came from nor how they were matched, nor what was typed."""
    line = sample.line() if labels else sample.without_labels()
    other = dict(line) | {"answer_match_iter": [7] * 4, "rationale_sources": [7] * 4}
    item = VCR(sample.write(folder, [line]))[0]
    changed = VCR(sample.write(folder, [other]))[0]
    shown = [
        item.facts,
        *((asked.name, asked.text, asked.right) for asked in item.asked),
        *(option.title for asked in item.asked for option in asked.options),
    ]

    assert not any(str(number) in repr(shown) for number in sample.GIVEN_AWAY)
    assert changed.facts == item.facts
    assert sample.LINE["question_orig"] not in repr(shown)


@pytest.mark.parametrize("top", ["vcr1images/", ""])
def test_pictures_may_come_in_a_zip_file(folder, top):
    """With the folder's name before theirs, or without."""
    wanted = np.asarray(sample.picture(folder))
    sample.pack(folder, top)

    assert VCR(folder).metadata["pictures"] == "vcr1images.zip"
    assert np.array_equal(np.asarray(example(folder).image), wanted)


def test_of_several_splits_val_comes_first(folder):
    """Then train, then test; a file is that file."""
    for split in ("test", "train"):
        sample.write(folder, [sample.line(annot_id=f"{split}-7")], split=split)

    assert VCR(folder).metadata["split"] == "val"
    assert VCR(folder).metadata["splits"] == ["val", "train", "test"]
    assert VCR(folder / "test.jsonl")[0].name == "test-7"
    (folder / "val.jsonl").unlink()
    assert VCR(folder)[0].name == "train-7"
    (folder / "train.jsonl").unlink()
    assert VCR(folder)[0].name == "test-7"


def test_a_split_can_be_asked_for(folder):
    """By its name, of a folder that has it; a file is one split and no other."""
    sample.write(folder, [sample.line(annot_id="train-7")], split="train")

    assert datasets.open(folder, split="train")[0].name == "train-7"
    assert datasets.open(folder / "train.jsonl", split="train").metadata["split"] == "train"
    with pytest.raises(DatasetError, match=r"has no split test; it has val, train\."):
        datasets.open(folder, split="test")
    with pytest.raises(DatasetError, match=r"val\.jsonl is not the split train"):
        datasets.open(folder / "val.jsonl", split="train")


def test_tags_of_another_style_make_it_another_set(folder):
    """Scores and traces of one are not gone on with by the other, whose texts differ."""
    plain, named = datasets.open(folder), datasets.open(folder, tags="name")

    assert plain[0].text != named[0].text
    assert (plain.name, named.name) == (f"{folder.name}, val", f"{folder.name}, val, tags as name")


def test_it_is_told_by_names_and_first_bytes(folder, tmp_path):
    """A folder with a split, or its lines; never something else, and nothing is raised."""
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"image": "a.jpg", "question": "what?"}))
    (tmp_path / "empty").mkdir()
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / "val.jsonl").write_text(other.read_text())

    assert vcr.is_at(folder)
    assert vcr.is_at(folder / "val.jsonl")
    assert not any(
        vcr.is_at(path)
        for path in (
            other,
            tmp_path / "empty",
            tmp_path / "named",
            tmp_path / "nowhere",
            tmp_path / "no\0name",
            folder / "vcr1images" / sample.PICTURE,
        )
    )


def broken(**changed):
    """A line with one thing wrong, and metadata as they should be."""
    return sample.line(**changed), sample.FACTS


def facts(**changed):
    """A line as it should be, and metadata with one thing wrong."""
    return sample.line(), sample.FACTS | changed


DAMAGED = {
    "no field": (broken(rationale_choices=None), "has no rationale_choices, which every line"),
    "no list": (broken(question="Why?"), "question holds 'Why.'; a list is wanted"),
    "no words": (broken(question=[]), "its question has no words"),
    "only blanks": (broken(question=[" ", "\u0007"]), "its question has no words"),
    "strange word": (broken(question=["Why", 3]), "question holds 3; words and tags are"),
    "a name of a file": (broken(img_fn="\ud800.png"), "img_fn holds .*; a text is wanted"),
    "a name of metadata": (broken(metadata_fn="\ud800.json"), "metadata_fn holds .*; a text is"),
    "a very long tag": (
        broken(question=["Why", list(range(999))]),
        "names the objects .{,70}; the",
    ),
    "no words to say": (broken(answer_choices=[[""]] * 4), "one of its answer_choices has no"),
    "five answers": (broken(answer_choices=[["a"]] * 5), "5 answer_choices came, wanted 4"),
    "beyond the objects": (broken(question=["Why", [0, 5]]), r"\[0, 5\]; the line has 5, numbered"),
    "negative tag": (broken(question=["Why", [-1]]), r"names the objects \[-1\]"),
    "empty tag": (broken(question=["Why", []]), r"names the objects \[\]"),
    "true as a tag": (broken(question=["Why", [True]]), r"names the objects \[True\]"),
    "label": (broken(answer_label=4), "answer_label holds 4; a number from 0 to 3"),
    "label in words": (broken(rationale_label="1"), "rationale_label holds '1'; a number"),
    "objects": (broken(objects=["person", 3, "a", "b", "c"]), "objects holds 3; class names"),
    "name": (broken(annot_id=7), "annot_id holds 7; a text"),
    "fewer boxes": (facts(boxes=[[1, 2, 3, 4, 0.5]]), "1 entry under boxes for 5 objects; wanted"),
    "more polygons": (facts(segms=[[]] * 6), "its metadata has 6 entries under segms for 5"),
    "no boxes": (facts(boxes=None), "its metadata has no list under boxes for 5 objects"),
    "a short box": (facts(boxes=[[1, 2, 3]] * 5), r"the box \[1, 2, 3\]; wanted are left"),
    "words in a box": (facts(boxes=[[1, 2, 3, "4"]] * 5), r"the box \[1, 2, 3, '4'\]; wanted"),
    "truth in a box": (facts(boxes=[[1, 2, 3, True]] * 5), r"the box \[1, 2, 3, True\]; wanted"),
    "a polygon of numbers": (facts(segms=[[[1, 2, 3]]] * 5), "has 1 among its polygons"),
    "polygons of a text": (facts(segms=["ab"] * 5), "'ab' among its polygons"),
    "width": (facts(width=0), "a width of 0 and a height of 300"),
    "height": (facts(height="300"), "a height of '300'"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_told_of_one_line_and_spares_the_others(tmp_path, case):
    """In one sentence that begins with the line; nothing shows where the server keeps it."""
    (line, metadata), message = DAMAGED[case]
    sample.write(tmp_path / "vcr1", [sample.line(), line], facts=metadata)
    data = VCR(tmp_path / "vcr1")

    with pytest.raises(DatasetError, match=f"line 2 of val.jsonl.*{message}") as error:
        data[1]
    assert str(tmp_path) not in str(error.value)
    if metadata is sample.FACTS:
        assert data[0].name == "val-0"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "metadata is no JSON"),
        (b"[1]", "metadata is a JSON list"),
        (b"[" * 100_000, "metadata is no JSON"),
        (b" " * (9 * 2**20), "takes 9 MiB; at most 8"),
        (None, "cannot be read"),
    ],
)
def test_metadata_that_is_damaged_or_missing(folder, content, message):
    """The item says so when it is asked for."""
    path = folder / "vcr1images" / sample.METADATA
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DatasetError, match=f"line 1 of val.jsonl.*{message}"):
        VCR(folder)[0]


def test_a_picture_that_is_missing_or_damaged(folder):
    """Its item can be read; its examples say which picture it is."""
    path = folder / "vcr1images" / sample.PICTURE
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ImageError, match=rf"line 1 of val.jsonl, {sample.PICTURE}.*damaged"):
        example(folder)
    path.unlink()
    with pytest.raises(DatasetError, match=rf"line 1 of val.jsonl, {sample.PICTURE}.*cannot be"):
        example(folder)
    assert VCR(folder)[0].name == "val-0"


def test_a_very_long_name_does_not_fill_the_message(tmp_path):
    """Its ends are shown."""
    line = sample.line(img_fn="a" * 9_000 + ".png")
    asked = VCR(sample.write(tmp_path / "vcr1", [line]))[0].asked[0]
    with pytest.raises(DatasetError, match=r"line 1 of val\.jsonl, aaa.*a\.png: ") as told:
        asked.options[0].example()
    assert len(str(told.value)) < 400


@pytest.mark.parametrize(
    "name", ["../secret.png", "/secret.png", f"{sample.MOVIE}/../../secret.png"]
)
@pytest.mark.parametrize("zipped", [False, True])
def test_no_name_leads_out_of_the_pictures(folder, name, zipped):
    """Whatever a line says, no other file is read."""
    outside = folder / "secret.png"
    sample.picture(folder).save(outside)
    sample.write(folder, [sample.line(img_fn=name)])
    if zipped:
        sample.pack(folder, "vcr1images/")

    with pytest.raises(DatasetError, match="leads out of" if not zipped else "is not in"):
        example(folder)


def test_folders_that_are_not_what_they_should_be(folder, tmp_path):
    """Without lines, without pictures, or with an empty file."""
    with pytest.raises(DatasetError, match=r"has none of val\.jsonl, train\.jsonl, test\.jsonl"):
        VCR(tmp_path)
    with pytest.raises(DatasetError, match=r"gone\.jsonl cannot be read"):
        VCR(folder / "gone.jsonl")
    alone = tmp_path / "val.jsonl"
    alone.write_text(json.dumps(sample.LINE))
    with pytest.raises(DatasetError, match=r"neither vcr1images nor vcr1images\.zip beside val"):
        VCR(alone)
    (folder / "val.jsonl").write_text("\n")
    with pytest.raises(DatasetError, match=r"val\.jsonl has no lines"):
        VCR(folder)


def test_tags_of_no_known_style_are_refused(folder):
    """With those that there are; a type checker is not always there."""
    code = (
        "from pathlib import Path\n"
        "from vl_core.datasets.vcr import VCR\n"
        f"VCR(Path({str(folder)!r}), tags='names')"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert found.returncode == 1
    assert "by 'names'; there are number, name, class, special." in found.stderr


def test_several_visitors_read_at_once(folder):
    """From one zip file, each gets what there is."""
    lines = [sample.line(annot_id=f"val-{number}") for number in range(40)]
    sample.write(folder, lines)
    wanted = np.asarray(sample.picture(folder))
    sample.pack(folder, "")
    data = VCR(folder)

    with ThreadPoolExecutor(8) as pool:
        items = list(pool.map(data.__getitem__, range(40)))
        read = list(pool.map(lambda item: item.example.image, items))

    assert [item.name for item in items] == [f"val-{number}" for number in range(40)]
    assert all(np.array_equal(np.asarray(one), wanted) for one in read)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is told by /proc")
def test_a_hundred_thousand_lines_open_at_once(folder):
    """In a process of its own: under two seconds of its time and 200 MB in all."""
    line = json.dumps(sample.line(movie="x" * 800, annot_id="val-@@@@@@")).encode() + b"\n"
    with (folder / "val.jsonl").open("wb") as file:
        for block in range(100):
            numbers = range(1000 * block, 1000 * block + 1000)
            file.write(b"".join(line.replace(b"@@@@@@", b"%06d" % one) for one in numbers))
    assert (folder / "val.jsonl").stat().st_size > 100_000 * 1900
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from vl_core.datasets import vcr\n"
        "started = time.process_time()\n"
        "data = vcr.opened(Path(sys.argv[1]))\n"
        "spent = time.process_time() - started\n"
        "item = data[77_777]\n"
        # What the resource module tells may be the peak of the process that started this one.
        "peak = Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0]\n"
        "print(len(data), item.name, 'torch' in sys.modules, spent, int(peak) / 1024)"
    )
    command = [sys.executable, "-c", code, str(folder)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    count, name, has_torch, seconds, megabytes = found.stdout.split()

    assert (count, name, has_torch) == ("100000", "val-077777", "False")
    assert float(seconds) < 2  # 0.2 where this was written
    assert float(megabytes) < 200  # 81, most of it the libraries
