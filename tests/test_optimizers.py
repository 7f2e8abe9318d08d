"""Adam beside torch's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_gans import Adam


def trained(optimizer: Callable[..., torch.optim.Adam], with_closure: bool) -> list[Tensor]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
    x = torch.randn(7, 3)
    stepping = optimizer(network.parameters())

    def loss() -> Any:
        stepping.zero_grad()
        value = network(x).square().mean()
        value.backward()
        return value

    for _ in range(5):
        if with_closure:
            assert stepping.step(loss) > 0
        else:
            loss()
            stepping.step()
    state = [tensor for each in stepping.state.values() for tensor in each.values()]
    return [parameter.detach() for parameter in network.parameters()] + state


@pytest.mark.parametrize("with_closure", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_it_is_torchs_own_to_the_last_bit(fused: bool, with_closure: bool) -> None:
    ours = trained(partial(Adam, lr=0.1, beta1=0.5, beta2=0.9, eps=1e-3, weight_decay=0.2, fused=fused), with_closure)
    theirs = trained(partial(torch.optim.Adam, lr=0.1, betas=(0.5, 0.9), eps=1e-3, weight_decay=0.2, fused=fused), with_closure)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)


def test_a_step_does_not_ask_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda *_, **__: pytest.fail("asked for a GPU"))
    trained(Adam, with_closure=False)


def test_hooks_of_an_optimizer_run_once() -> None:
    weight = nn.Parameter(torch.ones(1))
    optimizer, calls = Adam([weight]), []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    weight.grad = torch.ones(1)
    optimizer.step()
    assert calls == ["before", "after"]
