"""Every tokenizer that is loaded says where in the text its tokens stand."""

import json
import re
import string
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import normalizers
from transformers import CanineTokenizer, PreTrainedTokenizerFast

from tests.families import tiny
from vl_core.errors import ModelError
from vl_core.families import loading, siglip_tokenizer


def saved(folder, made, model_type="vilt", **entries):
    """The tokenizer in a checkpoint's folder, with other entries in its configuration."""
    made.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | entries))
    return folder


def small_letters_alone(text):
    """What SigLIP makes of a text before it cuts it, as its authors wrote it down."""
    text = text.lower().translate(str.maketrans("", "", string.punctuation))
    return re.sub(r"\s+", " ", text).strip()


@pytest.fixture(params=["tokenizer.json", "spiece.model"])
def siglip(request, tmp_path):
    """SigLIP's checkpoint with its vocabulary in this file."""
    tiny.save_siglip(tmp_path, as_pieces=request.param == "spiece.model")
    assert (tmp_path / request.param).exists()
    return loading.tokenizer(tmp_path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet="aetr STAR ?![]^-\\&~,\u00a0\t'", min_size=1))
def test_siglip_reads_small_letters_without_punctuation(siglip, text):
    """The same tokens as plain pieces of the text that its authors would cut; then the end."""
    plain = tiny.siglip()
    wanted = plain(small_letters_alone(text), add_special_tokens=False)["input_ids"]

    found = siglip(text, return_offsets_mapping=True)

    assert found["input_ids"] == [*wanted, siglip.eos_token_id]
    for (first, last), number in zip(found["offset_mapping"], found["input_ids"], strict=True):
        piece = siglip.convert_ids_to_tokens(number).strip("▁")
        if piece and number not in siglip.all_special_ids:
            assert small_letters_alone(text[first:last]) == piece


def test_siglips_own_settings_are_kept(siglip):
    """Its signs, how it pads and how long its texts are."""
    assert (siglip.eos_token, siglip.pad_token, siglip.unk_token) == ("</s>", "</s>", "<unk>")
    assert siglip.model_max_length == 17
    assert siglip.padding_side == "right"
    padded = siglip("red", padding="max_length")["input_ids"]
    assert len(padded) == 17
    assert padded[-1] == siglip.pad_token_id


def test_capitals_count_where_a_checkpoint_says_so(tmp_path):
    """Then punctuation alone is left out."""
    named = {"tokenizer_class": "SiglipTokenizer", "do_lower_case": False}
    saved(tmp_path, tiny.siglip(), "siglip", **named)
    found = loading.tokenizer(tmp_path)

    assert found("Red!")["input_ids"] == [*tiny.siglip()("Red")["input_ids"], found.eos_token_id]
    assert found("Red!")["input_ids"] != found("red!")["input_ids"]


def test_what_a_checkpoint_makes_of_characters_is_done_as_well(tmp_path, monkeypatch):
    """In either of its files: here wide letters become common ones."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        folder.mkdir()
    made = tiny.siglip()
    made.backend_tokenizer.normalizer = normalizers.NFKC()
    saved(whole, made, "siglip", tokenizer_class="SiglipTokenizer")
    tiny.save_siglip(parts, as_pieces=True, table=b"a table")
    # What such a table holds can be compiled by SentencePiece alone.
    tables = {b"a table": normalizers.NFKC()}
    monkeypatch.setattr(siglip_tokenizer.normalizers, "Precompiled", tables.__getitem__)

    for folder in (whole, parts):
        found = loading.tokenizer(folder)
        assert found("ＲＥＤ")["input_ids"] == found("red")["input_ids"]


def test_where_a_checkpoint_names_no_signs_they_are_the_classes(siglip, tmp_path):
    """As older files leave them out."""
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "SiglipTokenizer"}')
    found = loading.tokenizer(tmp_path)

    assert found("red")["input_ids"] == siglip("red")["input_ids"]
    assert (found.pad_token_id, found.unk_token_id) == (siglip.pad_token_id, siglip.unk_token_id)


@pytest.mark.parametrize("named", [{}, {"tokenizer_class": "GemmaTokenizer"}])
def test_a_checkpoint_may_leave_it_to_its_model_or_name_another(tmp_path, named):
    """SigLIP 2 has Gemma's, in a model of the same type."""
    made = tiny.gemma() if named else tiny.siglip()
    saved(tmp_path, made, "siglip", **{"tokenizer_class": None} | named)

    assert siglip_tokenizer.is_meant(tmp_path) == (not named)
    found = loading.tokenizer(tmp_path)
    assert found.is_fast
    assert found("red")["input_ids"][-1 if not named else 0] == found.convert_tokens_to_ids(
        "<bos>" if named else "</s>"
    )


def test_of_a_class_without_places_the_file_that_has_them_is_read(tmp_path):
    """tokenizer.json, with what the configuration says of its signs."""
    folder = saved(tmp_path, tiny.bert(), tokenizer_class="CanineTokenizer")

    found = loading.tokenizer(folder)

    assert type(found) is PreTrainedTokenizerFast
    assert found("a zebra")["input_ids"] == tiny.bert()("a zebra")["input_ids"]
    assert found.mask_token_id == tiny.bert().mask_token_id


def test_a_class_without_places_alone_is_refused(tmp_path):
    """With its name and what to do."""
    folder = saved(tmp_path, CanineTokenizer())

    with pytest.raises(ModelError, match=r"CanineTokenizer, which does not say.*tokenizer\.json"):
        loading.tokenizer(folder)


@pytest.mark.skipif(find_spec("sentencepiece") is not None, reason="sentencepiece is installed")
@pytest.mark.parametrize(
    ("tokenizer_class", "file"),
    [("LlamaTokenizer", "tokenizer.model"), ("T5Tokenizer", "spiece.model")],
)
def test_a_package_that_is_wanted_is_named(tmp_path, tokenizer_class, file):
    """Transformers itself asks for another, which would not help."""
    tiny.save_siglip(tmp_path, as_pieces=True)
    (tmp_path / "spiece.model").rename(tmp_path / file)
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": tokenizer_class})
    )
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava"}))

    with pytest.raises(ModelError, match=rf"{file}, without a tokenizer\.json.* sentencepiece"):
        loading.tokenizer(tmp_path)


def test_a_checkpoint_without_a_vocabulary_is_refused(tmp_path):
    """In our words, SigLIP's as well, which is read by us."""
    tiny.save_siglip(tmp_path)
    (tmp_path / "tokenizer.json").unlink()

    with pytest.raises(ModelError, match=r"holds no tokenizer \(tokenizer\.json\)"):
        loading.tokenizer(tmp_path)


@pytest.mark.parametrize("kind", ["blip", "clip", "gemma3", "llava", "qwen2_vl", "vilt"])
@pytest.mark.parametrize("has_settings", [True, False])
def test_no_package_is_asked_for_where_the_tokenizer_is_missing(tmp_path, kind, has_settings):
    """Whether its settings are there or not, and whatever transformers takes it for."""
    folder = saved(tmp_path, tiny.bert(), kind)
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").unlink(missing_ok=True)
    if not has_settings:
        (folder / "tokenizer_config.json").unlink()

    with pytest.raises(ModelError, match=r"holds no tokenizer") as caught:
        loading.tokenizer(folder)
    assert "sentencepiece" not in str(caught.value)
