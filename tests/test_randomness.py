"""Random streams are a function of their key alone."""

import itertools

import pytest
import torch

from lightning_gans.randomness import global_seed, keyed_generator, keyed_seed


def test_seeds_are_the_same_in_every_process_and_version():
    assert keyed_seed("order", 0, 0) == 8105155533265743171
    assert keyed_seed("fresh", 1, 2, 3) == 1190404801716462573


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 2), (2, 1)),
        ((0, 3), (1, 2)),
        (("ab", "c"), ("a", "bc")),
        ((1,), ("1",)),
        ((12, 3), (1, 23)),
        ((1,), (1, 0)),
        ((-1,), (1,)),
    ],
)
def test_keys_that_differ_anywhere_give_different_seeds(one, other):
    assert keyed_seed(*one) != keyed_seed(*other)


def test_neighbouring_keys_do_not_collide_and_use_all_63_bits():
    seeds = {keyed_seed("noise", *key) for key in itertools.product(range(20), repeat=3)}
    assert len(seeds) == 20**3
    assert min(seeds) >= 0
    assert 2**62 < max(seeds) < 2**63
    shares = [sum(seed >> bit & 1 for seed in seeds) / len(seeds) for bit in range(63)]
    assert all(0.45 < share < 0.55 for share in shares)


def test_generators_of_one_key_draw_alike_and_of_neighbouring_keys_do_not():
    first, again, other = (torch.randn(1000, generator=keyed_generator("noise", 0, k)) for k in (1, 1, 2))
    assert torch.equal(first, again)
    assert torch.corrcoef(torch.stack([first, other]))[0, 1].abs() < 0.15


def test_a_keyed_draw_leaves_the_global_stream_alone():
    before = torch.get_rng_state()
    torch.randn(5, generator=keyed_generator("noise"))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("stored", "seed"), [("7", 7), (None, 0)])
def test_the_runs_seed_is_what_seed_everything_stored_else_0(monkeypatch, stored, seed):
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    if stored is not None:
        monkeypatch.setenv("PL_GLOBAL_SEED", stored)
    assert global_seed() == seed
