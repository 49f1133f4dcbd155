"""Who listens to a model's attention: the recorder of this thread, if there is one."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from vl_core.capture.evaluation import Evaluation, Sample
from vl_core.capture.masks import LiveMask
from vl_core.capture.rules import Rule, rule_of
from vl_core.errors import ModelError


@dataclass(frozen=True)
class Call:
    """One call of the attention function, a batch of sequences.

    query: (batch, head, query, dim), key and value: (batch, key head, key, dim), mask: additive
    (or boolean, True for allowed), broadcast to (batch, head, query, key), output: (batch, query,
    head, dim). made_of: the mask and the bias that the model gave, of which `mask` is the sum: it
    is new in each layer where they are the same.
    """

    module: nn.Module
    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    made_of: tuple[Tensor | None, Tensor | None]
    output: Tensor
    scaling: float
    softcap: float | None


_MASKS = 8  # readings of masks that are held; most models have one or two masks


Hear = Callable[[str, Any], None]  # of an Evaluation, or of what was Overheard
Note = Callable[[str, Tensor], None]


class Recorder:
    """Every attention evaluation of a run, handed on as it is made.

    hear: told the name of the module and each evaluation, one for each sequence of each call.
    note: told the name of a stream and each of its hidden states, in the order of layers. What
    they do not keep is gone when the model goes on. Without `hear` all evaluations are kept as
    they are, in `evaluations` by the name of the module, in the order they came.
    """

    def __init__(
        self,
        model: nn.Module,
        hear: Hear | None = None,
        note: Note = lambda _stream, _state: None,
    ) -> None:
        self.evaluations: dict[str, list[Any]] = {}
        self.heard: Counter[str] = Counter()
        self.note = note
        self._hear = hear or self._keep
        self._names = {module: name for name, module in model.named_modules()}
        # All layers share one mask: reading it once saves query x key work in each of them. The
        # mask is kept beside its reading, so that its id stays its own. A model that lies on
        # several devices copies its mask for every layer, so only the last few are held.
        self._masks: dict[tuple[Any, ...], tuple[tuple[Tensor | Rule | None, ...], LiveMask]] = {}

    def add(self, call: Call) -> None:
        """Hand on one call; raises ModelError if its module is no part of the model."""
        name = self._names.get(call.module)
        if name is None:
            raise ModelError(
                f"attention was computed by a {type(call.module).__name__} that is no part of the "
                "recorded model. Record the whole model."
            )
        for item in range(len(call.query)):
            self.take(name, self._evaluation(call, item))

    def take(self, name: str, evaluation: Any) -> None:  # noqa: ANN401 an Evaluation or Overheard
        """Hand on one evaluation of the module of this name."""
        self.heard[name] += 1
        self._hear(name, evaluation)

    def _keep(self, name: str, evaluation: Any) -> None:  # noqa: ANN401 as in take
        self.evaluations.setdefault(name, []).append(evaluation)

    def _evaluation(self, call: Call, item: int) -> Evaluation:
        return Evaluation(
            queries=call.query[item],
            keys=call.key[item],
            sample=Sample.of(call.value[item], call.output[item]),
            mask=self._mask(call, item),
            scaling=call.scaling,
            softcap=call.softcap,
        )

    def _mask(self, call: Call, item: int) -> LiveMask:
        shape, device = (call.query.shape[2], call.key.shape[2]), call.query.device
        if call.mask is None:
            return LiveMask(shape, device)
        # A copy of a mask for another device follows the same rule.
        made_of = tuple(rule_of(one) or one for one in call.made_of)
        place = *map(id, made_of), item, *shape, device
        if place not in self._masks:
            if len(self._masks) == _MASKS:
                del self._masks[next(iter(self._masks))]
            # A mask that was never looked at may have stayed on another device.
            self._masks[place] = made_of, LiveMask.of(call.mask.to(device), item, shape)
        return self._masks[place][1]

    def check_complete(self, expected: Iterable[str]) -> None:
        """Raise ModelError unless each of these modules, and no other, was heard."""
        wanted = set(expected)
        missing, strange = wanted - set(self.heard), set(self.heard) - wanted
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
def recording(
    model: nn.Module,
    hear: Hear | None = None,
    note: Note = lambda _stream, _state: None,
) -> Iterator[Recorder]:
    """Hear this thread's runs of an attached model; see Recorder.

    `with recording(model) as recorder: model(**inputs)`, then `recorder.evaluations[name]`.
    """
    recorder = Recorder(model, hear, note)
    token = ACTIVE.set(recorder)
    try:
        yield recorder
    finally:
        ACTIVE.reset(token)
