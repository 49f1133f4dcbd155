"""Hidden states in two dimensions for a page: PCA at once, the slow ones in the background."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages.shared import background, session
from pages.shared.background import Job, Report
from pages.shared.layout import escaped
from pages.shared.shown_states import ShownStates
from vl_core import projection
from vl_core.arrays import Points

METHODS = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}
FITS = {"joint": "All layers together", "layers": "Each layer alone"}
PRESERVED = {
    "pca": "PCA shows the two directions in which the tokens differ most: marks far apart do "
    "differ, marks close together may still differ in directions that are not shown.",
    "umap": "UMAP keeps neighbourhoods: marks close together are alike, but distances between "
    "far groups, and the groups' sizes, mean little.",
    "tsne": "t-SNE keeps each token's nearest neighbours: marks close together are alike, but "
    "distances between far groups, and the groups' sizes, mean little.",
}
FIRST = {
    "umap": " The first UMAP of a server takes much longer, because its code is compiled then.",
    "tsne": "",
}
COMPARED = {
    "joint": "All layers, each centred, share one map, so a token's path can be followed.",
    "layers": "Each layer has a map of its own, turned to match the one before: compare shapes "
    "from layer to layer, not places.",
}


@dataclass(frozen=True)
class Projected:
    """Points (state x mark x 2) with how they were made and a line about each state."""

    method: str
    fit: str
    points: Points
    captions: tuple[str, ...]

    @property
    def name(self) -> str:
        """What to call it."""
        return METHODS[self.method]

    @property
    def sentence(self) -> str:
        """What it preserves, and what may be compared."""
        return f"{PRESERVED[self.method]} {COMPARED[self.fit]}"

    @property
    def shares_scale(self) -> bool:
        """Whether all states have one unit."""
        return self.fit == "joint"


def projected(shown: ShownStates, method: str, fit: str) -> Projected:
    """What was asked for if it is there; PCA until then, and on the page how far it has come."""
    if method != "pca":
        job = session.remembered(
            (shown.stream.name, method, fit),
            lambda: Job(lambda report: _slow(shown, method, fit, report)),
        )
        if job.result is not None:
            return job.result
        _tell(job, method)
    return session.remembered((shown.stream.name, "pca", fit), lambda: _pca(shown, fit))


def _pca(shown: ShownStates, fit: str) -> Projected:
    if fit == "joint":
        points = projection.joint_pca(shown.states)
        shares = projection.joint_share_shown(points)
    else:
        points = projection.pca(shown.states)
        shares = projection.share_shown(shown.states, points)
    captions = (
        f"The two axes show {100 * share:.0f} % of this layer's variance."
        if np.isfinite(share)
        else "The tokens do not differ here."
        for share in shares
    )
    return Projected("pca", fit, points, tuple(captions))


def _slow(shown: ShownStates, method: str, fit: str, report: Report) -> Projected:
    project = {"umap": projection.umap, "tsne": projection.tsne}[method]
    points = project(shown.states, joint=fit == "joint", progress=report)
    return Projected(method, fit, points, ("",) * len(points))


def _tell(job: Job[Projected], method: str) -> None:
    name = METHODS[method]
    if job.problem is None:
        st.caption(f"{name} is being computed; PCA is shown until then.{FIRST[method]}")
        background.progress(job)
        return
    message, again = st.columns([4, 1], vertical_alignment="center")
    message.warning(escaped(f"{name} could not be computed; PCA is shown. {job.problem}"))
    again.button("Try again", on_click=job.start)
