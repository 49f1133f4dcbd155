"""Training in bfloat16 with float32 masters: Muon for the encoder's matrices, else AdamW."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from training.group import Group


def as_bfloat16(model: nn.Module) -> None:
    """Compute in bfloat16, which two cores do several times as fast; batch norm keeps float32."""
    model.bfloat16()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.float()


class Masters:
    """Float32 copies of the trained parameters, which the optimisers move and the model follows."""

    def __init__(
        self,
        model: nn.Module,
        names: Iterable[str],
        *,
        muon_rate: float | None,
        adam_rate: float,
        weight_decay: float,
    ) -> None:
        parameters = dict(model.named_parameters())
        self.trained = {name: parameters[name] for name in names}
        self.masters = {
            name: nn.Parameter(value.detach().float().clone())
            for name, value in self.trained.items()
        }
        by_muon = [
            name
            for name, value in self.masters.items()
            if muon_rate and _is_encoder_matrix(name, value)
        ]
        others = [value for name, value in self.masters.items() if name not in by_muon]
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(
                [
                    {
                        "params": [value for value in others if value.ndim > 1],
                        "weight_decay": weight_decay,
                    },
                    {"params": [value for value in others if value.ndim <= 1], "weight_decay": 0.0},
                ],
                lr=adam_rate,
                betas=(0.9, 0.98),
            )
        ]
        if by_muon:
            self.optimisers.append(
                torch.optim.Muon(
                    [self.masters[name] for name in by_muon],
                    lr=muon_rate,
                    weight_decay=weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        self.rates = [
            [group["lr"] for group in optimiser.param_groups] for optimiser in self.optimisers
        ]

    def step(self, scale: float, group: Group) -> None:
        """One step with the mean gradient of all processes, at `scale` times the rate.

        The gradient's norm is clipped to 1.
        """
        gradient = group.mean(torch.cat([_gradient(value) for value in self.trained.values()]))
        gradient *= min(1.0, 1.0 / (gradient.norm().item() + 1e-6))
        start = 0
        for name, value in self.trained.items():
            master = self.masters[name]
            master.grad = gradient[start : start + master.numel()].view_as(master)
            start += master.numel()
            value.grad = None
        for optimiser, rates in zip(self.optimisers, self.rates, strict=True):
            for parameters, rate in zip(optimiser.param_groups, rates, strict=True):
                parameters["lr"] = rate * scale
            optimiser.step()
        self.follow()

    @torch.no_grad()
    def follow(self) -> None:
        """Give the model its masters' values."""
        for name, value in self.trained.items():
            value.copy_(self.masters[name])

    def state(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, by name."""
        tensors = {f"master.{name}": value.detach() for name, value in self.masters.items()}
        for number, optimiser in enumerate(self.optimisers):
            for index, state in optimiser.state_dict()["state"].items():
                tensors |= {
                    f"optimiser.{number}.{index}.{key}": value for key, value in state.items()
                }
        return tensors

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take up where `state` was."""
        with torch.no_grad():
            for name, value in self.masters.items():
                value.copy_(tensors[f"master.{name}"])
        for number, optimiser in enumerate(self.optimisers):
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(f"optimiser.{number}."):
                    _, _, index, name = key.split(".")
                    state.setdefault(int(index), {})[name] = value
            optimiser.load_state_dict(
                {"state": state, "param_groups": optimiser.state_dict()["param_groups"]}
            )
        self.follow()


def _is_encoder_matrix(name: str, value: Tensor) -> bool:
    return ".encoder.layers." in name and value.ndim == 2


def _gradient(value: Tensor) -> Tensor:
    gradient = torch.zeros_like(value) if value.grad is None else value.grad
    return gradient.float().reshape(-1)
