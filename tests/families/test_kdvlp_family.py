"""The KD-VLP family: which position is which word or cell, and what the model answers."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import BatchFeature

from tests import probes
from tests.builders import random_picture
from tests.checkpoints import MAX_TOKENS, save_kdvlp
from vl_core.checkpoints import EMBEDDED
from vl_core.datasets import scenes
from vl_core.errors import ImageError, TextError
from vl_core.example import Example, Region, joined_parts
from vl_core.families.kdvlp import family as kdvlp

SIZE = (330, 190)  # not square; 8 x 5 cells whose sides are no whole pixels
TEXT = "What color is  the Zeppelin, left of a star?"


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """A tiny random checkpoint."""
    return kdvlp.load(save_kdvlp(tmp_path_factory.mktemp("kdvlp")), {})


@pytest.fixture(scope="module")
def example():
    """A picture that is not square, different everywhere, and a text with unknown words."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (13, 21, 3), np.uint8))
    return Example(coarse.resize(SIZE, Image.Resampling.BICUBIC), TEXT)


def table_of(family, example):
    """The tokens of the one stream."""
    return family.streams(example, family.inputs(example))["encoder"]


def test_words_are_shown_with_the_text_that_they_stand_for(family, example):
    """Known words as the model knows them, unknown ones as they were typed, never [UNK]."""
    tokens = table_of(family, example)

    words = ["what", "color", "is", "the", "Zeppelin", ",", "left", "of", "a", "star", "?"]
    n_words = len(words)
    assert tokens.texts[: n_words + 2] == ("[CLS]", *words, "[SEP]")
    assert tokens.kinds[: n_words + 2] == ("special", *["text"] * n_words, "special")
    unknown = [text for text, flag in zip(tokens.texts, tokens.is_unknown, strict=True) if flag]
    assert unknown == ["Zeppelin", ","]
    shown = [example.text[start:end].lower() for start, end in tokens.spans[1 : n_words + 1]]
    assert shown == [word.lower() for word in words]
    assert (tokens.spans[[0, n_words + 1]] == -1).all()
    assert (tokens.spans[n_words + 2 :] == -1).all()


@pytest.mark.parametrize("name", ["[SEP]", "[MASK]", "[CLS]", "[PAD]", "[UNK]", "[3]"])
def test_special_names_in_the_question_are_words(family, name):
    """What the user typed is text, even if it reads like one of the model's own tokens."""
    example = Example(None, f"is {name} a star")
    tokens = table_of(family, example)
    ids = family.inputs(example)["input_ids"][0].tolist()

    assert tokens.kinds == ("special", *["text"] * 6, "special")
    assert tokens.texts[1:-1] == ("is", "[", name[1:-1], "]", "a", "star")
    unknown = family.processor.tokenizer.unk_token_id
    own = set(family.processor.tokenizer.all_special_ids) - {unknown}
    tags = set(family.processor.tokenizer.convert_tokens_to_ids([f"[{i}]" for i in range(1, 7)]))
    assert not (own | tags) & set(ids[1:-1])


@pytest.mark.parametrize("text", ["\u0301", "\ue000"])
def test_questions_without_a_legible_character_are_refused(family, text):
    """A lone accent, a character of private use: the tokenizer drops it, and nothing is asked."""
    with pytest.raises(TextError, match="no character that this model can read"):
        family.inputs(Example(None, text))


def test_cells_tile_the_original_picture_row_by_row(family, example):
    """Boxes are in pixels of the original; together they cover it once."""
    tokens = table_of(family, example)
    boxes = tokens.boxes[tokens.is_image]

    assert len(boxes) == 8 * 5
    assert np.isnan(tokens.boxes[~tokens.is_image]).all()
    for column, row in ((0, 0), (7, 0), (3, 4)):
        expected = [column * 330 / 8, row * 38, (column + 1) * 330 / 8, (row + 1) * 38]
        np.testing.assert_allclose(boxes[row * 8 + column], expected)
    assert tokens.texts[-1] == "patch 5, 8"


@pytest.fixture(scope="module")
def embedded():
    """The model that ships: the geometry of trained weights is the one that is shown."""
    return kdvlp.load(EMBEDDED, {})


FIRST_LAYER, LAST_LAYER = "kdvlp.encoder.layers.0", "kdvlp.encoder.layers.5"


def unseen_scenes(size, count=4):
    """Scenes that the model was not trained on, at another size than the model's own."""
    seeds = scenes.UNSEEN_SEEDS[:count]
    return [Example(scenes.scene(seed, size=size).render(330), "what is this?") for seed in seeds]


@pytest.mark.parametrize("size", [(128, 80), (96, 128)])
def test_a_cells_own_pixels_change_it_most(embedded, size):
    """Inverting the pixels inside a cell's box changes that cell's embedding more than others."""
    examples = unseen_scenes(size)
    tokens = table_of(embedded, examples[0])

    moved = probes.changes(embedded, examples, tokens.boxes[tokens.is_image], FIRST_LAYER)

    assert (moved.argmax(axis=1) == np.flatnonzero(tokens.is_image)).all()
    assert (moved[:, ~tokens.is_image] == 0).all()


def test_boxes_half_a_cell_beside_the_truth_would_be_noticed(embedded):
    """The probe above is sharp: shifted by half a cell, many boxes change another cell most."""
    examples = unseen_scenes((128, 80))
    tokens = table_of(embedded, examples[0])
    half = 330 / 8 / 2

    boxes = tokens.boxes[tokens.is_image] + [half, 0, half, 0]
    moved = probes.changes(embedded, examples, boxes.clip(max=330), FIRST_LAYER)

    assert (moved.argmax(axis=1) != np.flatnonzero(tokens.is_image)).mean() > 0.2


def test_cells_stay_in_their_place_through_the_layers(embedded):
    """With attention turned to identity, the same holds at the last layer; words see nothing."""
    examples = unseen_scenes((128, 80))
    tokens = table_of(embedded, examples[0])

    with probes.identity_attention(embedded.model):
        moved = probes.changes(embedded, examples, tokens.boxes[tokens.is_image], LAST_LAYER)

    assert (moved.argmax(axis=1) == np.flatnonzero(tokens.is_image)).all()
    assert (moved[:, ~tokens.is_image] == 0).all()


@pytest.mark.parametrize("size", [(330, 190), (100, 400), (64, 64)])
def test_boxes_lie_where_the_processor_took_the_pixels_from(family, size):
    """A picture that spells out coordinates arrives in each cell with the centre of its box."""
    example = Example(probes.coordinate_image(size), "what is this?")
    pictures = family.processor.image_processor
    pixels = family.inputs(example)["pixel_values"][0]
    undone = pixels * torch.tensor(pictures.image_std)[:, None, None]
    undone += torch.tensor(pictures.image_mean)[:, None, None]

    centres, is_picture = probes.seen_centres(undone, pictures.stride)

    tokens = table_of(family, example)
    boxes = tokens.boxes[tokens.is_image]
    assert is_picture.all()
    np.testing.assert_allclose(centres * size, (boxes[:, :2] + boxes[:, 2:]) / 2, atol=2)


def test_the_picture_as_seen_is_what_the_model_is_fed(family, example):
    """Normalising the seen picture gives the model's pixels."""
    seen = np.asarray(family.seen(example), np.float32).transpose(2, 0, 1) / 255
    pictures = family.processor.image_processor
    mean, std = np.array([pictures.image_mean, pictures.image_std], np.float32)[:, :, None, None]

    pixels = family.inputs(example)["pixel_values"][0].numpy()

    np.testing.assert_allclose((seen - mean) / std, pixels, atol=1e-5)


def test_text_alone_has_no_cells(family):
    """Without a picture there are words only, and nothing is seen."""
    example = Example(None, "what is this?")

    assert not table_of(family, example).is_image.any()
    assert family.seen(example) is None
    assert "pixel_values" not in family.inputs(example)


def test_questions_up_to_the_limit_fit(family):
    """The longest question that fits is read whole; [CLS] and [SEP] take two places."""
    assert len(table_of(family, Example(None, " ".join(["a"] * (MAX_TOKENS - 2))))) == MAX_TOKENS


def test_longer_questions_are_refused_with_both_numbers(family):
    """The message says how many tokens came and how many fit."""
    example = Example(None, " ".join(["a"] * MAX_TOKENS))

    with pytest.raises(TextError, match=f"has {MAX_TOKENS} .* at most {MAX_TOKENS - 2}"):
        family.inputs(example)


def test_narrow_pictures_are_refused(family):
    """A picture of less than two cells has no geometry worth showing."""
    with pytest.raises(ImageError, match="too narrow"):
        family.inputs(Example(Image.new("RGB", (400, 40)), "what is this?"))


def test_every_attention_module_has_a_place(family):
    """Layers are counted as in the model; other modules have none."""
    names = [name for name, _ in family.model.named_modules()]
    found = [place for name in names for place in family.places(name)]

    assert [place.layer for place in found] == [0, 1, 2]
    assert {(place.stack, place.query_stream, place.key_stream) for place in found} == {
        ("encoder", "encoder", "encoder")
    }


def test_answers_come_with_their_probabilities(family):
    """The likeliest first, as softmax over all answers gives it."""
    logits = torch.tensor([[0.0, 2.0, 1.0, -1.0, -2.0, 0.5]])

    prediction = family.prediction(Example(None, "?"), BatchFeature(), {"answer_logits": logits})

    weights = np.exp(logits[0].numpy())
    order = ["blue", "yes", "two", "red", "no"]
    chosen = weights[[1, 2, 5, 0, 3]] / weights.sum()
    assert [name for name, _ in prediction.top] == order
    np.testing.assert_allclose([value for _, value in prediction.top], chosen, rtol=1e-5)


PARTS = ("what is left of [2]?", "[1], the Zeppelin.", "because [1] is [SEP] a star")
BOXES = ((0.0, 0.0, 330.0, 60.0), (200.0, 100.0, 295.0, 180.0))


def judged(count, task="candidate", *, picture=True):
    """So many parts about a picture whose two objects have numbers."""
    text, breaks = joined_parts(PARTS[:count])
    regions = tuple(Region(f"[{i + 1}]", box, None, number=i) for i, box in enumerate(BOXES))
    image = random_picture(SIZE) if picture else None
    return Example(image, text, regions if picture else (), task=task, breaks=breaks)


@pytest.mark.parametrize("count", [2, 3])
def test_parts_are_read_one_behind_the_other(embedded, count):
    """Each has its separator and kind of token; tags are words, what was written is text."""
    example = judged(count)
    inputs = embedded.inputs(example)
    tokens = embedded.streams(example, inputs)["encoder"]
    words = [
        *("[CLS]", "what", "is", "left", "of", "[2]", "?", "[SEP]"),
        *("[1]", ",", "the", "Zeppelin", ".", "[SEP]"),
        *("because", "[1]", "is", "[", "SEP", "]", "a", "star", "[SEP]"),
    ]
    words = words[: 14 if count == 2 else None]
    types = ([0] * 8 + [2] * 6 + [3] * 9)[: len(words)]

    assert tokens.texts[: len(words)] == tuple(words)
    assert inputs["token_type_ids"][0].tolist() == types
    assert inputs["attention_mask"].tolist() == [[1] * len(words)]
    separators = np.flatnonzero(inputs["input_ids"][0] == embedded.processor.tokenizer.sep_token_id)
    assert separators.tolist() == [7, 13, 22][:count]
    assert np.flatnonzero(tokens.is_special).tolist() == [0, *separators]
    for place, word in enumerate(words):
        start, end = tokens.spans[place]
        if tokens.is_special[place]:
            assert (start, end) == (-1, -1)
        else:
            assert example.text[start:end] == word
    assert len(tokens) == len(words) + 40


def test_numbered_objects_tag_the_cells_that_they_show(embedded):
    """Object 0 has the tag of "[1]"; nothing is tagged without numbers or in a plain question."""
    tags = embedded.inputs(judged(2))["cell_tags"][0].reshape(5, 8, 7).numpy()
    plain = Example(random_picture(SIZE), PARTS[0], judged(2).regions)
    text, breaks = joined_parts(PARTS[:2])
    bare = Example(random_picture(SIZE), text, task="candidate", breaks=breaks)

    assert tags[..., 1].tolist() == [[1] * 8, [1] * 8, *[[0] * 8] * 3]
    assert np.flatnonzero(tags[..., 2].any(axis=1)).tolist() == [2, 3, 4]
    assert np.flatnonzero(tags[..., 2].any(axis=0)).tolist() == [5, 6]
    assert tags[..., [0, 3, 4, 5, 6]].sum() == 0
    assert "cell_tags" not in embedded.inputs(plain)
    assert "cell_tags" not in embedded.inputs(bare)


def test_a_question_beside_them_changes_nothing(embedded):
    """A tokenizer that cuts a visitor's text meanwhile does not cut tags into pieces."""
    example = judged(3)
    before = embedded.inputs(example)["input_ids"]
    embedded.inputs(Example(None, "is [1] a star?"))

    assert torch.equal(embedded.inputs(example)["input_ids"], before)


@pytest.mark.parametrize("task", ["candidate", "source"])
@pytest.mark.parametrize("picture", [True, False])
def test_the_verdict_on_a_part_is_its_score(embedded, task, picture):
    """By the head that was taught the task; a source may have no picture."""
    example = judged(2, task, picture=picture)
    inputs = embedded.inputs(example)
    with torch.inference_mode():
        outputs = embedded.model(**inputs)
    prediction = embedded.prediction(example, inputs, outputs)

    assert prediction.kind == "score"
    assert prediction.top == ((PARTS[1], float(outputs[f"{task}_score"][0])),)
    assert outputs["candidate_score"][0] != outputs["source_score"][0]
    assert embedded.score(example, inputs, outputs) == prediction.top[0][1]


def test_a_text_in_parts_can_be_asked_for_an_answer(embedded):
    """As when it is read off a source: the list's answers."""
    text, breaks = joined_parts(("what color is it?", "the photo shows a star."))
    example = Example(random_picture(SIZE), text, breaks=breaks)
    inputs = embedded.inputs(example)

    assert inputs["token_type_ids"].sum() == 2 * 7
    with torch.inference_mode():
        assert embedded.prediction(example, inputs, embedded.model(**inputs)).kind == "answer"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (("a", "b", "c", "d"), "has 4 parts; this model reads at most 3"),
        (("what?", "a " * 60), "has 62 words and punctuation marks; .* at most 61"),
        (("what?", "a", "\u0301"), "can read in part 3"),
    ],
)
def test_parts_that_cannot_be_read_are_refused(embedded, parts, message):
    """Too many, too long, or nothing legible in one of them."""
    text, breaks = joined_parts(parts)

    with pytest.raises(TextError, match=message):
        embedded.inputs(Example(None, text, task="candidate", breaks=breaks))
