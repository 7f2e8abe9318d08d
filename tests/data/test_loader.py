"""The order of the data: a permutation per epoch, shared among ranks, resumed where it was left."""

from itertools import islice

import pytest
import torch

from lightning_gans.data.loader import Numbers, RowLoader
from lightning_gans.randomness import keyed_generator


@pytest.fixture(autouse=True)
def _seed(monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "3")


def epoch(loader: RowLoader, number: int = 0) -> list[list[int]]:
    loader.epoch = number - 1
    return [rows.indices.tolist() for rows in loader]


def flat(batches: list[list[int]]) -> list[int]:
    return [row for batch in batches for row in batch]


@pytest.mark.parametrize(("size", "batch_size"), [(12, 4), (13, 4), (3, 3), (5, 1)])
def test_an_epoch_is_a_permutation_and_each_epoch_another_one(size, batch_size):
    loader = RowLoader(size, batch_size, drop_last=False)
    epochs = [flat(epoch(loader, number)) for number in range(4)]
    assert all(sorted(rows) == list(range(size)) for rows in epochs)
    assert len(set(map(tuple, epochs))) > 1


def test_the_order_of_an_epoch_does_not_depend_on_the_epochs_before():
    loader = RowLoader(100, 7, False)
    epoch(loader, 0)
    assert epoch(loader, 5) == epoch(RowLoader(100, 7, False), 5)


def test_runs_of_different_seeds_see_different_orders(monkeypatch):
    first = epoch(RowLoader(100, 10, False))
    monkeypatch.setenv("PL_GLOBAL_SEED", "4")
    assert epoch(RowLoader(100, 10, False)) != first


def test_the_order_does_not_depend_on_the_batch_size():
    assert flat(epoch(RowLoader(24, 4, False))) == flat(epoch(RowLoader(24, 6, False)))


@pytest.mark.parametrize("world_size", [2, 4])
@pytest.mark.parametrize("size", [32, 36, 40])
@pytest.mark.parametrize("drop_last", [False, True])
def test_shares_of_the_ranks_put_together_are_the_batch_of_one(world_size, size, drop_last):
    whole = list(RowLoader(size, 8, drop_last))
    shares = [list(RowLoader(size, 8, drop_last, rank, world_size)) for rank in range(world_size)]
    for one, *parts in zip(whole, *shares, strict=True):
        assert {len(part.indices) for part in parts} == {len(one.indices) // world_size}
        assert torch.equal(torch.cat([part.indices for part in parts]), one.indices)
        assert {(part.epoch, part.position, part.global_size) for part in parts} == {(0, one.position, len(one.indices))}


@pytest.mark.parametrize(
    ("size", "world_size", "drop_last", "sizes"),
    [
        (20, 1, False, [8, 8, 4]),
        (20, 1, True, [8, 8]),
        (23, 4, False, [8, 8, 4]),
        (19, 4, False, [8, 8]),
        (16, 4, False, [8, 8]),
        (8, 2, True, [8]),
        (9, 1, False, [8, 1]),
    ],
)
def test_a_last_batch_is_cut_to_what_the_ranks_can_share_or_dropped(size, world_size, drop_last, sizes):
    loader = RowLoader(size, 8, drop_last, rank=0, world_size=world_size)
    rows = list(loader)
    assert len(loader) == len(sizes)
    assert [r.global_size for r in rows] == sizes
    assert [len(r.indices) * world_size for r in rows] == sizes
    assert [r.position for r in rows] == list(range(len(sizes)))


@pytest.mark.parametrize("taken", range(4))
def test_a_resumed_epoch_goes_on_where_it_was_left(taken):
    loader = RowLoader(30, 8, False)
    loader.epoch = 1
    walk = iter(loader)
    list(islice(walk, taken))
    resumed = RowLoader(30, 8, False)
    resumed.load_state_dict(loader.state_dict())
    assert [rows.indices.tolist() for rows in resumed] == [rows.indices.tolist() for rows in walk]
    assert epoch(resumed, 3) == epoch(loader, 3)


def test_a_finished_epoch_is_resumed_with_a_whole_new_one():
    loader = RowLoader(30, 8, False)
    epoch(loader, 0)
    resumed = RowLoader(30, 8, False)
    resumed.load_state_dict(loader.state_dict())
    assert epoch(resumed, 1) == epoch(loader, 1)


def test_a_place_that_is_stored_again_before_any_batch_is_the_same_place():
    loader = RowLoader(30, 8, False)
    list(islice(loader, 2))
    resumed = RowLoader(30, 8, False)
    resumed.load_state_dict(loader.state_dict())
    assert resumed.state_dict() == loader.state_dict()


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_further_batches_repeat_by_number_and_are_shared_among_ranks(world_size):
    def further(number, rank=0, world_size=1, position=1, epoch=0):
        loader = RowLoader(1000, 8, False, rank, world_size)
        loader.epoch = epoch - 1
        rows = next(islice(loader, position, None))
        again = loader.again(rows, number)
        assert (again.epoch, again.position, again.global_size) == (epoch, position, 8)
        return again.indices.tolist()

    assert flat([further(1, rank, world_size) for rank in range(world_size)]) == further(1)
    draws = [further(1), further(2), further(1, position=2), further(1, epoch=1)]
    assert len(set(map(tuple, draws))) == 4


def test_further_batches_are_drawn_with_replacement_from_the_whole_set():
    loader = RowLoader(50, 10, False)
    rows = next(iter(loader))
    drawn = torch.stack([loader.again(rows, number).indices for number in range(1000)])
    counts = torch.bincount(drawn.flatten(), minlength=50)
    assert ((counts - 200).square() / 200).sum() < 86  # chi squared of 49 degrees, 0.1 %
    assert any(len(set(row)) < 10 for row in drawn.tolist())


def test_a_further_batch_of_a_cut_batch_is_as_small():
    loader = RowLoader(11, 8, False, rank=1, world_size=2)
    *_, last = loader
    assert len(loader.again(last, 1).indices) == len(last.indices) == 1


@pytest.mark.parametrize("world_size", [1, 2])
def test_overfitting_serves_the_same_batches_in_every_epoch_and_draws_further_ones_from_these(world_size):
    loader = RowLoader(100, 10, False, world_size=world_size)
    loader.limit, loader.overfits = 2, True
    epochs = [[*islice(loader, 2)] for _ in range(3)]
    served = [[rows.indices.tolist() for rows in epoch] for epoch in epochs]
    assert served[0] == served[1] == served[2]
    every = {*torch.randperm(100, generator=keyed_generator("order", 3, 0))[:20].tolist()}
    again = [loader.again(rows, number).indices.tolist() for epoch in epochs for rows in epoch for number in (1, 2, 3)]
    assert {*flat(again)} <= every
    assert len({*map(tuple, again)}) == len(again)


@pytest.mark.parametrize(
    ("size", "batch_size", "world_size", "drop_last", "limit", "share"),
    [
        (101, 10, 1, False, None, 1),
        (101, 10, 1, True, None, 10),
        (101, 10, 1, False, 10, 10),
        (101, 10, 1, False, 11, 1),
        (103, 10, 2, False, None, 1),
        (101, 10, 2, False, None, 5),
        (100, 1, 1, False, None, 1),
        (100, 2, 2, False, None, 1),
    ],
)
def test_the_smallest_share_is_known_before(size, batch_size, world_size, drop_last, limit, share):
    loader = RowLoader(size, batch_size, drop_last, world_size=world_size)
    loader.limit = limit
    assert loader.smallest_share == share
    assert min(len(rows.indices) for rows in islice(loader, limit)) == share


def test_numbers_are_counted_and_not_held():
    assert [batch.tolist() for batch in Numbers(7, 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [[batch.tolist() for batch in Numbers(7, 3, rank, 2)] for rank in (0, 1)] == [[[0, 1, 2], [6]], [[3, 4, 5]]]
    assert len(Numbers(10**15, 1000)) == 10**12
