"""AutoencoderTiny on a CPU, with convolution, addition and ReLU in one oneDNN call.

Role: a third of a tiny autoencoder's time goes into reading and writing what a ReLU or an addition
has just touched (measured at 256², 32 channels, bf16: 14.3 → 10.7 ms to encode, 15.8 → 11.9 ms to
decode). These are the operators that `torch.compile` fuses to, without its minute of compiling.

Invariants: the same weights (shared, not copied) and the same arithmetic; only inference. It does
not know: other autoencoders, other devices.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from torch import Tensor, nn


def fusable(vae: Any, device: torch.device) -> bool:
    """Whether `fuse` knows this autoencoder and this build of torch has the operators."""
    known = hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    return isinstance(vae, AutoencoderTiny) and device.type == "cpu" and known


def fuse(vae: AutoencoderTiny) -> None:
    """Let encoder and decoder run fused from now on."""
    for part in (vae.encoder, vae.decoder):
        part.layers = _fused(part.layers)


class _Convolution(nn.Module):
    """A convolution, and the ReLU behind it if there is one."""

    def __init__(self, plain: nn.Conv2d, relu: bool) -> None:
        super().__init__()
        self.plain, self.after = plain, "relu" if relu else "none"

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, *_how(self.plain), self.after, [], ""
        )
        return result


class _Block(nn.Module):
    """Three convolutions, what came in added, ReLU."""

    def __init__(self, plain: AutoencoderTinyBlock) -> None:
        super().__init__()
        first, _, second, _, self.last = plain.conv
        self.inner = nn.Sequential(_Convolution(first, True), _Convolution(second, True))
        same = isinstance(plain.skip, nn.Identity)
        self.skip = plain.skip if same else _Convolution(plain.skip, False)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._convolution_pointwise.binary(
            self.inner(x), self.skip(x), *_how(self.last), "add", 1.0, "relu", [], ""
        )
        return result


def _how(conv: nn.Conv2d) -> tuple[object, ...]:
    """A convolution's weights and numbers, in the operator's order."""
    numbers = (list(conv.padding), list(conv.stride), list(conv.dilation))
    return conv.weight, conv.bias, *numbers, conv.groups


def _fused(layers: nn.Sequential) -> nn.Sequential:
    made: list[nn.Module] = []
    before: nn.Module | None = None
    for layer, following in zip(layers, [*list(layers)[1:], None], strict=True):
        if isinstance(layer, AutoencoderTinyBlock):
            made.append(_Block(layer))
        elif isinstance(layer, nn.Conv2d):
            made.append(_Convolution(layer, isinstance(following, nn.ReLU)))
        elif not (isinstance(layer, nn.ReLU) and isinstance(before, nn.Conv2d)):
            made.append(layer)
        before = layer
    return nn.Sequential(*made)
