"""Who takes part in a model's attention: those of this thread that change or differentiate it.

A recorder only listens; what stands here changes what the model does, on purpose. Several may be
active at once; the one that entered last comes last.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from torch import Tensor, nn

from vl_core.errors import ModelError

# From the name of a module and its attention's output (batch, query, head, dim), before the output
# projection, to the output that the model goes on with. It does not write into the one it is given.
Edit = Callable[[str, Tensor], Tensor]
# By the name of a module, what each call of it gave: (batch, head, query, key).
KeptWeights = dict[str, list[Tensor]]


@dataclass(frozen=True)
class Part:
    """What one of them does.

    names: of every module of the model. edit: what becomes of each output. kept: where the weights
    of each call are put.
    """

    names: Mapping[nn.Module, str]
    edit: Edit | None = None
    kept: KeptWeights | None = None

    def name(self, module: nn.Module) -> str:
        """The module's name; raises ModelError if it is no part of the model."""
        found = self.names.get(module)
        if found is None:
            raise ModelError(
                f"attention was computed by a {type(module).__name__} that is no part of the model "
                "that is changed or differentiated. Run that model alone."
            )
        return found


ACTIVE: ContextVar[tuple[Part, ...]] = ContextVar("vl_capture_edits", default=())


def want_weights(parts: tuple[Part, ...]) -> bool:
    """Whether attention must be written out, for one of these to keep its weights."""
    return any(part.kept is not None for part in parts)


def keep(parts: tuple[Part, ...], module: nn.Module, weights: Tensor) -> None:
    """Put the weights (batch, head, query, key), gradients and all, where they are wanted."""
    for part in parts:
        if part.kept is not None:
            if not weights.requires_grad:  # of a frozen model: the graph begins here
                weights.requires_grad_()
            weights.retain_grad()
            part.kept.setdefault(part.name(module), []).append(weights)


def edited(parts: tuple[Part, ...], module: nn.Module, output: Tensor) -> Tensor:
    """The output (batch, query, head, dim) after all edits."""
    for part in parts:
        if part.edit is not None:
            output = part.edit(part.name(module), output)
    return output


@contextmanager
def editing(model: nn.Module, edit: Edit) -> Iterator[None]:
    """Change the attention of this thread's runs of an attached model.

    `with editing(model, lambda name, output: 2 * output): model(**inputs)`. A recorder hears the
    changed output.
    """
    with _taking_part(Part(_names(model), edit=edit)):
        yield


@contextmanager
def differentiable(model: nn.Module) -> Iterator[KeptWeights]:
    """Keep the weights of this thread's runs of an attached model where gradients reach them.

    `with differentiable(model) as weights: score = model(**inputs)[0].max()`, then
    `torch.autograd.grad(score, weights[name])`, or `weights[name][0].grad` after
    `score.backward()`, which leaves gradients on the parameters as well. Attention is written out
    meanwhile; its outputs differ from sdpa's by rounding. Needs gradients to be enabled.
    """
    kept: KeptWeights = {}
    with _taking_part(Part(_names(model), kept=kept)):
        yield kept


def _names(model: nn.Module) -> dict[nn.Module, str]:
    return {module: name for name, module in model.named_modules()}


@contextmanager
def _taking_part(part: Part) -> Iterator[None]:
    token = ACTIVE.set((*ACTIVE.get(), part))
    try:
        yield
    finally:
        ACTIVE.reset(token)
