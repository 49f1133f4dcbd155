"""In which precision, and where, a checkpoint is loaded: arguments for from_pretrained."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, get_args

from vl_core import families
from vl_core.checkpoints import devices, memory
from vl_core.checkpoints.naming import Checkpoint
from vl_core.checkpoints.sizes import QUANTIZED, Kept
from vl_core.errors import ModelError

Precision = Literal["auto", "float32", "bfloat16", "float16", "8-bit", "4-bit"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_SPREAD = "auto"  # from_pretrained's word for over all devices, the rest in main memory
_INSTALL = {"accelerate": "pip install accelerate", "bitsandbytes": "pip install bitsandbytes"}


@dataclass(frozen=True)
class Loading:
    """How to load one checkpoint.

    kept: the precision, never "auto". options: keyword arguments of from_pretrained. device: where
    to move the model afterwards; None where from_pretrained has placed it, and moving is an error.
    """

    kept: Kept
    options: Mapping[str, Any]
    device: str | None


def loading(
    checkpoint: Checkpoint, precision: Precision = "auto", device: str | None = None
) -> Loading:
    """How to load this checkpoint, on this device or the best there is.

    auto is float32 on the CPU, bfloat16 on CUDA (float16 where a GPU has none) and float16 on MPS.
    What does not fit one GPU is spread over all of them and main memory. Raises ModelError for a
    precision that needs what is not there (a GPU, a library, memory on the device or, on the way
    there, main memory), with what to do; and, before its weights are looked at, for a checkpoint of
    an architecture that is not covered.
    """
    _check_names(precision, device)
    families.covered(families.model_type(checkpoint.path), checkpoint.model_id)
    place = device or devices.best_device()
    kept = kept_as(precision, place)
    if kept in QUANTIZED:
        return _quantized(checkpoint, kept, place)
    if _spreads(checkpoint, kept, place):
        return Loading(kept, {"dtype": _dtype(kept), "device_map": _SPREAD}, None)
    memory.check_fits(checkpoint, kept, place)
    return _whole(checkpoint, kept, place)


def _whole(checkpoint: Checkpoint, kept: Kept, device: str) -> Loading:
    """All of it on one device: weight by weight where that can be done, else by main memory."""
    if device.startswith(devices.CUDA) and _is_installed("accelerate"):
        return Loading(kept, {"dtype": _dtype(kept), "device_map": {"": device}}, None)
    if device != devices.CPU:
        memory.check_passes(checkpoint, kept, device)
    return Loading(kept, {"dtype": _dtype(kept)}, device)


def _check_names(precision: str, device: str | None) -> None:
    """Raise ModelError for a precision or a device that does not exist, or not here."""
    if precision not in PRECISIONS:
        raise ModelError(
            f"The precision {precision!r} is not known. Choose one of {', '.join(PRECISIONS)}."
        )
    if device is not None and not devices.is_there(device):
        raise ModelError(
            f"There is no device {device!r} on this machine. Leave it out for the best there is, "
            f"which is {devices.best_device()!r}."
        )


def kept_as(precision: Precision, device: str) -> Kept:
    """The precision that is used on this device where "auto" leaves it open."""
    if precision != "auto":
        return precision
    if device.startswith(devices.CUDA):
        return _half(device)
    return "float16" if device == devices.MPS else "float32"


def _half(device: str) -> Kept:
    """The better of the two 16-bit formats that this GPU computes in."""
    import torch  # noqa: PLC0415 the choices themselves do without

    with torch.cuda.device(device):
        whole = torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if whole else "float16"


def _dtype(kept: Kept) -> Any:  # noqa: ANN401 a torch.dtype, whose name would need torch here
    import torch  # noqa: PLC0415 as above

    return getattr(torch, kept)


def _spreads(checkpoint: Checkpoint, kept: Kept, device: str) -> bool:
    """Whether it takes several devices, and they are enough."""
    if device != devices.CUDA or memory.fits(checkpoint.path, kept, devices.free_memory(device)):
        return False
    everywhere = devices.free_on_all_gpus() + (devices.free_ram() or 0)
    if not memory.fits(checkpoint.path, kept, everywhere):
        return False
    _require("accelerate", "A model that is larger than one GPU")
    return True


def _quantized(checkpoint: Checkpoint, kept: Kept, device: str) -> Loading:
    if not device.startswith(devices.CUDA):
        raise ModelError(
            f"{kept} loading needs an NVIDIA GPU; this machine runs models on {device}. Choose "
            "bfloat16, which takes half of float32."
        )
    for package in ("accelerate", "bitsandbytes"):
        _require(package, f"{kept} loading")
    options = {
        "dtype": _dtype(half := _half(device)),
        "quantization_config": _configuration(kept, half),
        "device_map": _map(checkpoint, kept, device),
    }
    return Loading(kept, options, None)


def _map(checkpoint: Checkpoint, kept: Kept, device: str) -> Any:  # noqa: ANN401 transformers' own
    """One GPU if it fits there, else all of them; packed weights cannot lie in main memory."""
    if memory.fits(checkpoint.path, kept, devices.free_memory(device)):
        return {"": device}
    if device == devices.CUDA and memory.fits(checkpoint.path, kept, devices.free_on_all_gpus()):
        return _SPREAD
    raise ModelError(memory.refusal(checkpoint, kept, device, devices.free_memory(device) or 0))


def _configuration(kept: Kept, half: Kept) -> Any:  # noqa: ANN401 transformers has no types
    from transformers import BitsAndBytesConfig  # noqa: PLC0415 slow to import

    if kept == "8-bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    # Normal floats fit weights better than the plain 4-bit ones (Dettmers et al. 2023, QLoRA).
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=_dtype(half)
    )


def _require(package: str, what: str) -> None:
    """Raise ModelError unless the package is installed."""
    if not _is_installed(package):
        raise ModelError(
            f"{what} needs the package {package}, which is not installed: {_INSTALL[package]}."
        )


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None
