"""Who takes part in a model's attention: those of this thread that change or differentiate it.

A recorder only listens; what stands here changes what the model does, on purpose. Several may be
active at once; the one that entered last comes last. Modules that can only be overheard are out of
reach: to name one, or a module that computes no attention, is an error and never a run that was
changed in nothing.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from torch import Tensor, nn

from vl_core.capture.tapping import overheard
from vl_core.errors import ModelError

# From the name of a module and its attention's output (batch, query, head, dim), before the output
# projection, to the output that the model goes on with. It does not write into the one it is given.
Edit = Callable[[str, Tensor], Tensor]
# By the name of a module, what each call of it gave: (batch, head, query, key).
KeptWeights = dict[str, list[Tensor]]


@dataclass(frozen=True)
class Part:
    """What one of them does.

    names: of every module of the model. concerns: the names of those it is about, None for all.
    edit: what becomes of each output. kept: where the weights of each call are put. reached: the
    names of those that computed attention meanwhile.
    """

    names: Mapping[nn.Module, str]
    concerns: frozenset[str] | None
    edit: Edit | None = None
    kept: KeptWeights | None = None
    reached: set[str] = field(default_factory=set)

    def name(self, module: nn.Module) -> str | None:
        """The module's name, None if this is not about it.

        Raises ModelError if it is no part of the model.
        """
        found = self.names.get(module)
        if found is None:
            raise ModelError(
                f"attention was computed by a {type(module).__name__} that is no part of the model "
                "that is changed or differentiated. Run that model alone."
            )
        if self.concerns is not None and found not in self.concerns:
            return None
        self.reached.add(found)
        return found

    def check_reached(self) -> None:
        """Raise ModelError if any module that was asked for by its name computed no attention."""
        if left := (self.concerns or frozenset()) - self.reached:
            raise ModelError(
                f"{_some(left)} computed no attention that could be changed or differentiated, of "
                f"{len(self.concerns or ())} modules that were asked for. Name attention modules "
                "that the model runs through."
            )


ACTIVE: ContextVar[tuple[Part, ...]] = ContextVar("vl_capture_edits", default=())


def want_weights(parts: tuple[Part, ...]) -> bool:
    """Whether attention must be written out, for one of these to keep its weights."""
    return any(part.kept is not None for part in parts)


def keep(parts: tuple[Part, ...], module: nn.Module, weights: Tensor) -> None:
    """Put the weights (batch, head, query, key), gradients and all, where they are wanted."""
    for part in parts:
        if part.kept is not None and (name := part.name(module)) is not None:
            if not weights.requires_grad:  # of a frozen model: the graph begins here
                weights.requires_grad_()
            weights.retain_grad()
            part.kept.setdefault(name, []).append(weights)


def edited(parts: tuple[Part, ...], module: nn.Module, output: Tensor) -> Tensor:
    """The output (batch, query, head, dim) after all edits."""
    for part in parts:
        if part.edit is not None and (name := part.name(module)) is not None:
            output = part.edit(name, output)
    return output


@contextmanager
def editing(model: nn.Module, edit: Edit, modules: Collection[str] | None = None) -> Iterator[None]:
    """Change the attention of this thread's runs of an attached model.

    `with editing(model, lambda name, output: 2 * output): model(**inputs)`. A recorder hears the
    changed output. modules: the names of those whose output is changed; None for all. Raises
    ModelError if any of them can only be overheard, and at the end of the block if any that was
    named was never run.
    """
    with _taking_part(_part(model, modules, edit=edit)):
        yield


@contextmanager
def differentiable(
    model: nn.Module, modules: Collection[str] | None = None
) -> Iterator[KeptWeights]:
    """Keep the weights of this thread's runs of an attached model where gradients reach them.

    `with differentiable(model) as weights: score = model(**inputs)[0].max()`, then
    `torch.autograd.grad(score, weights[name])`, or `weights[name][0].grad` after
    `score.backward()`, which leaves gradients on the parameters as well. Attention is written out
    meanwhile; its outputs differ from sdpa's by rounding. Needs gradients to be enabled. modules:
    the names of those whose weights are kept; None for all. Raises as `editing` does.
    """
    kept: KeptWeights = {}
    with _taking_part(_part(model, modules, kept=kept)):
        yield kept


def _part(
    model: nn.Module,
    modules: Collection[str] | None,
    edit: Edit | None = None,
    kept: KeptWeights | None = None,
) -> Part:
    """Raises ModelError if it concerns a module that is out of reach."""
    concerns = None if modules is None else frozenset(modules)
    out_of_reach = set(overheard(model))
    if concerns is not None:
        out_of_reach &= concerns
    if out_of_reach:
        raise ModelError(
            f"{_some(out_of_reach)} of this model computes attention in code of its own, which can "
            "be listened to and neither changed nor differentiated; modules that capture runs are "
            "wanted. Leave it out, or choose another model."
        )
    names = {module: name for name, module in model.named_modules()}
    return Part(names, concerns, edit, kept)


def _some(names: Collection[str]) -> str:
    """The first of these names, and how many there are besides."""
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"{min(names)}{more}"


@contextmanager
def _taking_part(part: Part) -> Iterator[None]:
    token = ACTIVE.set((*ACTIVE.get(), part))
    try:
        yield
    finally:
        ACTIVE.reset(token)
    part.check_reached()
