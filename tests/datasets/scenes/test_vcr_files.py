"""VCR's file format, read back by a plain reader of it."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.datasets.scenes import vcr_reader
from vl_core.datasets.scenes import CHOICE_KINDS, ChoiceItem, choice_items, choices, scene
from vl_core.datasets.scenes.vcr_files import write_vcr
from vl_core.errors import VLError

CANVASES = ((128, 80), (64, 128), (112, 128))


@pytest.fixture(scope="module")
def items():
    """One of each kind on each of three canvases, and some of a fixed set."""
    drawn = [
        ChoiceItem(seed, one, asked)
        for place, size in enumerate(CANVASES)
        for number, kind in enumerate(CHOICE_KINDS)
        for seed in [next_seed(size, kind, 100 * place + 10 * number)]
        for one in [scene(seed, size)]
        for asked in [choices(one, random.Random(seed), kind)]
    ]
    return drawn + choice_items(range(2_999_990, 3_000_100), 20)


def next_seed(size, kind, start):
    """The first seed from there on whose scene offers the kind."""
    return next(
        seed
        for seed in range(start, start + 100)
        if choices(scene(seed, size), random.Random(seed), kind)
    )


@pytest.fixture(scope="module")
def folder(items, tmp_path_factory):
    """The items as a split for validation, in a folder two levels deep."""
    folder = tmp_path_factory.mktemp("vcr") / "new" / "folder"
    write_vcr(folder, items, "val")
    return folder


@pytest.fixture(scope="module")
def read(folder):
    """What a plain reader finds; it checks all rules of the format."""
    return vcr_reader.read(folder, "val")


def test_every_item_is_a_line_in_its_order_with_all_its_words(items, read):
    """Question, candidates and labels are those of the item."""
    assert len(read) == len(items)
    for number, (item, (line, _, _)) in enumerate(zip(items, read, strict=True)):
        asked = item.asked
        assert words(line["question"]) == asked.question
        assert tuple(map(words, line["answer_choices"])) == asked.answers
        assert tuple(map(words, line["rationale_choices"])) == asked.rationales
        assert line["answer_label"] == asked.answer_label
        assert line["rationale_label"] == asked.rationale_label
        assert line["annot_id"] == f"val-{number}"
        assert line["match_index"] == number


def words(tokens):
    """The tokens as the generator has them."""
    return tuple(tuple(token) if isinstance(token, list) else token for token in tokens)


def test_objects_are_named_by_their_shape(items, read):
    """In the scene's order, so that tags hit the right ones."""
    for item, (line, _, _) in zip(items, read, strict=True):
        assert line["objects"] == [one.shape for one in item.scene.objects]


def test_the_picture_is_the_rendered_scene_to_the_pixel(items, read):
    """On every canvas."""
    for item, (_, image, _) in zip(items, read, strict=True):
        assert image.size == (item.scene.width, item.scene.height)
        assert np.array_equal(np.asarray(image), np.asarray(item.scene.render()))


def test_boxes_and_polygons_lie_on_the_objects(items, read):
    """A box bounds the pixels of its object, and its polygon covers just these."""
    for item, (_, image, metadata) in zip(items, read, strict=True):
        masks = item.scene.masks(4 * max(image.size))
        for mask, box, polygons in zip(masks, metadata["boxes"], metadata["segms"], strict=True):
            rows, columns = np.nonzero(mask)
            bounds = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            assert np.abs(np.array(bounds) / 4 - box[:4]).max() < 0.7
            drawn = Image.new("1", (4 * image.width, 4 * image.height))
            for polygon in polygons:
                ImageDraw.Draw(drawn).polygon([(4 * x, 4 * y) for x, y in polygon], fill=1)
            covered = np.asarray(drawn)
            assert (covered & mask).sum() / (covered | mask).sum() > 0.9


def test_numbers_are_zero_based_in_tokens_and_one_based_in_what_was_typed(read):
    """As the data set has them."""
    line = next(line for line, _, _ in read if line["question"][:2] == ["how", "do"])
    one, other = line["question"][2][0], line["question"][4][0]

    assert line["question_orig"] == f"how do {one + 1} and {other + 1} compare?"


def test_pictures_lie_in_a_folder_for_each_thousand_seeds(read, folder):
    """No folder grows without end, and no picture is there that no line names."""
    folders = {line["movie"] for line, _, _ in read}
    files = {
        str(path.relative_to(folder / "vcr1images"))
        for path in (folder / "vcr1images").rglob("*.*")
    }

    assert folders == {"scenes_0", "scenes_2999", "scenes_3000"}
    assert files == {line[name] for line, _, _ in read for name in ("img_fn", "metadata_fn")}


def test_several_questions_about_a_scene_share_its_picture(items, tmp_path):
    """They are counted from 0, and only the pictures' number tells scenes apart."""
    first, second = items[0], items[5]
    again = replace(first, asked=choices(first.scene, random.Random(99)))
    write_vcr(tmp_path, [first, second, again], "train")
    read = vcr_reader.read(tmp_path, "train")

    assert [line["question_number"] for line, _, _ in read] == [0, 0, 1]
    assert [line["img_id"] for line, _, _ in read] == ["train-0", "train-1", "train-0"]
    assert [line["annot_id"] for line, _, _ in read] == ["train-0", "train-1", "train-2"]
    assert read[0].line["img_fn"] == read[2].line["img_fn"]


def test_the_test_split_says_nothing_of_what_is_right(items, tmp_path):
    """It has the same questions and candidates, and no labels nor what gives them away."""
    write_vcr(tmp_path, items, "test")
    for item, (line, _, _) in zip(items, vcr_reader.read(tmp_path, "test"), strict=True):
        assert words(line["question"]) == item.asked.question
        assert tuple(map(words, line["answer_choices"])) == item.asked.answers
        relabelled = replace(
            item,
            asked=replace(
                item.asked,
                answer_label=3 - item.asked.answer_label,
                rationale_label=3 - item.asked.rationale_label,
            ),
        )
        other = tmp_path / line["annot_id"]
        write_vcr(other, [relabelled], "test")
        (told,) = vcr_reader.read(other, "test")
        numbers = ("annot_id", "img_id", "match_index")
        assert without(told.line, numbers) == without(line, numbers)


def without(line, names):
    """The line without some fields."""
    return {name: value for name, value in line.items() if name not in names}


def test_splits_may_lie_side_by_side_but_none_is_written_over(items, folder):
    """The message names folder and file and says what to do; nothing is touched."""
    before = (folder / "val.jsonl").read_bytes()
    with pytest.raises(VLError, match=rf"{folder} already holds val\.jsonl.*another folder"):
        write_vcr(folder, items[:1], "val")
    write_vcr(folder, items[:3], "train")

    assert (folder / "val.jsonl").read_bytes() == before
    assert len(vcr_reader.read(folder, "train")) == 3
    assert len(vcr_reader.read(folder, "val")) == len(items)
    (folder / "train.jsonl").unlink()


def test_a_stop_leaves_no_half_written_lines_and_can_be_taken_up_again(items, tmp_path):
    """Pictures may be there already; the lines come all at once."""

    def stop_at_third(n_written):
        if n_written == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_vcr(tmp_path, items, "val", stop_at_third)
    assert [path.name for path in tmp_path.iterdir()] == ["vcr1images"]

    write_vcr(tmp_path, items, "val")
    assert len(vcr_reader.read(tmp_path, "val")) == len(items)


def test_progress_is_told_after_each_item(items, tmp_path):
    """How many are written by now."""
    told = []
    write_vcr(tmp_path, items[:5], "val", told.append)

    assert told == [1, 2, 3, 4, 5]


def test_lines_are_plain_json_of_one_line_each(folder, items):
    """A file that any tool reads line by line, and that ends with a line's end."""
    content = (folder / "val.jsonl").read_bytes()

    assert content.endswith(b"\n")
    assert content.count(b"\n") == len(items)
    assert all(isinstance(json.loads(line), dict) for line in content.splitlines())
