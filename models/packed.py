"""A network's convolutions and linear layers on a CPU, their weights laid out for oneDNN once.

Role: at every plain call oneDNN lays a layer's weights out anew for the processor's matrix units,
which takes a sixth of the time of a small network (measured with `scenes` at 256² in bf16: 26 →
22 ms a call). These are the layouts that `torch.compile` would keep, without its minute of
compiling. Invariants: layers stay what they are, with weights, names and results bit for bit; only
inference in bf16 is laid out, anything else goes the plain way. It costs the weights' memory once
more. Knows nothing of what the network is for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

Layer = nn.Conv2d | nn.Linear


def pack(network: nn.Module, device: torch.device) -> int:
    """Let the network's layers run with weights laid out, where this device and this build of torch
    can; answers how many do."""
    if device.type != "cpu" or not _able():
        return 0
    layers = [layer for layer in network.modules() if _known(layer)]
    for layer in layers:
        layer.forward = _Packed(layer)  # type: ignore[method-assign, assignment]
    return len(layers)


def _able() -> bool:
    known = all(
        hasattr(torch.ops.mkldnn, name)
        for name in ("_convolution_pointwise", "_linear_pointwise", "_reorder_linear_weight")
    )
    return known and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _known(layer: nn.Module) -> TypeGuard[Layer]:
    """A plain layer, and none that does more than its kind."""
    if isinstance(layer, nn.Conv2d):
        plain = type(layer).forward is nn.Conv2d.forward and layer.padding_mode == "zeros"
        return plain and not isinstance(layer.padding, str)
    return isinstance(layer, nn.Linear) and type(layer).forward is nn.Linear.forward


class _Packed:
    """A layer's forward. Its weights are laid out at the first call after they were moved or
    changed (in inference mode torch doesn't count changes; nobody changes weights there)."""

    def __init__(self, layer: Layer) -> None:
        self.layer, self.call, self.of = layer, layer.forward, (0, 0)
        self.run: Callable[[Tensor], Tensor] = layer.forward

    def __call__(self, x: Tensor) -> Tensor:
        weight = self.layer.weight
        if weight.dtype != torch.bfloat16 or torch.is_grad_enabled():
            return self.call(x)
        now = (weight.data_ptr(), weight._version)
        if now != self.of:
            self.run, self.of = _laid_out(self.layer, x), now
        return self.run(x)


def _laid_out(layer: Layer, like: Tensor) -> Callable[[Tensor], Tensor]:
    return _convolution(layer, like) if isinstance(layer, nn.Conv2d) else _linear(layer, like)


def _convolution(layer: nn.Conv2d, like: Tensor) -> Callable[[Tensor], Tensor]:
    how: list[Any] = [list(layer.padding), list(layer.stride), list(layer.dilation), layer.groups]
    reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
    weight = reorder(layer.weight.detach().to_mkldnn(), *how, list(like.shape))

    def run(x: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, weight, layer.bias, *how, "none", [], ""
        )
        return result

    return run


def _linear(layer: nn.Linear, like: Tensor) -> Callable[[Tensor], Tensor]:
    rows = like.numel() // like.shape[-1]
    weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), rows)

    def run(x: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, layer.bias, "none", [], "")
        return result

    return run
