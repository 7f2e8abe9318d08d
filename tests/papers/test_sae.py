"""SAE against its algorithm, written out in plain torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans import EMA, MLP, SAE, Adam, ConvGenerator, ConvNet, Empirical, Images, InputError
from lightning_gans.cosines import kernel_loss, self_loss, shell_loss
from lightning_gans.papers.sae_printed import SAEPrinted
from lightning_gans.protocols import encodes, shows_features
from tests.games import IMAGE
from tests.games.gaan import noisy
from tests.games.sae import make_image_sae, make_sae
from tests.helpers import (
    COMMON,
    Noise,
    arguments,
    fit,
    furthest,
    matters,
    record_arguments,
    record_turns,
    same,
    sgd_step,
    state,
)

sgd: dict[str, Any] = {"optimizer": partial(torch.optim.SGD, lr=0.1)}
POINTS = torch.rand(32, 2, generator=torch.Generator().manual_seed(3)).double()
both_forms = pytest.mark.parametrize("paper", [SAE, SAEPrinted])


def units_loss(real: Any, against: Any, fake: Any) -> dict[str, Tensor]:
    """The terms of line 13 with what fakes are compared with."""
    return {
        "shell": shell_loss(real[0], real[1], 1),
        "kernel": kernel_loss(real[0], real[1], 1),
        "self_0": self_loss(real[0], 0),
        "self_1": self_loss(real[1], 1),
        "adversarial_0": kernel_loss(against[0], fake[0], 0),
        "adversarial_1": kernel_loss(against[1], fake[1], 0),
    }


def four_symbols(game: SAE, four: Sequence[Tensor]) -> SAE:
    """A game whose networks are of no matter: its symbols s_0, s_1, f_0 and f_1 are given."""
    game.symbols = lambda x, blur: (four[:2], four[2:])  # type: ignore[method-assign]
    return game


@both_forms
def test_the_losses_are_those_of_the_algorithm_term_by_term(paper: type[SAE]) -> None:
    real, fake = F.normalize(torch.randn(4, 7, 3).double(), dim=2).split(2)
    game = four_symbols(make_sae(paper), [*real, *fake])
    losses = game.losses(POINTS, None)
    against = real if paper is SAEPrinted else real.flip(0)
    expected = units_loss(real, against, fake)
    loss, terms = losses["units"]
    torch.testing.assert_close({name: terms[name] for name in expected}, expected)
    assert set(terms) == {*expected, "cosine", "symbols"}
    torch.testing.assert_close(loss, torch.stack([*expected.values()]).sum())
    of_generator = shell_loss(against[0], fake[0], 1) + shell_loss(against[1], fake[1], 1)
    torch.testing.assert_close(losses["generator"][0], of_generator)
    torch.testing.assert_close(game.generator_loss(POINTS, None), of_generator)


@both_forms
def test_unrelated_symbols_cost_six_and_two_times_log_2(paper: type[SAE]) -> None:
    losses = four_symbols(make_sae(paper), torch.eye(64).double().chunk(4)).losses(POINTS, None)
    assert float(losses["units"][0]) == pytest.approx(6 * math.log(2)) == pytest.approx(4.16, abs=2e-3)
    assert float(losses["generator"][0]) == pytest.approx(2 * math.log(2)) == pytest.approx(1.386, abs=1e-3)


# The step


def two_losses(
    game: SAE, x: Tensor, noise: Noise | None = None, printed: bool = False, sigma: float = 0.0, through_seeds: bool = False
) -> tuple[Tensor, Tensor]:
    """l_B and l_G by lines 1 to 14; the seeds of the fakes are detached unless gradients are to pass through them."""
    D, G = game.units, game.generator

    def unit(y: Tensor) -> Tensor:
        return y / y.norm(dim=1, keepdim=True)

    s = [unit(d(x)) for d in D]
    seeds = s if through_seeds else [one.detach() for one in s]
    if sigma and noise is not None:
        seeds = [unit(seeds[0] + sigma * torch.randn(s[0].shape, generator=noise._generator(), dtype=x.dtype)), seeds[1]]
    images = G(seeds[0]), G(seeds[1])
    f = unit(D[0](images[1])), unit(D[1](images[0]))
    t = (s[0], s[1]) if printed else (s[1], s[0])

    def attracted(c: Tensor) -> Tensor:
        return -((1 + c) / 2).clamp(min=1e-6).log()

    def repelled(c: Tensor) -> Tensor:
        return -((1 - c) / 2).clamp(min=1e-6).log()

    apart = ~torch.eye(len(x), dtype=torch.bool)
    of_units = attracted((s[0] * s[1]).sum(1)).mean() + attracted(s[0] @ s[1].T).mean()
    of_units = of_units + repelled((s[0] @ s[0].T)[apart]).mean() + attracted((s[1] @ s[1].T)[apart]).mean()
    of_units = of_units + repelled(t[0] @ f[0].T).mean() + repelled(t[1] @ f[1].T).mean()
    return of_units, attracted((t[0] * f[0]).sum(1)).mean() + attracted((t[1] * f[1]).sum(1)).mean()


def parameters(*networks: nn.Module) -> list[Tensor]:
    return [p for network in networks for p in network.parameters()]


def move_at_once(game: SAE, units: Tensor, generator: Tensor) -> None:
    both = (parameters(*game.units), units), (parameters(game.generator), generator)
    gradients = [torch.autograd.grad(loss, of, retain_graph=True) for of, loss in both]
    with torch.no_grad():
        for (of, _), some in zip(both, gradients, strict=True):
            for parameter, gradient in zip(of, some, strict=True):
                parameter -= 0.1 * gradient


@both_forms
@pytest.mark.parametrize("sigma", [0.0, 0.5])
@pytest.mark.parametrize("generator_steps", [1, 3])
def test_a_step_is_that_of_lines_1_to_16(paper: type[SAE], sigma: float, generator_steps: int) -> None:
    """Further steps of the generator see where the units have gone, and noise of their own."""
    make = partial(make_sae, paper, sigma=sigma, generator_steps=generator_steps, **sgd)
    seen = record_arguments(game := make(), "training_step")
    fit(game, 2, precision="64-true")
    reference = make().double()
    for step, (batch, _) in enumerate(seen):
        settings = {"noise": Noise(reference.prior, step), "printed": paper is SAEPrinted, "sigma": sigma}
        move_at_once(reference, *two_losses(reference, batch.images, **settings))
        for _ in range(generator_steps - 1):
            sgd_step([reference.generator], two_losses(reference, batch.images, **settings)[1])
    networks = [name for name in state(game) if not name.startswith("prior.")]
    a, b = state(game), state(reference)
    assert furthest({name: a[name] for name in networks}, {name: b[name] for name in networks}) < 1e-8


def test_units_and_generator_move_at_once_and_then_the_generator_alone() -> None:
    turns = record_turns(game := make_sae(generator_steps=2))
    fit(game, 2)
    moved = [(player, {*changed} - {"prior"}) for player, changed in turns]
    everyone = {"diversifying_encoder", "generalising_encoder", "generator"}
    assert moved == [("units and generator", everyone), ("generator", {"generator"})] * 2


def slopes(loss: Tensor, *networks: nn.Module) -> list[Tensor | None]:
    return list(torch.autograd.grad(loss, parameters(*networks), retain_graph=True, allow_unused=True))


def test_the_units_loss_does_not_reach_the_units_through_the_generator() -> None:
    game = make_sae().double()
    x, units = POINTS, game.units
    found = slopes(game.losses(x, None)["units"][0], *units)
    with torch.no_grad():
        real = [F.normalize(unit(x), dim=1) for unit in units]
        images = [game.generator(s) for s in real]
    real = [F.normalize(unit(x), dim=1) for unit in units]
    fake = [F.normalize(unit(image), dim=1) for unit, image in zip(units, reversed(images), strict=True)]
    apart = torch.stack([*units_loss(real, real[::-1], fake).values()]).sum()
    torch.testing.assert_close(found, slopes(apart, *units))
    through = slopes(two_losses(game, x, through_seeds=True)[0], *units)
    assert not all(torch.allclose(s, o) for s, o in zip(found, through, strict=True))  # type: ignore[arg-type]


def test_the_generators_loss_passes_through_both_units_to_the_generator() -> None:
    game = make_sae().double()
    real, fake = game.symbols(POINTS, None)
    loss = game.losses(POINTS, None)["generator"][0]
    torch.testing.assert_close(slopes(loss, game.generator), slopes(two_losses(game, POINTS)[1], game.generator))
    for term in (shell_loss(real[1], fake[0], 1), shell_loss(real[0], fake[1], 1)):
        assert all(s is not None and s.abs().sum() > 0 for s in slopes(term, game.generator))
    # Fakes are seen by the unit that did not make their seed
    for symbols, other in ((fake[0], game.generalising_encoder), (fake[1], game.diversifying_encoder)):
        assert all(s is None or not s.any() for s in slopes(symbols.sum(), other))


def test_batch_norm_of_the_units_keeps_statistics_of_real_samples_alone() -> None:
    unit = {"image_shape": IMAGE, "outputs": 4, "widths": (8, 16)}
    networks = {"diversifying_encoder": ConvNet(**unit), "generalising_encoder": ConvNet(**unit)}
    game = make_image_sae(**networks, generator=ConvGenerator(4, IMAGE, (16, 8)))
    real = torch.rand(16, *IMAGE)
    norm = game.diversifying_encoder.stages["conv2"][1]
    expected = 0.1 * game.diversifying_encoder.stages["conv2"][0](game.diversifying_encoder.stages["conv1"](real)).mean(
        (0, 2, 3)
    )
    game.train()
    game.symbols(real, None)
    torch.testing.assert_close(norm.running_mean, expected.detach())
    assert norm.momentum == 0.1
    before = state(game.generator)
    game.symbols(real, None)
    assert not same(before, state(game.generator))


def test_batch_norm_of_the_generator_keeps_statistics_of_the_symbols_that_the_doors_give_it() -> None:
    game = make_sae(generator=noisy(3, 2, "sigmoid"))
    hidden = game.generator.stages["hidden"]
    game.symbols(POINTS.float(), None)
    with torch.no_grad():
        expected = 0.1 * hidden[0](F.normalize(game.diversifying_encoder(POINTS.float()), dim=1)).mean(dim=0)
    torch.testing.assert_close(hidden[1].running_mean, expected)


# The prior of training symbols


def test_the_prior_keeps_the_symbols_of_the_last_images_of_the_diversifying_unit() -> None:
    game = make_sae(prior=Empirical(3, 80), optimizer=partial(torch.optim.SGD, lr=0.0))
    seen = record_arguments(game, "training_step")
    fit(game, 4)  # 128 samples
    x = torch.cat([batch.images for batch, _ in seen])
    with torch.no_grad():
        expected = F.normalize(game.diversifying_encoder(x[-80:]), dim=1)
    order = (torch.arange(128 - 80, 128) % 80).argsort()
    torch.testing.assert_close(game.prior.latents, expected[order])
    drawn = game.prior.sample(500, torch.Generator().manual_seed(0))
    assert (drawn[:, None] - expected).norm(dim=2).min(dim=1).values.max() < 1e-6
    assert len(drawn.unique(dim=0)) > 70
    torch.testing.assert_close(game.encode(game.denormalize(x[-80:])), expected)


def test_the_symbols_that_are_kept_are_those_before_the_step_and_without_noise() -> None:
    game = make_sae(sigma=0.5, generator_steps=2, **sgd)
    seen, reference = record_arguments(game, "training_step"), make_sae()
    fit(game, 1)
    with torch.no_grad():
        expected = F.normalize(reference.diversifying_encoder(seen[0][0].images), dim=1)
    torch.testing.assert_close(game.prior.latents[:32], expected)
    assert int(game.prior.stored) == 32


def test_the_doors_show_the_diversifying_unit_and_the_symbols_of_both() -> None:
    game = make_sae()
    assert encodes(game)
    assert shows_features(game)
    x = POINTS.float()
    inside = game.normalize(x)
    s_0, s_1 = (F.normalize(unit(inside), dim=1) for unit in (game.diversifying_encoder, game.generalising_encoder))
    torch.testing.assert_close(game.encode(x), s_0)
    torch.testing.assert_close(game.unit_symbols(x), torch.stack([s_1, s_0], dim=1))
    torch.testing.assert_close(game.features(x, ["hidden1"]), game.diversifying_encoder.features(inside, ["hidden1"]))


def test_until_something_is_stored_draws_are_on_the_sphere_and_then_only_of_what_is_stored() -> None:
    prior = Empirical(5, 50)
    drawn = prior.sample(300, torch.Generator().manual_seed(1))
    torch.testing.assert_close(drawn.norm(dim=1), torch.ones(300))
    assert len(drawn.unique(dim=0)) > 40
    assert drawn.mean(dim=0).norm() < 0.4
    latents = torch.eye(5)[:3]
    prior.store(latents)
    assert {tuple(row) for row in prior.sample(300).tolist()} == {tuple(row) for row in latents.tolist()}
    prior.store(F.normalize(torch.randn(120, 5), dim=1))  # more than there is room for
    assert int(prior.stored) == 53
    assert (prior.sample(300)[:, None] - latents).norm(dim=2).min() > 1e-3
    again = Empirical(5, 50)
    again.load_state_dict(prior.state_dict())
    assert torch.equal(*(some.sample(9, torch.Generator().manual_seed(2)) for some in (prior, again)))


def test_ways_between_symbols_stay_on_the_sphere() -> None:
    prior = Empirical(4, 30)
    a, b = prior.sample(20, torch.Generator().manual_seed(3)).chunk(2)
    torch.testing.assert_close(prior.interpolate(a, b, 7).norm(dim=2), torch.ones(7, 10))
    torch.testing.assert_close(prior.project(3 * a), a)
    assert "dim=4" in repr(prior)
    assert "size=30" in repr(prior)


def test_an_average_of_the_generator_goes_with_it() -> None:
    fit(game := make_sae(), 3, callbacks=[average := EMA(0.9)])
    with average.applied(game):
        assert game.sample(5).shape == (5, 2)


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_symbols_pass_the_doors_in_the_precision_of_the_networks(precision: str) -> None:
    game = make_sae()
    fit(game, 2, precision=precision)
    symbols = game.encode(game.to_model(POINTS))
    assert symbols.dtype == game.dtype == game.decode(symbols).dtype == game.sample(3).dtype


def test_agreement_and_every_term_are_logged(tmp_path: Path) -> None:
    seen = record_arguments(game := make_sae(optimizer=partial(torch.optim.SGD, lr=0.0)), "training_step")
    fit(game, 1, logger=CSVLogger(tmp_path), log_every_n_steps=1)
    (file,) = tmp_path.rglob("metrics.csv")
    header, row = file.read_text().splitlines()
    logged = dict(zip(header.split(","), row.split(","), strict=True))
    x = seen[0][0].images
    with torch.no_grad():
        s_0, s_1 = (F.normalize(unit(x), dim=1) for unit in game.units)
        f_0, f_1 = (F.normalize(unit(game.generator(s)), dim=1) for unit, s in zip(game.units, (s_1, s_0), strict=True))
    assert float(logged["loss/units/cosine"]) == pytest.approx(float((s_0 * s_1).sum(1).mean()), abs=1e-5)
    agreement = ((f_0 * s_1).sum(1).mean() + (f_1 * s_0).sum(1).mean()) / 2
    assert float(logged["loss/generator/agreement"]) == pytest.approx(float(agreement), abs=1e-5)
    terms = ["adversarial_0", "adversarial_1", "shell", "kernel", "self_0", "self_1"]
    assert float(logged["loss/units"]) == pytest.approx(sum(float(logged[f"loss/units/{term}"]) for term in terms), abs=1e-4)


def test_it_learns_to_keep_the_digit() -> None:
    unit: dict[str, Any] = {"image_shape": IMAGE, "outputs": 16, "widths": (16, 32), "activation": "relu"}
    game = SAE(
        ConvNet(**unit),
        ConvNet(**unit),
        ConvGenerator(16, IMAGE, (32, 16)),
        Empirical(16, 1000),
        optimizer=partial(Adam, lr=5e-3, beta1=0.5),
    )
    fit(game, 300, data := Images("digits", batch_size=64))
    game.eval()
    train, test = (data.real(split, torch.arange(data.size(split))) for split in ("train", "test"))
    with torch.no_grad():
        again = game.decode(game.encode(test))
        error = (again - test).square().mean()
        variance = (test - train.mean(dim=0)).square().mean()
        assert error < 0.8 * variance  # 0.17 to 0.20 of 0.285; pixels are in no loss
        labels, judge = data.labels("test"), KNeighborsClassifier(3).fit(train.flatten(1), data.labels("train"))
        assert judge.score(again.flatten(1), labels) > 0.6  # 0.77 to 0.79; a tenth by chance
        assert judge.score(game.sample(300).flatten(1), torch.zeros(300)) < 0.5


# Settings


@pytest.mark.parametrize("wrong", [{"sigma": -1.0}, {"sigma": float("nan")}, {"generator_steps": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_sae(**wrong)


def test_a_prior_without_room_and_symbols_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match="set its size"):
        Empirical(3, 0)
    with pytest.raises(InputError, match="set its dim"):
        Empirical(0)
    with pytest.raises(InputError, match="set the encoder's outputs or the prior's dim"):
        fit(make_sae(diversifying_encoder=MLP(2, 4)), 1)
    with pytest.raises(InputError, match=r"SAE cannot take a step.*SAE\.losses fails"):
        fit(make_sae(generalising_encoder=MLP(2, 4)), 1)


CHANGES = COMMON | {
    "diversifying_encoder": ({}, {"diversifying_encoder": MLP(2, 3, (8,))}),
    "generalising_encoder": ({}, {"generalising_encoder": MLP(2, 3, (8,))}),
    "generator": ({}, {"generator": MLP(3, 2, (8,), output="sigmoid")}),
    "prior": ({}, {"prior": Empirical(3, 50)}),
    "sigma": ({}, {"sigma": 0.2}),
    "generator_steps": ({}, {"generator_steps": 2}),
    "data_range": ({"generator": nn.Linear(3, 2)}, {"data_range": (-2.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(SAE) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_sae, *CHANGES[name])


def test_the_printed_form_is_another_with_the_same_arguments() -> None:
    both = [make_sae(paper, **sgd) for paper in (SAE, SAEPrinted)]
    for game in both:
        fit(game, 3)
    assert furthest(*map(state, both)) > 1e-4
    assert arguments(SAEPrinted) == arguments(SAE)
