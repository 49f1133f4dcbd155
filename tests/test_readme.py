"""The README names every setting and every architecture there is, and nothing that is not."""

import re
from pathlib import Path

import pytest

from vl_core import families, store

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
READ = re.compile(r'_(?:text|listed|number)\("([A-Z_]+)"\)')
MODULES = re.compile(r"_listed\(name\) for name in \(([^)]+)\)")


def settings():
    """The variables that the app reads, by their whole names."""
    code = (ROOT / "pages" / "shared" / "settings.py").read_text(encoding="utf-8")
    names = READ.findall(code) + re.findall(r"[A-Z_]+", MODULES.search(code)[1])
    return {f"VLINTERPRET_{name}" for name in names} | {store.SETTING}


def test_its_table_has_all_settings_and_no_others():
    """One row each."""
    rows = re.findall(r"^\| `(VLINTERPRET_[A-Z_]+)", README, re.MULTILINE)

    assert sorted(rows) == sorted(settings())
    assert len(rows) >= 8


@pytest.mark.parametrize("name", sorted(families.FAMILIES))
def test_its_table_has_every_architecture(name):
    """By its model_type."""
    assert f"`{name}`" in README


def test_its_table_has_no_architecture_that_is_not_covered():
    """What stands in the column is in the registry."""
    table = README.split("| models | `model_type` |")[1].split("\n\n")[0]
    named = [
        name
        for row in table.splitlines()[2:]
        for name in re.findall(r"`([^`]+)`", row.split("|")[2])
    ]

    assert set(named) == set(families.FAMILIES)
    assert len(named) == len(set(named))
