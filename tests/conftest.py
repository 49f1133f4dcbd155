"""Shapes and types are checked while the tests run, from before vl_core is imported."""

from pathlib import Path

from jaxtyping import install_import_hook

ROOT = Path(__file__).parents[1]
# transformers reads a configuration's fields from its class; a wrapped class has none.
UNCHECKED = "vl_core.families.kdvlp.configuration"


def _modules():
    for file in (ROOT / "vl_core").rglob("*.py"):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        if file.stem != "__init__" and name != UNCHECKED:
            yield name


install_import_hook(list(_modules()), "tests.checked")
