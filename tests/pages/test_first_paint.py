"""Nothing slow stands between a visitor and the first page."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOW = {"torch", "transformers", "umap", "sklearn", "scipy"}
SCRIPT = """
import sys
from streamlit.testing.v1 import AppTest
from pages.shared import models
models.warm_up = lambda: None  # the model loads behind the first page, in its own thread
app = AppTest.from_file("streamlit_app.py", default_timeout=120).run()
if sys.argv[1] != "overview":
    app.switch_page(f"pages/{sys.argv[1]}.py").run()
assert not app.exception and not app.error, (app.exception, app.error)
print(*{name.split(".")[0] for name in sys.modules})
"""


PAGES = ["overview", "data_sets", "heads", "attention", "hidden_states", "compare"]


@pytest.mark.parametrize("page", PAGES)
def test_no_page_of_the_worked_example_waits_for_a_slow_library(page):
    """All of them are drawn from the shipped trace without torch, transformers, umap or sklearn."""
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, page],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )

    assert set(found.stdout.split()) & SLOW == set()
