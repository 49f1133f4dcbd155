"""What a checkpoint takes in memory."""

import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BertModel,
    Blip2Config,
    LlavaConfig,
    LlavaForConditionalGeneration,
)
from transformers import Blip2ForConditionalGeneration as Blip2

from vl_core import families
from vl_core.checkpoints import Checkpoint, memory, sizes
from vl_core.checkpoints.precision import _configuration as configuration
from vl_core.errors import ModelError

WIDTH, LAYERS, WORDS = 48, 3, 70
TOWER = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 56,
    "patch_size": 14,
}
LLAVA = LlavaConfig(
    vision_config=TOWER | {"model_type": "clip_vision_model", "projection_dim": 64},
    text_config={
        "model_type": "llama",
        "vocab_size": 1000,
        "hidden_size": 512,
        "intermediate_size": 1024,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
    },
)
BLIP2 = Blip2Config(
    vision_config=TOWER,
    qformer_config={
        "vocab_size": 500,
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "encoder_hidden_size": 256,
    },
    text_config={
        "model_type": "opt",
        "vocab_size": 1000,
        "hidden_size": 256,
        "num_hidden_layers": 3,
        "ffn_dim": 512,
        "num_attention_heads": 4,
        "word_embed_proj_dim": 256,
    },
)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A small text encoder and its folder."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        intermediate_size=40,
        max_position_embeddings=20,
    )
    model = BertModel(config)
    folder = tmp_path_factory.mktemp("encoder")
    model.save_pretrained(folder)
    return model, folder


@pytest.mark.parametrize("kept", ["float32", "bfloat16", "float16"])
def test_bytes_are_those_of_the_loaded_parameters(folder, kept):
    """Whatever precision the file was saved in."""
    model = families.load(folder, {"dtype": getattr(torch, kept)}).model
    expected = sum(part.nbytes for part in model.state_dict().values())

    assert memory.weights_bytes(folder, kept) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("kept", "each"), [("8-bit", 1.0), ("4-bit", 0.5625)])
def test_packed_are_the_weights_of_linear_layers(encoder, kept, each):
    """Embeddings, norms and biases stay in 16 bits."""
    model, folder = encoder
    linear = [part for part in model.modules() if isinstance(part, torch.nn.Linear)]
    packed = sum(part.weight.numel() for part in linear)
    rest = sum(part.numel() for part in model.parameters()) - packed

    assert len(linear) == 6 * LAYERS + 1
    assert memory.weights_bytes(folder, kept) == int(packed * each + rest * 2)


@pytest.mark.parametrize("kept", ["8-bit", "4-bit"])
@pytest.mark.parametrize(
    ("kind", "config"), [(LlavaForConditionalGeneration, LLAVA), (Blip2, BLIP2)]
)
def test_estimates_are_close_to_what_bitsandbytes_packs(tmp_path, kept, kind, config):
    """Within two per cent of a model that is really packed; it can be on the CPU too."""
    pytest.importorskip(
        "bitsandbytes", reason="bitsandbytes, an optional library, is not installed"
    )
    kind(config).save_pretrained(tmp_path)
    options = {"quantization_config": configuration(kept, "bfloat16"), "device_map": {"": "cpu"}}
    model = kind.from_pretrained(tmp_path, dtype=torch.bfloat16, **options)
    parts = [*model.parameters(), *model.buffers()]
    scales = [part.quant_state.absmax for part in parts if hasattr(part, "quant_state")]

    expected = sum(part.nbytes for part in parts + scales)
    assert memory.weights_bytes(tmp_path, kept) == pytest.approx(expected, rel=0.02)


def test_whole_numbers_keep_their_size(tmp_path):
    """They are not cast with the rest."""
    parts = {"a": torch.zeros(3, 5), "ids": torch.zeros(7, dtype=torch.int64)}
    save_file(parts, tmp_path / "model.safetensors")

    assert memory.weights_bytes(tmp_path, "bfloat16") == 3 * 5 * 2 + 7 * 8


def test_what_is_kept_as_the_file_has_it_takes_nothing_on_the_way(tmp_path):
    """Of the rest, what it will take; whole numbers are not converted."""
    parts = {
        "half": torch.zeros(3, 5, dtype=torch.bfloat16),
        "whole": torch.zeros(7, 11),
        "ids": torch.zeros(13, dtype=torch.int64),
    }
    save_file(parts, tmp_path / "model.safetensors")

    found = {kept: memory.bytes_on_the_way(tmp_path, kept) for kept in ("float32", "bfloat16")}
    assert found == {"float32": 3 * 5 * 4, "bfloat16": 7 * 11 * 2}
    assert memory.bytes_on_the_way(tmp_path, "float16") == (3 * 5 + 7 * 11) * 2


def test_no_weight_is_read(tmp_path):
    """Ten gigabytes that were never written are counted at once."""
    rows = 2_500_000
    header = (
        f'{{"w":{{"dtype":"F32","shape":[{rows},1000],"data_offsets":[0,{rows * 4000}]}}}}'
    ).encode()
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + rows * 4000)

    assert memory.weights_bytes(tmp_path, "float32") == 10_000_000_000
    assert memory.weights_bytes(tmp_path, "bfloat16") == 5_000_000_000


@pytest.fixture
def free(monkeypatch):
    """Set what is free on every device."""

    def set_to(amount):
        monkeypatch.setattr(memory.devices, "free_memory", lambda _: amount)

    return set_to


def test_what_fits_is_let_through(encoder, free):
    """A fifth more than the weights is enough, one byte less is not; unknown is let through."""
    checkpoint = Checkpoint(encoder[1], "someone/encoder", "local")
    needed = sizes.needed(memory.weights_bytes(encoder[1], "float32"))
    for amount in (needed, None):
        free(amount)
        memory.check_fits(checkpoint, "float32", "cpu")
    free(needed - 1)
    with pytest.raises(ModelError, match=r"someone/encoder needs about .* in float32; .* free on"):
        memory.check_fits(checkpoint, "float32", "cpu")


@pytest.mark.parametrize(
    ("share", "device", "advice"),
    [
        (0.6, "cpu", "Load it in bfloat16"),
        (0.4, "cpu", "Choose a smaller model"),
        (0.4, "cuda", "Load it in 8-bit"),
        (0.25, "cuda:1", "Load it in 4-bit"),
        (0.01, "cuda", "Choose a smaller model"),
    ],
)
def test_the_message_names_a_precision_that_would_do(encoder, free, share, device, advice):
    """The best that fits; packed ones only where there is a GPU."""
    free(int(share * sizes.needed(memory.weights_bytes(encoder[1], "float32"))))

    with pytest.raises(ModelError, match=advice):
        memory.check_fits(Checkpoint(encoder[1], "a/b", "local"), "float32", device)


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [
        (400, "0 kB"),
        (45_000, "45 kB"),
        (7_249_938, "7.2 MB"),
        (470_000_000, "470 MB"),
        (600_000_000, "0.6 GB"),
        (14_126_000_000, "14 GB"),
    ],
)
def test_bytes_in_words(n_bytes, words):
    """Decimal units, two figures or three."""
    assert sizes.readable(n_bytes) == words
