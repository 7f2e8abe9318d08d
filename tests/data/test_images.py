"""The data module: what a step is given, from bytes on disk to batches in [-1, 1]."""

from itertools import chain
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch.plugins import Precision
from lightning.pytorch.trainer.states import TrainerFn
from sklearn.datasets import load_digits

from lightning_gans.batch import Batch
from lightning_gans.data import Images
from lightning_gans.data.source import Request, find_source
from lightning_gans.errors import InputError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Where the digits are packed once for this file."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def numbered(tmp_path):
    """20 grey images whose every byte, and whose label, is their number."""
    np.savez(
        tmp_path / "own.npz", images=np.arange(20, dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(2, 2), labels=range(20)
    )
    return tmp_path / "own.npz"


def opened(dataset, root, rank: int = 0, world_size: int = 1, **settings) -> Images:
    data = Images(str(dataset), str(root), **settings)
    data.prepare_data()
    data.setup("fit")
    strategy = SimpleNamespace(root_device=CPU)
    state = SimpleNamespace(fn=TrainerFn.FITTING)
    data.trainer = SimpleNamespace(
        limit_train_batches=1.0,
        overfit_batches=0.0,
        precision_plugin=Precision(),
        lightning_module=None,
        world_size=world_size,
        global_rank=rank,
        strategy=strategy,
        state=state,
    )
    return data


def batches(data: Images) -> list[Batch]:
    return [data.transfer_batch_to_device(rows, CPU, 0) for rows in data.train_dataloader()]


def numbers(batch: Batch) -> list[int]:
    return ((batch.images[:, 0, 0, 0] + 1) * 255 / 2).round().int().tolist()


def test_digits_are_scikit_learns_with_every_fifth_held_out(root):
    data = opened("digits", root)
    reference = load_digits()
    held_out = np.arange(1797) % 5 == 4
    assert data.shape == (1, 8, 8)
    assert data.extent == 1
    assert data.classes == tuple("0123456789")
    for split, rows in (("train", ~held_out), ("test", held_out)):
        expected = torch.from_numpy(reference.images[rows] / 8 - 1)[:, None].float()
        torch.testing.assert_close(data.real(split), expected, rtol=0, atol=1.01 / 255)
        assert data.labels(split).tolist() == reference.target[rows].tolist()


def test_images_are_scaled_to_the_size_and_channels_asked_for(root):
    assert opened("digits", root, image_size=12, channels=3).shape == (3, 12, 12)


def test_the_256_bytes_become_evenly_spaced_floats_from_minus_1_to_1(tmp_path):
    np.savez(tmp_path / "bytes.npz", images=np.arange(256, dtype=np.uint8).reshape(1, 16, 16))
    values = opened(tmp_path / "bytes.npz", tmp_path).real("train").flatten()
    assert values.dtype == torch.float32
    assert (values[0].item(), values[-1].item()) == (-1, 1)
    torch.testing.assert_close(values, torch.linspace(-1, 1, 256), rtol=0, atol=1e-6)
    assert torch.equal(((values + 1) * 127.5).round(), torch.arange(256.0))


def test_an_epoch_gives_every_image_once_with_its_own_label(numbered, tmp_path):
    epoch = batches(opened(numbered, tmp_path, batch_size=8))
    assert [len(batch) for batch in epoch] == [8, 8, 4]
    assert all(numbers(batch) == batch.conditions.tolist() for batch in epoch)
    assert sorted(chain(*map(numbers, epoch))) == list(range(20))
    assert [len(batch) for batch in batches(opened(numbered, tmp_path, batch_size=8, drop_last=True))] == [8, 8]


def test_real_gives_the_rows_asked_for_in_their_order(numbered, tmp_path):
    data = opened(numbered, tmp_path)
    assert torch.equal(data.real("train", torch.tensor([7, 3, 3])), data.real("train")[[7, 3, 3]])
    assert data.labels("train").tolist() == list(range(20))
    assert data.labels("train").dtype == torch.int64


def test_images_without_labels_come_without_conditions(tmp_path):
    np.savez(tmp_path / "own.npz", images=np.zeros((4, 2, 2), np.uint8))
    data = opened(tmp_path / "own.npz", tmp_path, batch_size=2)
    assert data.labels("train") is None
    assert batches(data)[0].conditions is None


def test_points_come_in_data_units_with_their_centres_and_without_conditions(tmp_path):
    data = opened("grid25", tmp_path, batch_size=1000)
    batch = batches(data)[0]
    assert data.shape == (2,)
    assert data.extent == data.real("train").abs().max().item() == pytest.approx(4.2, abs=0.05)
    assert (data.centres.shape, data.std) == ((25, 2), 0.05)
    assert batch.images.shape == (1000, 2)
    assert batch.conditions is None
    assert torch.cdist(batch.images, data.centres).amin(dim=1).max() < 0.05 * 6
    assert list(tmp_path.iterdir()) == []


def test_the_swiss_roll_has_no_centres(tmp_path):
    data = opened("swissroll", tmp_path)
    assert data.centres is None
    assert data.std is None


def test_fresh_batches_differ_within_a_step_and_repeat_with_it(numbered, tmp_path):
    def drawn(step: int) -> list[list[int]]:
        batch = batches(opened(numbered, tmp_path, batch_size=8))[step]
        return [numbers(batch)] + [numbers(batch.fresh()) for _ in range(3)]

    assert drawn(0) == drawn(0)
    assert len(set(map(tuple, drawn(0) + drawn(1)))) == 8


def test_fresh_batches_are_as_large_as_theirs_and_keep_labels_with_images(numbered, tmp_path):
    last = batches(opened(numbered, tmp_path, batch_size=8))[-1]
    fresh = [last.fresh() for _ in range(30)]
    assert {len(batch) for batch in fresh} == {len(last)} == {4}
    assert all(numbers(batch) == batch.conditions.tolist() for batch in fresh)
    assert {number for batch in fresh for number in numbers(batch)} == set(range(20))


@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_share_the_batches_of_one_process_fresh_ones_too(numbered, tmp_path, world_size):
    def step(rank: int, world_size: int) -> list[list[int]]:
        batch = batches(opened(numbered, tmp_path, rank, world_size, batch_size=8))[1]
        return [numbers(batch), numbers(batch.fresh()), numbers(batch.fresh())]

    shares = [step(rank, world_size) for rank in range(world_size)]
    assert [list(chain(*parts)) for parts in zip(*shares, strict=True)] == step(0, 1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"batch_size": 0}, r"data\.batch_size is 0"),
        ({"batch_size": -4}, r"data\.batch_size is -4"),
        ({"image_size": 0}, r"data\.image_size is 0"),
        ({"num_predict": 0}, r"data\.num_predict is 0"),
    ],
)
def test_impossible_settings_are_refused_by_name(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        Images(**settings)


def test_a_batch_larger_than_the_set_is_refused_with_both_numbers(numbered, tmp_path):
    assert len(batches(opened(numbered, tmp_path, batch_size=20))) == 1
    with pytest.raises(InputError, match=r"batch_size is 21, but own has 20 training samples"):
        opened(numbered, tmp_path, batch_size=21).train_dataloader()


def test_a_batch_that_the_devices_cannot_share_is_refused(numbered, tmp_path):
    with pytest.raises(InputError, match="batch_size is 6, which 4 devices cannot share"):
        opened(numbered, tmp_path, world_size=4, batch_size=6).train_dataloader()


def test_an_unknown_dataset_is_refused_with_the_names_of_those_that_exist(tmp_path):
    with pytest.raises(
        InputError,
        match=r"no dataset 'grid_25' \(did you mean grid25\?\).*digits.*grid25, mnist, .*ring8, .*swissroll.*path of a folder",
    ):
        Images("grid_25", str(tmp_path)).prepare_data()


def test_a_missing_path_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"faces\.zip does not exist"):
        Images(str(tmp_path / "faces.zip"), str(tmp_path)).prepare_data()


@pytest.mark.parametrize("name", ["digits", "grid25", "ring8", "swissroll", "mnist"])
def test_a_folder_that_happens_to_have_a_datasets_name_does_not_stand_in_for_it(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    request = Request(name, tmp_path / "data")
    expected = type(find_source(request))
    (tmp_path / name).mkdir()
    assert type(find_source(request)) is expected


def test_prediction_covers_every_number_once_over_all_ranks(tmp_path):
    shares = [opened("ring8", tmp_path, rank, 2, batch_size=4, num_predict=18).predict_dataloader() for rank in (0, 1)]
    assert sorted(torch.cat([batch for share in shares for batch in share]).tolist()) == list(range(18))


def test_fitting_has_no_validation_batches_and_validation_has_one(tmp_path):
    data = opened("ring8", tmp_path)
    assert len(data.val_dataloader()) == 0
    data.trainer.state.fn = TrainerFn.VALIDATING
    assert len(data.val_dataloader()) == 1
    assert len(data.test_dataloader()) == 1


def test_what_is_no_row_of_the_set_is_moved_as_it_is(tmp_path):
    assert torch.equal(opened("ring8", tmp_path).transfer_batch_to_device(torch.arange(3), CPU, 0), torch.arange(3))
