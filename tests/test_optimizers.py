"""Adam beside torch's own, and RMSprop as its users' code has it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_gans import GAN, VAEGAN, Adam, ExponentialWithMomentum, RMSprop, Uniform
from lightning_gans.networks import MLP
from tests.games.vae_gan import make_vae_gan
from tests.helpers import fit, same, saving, state


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


@pytest.mark.parametrize("network", [nn.Conv2d(2, 3, 5), nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(4, 3, bias=False)])
def test_the_decay_of_rmsprop_is_on_weights_alone(network: nn.Module) -> None:
    optimizer = RMSprop(network.parameters(), lr=1.0, alpha=0.0, eps=0.0, weight_decay=3.125e-7)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len([*network.parameters()])
    before = state(network)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for group in optimizer.param_groups:
        group["eps"] = 1.0  # so that a step is what is added to the gradient
    optimizer.step()
    for name, parameter in network.named_parameters():
        decay = 3.125e-7 if parameter.dim() > 1 else 0.0
        torch.testing.assert_close(parameter.detach(), before[name] * (1 - decay), rtol=1e-7, atol=1e-7)
        assert parameter.equal(before[name]) == (decay == 0)


def test_a_run_with_rmsprop_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    def make() -> VAEGAN:
        return make_vae_gan(margin=None, optimizer=lambda params: RMSprop(params, lr=1e-3, weight_decay=1e-3))

    fit(whole := make(), 4, **saving(tmp_path, every_n_steps=2))
    fit(resumed := make(), 4, ckpt_path=tmp_path / "step=2.ckpt")
    assert same(state(resumed), state(whole))


def test_the_rate_falls_to_its_floor_while_the_momentum_rises() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.5)
    schedule = ExponentialWithMomentum(optimizer, gamma=0.5, floor=0.02, momentum=0.7, rise=4)
    seen = []
    for _ in range(7):
        seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
        optimizer.step()
        schedule.step()
    assert [rate for rate, _ in seen] == pytest.approx([0.1, 0.05, 0.025, 0.02, 0.02, 0.02, 0.02])
    assert [momentum for _, momentum in seen] == pytest.approx([0.5, 0.55, 0.6, 0.65, 0.7, 0.7, 0.7])


def test_a_momentum_that_cannot_rise_is_refused() -> None:
    parameter = [nn.Parameter(torch.zeros(1))]
    with pytest.raises(ValueError, match="Adam has no momentum that could rise; take SGD"):
        ExponentialWithMomentum(Adam(parameter), 0.5, 0.0, 0.7, 4)
    with pytest.raises(ValueError, match="rise 0 must be"):
        ExponentialWithMomentum(torch.optim.SGD(parameter, momentum=0.5), 0.5, 0.0, 0.7, 0)


def test_a_momentum_goes_on_rising_from_a_checkpoint(tmp_path: Path) -> None:
    def make() -> GAN:
        torch.manual_seed(0)
        return GAN(
            MLP(2, 2, (4,)),
            MLP(2, 1, (4,)),
            Uniform(2),
            optimizer=partial(torch.optim.SGD, lr=0.01, momentum=0.5),
            scheduler=partial(ExponentialWithMomentum, gamma=0.9, floor=1e-6, momentum=0.7, rise=8),
        )

    fit(whole := make(), 6, **saving(tmp_path, every_n_steps=3))
    fit(second := make(), 6, ckpt_path=tmp_path / "step=3.ckpt")
    assert same(state(second), state(whole))
    assert second._players is not None
    momenta = [each.param_groups[0]["momentum"] for each in second._players.optimizers.values()]
    assert momenta == pytest.approx([0.65, 0.65])
