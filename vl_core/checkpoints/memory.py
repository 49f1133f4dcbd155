"""What a checkpoint takes in memory, and whether there is as much."""

import math
import re
from pathlib import Path

from safetensors import safe_open

from vl_core.checkpoints import devices, files
from vl_core.checkpoints.naming import Checkpoint
from vl_core.checkpoints.sizes import BYTES, KEPT, QUANTIZED, Kept, needed, readable
from vl_core.errors import ModelError

_FLOATING = {"F64", "F32", "F16", "BF16"}
_IN_FILES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_OTHER = {"BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "I32": 4, "U32": 4, "I64": 8, "U64": 8}

# bitsandbytes packs the weights of linear layers, except the last one over the vocabulary and those
# that a model exempts (BLIP-2 and InstructBLIP: their Q-Former).
_NEVER_PACKED = re.compile(r"embed|lm_head|shared|position|wte|wpe|qformer")


def weights_bytes(folder: Path, kept: Kept) -> int:
    """Bytes that the weights take once loaded; reads only the headers of their files.

    Within a few per cent for 8-bit and 4-bit: which layers are packed is known by their names and
    shapes only. Raises ModelError if weights are missing or damaged.
    """
    return int(sum(_bytes_in(file, kept) for file in files.weights(folder)))


def _bytes_in(file: Path, kept: Kept) -> float:
    return sum(_tensor_bytes(*tensor, kept) for tensor in _tensors(file))


def _tensors(file: Path) -> list[tuple[str, list[int], str]]:
    """Name, shape and type of all that the header of this file tells of."""
    with safe_open(file, framework="np") as held:
        parts = {name: held.get_slice(name) for name in held.keys()}  # noqa: SIM118 no mapping
        return [(name, part.get_shape(), part.get_dtype()) for name, part in parts.items()]


def _tensor_bytes(name: str, shape: list[int], dtype: str, kept: Kept) -> float:
    if dtype not in _FLOATING:
        return math.prod(shape) * _OTHER.get(dtype, 1)
    is_packed = len(shape) == 2 and not _NEVER_PACKED.search(name)
    return math.prod(shape) * BYTES[kept if kept not in QUANTIZED or is_packed else "float16"]


def bytes_on_the_way(folder: Path, kept: Kept) -> int:
    """Bytes of main memory that are taken before weights are moved to another device.

    What is kept as the file has it is read from there as it is moved, and takes none; all else is
    first converted and waits in memory. So it was measured with transformers 5.23: of 451 MB in
    float32, float16 took 223 MB and float32 3 MB. Raises ModelError if weights are missing or
    damaged.
    """
    return sum(
        int(math.prod(shape) * BYTES[kept])
        for file in files.weights(folder)
        for _, shape, dtype in _tensors(file)
        if dtype in _FLOATING and dtype != _IN_FILES[kept]
    )


def check_passes(checkpoint: Checkpoint, kept: Kept, device: str) -> None:
    """Raise ModelError unless main memory holds what waits there on its way to the device."""
    wanted, free = bytes_on_the_way(checkpoint.path, kept), devices.free_ram()
    if free is not None and wanted > free:
        is_gpu = device.startswith(devices.CUDA)
        advice = "Install accelerate (pip install accelerate), or" if is_gpu else "Please"
        raise ModelError(
            f"{checkpoint.model_id} is converted to {kept} in main memory on its way to {device}: "
            f"that takes {readable(wanted)}, {readable(free)} are free. "
            f"{advice} free memory by closing other programs."
        )


def check_fits(checkpoint: Checkpoint, kept: Kept, device: str) -> None:
    """Raise ModelError unless the checkpoint can be run on this device in this precision.

    Says what it needs, what is free, and which precision would do. Where the system does not say
    what is free, nothing is refused.
    """
    if not fits(checkpoint.path, kept, free := devices.free_memory(device)):
        raise ModelError(refusal(checkpoint, kept, device, free or 0))


def fits(folder: Path, kept: Kept, free: int | None) -> bool:
    """Whether this much memory is enough to run the checkpoint; True where it is not known."""
    return free is None or needed(weights_bytes(folder, kept)) <= free


def refusal(checkpoint: Checkpoint, kept: Kept, device: str, free: int) -> str:
    """Why the checkpoint does not fit, and what would."""
    wanted = needed(weights_bytes(checkpoint.path, kept))
    return (
        f"{checkpoint.model_id} needs about {readable(wanted)} of memory in {kept}; "
        f"{readable(free)} are free on {device}. {_advice(checkpoint.path, kept, device, free)}"
    )


def _advice(folder: Path, kept: Kept, device: str, free: int) -> str:
    possible = [
        other for other in KEPT if other not in QUANTIZED or device.startswith(devices.CUDA)
    ]
    for other in possible:
        wanted = needed(weights_bytes(folder, other))
        if other != kept and wanted <= free:
            return f"Load it in {other} (about {readable(wanted)}), or choose a smaller model."
    return "Choose a smaller model, or free memory by closing other programs."
