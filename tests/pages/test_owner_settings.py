"""What the server's owner sets in the environment takes effect in the app."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pages.shared import models, session
from tests.checkpoints import save_kdvlp
from tests.pages.serving import analyse, forget_all, load, visitor
from vl_core import families

ROOT = Path(__file__).parents[2]
OWN = """
from vl_core import head_stats

@head_stats.register(
    key="strongest_link",
    name="Strongest link of all",
    unit="share",
    range=(0, 1),
    definition="The largest weight that any query of the head gives to one key.",
)
def strongest_link(weights, stack):
    return weights.max()
"""
FAMILY = """
from dataclasses import replace
from vl_core import families
from vl_core.families.kdvlp import family

def load(path, options):
    return replace(family.load(path, options), name="mine")

families.register("mine", "my_family")
"""
SCRIPT = """
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("streamlit_app.py", default_timeout=120)
app.query_params["statistic"] = "strongest_link"
app.run().switch_page("pages/heads.py").run()
assert not app.exception, app.exception
print("errors:", *(error.value for error in app.error))
print("options:", *(option for box in app.selectbox for option in box.options))
print("statistic:", app.query_params.get("statistic"))
"""


@pytest.fixture
def page(tmp_path):
    """The heads page's text in a process whose owner has set these variables."""

    def text(**settings):
        (tmp_path / "my_statistics.py").write_text(OWN)
        found = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(tmp_path)} | settings,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        return found.stdout.replace("\\", "")

    return text


def test_a_statistic_of_ones_own_appears_on_the_heads_page(page):
    """It is offered beside the others, computed, and named in the link."""
    shown = page(VLINTERPRET_STATISTICS="my_statistics")

    assert "errors:\n" in shown
    assert "Strongest link of all" in shown
    assert "statistic: strongest_link" in shown


def test_a_family_of_ones_own_can_be_loaded_in_the_app(tmp_path, monkeypatch):
    """Its module is imported before anything else, and a folder of its type is opened by it."""
    (tmp_path / "my_family.py").write_text(FAMILY)
    save_kdvlp(tmp_path / "checkpoint")
    config = tmp_path / "checkpoint" / "config.json"
    config.write_text(config.read_text().replace('"kdvlp"', '"mine"'))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(families, "FAMILIES", dict(families.FAMILIES))
    monkeypatch.setenv("VLINTERPRET_FAMILIES", "my_family")
    monkeypatch.setenv("VLINTERPRET_FOLDERS", "1")
    session._own_modules.clear()
    forget_all()

    app = visitor().run()
    load(app, str(tmp_path / "checkpoint"))
    analyse(app)
    assert not app.error
    assert app.query_params["model"] == str(tmp_path / "checkpoint")
    assert models.model(str(tmp_path / "checkpoint")).family.name == "mine"
    session._own_modules.clear()
    forget_all()


def test_a_module_that_cannot_be_imported_is_named_in_one_sentence(page):
    """The owner learns which name is wrong."""
    shown = page(VLINTERPRET_STATISTICS="no_such_module")

    assert "VLINTERPRET_STATISTICS names the module no_such_module" in shown
