"""A server without loaded models, tiny checkpoints for it, and a visitor who chooses among them."""

from streamlit.testing.v1 import AppTest

from pages.shared import models, session
from tests.browser import ROOT

PATIENCE = 60  # seconds: only a job that hangs takes them
PAGES = [f"pages/{name}.py" for name in ("overview", "heads", "attention", "hidden_states")]


def forget_all() -> None:
    """Let the server of this process be as it was when it started, but for the embedded model."""
    for job in models._jobs().values():
        job.thread.join(PATIENCE)
    for memory in (models._shelf, models._jobs, session._traces, session._results):
        memory.clear()


def visitor(address: str = "") -> AppTest:
    """Somebody who opens the app."""
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    for part in filter(None, address.split("&")):
        name, value = part.split("=")
        app.query_params[name] = value
    return app


def choose(app: AppTest, name: str) -> None:
    """Type a model's name into the field, or choose it there."""
    field = app.sidebar.selectbox(key="model")
    if name not in field.options and field.format_func(name) not in field.options:
        field.options.append(name)  # what a browser does with what is typed
    field.set_value(name).run()


def wait(name: str) -> None:
    """Until this model is there, or it is known why not."""
    job = models._jobs()[name]
    job.thread.join(PATIENCE)
    assert job.is_done


def load(app: AppTest, name: str) -> None:
    """Choose a model, have it loaded and wait for it."""
    choose(app, name)
    app.sidebar.button(key="load_model").click().run()
    wait(name.strip())
    app.run()


def analyse(app: AppTest) -> None:
    """Ask what stands in the form."""
    next(button for button in app.sidebar.button if button.label == "Analyse").click().run()


def said(block: AppTest) -> str:
    """What is written in the sidebar or another part of the page, as a reader sees it."""
    kinds = ("caption", "error", "warning", "info")
    parts = [element.value for kind in kinds for element in block.get(kind)]
    return " ".join(parts).replace("\\", "")


def is_ready(app: AppTest) -> bool:
    """Whether the form can be sent."""
    return not next(one for one in app.sidebar.button if one.label == "Analyse").disabled


def assert_sound(app: AppTest) -> None:
    """All pages open without a complaint."""
    for page in PAGES:
        app.switch_page(page).run()
        assert not app.exception, page
        assert not app.error, (page, app.error[0].value)
