"""Networks that are taken over from a trained model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lightning_gans import GAAN, MLP, Images, InputError, Layer, LayerTable
from lightning_gans.networks import Network
from lightning_gans.resuming import StartFrom
from tests.games.gaan import make_gaan
from tests.games.gan import make_gan
from tests.helpers import fit, furthest, same, saving, state


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """The checkpoint of a GAN after 3 steps."""
    fit(make_gan(), 3, **saving(tmp_path / "first", every_n_steps=3))
    return tmp_path / "first" / "step=3.ckpt"


def stored(checkpoint: Path, network: str) -> dict[str, torch.Tensor]:
    kept = torch.load(checkpoint, weights_only=True)["state_dict"]
    return {key.removeprefix(f"{network}."): value for key, value in kept.items() if key.startswith(f"{network}.")}


@pytest.mark.parametrize("frozen", [True, False])
def test_networks_of_another_paper_are_taken_over(trained: Path, frozen: bool) -> None:
    class Freezable(GAAN):
        """Its third player has a network besides the generator, which may be frozen."""

        def players(self) -> dict[str, list[Network]]:
            return {**super().players(), "generator": [self.generator, self.encoder]}

    game = make_gaan(Freezable, start_from=StartFrom(str(trained), ("generator",), frozen))
    game.generator_loss = lambda x, z: game.generator(game.encoder(x)).mean()  # type: ignore[method-assign]
    encoder = state(game.encoder)
    fit(game, 2)
    moved = furthest(state(game.generator), stored(trained, "generator"))
    assert (moved == 0) == frozen
    assert moved < 0.02, "training did not start there"
    assert furthest(state(game.encoder), encoder) > 0
    assert all(p.requires_grad != frozen for p in game.generator.parameters())


def test_several_networks_are_taken_over_before_the_first_step(trained: Path) -> None:
    rates = dict.fromkeys(("generator", "discriminator"), lambda parameters: torch.optim.SGD(parameters, lr=0.0))
    game = make_gan(start_from=StartFrom(str(trained), ("generator", "discriminator"), False), optimizers=rates)
    fit(game, 1)
    for name in ("generator", "discriminator"):
        assert same(state(getattr(game, name)), stored(trained, name))


def test_a_resumed_run_keeps_them_frozen_and_repeats_itself(tmp_path: Path) -> None:
    fit(make_gaan(), 2, **saving(tmp_path / "source", every_n_steps=2))
    source = tmp_path / "source" / "step=2.ckpt"

    def start() -> GAAN:
        return make_gaan(start_from=StartFrom(str(source), ("encoder",)))

    fit(alone := start(), 6, **saving(tmp_path / "runs", every_n_steps=3))
    fit(resumed := start(), 6, ckpt_path=tmp_path / "runs" / "step=3.ckpt")
    assert same(state(resumed), state(alone))
    assert same(state(resumed.encoder), stored(source, "encoder"))
    assert not any(p.requires_grad for p in resumed.encoder.parameters())


def test_a_player_whose_networks_are_all_frozen_is_refused(trained: Path) -> None:
    with pytest.raises(InputError, match="'generator' has no parameter to train"):
        fit(make_gan(start_from=StartFrom(str(trained), ("generator",))), 1)


@pytest.mark.parametrize(("network", "where"), [("encoder", "step=3.ckpt"), ("critic", "GAAN"), ("prior", "GAAN")])
def test_a_network_that_is_missing_is_named(trained: Path, network: str, where: str) -> None:
    with pytest.raises(InputError, match=rf"names '{network}', which .*{where} does not have"):
        fit(make_gaan(start_from=StartFrom(str(trained), (network,))), 1)


@pytest.mark.parametrize("hidden", [(8,), (16, 16)])
def test_another_network_is_refused(trained: Path, hidden: tuple[int, ...]) -> None:
    game = make_gan(start_from=StartFrom(str(trained), ("generator",)), generator=MLP(2, 2, hidden, output="sigmoid"))
    with pytest.raises(InputError, match=r"the generator of .*step=3\.ckpt is another network: .* differs"):
        fit(game, 1)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no checkpoint .*none\.ckpt"):
        fit(make_gan(start_from=StartFrom(str(tmp_path / "none.ckpt"), ("generator",))), 1)


def test_a_generator_starts_at_the_mean_of_some_training_samples() -> None:
    game = make_gan(start_at_mean_of=5000, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.0))
    fit(game, 1)
    data = Images("grid25")
    data.setup("fit")
    mean = data.real("train", torch.arange(50_000)).mean(dim=0)
    bias = game.generator.stages["output"].bias
    torch.testing.assert_close(game.denormalize(bias.sigmoid()), mean, atol=0.2, rtol=0)
    assert not torch.equal(bias, torch.zeros(2))


def test_a_generator_without_a_bias_cannot_start_at_a_mean() -> None:
    with pytest.raises(InputError, match="no bias"):
        fit(make_gan(start_at_mean_of=10, generator=LayerTable(2, [Layer(2, activation="sigmoid", bias="none")])), 1)


def test_a_mean_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="start_at_mean_of is 0"):
        make_gan(start_at_mean_of=0)
