"""The numbers of the tour, found in the traces of its stops and in the findings at hand."""

import numpy as np

from pages.shared import head_effects, requests, session
from pages.shared.layout import percent
from pages.shared.measured import written
from pages.shared.requests import Request
from vl_core.arrays import HeadMap
from vl_core.checkpoints import EMBEDDED_NAME
from vl_core.head_stats.summary import ranks
from vl_core.linked_view.telling import highest_head, telling_tokens
from vl_core.trace import Stack, Trace

FIRST = "star-by-moon"  # of the gallery: the worked example, so the tour begins at once
FINDING = "grounding"  # the statistic by which the head is found that the tour follows
NEXT_TO_NOTHING = 0.05  # nats: the answer loses a twentieth of its probability


def request(example: str, instead: str = "") -> Request:
    """The question of an example of the gallery, perhaps with something in the picture's place."""
    question = requests.gallery_entry(example).question.text
    return Request(EMBEDDED_NAME, "gallery", example, question, instead)


def head_followed() -> tuple[int, int]:
    """Layer and head, from 0, that the tour follows: found in its first example."""
    return highest_head(_own_stack(request(FIRST)), FINDING) or (0, 0)


def answer(stop: Request) -> str:
    """What the model answers, and how much of it there is to look at."""
    trace, stack = session.trace_of(stop), _own_stack(stop)
    said, share = trace.prediction.top[0]
    right = trace.example.answer
    verdict = "which is right" if said == right else f"but it is {right}"
    patches, words = int(stack.keys.is_image.sum()), int(stack.queries.is_text.sum())
    return (
        f"It answers “{said}” ({percent(share)}), {verdict}. {patches} patches and {words} words "
        f"and marks went through {stack.n_layers} layers of {stack.n_heads} heads."
    )


def grounding(stop: Request) -> str:
    """How well the head grounds the words, and how well any would by looking everywhere."""
    statistics, head = _own_stack(stop).head_stats, head_followed()
    share, lift = statistics["grounding"][head], statistics["grounding_lift"][head]
    return (
        f"Selected: {_place(stop, head)}, with {percent(float(share))}. Looking at all of the "
        f"picture alike would give {percent(float(share / lift))}."
    )


def pinned(stop: Request) -> str:
    """Which words are pinned, and in which head."""
    stack = _own_stack(stop)
    words = [f"“{stack.queries.texts[token]}”" for token in telling_tokens(stack)]
    return f"Pinned: {', '.join(words)}, seen through {_place(stop, head_followed())}."


def left_without_picture(stop: Request) -> str:
    """What is left of the head's grounding when nothing is there to be found."""
    head = head_followed()
    before, after = (
        percent(float(_stack(session.trace_of(one)).head_stats["grounding"][head]))
        for one in (stop.with_own_picture, stop)
    )
    return f"The grounding of {_place(stop, head)} goes from {before} to {after}."


def effect(stop: Request) -> str:
    """Whether the answer needs the head; nothing while that is not on show or not known."""
    if session.request() != stop:
        return ""
    effects = head_effects.on_question(_stack(session.trace()))
    return "" if effects is None else f"{_on_question(stop, effects)} {_on_type(stop)}".strip()


def _on_question(stop: Request, effects: HeadMap) -> str:
    strongest = np.unravel_index(np.nanargmin(effects), effects.shape)
    if effects[strongest] > -NEXT_TO_NOTHING:
        return (
            "Here no head is needed by itself: whichever is taken out, the log-probability of the "
            f"answer falls by less than {NEXT_TO_NOTHING:g} nats."
        )
    head = head_followed()
    rank = ranks(-effects)[head]
    said = (
        f"Without {_place(stop, head)} the answer's log-probability changes by "
        f"{_nats(effects[head])}: rank {rank} of {effects.size}."
    )
    if rank == 1:
        return said
    return (
        f"{said} The greatest drop, {_nats(effects[strongest])}, comes without "
        f"{_place(stop, strongest)}."
    )


def _on_type(stop: Request) -> str:
    """The same head over a set of questions, where that was measured."""
    found, head = head_effects.on_type(_stack(session.trace())), head_followed()
    if found is None:
        return ""
    return (
        f"Over {found.n_questions} questions of this type, accuracy changes by "
        f"{head_effects.points(found.change[head])} points without {_place(stop, head)} "
        f"({head_effects.interval(found, *head)})."
    )


def _nats(change: float) -> str:
    return f"{written(change, 3)} nats"


def _own_stack(stop: Request) -> Stack:
    return _stack(session.trace_of(stop.with_own_picture))


def _stack(trace: Trace) -> Stack:
    return next(iter(trace.stacks.values()))


def _place(stop: Request, head: tuple[int, int]) -> str:
    return f"layer {_own_stack(stop).layers[head[0]] + 1}, head {head[1] + 1}"
