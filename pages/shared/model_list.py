"""The models that the picker proposes, side by side."""

import streamlit as st

from pages.shared import models, settings
from vl_core import checkpoints
from vl_core.checkpoints import Entry, readable


def listed() -> tuple[str, ...]:
    """The models of the owner's choice, else the well-known ones whose architecture is covered."""
    return settings.models() or tuple(entry.model_id for entry in checkpoints.offered())


def entry(name: str) -> Entry | None:
    """What is known of a well-known model; None of any other."""
    return next((one for one in checkpoints.CATALOGUE if one.model_id == name), None)


@st.dialog("Models", width="large")
def show() -> None:
    """A table of what each answers and takes, and whether it is here."""
    st.dataframe([_row(name) for name in listed()], hide_index=True, width="stretch")
    st.caption(
        "Parameters and memory are approximate: memory for the weights and what running takes "
        "beside them, in 32 bits as on a CPU and in 16 bits as on a GPU. Choose one under *Model* "
        "in the sidebar."
    )


def _row(name: str) -> dict[str, str]:
    """One model; what is not known of it is left empty."""
    known = entry(name)
    row = {"Model": known.title if known else name}
    row |= dict.fromkeys(("Answers", "Parameters", "32 bits", "16 bits"), "")
    if known:
        row |= {
            "Answers": known.answers,
            "Parameters": _counted(known.parameters),
            "32 bits": readable(known.needed_bytes("float32")),
            "16 bits": readable(known.needed_bytes("bfloat16")),
        }
    return row | {"Here": _state(name), "Name": name}


def _counted(parameters: int) -> str:
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.0f} M"


def _state(name: str) -> str:
    """Loaded, in the cache, or how it can be had."""
    if models.is_loaded(name):
        return "loaded"
    if settings.is_folder(name):
        return "in a folder"
    if not checkpoints.is_hub_name(name):
        return ""
    if checkpoints.is_cached(name):
        return "in the cache"
    known = entry(name)
    return "gated" if known and known.is_gated else "to download"
