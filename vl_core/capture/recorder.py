"""Who listens to a model's attention: the recorder of this thread, if there is one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from torch import Tensor, nn

from vl_core.capture.evaluation import Evaluation, Sample
from vl_core.capture.masks import LiveMask
from vl_core.errors import ModelError


@dataclass(frozen=True)
class Call:
    """One call of the attention function, a batch of sequences.

    query: (batch, head, query, dim), key and value: (batch, key head, key, dim), mask: additive
    (or boolean, True for allowed), broadcast to (batch, head, query, key), output: (batch, query,
    head, dim).
    """

    module: nn.Module
    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    output: Tensor
    scaling: float
    softcap: float | None


class Recorder:
    """Every attention evaluation of a run, by the name of the module that made it.

    evaluations: for each module one entry for each sequence of each call, in the order they came.
    """

    def __init__(self, model: nn.Module) -> None:
        self.evaluations: dict[str, list[Evaluation]] = {}
        self._names = {module: name for name, module in model.named_modules()}
        # All layers share one mask: reading it once saves query x key work in each of them. The
        # mask is kept beside its reading, so that its id stays its own.
        self._masks: dict[tuple[int, ...], tuple[Tensor | None, LiveMask]] = {}

    def add(self, call: Call) -> None:
        """Keep one call; raises ModelError if its module is no part of the model."""
        name = self._names.get(call.module)
        if name is None:
            raise ModelError(
                f"attention was computed by a {type(call.module).__name__} that is no part of the "
                "recorded model. Record the whole model."
            )
        heard = self.evaluations.setdefault(name, [])
        for item in range(len(call.query)):
            heard.append(
                Evaluation(
                    queries=call.query[item],
                    keys=call.key[item],
                    sample=Sample.of(call.value[item], call.output[item]),
                    mask=self._mask(call, item),
                    scaling=call.scaling,
                    softcap=call.softcap,
                )
            )

    def _mask(self, call: Call, item: int) -> LiveMask:
        shape = call.query.shape[2], call.key.shape[2]
        place = id(call.mask), item, *shape
        if place not in self._masks:
            self._masks[place] = call.mask, LiveMask.of(call.mask, item, shape)
        return self._masks[place][1]

    def check_complete(self, expected: Iterable[str]) -> None:
        """Raise ModelError unless each of these modules, and no other, was heard."""
        wanted = set(expected)
        missing, strange = wanted - set(self.evaluations), set(self.evaluations) - wanted
        if missing:
            raise ModelError(
                f"attention of {len(wanted) - len(missing)} of {len(wanted)} layers was captured; "
                f"{min(missing)} was not. The model bypasses transformers' attention interface."
            )
        if strange:
            raise ModelError(
                f"attention of {min(strange)} was captured, but the model's family does not say "
                "what it looks at. Its adapter must place every attention module."
            )


ACTIVE: ContextVar[Recorder | None] = ContextVar("vl_capture_recorder", default=None)


@contextmanager
def recording(model: nn.Module) -> Iterator[Recorder]:
    """Record this thread's runs of an attached model.

    `with recording(model) as recorder: model(**inputs)`
    """
    recorder = Recorder(model)
    token = ACTIVE.set(recorder)
    try:
        yield recorder
    finally:
        ACTIVE.reset(token)
