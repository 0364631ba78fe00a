"""Layers with weights laid out beforehand are the plain ones, bit for bit."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from models.packed import _able, pack

CPU = torch.device("cpu")
needs_bf16 = pytest.mark.skipif(not _able(), reason="this processor has no bf16 in oneDNN")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.near = nn.Conv2d(20, 32, 3, padding=1)
        self.smaller = nn.Conv2d(32, 32, 3, stride=2, padding=1, bias=False)
        self.grouped = nn.Conv2d(32, 32, 1, groups=2)
        self.mixed = nn.Linear(32, 48)
        self.plain = nn.Linear(48, 16, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.grouped(self.smaller(self.near(x)).relu()).relu()
        result: Tensor = self.plain(self.mixed(x.permute(0, 2, 3, 1)).relu())
        return result


def pictures(rows: int, edge: int = 16) -> Tensor:
    return torch.randn(rows, 20, edge, edge)


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().eval()


@needs_bf16
@torch.inference_mode()
def test_results_are_the_same_for_every_number_of_rows_and_size(net: Net) -> None:
    net = net.to(torch.bfloat16)
    plain = copy.deepcopy(net)
    assert pack(net, CPU) == 5
    for rows, edge in ((1, 16), (3, 16), (2, 32), (1, 16)):
        x = pictures(rows, edge).to(torch.bfloat16, memory_format=torch.channels_last)
        assert torch.equal(net(x), plain(x))


@needs_bf16
def test_weights_that_change_are_seen(net: Net) -> None:
    net = net.to(torch.bfloat16)
    pack(net, CPU)
    x = pictures(1).to(torch.bfloat16)
    with torch.no_grad():
        before = net(x)
        net.near.weight.mul_(2)
        after = net(x)
        assert not torch.equal(after, before)
        assert net.to(torch.float32)(x.float()).dtype == torch.float32
        assert torch.equal(net.to(torch.bfloat16)(x), after)


@needs_bf16
def test_in_training_and_in_fp32_all_is_plain(net: Net) -> None:
    plain = copy.deepcopy(net)
    pack(net, CPU)
    with torch.inference_mode():
        x = pictures(2)
        assert torch.equal(net(x), plain(x))
    net.to(torch.bfloat16)(pictures(2).to(torch.bfloat16)).sum().backward()
    assert net.near.weight.grad is not None


def test_layers_of_another_kind_and_devices_are_left_alone() -> None:
    class Scaled(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    odd = nn.Sequential(Scaled(4, 4), nn.Conv2d(4, 4, 3, padding_mode="reflect", padding=1))
    assert pack(odd, CPU) == 0
    assert pack(nn.Linear(4, 4), torch.device("meta")) == 0
