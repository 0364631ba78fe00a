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
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group["lr"], group["momentum"])

    def _move(self, weight: Tensor, rate: float, momentum: float) -> None:
        state = self.state[weight]
        if "buffer" not in state:
            state["buffer"] = torch.zeros_like(weight)
        grad = weight.grad
        assert grad is not None
        state["buffer"].lerp_(grad, 1 - momentum)
        ahead = grad.lerp(state["buffer"], momentum)
        matrix = ahead.reshape(len(ahead), -1)
        scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
        weight.add_(orthogonal(matrix).view(ahead.shape), alpha=-rate * scale)


def orthogonal(matrix: Tensor) -> Tensor:
    """About the nearest semi-orthogonal matrix: singular values between 0.7 and 1.2."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = (x.T if tall else x).to(matrix.dtype)
    return result
