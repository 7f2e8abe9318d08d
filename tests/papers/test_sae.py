"""SAE against its algorithm, written out in plain torch."""

from __future__ import annotations

import math
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
from lightning_gans.papers.sae import h, kernel_loss, self_loss, shell_loss
from tests.games import IMAGE
from tests.games.sae import make_image_sae, make_sae
from tests.helpers import (
    COMMON,
    Noise,
    arguments,
    fit,
    furthest,
    matters,
    record_arguments,
    same,
    state,
)

sgd: dict[str, Any] = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}
POINTS = torch.rand(32, 2, generator=torch.Generator().manual_seed(3))
# Three symbols of each unit in the plane, by their angles in degrees
ANGLES = {"s_0": (0, 90, 210), "s_1": (35, 65, 170), "f_0": (45, 150, 300), "f_1": (10, 120, 240)}


def in_plane(name: str) -> Tensor:
    turn = torch.tensor(ANGLES[name]).double() * math.pi / 180
    return torch.stack([turn.cos(), turn.sin()], dim=1)


def between(a: str, b: str, p: int, pairs: list[tuple[int, int]]) -> float:
    """The mean of h over pairs of rows by the half angle: (1 + cos) / 2 = cos^2 of it, (1 - cos) / 2 = sin^2."""
    halves = [math.radians(ANGLES[a][j] - ANGLES[b][k]) / 2 for j, k in pairs]
    return sum(-math.log((math.cos(half) if p else math.sin(half)) ** 2) for half in halves) / len(pairs)


ALL = [(j, k) for j in range(3) for k in range(3)]
OWN = [(j, j) for j in range(3)]
OTHERS = [(j, k) for j, k in ALL if j != k]


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_h_is_the_cross_entropy_of_the_squared_cosine_of_the_half_angle(p: float) -> None:
    angle = torch.linspace(0.1, 3.0, 30).double()
    expected = -p * (angle / 2).cos().square().log() - (1 - p) * (angle / 2).sin().square().log()
    torch.testing.assert_close(h(angle.cos(), p), expected)


@pytest.mark.parametrize("p", [0, 1])
def test_h_and_its_slope_are_finite_where_symbols_coincide_or_oppose_each_other(p: int) -> None:
    cosine = torch.tensor([1.0, -1.0, 1 + 1e-7, -1 - 1e-7], requires_grad=True)
    loss = h(cosine, p)
    assert loss.isfinite().all()
    assert loss.max() < 14  # -log 1e-6
    assert torch.autograd.grad(loss.sum(), cosine)[0].isfinite().all()


@pytest.mark.parametrize("p", [0, 1])
def test_self_kernel_and_shell_loss_by_hand_for_three_symbols(p: int) -> None:
    s_0, s_1 = in_plane("s_0"), in_plane("s_1")
    assert float(self_loss(s_0, p)) == pytest.approx(between("s_0", "s_0", p, OTHERS))
    assert float(kernel_loss(s_0, s_1, p)) == pytest.approx(between("s_0", "s_1", p, ALL))
    assert float(shell_loss(s_0, s_1, p)) == pytest.approx(between("s_0", "s_1", p, OWN))


@pytest.mark.parametrize("target", ["crossed", "printed"])
def test_the_losses_are_those_of_the_algorithm_term_by_term(target: Any) -> None:
    game = make_sae(target=target)
    real, fake = ([in_plane(f"{kind}_{i}") for i in (0, 1)] for kind in "sf")
    loss, terms = game.units_loss(real, fake)
    against = ("s_1", "s_0") if target == "crossed" else ("s_0", "s_1")
    expected = {
        "shell": between("s_0", "s_1", 1, OWN),
        "kernel": between("s_0", "s_1", 1, ALL),
        "self_0": between("s_0", "s_0", 0, OTHERS),
        "self_1": between("s_1", "s_1", 1, OTHERS),
        "adversarial_0": between(against[0], "f_0", 0, ALL),
        "adversarial_1": between(against[1], "f_1", 0, ALL),
    }
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(expected)
    assert float(loss) == pytest.approx(sum(expected.values()))
    of_generator = between(against[0], "f_0", 1, OWN) + between(against[1], "f_1", 1, OWN)
    assert float(game.generator_loss(real, fake)) == pytest.approx(of_generator)


@pytest.mark.parametrize("target", ["crossed", "printed"])
def test_unrelated_symbols_cost_six_and_two_times_log_2(target: Any) -> None:
    four = torch.eye(64).double().chunk(4)
    game = make_sae(target=target)
    assert float(game.units_loss(four[:2], four[2:])[0]) == pytest.approx(6 * math.log(2)) == pytest.approx(4.16, abs=2e-3)
    assert float(game.generator_loss(four[:2], four[2:])) == pytest.approx(2 * math.log(2)) == pytest.approx(1.386, abs=1e-3)


def test_weights_multiply_their_terms_and_a_weight_of_zero_costs_nothing() -> None:
    four = torch.randn(4, 8, 5).double()
    real, fake = F.normalize(four, dim=2).unbind()[:2], F.normalize(four, dim=2).unbind()[2:]
    terms = make_sae().units_loss(real, fake)[1]
    weights = {"shell_weight": 2.0, "kernel_weight": 3.0, "self_weight": 5.0}
    loss = make_sae(**weights).units_loss(real, fake)[0]
    sums = terms["adversarial_0"] + terms["adversarial_1"] + 2 * terms["shell"] + 3 * terms["kernel"]
    torch.testing.assert_close(loss, sums + 5 * (terms["self_0"] + terms["self_1"]))
    found = make_sae(**dict.fromkeys(weights, 0.0)).units_loss(real, fake)
    assert set(found[1]) == {"adversarial_0", "adversarial_1"}
    torch.testing.assert_close(found[0], terms["adversarial_0"] + terms["adversarial_1"])


def test_equal_symbols_leave_finite_losses_and_slopes() -> None:
    symbols = F.normalize(torch.ones(4, 3), dim=1).requires_grad_()
    for p in (0, 1):
        (slope,) = torch.autograd.grad(self_loss(symbols, p), symbols)
        assert slope.isfinite().all()
    assert float(self_loss(symbols[:1].detach(), 0)) == 0


# The step


def two_losses(
    game: SAE, x: Tensor, target: str = "crossed", sigma: float = 0.0, step: int = 0, full_graph: bool = True
) -> tuple[Tensor, Tensor]:
    """l_B and l_G by lines 1 to 14, with nothing detached or, without the full graph, the seeds of the fakes."""
    D, G = (game.diversifying, game.generalising), game.generator

    def unit(y: Tensor) -> Tensor:
        return y / y.norm(dim=1, keepdim=True)

    s = [unit(d(x)) for d in D]
    epsilon = torch.randn(s[0].shape, generator=Noise(game.prior, step)._generator(), dtype=x.dtype)
    seeds = s if full_graph else [one.detach() for one in s]
    images = G(unit(seeds[0] + sigma * epsilon)), G(seeds[1])
    f = unit(D[0](images[1])), unit(D[1](images[0]))
    t = (s[1], s[0]) if target == "crossed" else (s[0], s[1])

    def attracted(c: Tensor) -> Tensor:
        return -((1 + c) / 2).clamp(min=1e-6).log()

    def repelled(c: Tensor) -> Tensor:
        return -((1 - c) / 2).clamp(min=1e-6).log()

    n = len(x)
    apart = ~torch.eye(n, dtype=torch.bool)
    of_units = attracted((s[0] * s[1]).sum(1)).mean() + attracted(s[0] @ s[1].T).mean()
    of_units = of_units + repelled((s[0] @ s[0].T)[apart]).mean() + attracted((s[1] @ s[1].T)[apart]).mean()
    of_units = of_units + repelled(t[0] @ f[0].T).mean() + repelled(t[1] @ f[1].T).mean()
    return of_units, attracted((t[0] * f[0]).sum(1)).mean() + attracted((t[1] * f[1]).sum(1)).mean()


def parameters(*networks: nn.Module) -> list[Tensor]:
    return [p for network in networks for p in network.parameters()]


def move_at_once(game: SAE, units: Tensor, generator: Tensor) -> None:
    both = (parameters(game.diversifying, game.generalising), units), (parameters(game.generator), generator)
    gradients = [torch.autograd.grad(loss, of, retain_graph=True) for of, loss in both]
    with torch.no_grad():
        for (of, _), some in zip(both, gradients, strict=True):
            for parameter, gradient in zip(of, some, strict=True):
                parameter -= 0.1 * gradient


@pytest.mark.parametrize("target", ["crossed", "printed"])
@pytest.mark.parametrize("sigma", [0.0, 0.5])
@pytest.mark.parametrize("full_graph", [False, True])
def test_a_step_is_that_of_lines_1_to_16(target: Any, sigma: float, full_graph: bool) -> None:
    make = partial(make_sae, target=target, sigma=sigma, full_graph=full_graph, **sgd)
    seen = record_arguments(game := make(), "training_step")
    fit(game, 2, precision="64-true")
    reference = make().double()
    for step, (batch, _) in enumerate(seen):
        move_at_once(reference, *two_losses(reference, batch.images, target, sigma, step, full_graph))
    networks = [name for name in state(game) if not name.startswith("prior.")]
    a, b = state(game), state(reference)
    assert furthest({name: a[name] for name in networks}, {name: b[name] for name in networks}) < 1e-8


def slopes(loss: Tensor, *networks: nn.Module) -> list[Tensor | None]:
    return list(torch.autograd.grad(loss, parameters(*networks), retain_graph=True, allow_unused=True))


def test_the_units_loss_reaches_the_units_past_the_generator_unless_the_graph_is_full() -> None:
    for full_graph in (False, True):
        game = make_sae(full_graph=full_graph).double()
        x = POINTS.double()
        real, fake = game.symbols(x)
        units = (game.diversifying, game.generalising)
        found = slopes(game.units_loss(real, fake)[0], *units)
        with torch.no_grad():
            images = [game.generator(s) for s in real]
        apart = [F.normalize(unit(image), dim=1) for unit, image in zip(units, reversed(images), strict=True)]
        without = slopes(game.units_loss(real, apart)[0], *units)
        through = slopes(two_losses(game, x)[0], *units)
        expected, other = (through, without) if full_graph else (without, through)
        assert same([round(float(s.sum()), 9) for s in found], [round(float(s.sum()), 9) for s in expected])  # type: ignore[union-attr]
        assert not all(torch.allclose(s, o) for s, o in zip(found, other, strict=True))  # type: ignore[arg-type]


def test_the_generators_loss_passes_through_both_units_to_the_generator() -> None:
    game = make_sae().double()
    real, fake = game.symbols(POINTS.double())
    loss = game.generator_loss(real, fake)
    torch.testing.assert_close(slopes(loss, game.generator), slopes(two_losses(game, POINTS.double())[1], game.generator))
    for term in (shell_loss(real[1], fake[0], 1), shell_loss(real[0], fake[1], 1)):
        assert all(s is not None and s.abs().sum() > 0 for s in slopes(term, game.generator))
    # Fakes are seen by the unit that did not make their seed
    for symbols, other in ((fake[0], game.generalising), (fake[1], game.diversifying)):
        assert all(s is None or not s.any() for s in slopes(symbols.sum(), other))


@pytest.mark.parametrize("g_steps", [1, 3])
def test_further_steps_of_the_generator_see_where_the_units_have_gone(g_steps: int) -> None:
    seen = record_arguments(game := make_sae(g_steps=g_steps, full_graph=True, **sgd), "training_step")
    fit(game, 1, precision="64-true")
    reference = make_sae().double()
    x = seen[0][0].images
    move_at_once(reference, *two_losses(reference, x))
    for _ in range(g_steps - 1):
        own = parameters(reference.generator)
        gradients = torch.autograd.grad(two_losses(reference, x)[1], own)
        with torch.no_grad():
            for parameter, gradient in zip(own, gradients, strict=True):
                parameter -= 0.1 * gradient
    for name in ("diversifying", "generalising", "generator"):
        assert furthest(state(getattr(game, name)), state(getattr(reference, name))) < 1e-8


def test_batch_norm_of_the_units_keeps_statistics_of_real_samples_alone() -> None:
    unit = {"image_shape": IMAGE, "outputs": 4, "widths": (8, 16)}
    networks = {"diversifying": ConvNet(**unit), "generalising": ConvNet(**unit)}
    game = make_image_sae(**networks, generator=ConvGenerator(4, IMAGE, (16, 8)))
    real = torch.rand(16, *IMAGE)
    norm = game.diversifying.stages["conv2"][1]
    expected = 0.1 * game.diversifying.stages["conv2"][0](game.diversifying.stages["conv1"](real)).mean((0, 2, 3))
    game.train()
    game.symbols(real)
    torch.testing.assert_close(norm.running_mean, expected.detach())
    assert norm.momentum == 0.1
    before = state(game.generator)
    game.symbols(real)
    assert not same(before, state(game.generator))


# The prior of training symbols


def test_the_prior_keeps_the_symbols_of_the_last_images_of_the_chosen_unit() -> None:
    for symbol in ("diversifying", "generalising"):
        game = make_sae(symbol=symbol, prior=Empirical(3, 80), optimizer=partial(torch.optim.SGD, lr=0.0), scheduler=None)
        seen = record_arguments(game, "training_step")
        fit(game, 4)  # 128 samples
        x = torch.cat([batch.images for batch, _ in seen])
        with torch.no_grad():
            expected = F.normalize(getattr(game, symbol)(x[-80:]), dim=1)
        order = (torch.arange(128 - 80, 128) % 80).argsort()
        torch.testing.assert_close(game.prior.latents, expected[order])
        drawn = game.prior.sample(500, torch.Generator().manual_seed(0))
        assert (drawn[:, None] - expected).norm(dim=2).min(dim=1).values.max() < 1e-6
        assert len(drawn.unique(dim=0)) > 70
        torch.testing.assert_close(game.encode(game.denormalize(x[-80:])), expected)
        assert game.encoder is getattr(game, symbol)


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
    seen = record_arguments(game := make_sae(optimizer=partial(torch.optim.SGD, lr=0.0), scheduler=None), "training_step")
    fit(game, 1, logger=CSVLogger(tmp_path), log_every_n_steps=1)
    (file,) = tmp_path.rglob("metrics.csv")
    header, row = file.read_text().splitlines()
    logged = dict(zip(header.split(","), row.split(","), strict=True))
    x = seen[0][0].images
    s_0, s_1 = (F.normalize(unit(x), dim=1) for unit in game.units)
    f_0, f_1 = (F.normalize(unit(game.generator(s)), dim=1) for unit, s in zip(game.units, (s_1, s_0), strict=True))
    assert float(logged["units/cosine"]) == pytest.approx(float((s_0 * s_1).sum(1).mean()), abs=1e-5)
    agreement = ((f_0 * s_1).sum(1).mean() + (f_1 * s_0).sum(1).mean()) / 2
    assert float(logged["generator/agreement"]) == pytest.approx(float(agreement), abs=1e-5)
    terms = ["adversarial_0", "adversarial_1", "shell", "kernel", "self_0", "self_1"]
    assert float(logged["loss/units"]) == pytest.approx(sum(float(logged[f"units/{term}"]) for term in terms), abs=1e-4)


def test_it_learns_to_keep_the_digit() -> None:
    unit: dict[str, Any] = {"image_shape": IMAGE, "outputs": 16, "widths": (16, 32), "activation": "relu"}
    game = SAE(
        ConvNet(**unit),
        ConvNet(**unit),
        ConvGenerator(16, IMAGE, (32, 16)),
        Empirical(16, 1000),
        data_range=(-1.0, 1.0),
        data_scale=1.0,
        optimizer=partial(Adam, lr=5e-3, beta1=0.5),
        scheduler=None,
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


@pytest.mark.parametrize(
    "wrong",
    [{name: -1.0} for name in ("shell_weight", "kernel_weight", "self_weight", "sigma")]
    + [{"sigma": float("nan")}, {"g_steps": 0}, {"target": "straight"}, {"symbol": "left"}],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        SAE(**wrong)


def test_a_prior_without_room_and_symbols_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match="set its size"):
        Empirical(3, 0)
    with pytest.raises(InputError, match="set its dim"):
        Empirical(0)
    with pytest.raises(InputError, match="set the encoder's outputs or the prior's dim"):
        fit(make_sae(generalising=MLP(2, 4)), 1)


CHANGES = COMMON | {
    "diversifying": ({}, {"diversifying": MLP(2, 3, (8,))}),
    "generalising": ({}, {"generalising": MLP(2, 3, (8,))}),
    "generator": ({}, {"generator": MLP(3, 2, (8,), output="sigmoid")}),
    "prior": ({}, {"prior": Empirical(3, 50)}),
    "symbol": ({}, {"symbol": "generalising"}),
    "target": ({}, {"target": "printed"}),
    "shell_weight": ({}, {"shell_weight": 2.0}),
    "kernel_weight": ({}, {"kernel_weight": 0.0}),
    "self_weight": ({}, {"self_weight": 0.0}),
    "sigma": ({}, {"sigma": 0.2}),
    "full_graph": ({}, {"full_graph": True}),
    "g_steps": ({}, {"g_steps": 2}),
    "data_range": ({"generator": MLP(3, 2, (16,))}, {"data_range": (-1.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(SAE) == set(CHANGES) | {"nonfinite"}


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_sae, *CHANGES[name])
