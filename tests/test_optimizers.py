"""Optimisers beyond torch's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lightning_gans import VAEGAN, RMSprop
from tests.games.vae_gan import make_vae_gan
from tests.helpers import fit, same, saving, state


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
