"""Shapes and types are checked while the tests run, from before vl_core is imported."""

import os
import tempfile
from pathlib import Path

from hypothesis import settings
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

# The same cases on each run, however slow the machine: a failure is never an accident.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")

# No test may read or fill the disk store of whoever runs it.
STORE = tempfile.TemporaryDirectory()
os.environ["VLINTERPRET_CACHE"] = STORE.name


def pytest_terminal_summary(terminalreporter):
    """What tests measured and recorded, at the end, since processes of their own print nothing."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    called = [report for report in reports if report.when == "call"]
    properties = [one for report in called for one in report.user_properties]
    if found := sorted(what for name, what in properties if name == "measured"):
        terminalreporter.section("measured")
        for what in found:
            terminalreporter.write_line(what)
