"""BiGAN: what differs from ALI, and its authors' networks."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch
import yaml

from lightning_gans import ALI, BiGAN, ConstantThenExponential
from tests.games.bigan import make_bigan, make_reinjected_bigan
from tests.helpers import arguments


def test_losses_are_means_over_pairs_that_are_judged_apart() -> None:
    game = make_bigan()
    x, z = torch.rand(8, 2), torch.rand(8, 2)
    D = game.joint_discriminator
    real, fake = D(x, game.encoder(x)), D(game.generator(z), z)
    both = torch.cat([-real.sigmoid().log(), -(1 - fake.sigmoid()).log()])
    torch.testing.assert_close(game.discriminator_loss(x, z, torch.zeros(8, 0)), both.mean())
    opposite = torch.cat([-(1 - real.sigmoid()).log(), -fake.sigmoid().log()])
    torch.testing.assert_close(game.autoencoder_loss(x, z, torch.zeros(8, 0)), opposite.mean())
    assert not game.one_pass


def test_it_takes_what_ali_takes_with_other_defaults() -> None:
    assert arguments(BiGAN) == arguments(ALI)
    changed = {"posterior": "deterministic", "one_pass": False, "scale": 0.5}
    ours, theirs = (inspect.signature(paper).parameters for paper in (BiGAN, ALI))
    assert {name: p.default for name, p in ours.items() if p.default != theirs[name].default} == changed


def test_z_joins_at_the_second_hidden_layers() -> None:
    game = make_reinjected_bigan()
    z, x = torch.rand(8, 2), torch.rand(8, 2)
    G, D = game.generator.network.stages, game.joint_discriminator.network.stages
    hidden = torch.nn.functional.relu(G["hidden2"][0](torch.cat([torch.nn.functional.relu(G["hidden1"][0](z)), z], 1)))
    torch.testing.assert_close(game.generator(z), G["output"][0](hidden).sigmoid())
    told = D["hidden2"](torch.cat([D["hidden1"](x), z], dim=1))
    torch.testing.assert_close(game.joint_discriminator(x, z), D["output"](told))
    assert all(layer.bias is None for layer in (G["output"][0], D["hidden1"][0], D["output"][0]))


def test_the_rate_is_constant_and_then_falls_exponentially() -> None:
    (parameter,) = torch.nn.Linear(1, 1, bias=False).parameters()
    optimizer = torch.optim.SGD([parameter], lr=2.0)
    schedule, rates = ConstantThenExponential(optimizer, constant=3, decay=4, final=0.01), []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    expected = [2.0] * 4 + [2 * 0.01 ** (step / 4) for step in (1, 2, 3, 4)] + [0.02] * 2
    torch.testing.assert_close(torch.tensor(rates), torch.tensor(expected))


@pytest.mark.parametrize("data", ["mnist", "celeba"])
def test_codes_are_where_the_prior_is(data: str) -> None:
    config = Path(__file__).parents[2] / "configs" / f"bigan_{data}.yaml"
    settings = yaml.safe_load(config.read_text())["model"]["init_args"]
    encoder = settings["encoder"]["init_args"]
    assert settings["prior"]["class_path"].endswith("Uniform")
    assert encoder["layers"][-1]["activation"] == "tanh"
