"""Hidden states in two dimensions for a page: PCA at once, the slow ones in the background."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages.shared import session
from pages.shared.background import Job, Report
from pages.shared.layout import escaped
from pages.shared.progress import progress
from pages.shared.shown_states import ShownStates
from vl_core import projection
from vl_core.arrays import Points
from vl_core.neighbour_maps import n_fitted

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
    """Points (state x mark x 2) with how they were made and a line about each state.

    n_fitted: to how many points the map was fitted, if not to all.
    """

    method: str
    fit: str
    points: Points
    captions: tuple[str, ...]
    n_fitted: int | None = None

    @property
    def name(self) -> str:
        """What to call it."""
        return METHODS[self.method]

    @property
    def sentence(self) -> str:
        """What it preserves, and what may be compared."""
        return f"{PRESERVED[self.method]} {COMPARED[self.fit]}{self._sampled}"

    @property
    def _sampled(self) -> str:
        """What is said of a map that was fitted to some of the points."""
        if self.n_fitted is None:
            return ""
        n_states, n_marks, _ = self.points.shape
        where = f"of the {n_states * n_marks:,} states" if self.shares_scale else "in each layer"
        return (
            f" It is fitted to {self.n_fitted:,} tokens {where}, drawn at random; each of the "
            "others stands among the three of them that it is most alike."
        )

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
    with st.spinner("Placing the tokens"):
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
    joint = fit == "joint"
    points = project(shown.states, joint=joint, progress=report)
    n_states, n_marks, _ = points.shape
    fitted = n_fitted(n_states, n_marks, joint=joint)
    is_sampled = fitted < (n_states * n_marks if joint else n_marks)
    captions = ("",) * n_states
    return Projected(method, fit, points, captions, fitted if is_sampled else None)


def _tell(job: Job[Projected], method: str) -> None:
    name = METHODS[method]
    if job.problem is None:
        st.caption(f"{name} is being computed; PCA is shown until then.{FIRST[method]}")
        progress(job)
        return
    message, again = st.columns([4, 1], vertical_alignment="center")
    message.warning(escaped(f"{name} could not be computed; PCA is shown. {job.problem}"))
    again.button("Try again", on_click=job.start)
