"""The optimizer: orthogonalised momentum for convolutions and matrices, AdamW for the rest.

Role: fewer steps for the same loss, which is what counts on two cores. After Jordan et al., "Muon"
(2024): the momentum of each weight, seen as a matrix (out, in·k·k), is replaced by its nearest
semi-orthogonal matrix, found by five Newton–Schulz steps in bf16. Knows nothing of what it trains.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """For weights of two or more dimensions. `lr` is the spectral norm of a step."""

    def __init__(self, weights: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            shapes: dict[tuple[int, int], list[nn.Parameter]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    shapes.setdefault((len(weight), weight[0].numel()), []).append(weight)
            for weights in shapes.values():
                self._move(weights, group["lr"], group["momentum"])

    def _move(self, weights: list[nn.Parameter], rate: float, momentum: float) -> None:
        """Weights of one shape in one go: a network has dozens, and small products are all wait."""
        ahead = [self._ahead(weight, momentum) for weight in weights]
        matrices = torch.stack([values.bfloat16().reshape(len(values), -1) for values in ahead])
        scale = max(1.0, matrices.shape[1] / matrices.shape[2]) ** 0.5
        for weight, move in zip(weights, orthogonal(matrices), strict=True):
            weight.add_(move.view(weight.shape), alpha=-rate * scale)

    def _ahead(self, weight: nn.Parameter, momentum: float) -> Tensor:
        """The gradient, led on by what came before (Nesterov's momentum)."""
        state, grad = self.state[weight], weight.grad
        assert grad is not None
        if "buffer" not in state:
            state["buffer"] = torch.zeros_like(weight)
        buffer: Tensor = state["buffer"]
        buffer.lerp_(grad, 1 - momentum)
        return grad.lerp(buffer, momentum)


def orthogonal(matrices: Tensor) -> Tensor:
    """About the nearest semi-orthogonal matrices (k, m, n): singular values between 0.7 and 1.2."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = (matrices.mT if tall else matrices).bfloat16()
    x = x / (torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        # beta and alpha spare passes over the large matrices, which cost more than the products
        step = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, step, x, beta=a)
    result: Tensor = (x.mT if tall else x).to(matrices.dtype)
    return result
