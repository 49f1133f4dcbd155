"""What becomes of the answer when a head is taken out: interventions, which attention is not.

A head is taken out by putting its mean over a set of scenes in the place of what it computes.
"""

import numpy as np

from pages.shared import requests, session
from pages.shared.layout import percent
from pages.shared.measured import Measured, Notes, written
from vl_core import findings
from vl_core.arrays import HeadMap
from vl_core.errors import ModelError
from vl_core.findings import AblationFinding
from vl_core.trace import Stack, Trace

THIS_QUESTION = "ablation_question"
THIS_TYPE = "ablation_type"
MEASURED_MODEL = "embedded"  # the only one whose heads have means to put in their place
NAMES = {
    THIS_QUESTION: "Ablation effect, this question",
    THIS_TYPE: "Ablation effect, questions of this type",
}
UNITS = {THIS_QUESTION: "nats", THIS_TYPE: "points of accuracy"}
LIMITS = {THIS_QUESTION: 0.1, THIS_TYPE: 1.0}  # in these units; below, colors stay pale
POINTS = 100  # in an accuracy of 1
OUTCOMES = ("the answer stays without it", "without it the answer changes")
INTERVENTION = (
    "An intervention: the head is replaced by its mean over a set of scenes, and the model answers "
    "again. So this is about cause, which attention is not."
)
FOLLOWS = {
    THIS_QUESTION: "Shown is how the log-probability of “{answer}”, which the whole model answers, "
    "changes. In nats; below 0 the head supported that answer, above 0 it spoke against it.",
    THIS_TYPE: "Shown is how the share of right answers changes on {count} questions of this type "
    "({type}) about scenes that training never saw, of which the whole model answers {accuracy} "
    "rightly. In points of accuracy, each with its 95 % bootstrap interval; below 0 the model "
    "needs the head for such questions.",
}
NO_MEANS = "What takes a head's place, its mean, has not been measured for this model's weights."
OTHER_STACK = "Heads were taken out of another part of this model; here there is no effect to show."
NO_ANSWER = (
    "A candidate or a source is judged here, and no answer is given whose probability a head could "
    "change. Ask a question of your own about the picture to see the effects on its answer."
)
NO_TYPE = (
    "It is known for the questions that the scenes' generator asks, each of one of twelve types. "
    "Choose one of the suggested questions in the sidebar, or the effect on this question alone."
)
NO_FINDING = "No effects have been measured for this model's weights on questions of this type."


def names(trace: Trace) -> dict[str, str]:
    """What can be shown of this trace, by key; nothing of a model whose heads were not taken out.

    Another model may have as many layers and heads: its trace must not carry these findings.
    """
    return NAMES if trace.provenance.model_id == MEASURED_MODEL else {}


def measured(key: str, stack: Stack) -> Measured:
    """The effect of each head of the stack, or why there is none."""
    return _on_question(stack) if key == THIS_QUESTION else _on_type(stack)


def on_type(stack: Stack) -> AblationFinding | None:
    """What taking out each head of this stack does to questions of the type on show."""
    kind = question_type() if names(session.trace()) else None
    found = findings.ablation(kind) if kind else None
    return found if found and _fits(found.change, stack) else None


def on_question(stack: Stack) -> HeadMap | None:
    """What taking out each head of this stack does to the answer on show, in nats."""
    found = measured(THIS_QUESTION, stack)
    return found.values if np.isfinite(found.values).any() else None


def question_type() -> str | None:
    """The type of the question on show, if the generator asks it."""
    shown = session.request()
    return session.remembered(("type", shown), lambda: requests.question_type(shown))


def called(kind: str) -> str:
    """A type of question as it is called on screen."""
    return kind.replace("_", " ")


def points(share: float) -> str:
    """A change of accuracy for reading, in points."""
    return written(POINTS * share, 1)


def _fits(values: HeadMap, stack: Stack) -> bool:
    return values.shape == (stack.n_layers, stack.n_heads)


def _on_question(stack: Stack) -> Measured:
    if session.trace().example.task != "answer":
        return _missing(THIS_QUESTION, stack, NO_ANSWER)
    if not session.HEAD_MEANS.is_file():
        return _missing(THIS_QUESTION, stack, NO_MEANS)
    try:
        effects = session.head_effects()
    except ModelError:  # the means of other weights, or a model that is not built for this
        return _missing(THIS_QUESTION, stack, NO_MEANS)
    if not _fits(effects.change, stack):
        return _missing(THIS_QUESTION, stack, OTHER_STACK)
    return Measured(
        NAMES[THIS_QUESTION],
        UNITS[THIS_QUESTION],
        np.asarray(effects.change, float),
        f"{INTERVENTION} {FOLLOWS[THIS_QUESTION].format(answer=effects.answer)}",
        limit=LIMITS[THIS_QUESTION],
        is_lowest_first=True,
        notes=Notes(OUTCOMES, which=np.asarray(effects.flips, int)),
        columns={
            THIS_QUESTION: np.asarray(effects.change, float),
            f"{THIS_QUESTION}/answer_changes": np.asarray(effects.flips, float),
        },
    )


def _on_type(stack: Stack) -> Measured:
    kind, found = question_type(), on_type(stack)
    if kind is None or found is None:
        return _missing(THIS_TYPE, stack, NO_FINDING if kind else NO_TYPE)
    says = FOLLOWS[THIS_TYPE].format(
        count=found.n_questions, type=called(kind), accuracy=percent(found.accuracy)
    )
    return Measured(
        NAMES[THIS_TYPE],
        UNITS[THIS_TYPE],
        POINTS * found.change,
        f"{INTERVENTION} {says}",
        limit=LIMITS[THIS_TYPE],
        is_lowest_first=True,
        notes=Notes(
            ("95 %: {0} to {1}",), numbers=(POINTS * found.low, POINTS * found.high), decimals=1
        ),
        columns=columns(found),
    )


def interval(found: AblationFinding, layer: int, head: int) -> str:
    """The interval of a head's effect on accuracy, for reading."""
    return f"95 %: {points(found.low[layer, head])} to {points(found.high[layer, head])}"


def columns(found: AblationFinding) -> dict[str, HeadMap]:
    """The effects on a type of question for a table, in points of accuracy."""
    return {
        THIS_TYPE: POINTS * found.change,
        f"{THIS_TYPE}/low": POINTS * found.low,
        f"{THIS_TYPE}/high": POINTS * found.high,
    }


def _missing(key: str, stack: Stack, why: str) -> Measured:
    nothing = np.full((stack.n_layers, stack.n_heads), np.nan)
    return Measured(NAMES[key], UNITS[key], nothing, INTERVENTION, why, limit=LIMITS[key])
