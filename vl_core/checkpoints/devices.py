"""Where a model can run, and how much memory is free there."""

import contextlib
import os
from pathlib import Path, PurePosixPath

CUDA = "cuda"
MPS = "mps"
CPU = "cpu"

_GROUPS = Path("/sys/fs/cgroup")
_MEMORY = Path("/proc/meminfo")
_OWN_GROUP = Path("/proc/self/cgroup")


def best_device() -> str:
    """The GPU where there is one, "cuda" or "mps", else "cpu"."""
    import torch  # noqa: PLC0415 naming and catalogue do without

    if torch.cuda.is_available():
        return CUDA
    return MPS if torch.backends.mps.is_available() else CPU


def is_there(device: str) -> bool:
    """Whether a model can be put on this device here; nothing but a device's name is one."""
    import torch  # noqa: PLC0415 as above

    if not isinstance(device, str):
        return False
    if device == MPS:
        return bool(torch.backends.mps.is_available())
    kind, _, number = device.partition(":")
    if kind != CUDA or not (number.isdigit() or not number):
        return device == CPU
    return int(number or 0) < torch.cuda.device_count()


def free_memory(device: str) -> int | None:
    """Bytes that can still be taken on this device ("cuda", "cuda:1", "mps", "cpu").

    None where the system does not say.
    """
    if device.startswith(CUDA):
        return _free_on_cuda(device)
    return _free_on_mps() if device == MPS else free_ram()


def free_on_all_gpus() -> int:
    """Bytes that can still be taken on all CUDA devices together."""
    import torch  # noqa: PLC0415 as above

    return sum(_free_on_cuda(f"{CUDA}:{number}") for number in range(torch.cuda.device_count()))


def _free_on_cuda(device: str) -> int:
    import torch  # noqa: PLC0415 as above

    free, _ = torch.cuda.mem_get_info(device)
    # What torch has taken and does not use it takes again before it asks for more.
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + kept)


def _free_on_mps() -> int:
    import torch  # noqa: PLC0415 as above

    most = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return max(int(most), 0)


def free_ram(
    memory: Path = _MEMORY, own_group: Path = _OWN_GROUP, groups: Path = _GROUPS
) -> int | None:
    """Bytes of main memory that can still be taken, within the limits of a container."""
    limits = [_available(memory), *_left_in_groups(own_group, groups)]
    known = [limit for limit in limits if limit is not None]
    return max(min(known), 0) if known else None


def _available(memory: Path) -> int | None:
    """What Linux counts as available; all there is where only that is known (macOS)."""
    with contextlib.suppress(OSError):
        for line in memory.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _left_in_groups(own_group: Path, groups: Path) -> list[int | None]:
    """What is left in this process's control group (version 2) and in those around it."""
    try:
        lines = own_group.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    own = next((line[3:] for line in lines if line.startswith("0::")), "/")
    inside = PurePosixPath(own.lstrip("/"))
    return [_left_in_group(groups / part) for part in (inside, *inside.parents)]


def _left_in_group(group: Path) -> int | None:
    try:
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = int((group / "memory.current").read_text(encoding="ascii"))
        lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    if not limit.isdigit():  # "max": no limit
        return None
    # Files that were read and are not in use make room when asked to.
    counts = dict(line.split(maxsplit=1) for line in lines if " " in line)
    return int(limit) - used + int(counts.get("inactive_file", 0))
