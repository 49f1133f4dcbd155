"""Where a model can run, and how much memory is free there."""

import os
from inspect import unwrap

import pytest
import torch

from vl_core.checkpoints import devices

MEMINFO = "MemTotal:  9000 kB\nMemFree:  100 kB\nMemAvailable:  5000 kB\n"


@pytest.fixture
def machine(tmp_path):
    """A machine with 5000 KiB available, this process in a group within a group."""
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "cgroup").write_text("3:cpu:/elsewhere\n0::/outer/inner\n")
    (tmp_path / "groups" / "outer" / "inner").mkdir(parents=True)
    return tmp_path


def free(machine):
    """What is free on that machine, in KiB."""
    found = devices.free_ram(machine / "meminfo", machine / "cgroup", machine / "groups")
    return None if found is None else found / 1024


def limit(group, most, used, inactive=0):
    """Set a control group's limit, in KiB."""
    (group / "memory.max").write_text(f"{most * 1024}\n" if most else "max\n")
    (group / "memory.current").write_text(f"{used * 1024}\n")
    (group / "memory.stat").write_text(f"anon 1\ninactive_file {inactive * 1024}\nfile 3\n")


def test_available_memory_is_what_linux_calls_available(machine):
    """Not what is free: files that were read make room."""
    assert free(machine) == 5000


@pytest.mark.parametrize("where", ["outer/inner", "outer", "."])
def test_the_limit_of_any_group_around_the_process_counts(machine, where):
    """A container's, whichever level it is set at; what its files hold makes room."""
    limit(machine / "groups" / where, most=3000, used=2500, inactive=400)

    assert free(machine) == 900


def test_the_tightest_limit_counts(machine):
    """No limit is none, and more than the limit used is nothing left."""
    limit(machine / "groups" / "outer", most=None, used=2500)
    limit(machine / "groups" / "outer" / "inner", most=8000, used=1000)
    assert free(machine) == 5000

    limit(machine / "groups", most=2000, used=2001)
    assert free(machine) == 0


def test_a_machine_without_linuxs_figures_has_all_it_has(machine):
    """Elsewhere only the whole is known."""
    whole = devices.free_ram(machine / "none", machine / "none", machine / "none")

    assert whole > devices.free_memory("cpu")


def test_this_machines_figures_can_be_read():
    """Whatever it is, and whatever else runs on it: a number, and no more than all there is."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    assert 0 <= devices.free_memory("cpu") <= whole


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpus_free_memory_counts_what_torch_keeps():
    """What was taken and given back to torch only can be taken again."""
    before = devices.free_memory("cuda")
    taken = torch.zeros(1 << 28, dtype=torch.uint8, device="cuda")
    assert before - devices.free_memory("cuda") == pytest.approx(1 << 28, rel=0.1)
    del taken
    assert devices.free_memory("cuda") == pytest.approx(before, rel=0.01)
    assert devices.free_on_all_gpus() >= devices.free_memory("cuda")


def test_the_best_device_is_one_that_torch_has():
    """A tensor can be put there."""
    assert torch.ones(2, device=devices.best_device()).sum() == 2


@pytest.mark.parametrize("device", [3, b"cpu", ["cpu"]])
def test_what_is_no_name_is_no_device(device):
    """So it is told as one that is not there; nothing checks types where the app runs."""
    assert unwrap(devices.is_there)(device) is False
