"""How far a background job is, on the page that waits for it."""

from typing import TypeVar

import streamlit as st

from pages.shared.background import Job
from pages.shared.layout import escaped

T = TypeVar("T")
POLL = 0.5  # seconds between two looks at a job


@st.fragment(run_every=POLL)
def progress(job: Job[T]) -> None:
    """What the job is doing and for how long; the page is drawn anew when it has ended.

    A bar only where the share done is known: one that stands still would look like a failure.
    """
    if job.is_done:
        st.rerun()
    said = escaped(f"{job.sentence} … {job.seconds} s")
    if job.share is None:
        st.status(said, state="running")
    else:
        st.progress(job.share, text=said)
