"""In which precision, and where, a checkpoint is loaded.

GPUs and optional libraries are stood in for at the boundary: what is installed, what torch says of
a GPU, how much is free. The arguments made of it are checked here; that a quantized or spread model
runs can only be seen on a machine with such a GPU.
"""

import importlib.machinery

import pytest
import torch

from vl_core import families
from vl_core.checkpoints import (
    PRECISIONS,
    Checkpoint,
    demand_of,
    loading,
    memory,
    precision,
    sizes,
)
from vl_core.errors import ModelError


@pytest.fixture
def checkpoint(folder):
    """The tiny checkpoint."""
    return Checkpoint(folder, "someone/tiny", "local")


@pytest.fixture(autouse=True)
def any_device(monkeypatch, request):
    """Devices of other machines are there, but for the tests of those that are not."""
    if "not_there" not in request.node.name:
        monkeypatch.setattr(precision.devices, "is_there", lambda _: True)


@pytest.fixture
def gpu(monkeypatch):
    """A machine with two GPUs that compute in bfloat16, and with room for anything."""
    room = {"cuda": 10**12, "all": 2 * 10**12, "ram": 10**12}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "device", lambda _: torch.no_grad())
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(precision.devices, "free_memory", lambda device: room[device[:4]])
    monkeypatch.setattr(precision.devices, "free_on_all_gpus", lambda: room["all"])
    monkeypatch.setattr(precision.devices, "free_ram", lambda: room["ram"])
    return room


@pytest.fixture
def libraries(monkeypatch):
    """Which of the optional libraries are installed."""
    installed = {"accelerate", "bitsandbytes"}

    def find_spec(name):
        return importlib.machinery.ModuleSpec(name, None) if name in installed else None

    monkeypatch.setattr(precision, "find_spec", find_spec)
    return installed


@pytest.fixture
def nothing_optional(libraries):
    """None of them is."""
    libraries.clear()


def needed(folder, kept):
    """Bytes to run the checkpoint."""
    return sizes.needed(memory.weights_bytes(folder, kept))


@pytest.mark.parametrize("kept", ["float32", "bfloat16", "float16"])
def test_the_model_loads_in_the_precision_that_was_chosen(checkpoint, kept):
    """Through from_pretrained, here on the CPU."""
    how = loading(checkpoint, kept, "cpu")

    model = families.load(checkpoint.path, how.options).model.to(how.device)

    assert how.kept == kept
    assert model.dtype == getattr(torch, kept)
    assert model.device.type == "cpu"


@pytest.mark.parametrize(
    ("device", "has_bfloat16", "kept"),
    [
        ("cpu", True, "float32"),
        ("mps", True, "float16"),
        ("cuda", True, "bfloat16"),
        ("cuda:1", True, "bfloat16"),
        ("cuda", False, "float16"),
    ],
)
@pytest.mark.usefixtures("nothing_optional")
def test_auto_depends_on_the_device(checkpoint, gpu, monkeypatch, device, has_bfloat16, kept):
    """What each computes well in; the model is moved there after loading."""
    gpu["mps"] = gpu["cpu"] = 10**12
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bfloat16)

    how = loading(checkpoint, "auto", device)

    assert (how.kept, how.device) == (kept, device)
    assert how.options == {"dtype": getattr(torch, kept)}


@pytest.mark.usefixtures("gpu", "nothing_optional")
def test_the_best_device_is_taken_where_none_is_named(checkpoint):
    """A GPU, as there is one."""
    assert loading(checkpoint).device == "cuda"


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_accelerate_brings_weights_to_a_gpu_one_by_one(checkpoint, gpu, libraries, device):
    """Then main memory need not hold them, and the model is not moved afterwards."""
    gpu["ram"] = 0

    how = loading(checkpoint, "bfloat16", device)

    assert how.options == {"dtype": torch.bfloat16, "device_map": {"": device}}
    assert how.device is None


@pytest.mark.parametrize(
    ("device", "advice"),
    [("cuda", "pip install accelerate"), ("mps", r"free\. Please free memory")],
)
@pytest.mark.usefixtures("nothing_optional")
def test_what_is_converted_on_its_way_must_fit_main_memory(checkpoint, gpu, device, advice):
    """All of it in 16 bits, as nothing in the file is; in the file's own precision nothing is."""
    gpu["mps"] = 10**12
    gpu["ram"] = memory.bytes_on_the_way(checkpoint.path, "bfloat16") - 1
    with pytest.raises(
        ModelError, match=f"bfloat16 in main memory on its way to {device}.*{advice}"
    ):
        loading(checkpoint, "bfloat16", device)

    gpu["ram"] += 1
    assert loading(checkpoint, "bfloat16", device).device == device
    gpu["ram"] = 0
    assert loading(checkpoint, "float32", device).device == device


def test_the_cpu_itself_is_no_way_to_another_device(checkpoint, gpu, libraries):
    """There the model stays where it was converted, and that was counted."""
    gpu["cpu"], gpu["ram"] = needed(checkpoint.path, "bfloat16"), 0

    assert loading(checkpoint, "bfloat16", "cpu").device == "cpu"


@pytest.mark.parametrize("kept", ["8-bit", "4-bit"])
@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_packed_weights_need_a_gpu(checkpoint, kept, device):
    """And half the memory is to be had otherwise."""
    with pytest.raises(ModelError, match=rf"{kept} .*NVIDIA GPU.*{device}.*bfloat16"):
        loading(checkpoint, kept, device)


@pytest.mark.parametrize("kept", ["8-bit", "4-bit"])
@pytest.mark.parametrize("package", ["accelerate", "bitsandbytes"])
def test_packed_weights_need_their_libraries(checkpoint, gpu, libraries, kept, package):
    """The missing one is named, with the line that installs it."""
    libraries.remove(package)

    with pytest.raises(ModelError, match=f"{kept} .*pip install {package}"):
        loading(checkpoint, kept)


def test_eight_bits(checkpoint, gpu, libraries):
    """On one GPU, the rest in 16 bits; placed by from_pretrained, so not to be moved."""
    how = loading(checkpoint, "8-bit")

    assert how.options["quantization_config"].load_in_8bit
    assert how.options["dtype"] == torch.bfloat16
    assert how.options["device_map"] == {"": "cuda"}
    assert how.device is None


def test_four_bits(checkpoint, gpu, libraries):
    """Normal floats, computing in the 16 bits that the GPU has."""
    configuration = loading(checkpoint, "4-bit", "cuda:1").options["quantization_config"]

    assert configuration.load_in_4bit
    assert configuration.quantization_method() == "nf4"
    assert configuration.bnb_4bit_compute_dtype == torch.bfloat16


@pytest.mark.parametrize("kept", ["float32", "8-bit"])
def test_what_is_larger_than_one_gpu_is_spread(checkpoint, gpu, libraries, kept):
    """Over all there are."""
    gpu["cuda"] = needed(checkpoint.path, kept) - 1

    how = loading(checkpoint, kept)

    assert how.options["device_map"] == "auto"
    assert how.device is None


def test_only_unpacked_weights_spread_into_main_memory(checkpoint, gpu, libraries):
    """Packed ones must lie on GPUs."""
    gpu["cuda"] = gpu["all"] = 1

    assert loading(checkpoint, "bfloat16").options["device_map"] == "auto"
    with pytest.raises(ModelError, match=r"needs about .* in 4-bit; .* free on cuda"):
        loading(checkpoint, "4-bit")


def test_spreading_needs_accelerate(checkpoint, gpu, libraries):
    """Else the model would not load at all."""
    gpu["cuda"] = 1
    libraries.clear()

    with pytest.raises(ModelError, match=r"larger than one GPU.*pip install accelerate"):
        loading(checkpoint, "float32")


def test_a_device_that_was_named_is_kept_to(checkpoint, gpu, libraries):
    """No spreading from a GPU that was asked for by number."""
    gpu["cuda"] = 1

    with pytest.raises(ModelError, match="free on cuda:1"):
        loading(checkpoint, "float32", "cuda:1")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_fits_nowhere_is_refused(checkpoint, gpu, libraries, device):
    """With what it needs and what there is."""
    gpu.update({"cuda": 1, "all": 2, "ram": 1, "cpu": 1})

    with pytest.raises(ModelError, match=f"needs about .* free on {device}"):
        loading(checkpoint, "float32", device)


def test_all_that_can_be_chosen_can_be_loaded(checkpoint, gpu, libraries):
    """No choice of the list is without arguments."""
    assert [loading(checkpoint, choice).kept for choice in PRECISIONS] == [
        "bfloat16",
        *PRECISIONS[1:],
    ]


@pytest.mark.parametrize("device", ["gpu", "cuda:7", "cuda:x", "cpu:1"])
def test_devices_not_there_are_a_sentence(checkpoint, device):
    """With what there is instead."""
    with pytest.raises(ModelError, match="no device"):
        loading(checkpoint, "auto", device)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (None, "holds no checkpoint: there is no config.json"),
        ("{nope", r"its config.json cannot be read \(Expecting property name"),
        ('{"model_type": "bert"}', "holds a model of type 'bert', which is not covered"),
        ('{"model_type": "vilt"}', "holds no weights"),
    ],
)
@pytest.mark.parametrize("ask", [loading, demand_of])
def test_what_must_be_put_right_first_is_told_first(tmp_path, config, sentence, ask):
    """Nobody fetches weights for what cannot be loaded with them either."""
    if config is not None:
        (tmp_path / "config.json").write_text(config)

    with pytest.raises(ModelError, match=sentence) as caught:
        ask(Checkpoint(tmp_path, "someone/tiny", "local"))
    assert ("weights" in str(caught.value)) == ("weights" in sentence)


def test_precisions_that_do_not_exist_are_a_sentence():
    """With those that do; nothing checks types where the app runs."""
    with pytest.raises(ModelError, match="bfloat16"):
        precision._check_names("fp16", None)
