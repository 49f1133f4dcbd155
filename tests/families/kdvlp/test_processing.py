"""The processor, and what the Auto classes make of a saved one."""

import torch
from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer

from tests.families.kdvlp.small import noise, small_model, small_processor
from vl_core.families.kdvlp import KDVLPImageProcessor, KDVLPProcessor


def test_processor_gives_what_the_model_takes():
    """Text and picture become tensors that the model accepts as they are."""
    inputs = small_processor()(
        images=noise(200, 300), text="what color is the star?", return_tensors="pt"
    )

    assert set(inputs) == {"input_ids", "attention_mask", "token_type_ids", "pixel_values"}
    assert small_model()(**inputs).answer_logits.shape == (1, 3)


def test_saved_processor_comes_back_by_itself_and_through_the_auto_classes(tmp_path):
    """What was saved gives the same inputs as before."""
    processor = small_processor()
    processor.save_pretrained(tmp_path)
    small_model().config.save_pretrained(tmp_path)
    asked = {"images": noise(200, 300), "text": "is [3] the Star?", "return_tensors": "pt"}
    expected = processor(**asked)

    for loaded in (
        KDVLPProcessor.from_pretrained(tmp_path),
        AutoProcessor.from_pretrained(tmp_path),
    ):
        assert isinstance(loaded, KDVLPProcessor)
        for name, value in loaded(**asked).items():
            assert torch.equal(value, expected[name]), name
    assert isinstance(AutoImageProcessor.from_pretrained(tmp_path), KDVLPImageProcessor)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer("the star")["input_ids"] == processor.tokenizer("the star")["input_ids"]
