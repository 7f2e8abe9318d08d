"""Which Inception weights are found, taken, refused and called genuine, and the names that follow for what they measure."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.evaluation.features import inception_weights
from lightning_gans.evaluation.features.inception import Inception
from lightning_gans.evaluation.features.inception_weights import InceptionWeights, find_weights
from tests.evaluation.random_inception import noise, random_state, write_random_weights

pytestmark = pytest.mark.filterwarnings("ignore:.*is not known to be the FID network's file")


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """An empty hub cache, no environment variable, and no way to the network."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.delenv(inception_weights.WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *args, **kwargs: pytest.fail("downloads unasked"))
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    return checkpoints


# ---- where


def test_weights_are_taken_from_the_argument_then_the_environment_then_the_hub_under_both_names(hub, tmp_path, monkeypatch):
    names = ["pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth"]
    for name in names:
        (hub / name).touch()
        assert find_weights() == hub / name
    for name in ("environment", "argument"):
        (tmp_path / name).touch()
    monkeypatch.setenv("LIGHTNING_GANS_INCEPTION_WEIGHTS", str(tmp_path / "environment"))
    assert find_weights() == tmp_path / "environment"
    assert find_weights(str(tmp_path / "argument")) == tmp_path / "argument"


def test_weights_that_are_nowhere_are_missed_in_one_sentence_that_names_every_place(hub):
    with pytest.raises(InputError) as raised:
        Inception()
    sentence = str(raised.value)
    places = [str(hub / name) for name in ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")]
    for part in (*places, "weights_path", "$LIGHTNING_GANS_INCEPTION_WEIGHTS", "download", "classifier", "not a FID"):
        assert part in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("by", ["argument", "environment"])
@pytest.mark.parametrize("download", [False, True])
def test_a_place_that_was_named_is_not_replaced_by_another(by, download, hub, monkeypatch):
    (hub / "pt_inception-2015-12-05-6726825d.pth").touch()
    if by == "environment":
        monkeypatch.setenv("LIGHTNING_GANS_INCEPTION_WEIGHTS", "/nowhere/w.pth")
    with pytest.raises(InputError, match=r"/nowhere/w\.pth, where (weights_path|\$LIGHTNING_GANS_INCEPTION_WEIGHTS) says"):
        find_weights("/nowhere/w.pth" if by == "argument" else None, download)


def test_weights_are_fetched_only_if_asked_for_and_checked_by_their_hash(hub, monkeypatch):
    calls = []
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *args, **kwargs: calls.append((*args, kwargs["hash_prefix"])))
    target = hub / "weights-inception-2015-12-05-6726825d.pth"
    assert find_weights(download=True) == target
    assert [(url.rpartition("/")[2], *rest) for url, *rest in calls] == [(target.name, str(target), "6726825d")]
    target.touch()
    find_weights(download=True)
    assert len(calls) == 1


def test_a_machine_without_a_way_out_says_so_in_a_sentence(hub, monkeypatch):
    def offline(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(InputError, match=r"could not be fetched.*no route to host.*put the file at"):
        find_weights(download=True)


# ---- whose


@pytest.mark.parametrize("layer", [64, 2048])
def test_fid_is_said_of_layer_2048_of_the_genuine_file_only(layer, whole, stem, monkeypatch):
    path = whole if layer == 2048 else stem
    with pytest.warns(UserWarning, match="not known to be the FID network's file"):
        unknown = Inception(path, layer)
    assert unknown.key == f"fd_inception{layer}_unverified"
    assert "fid" not in unknown.key
    monkeypatch.setattr(inception_weights, "_SHA256", unknown.identity[:8])
    known = Inception(path, layer)
    assert known.key == ("fid" if layer == 2048 else f"fd_inception{layer}")
    assert known.identity == unknown.identity
    assert len(known.identity) == 64


def save_folded(weights: InceptionWeights, path: Path) -> None:
    """All tensors, float32, in an ``.npz``."""
    np.savez(path, **{name: tensor.numpy() for name, tensor in weights.tensors.items()})  # type: ignore[arg-type]


def test_folded_weights_give_the_same_features_bitwise_and_never_a_fid(whole, tmp_path, monkeypatch):
    weights = InceptionWeights.read(whole)
    save_folded(weights, tmp_path / "folded.npz")
    original = Inception(whole)
    monkeypatch.setattr(inception_weights, "_SHA256", weights.identity[:8])
    folded = Inception(tmp_path / "folded.npz")
    images = noise(1, 3, 32, 32)
    assert torch.equal(folded(images), original(images))
    assert torch.equal(folded.fc, original.fc)
    assert folded.key == "fd_inception2048_unverified"
    assert folded.identity != weights.identity
    with np.load(tmp_path / "folded.npz") as arrays:
        assert arrays["Mixed_6e.branch7x7_2.weight"].shape == (192, 192, 1, 7)


@pytest.fixture(scope="module")
def partial(shared_data) -> Path:
    found = sorted((shared_data / "inception").glob("*.npz"))
    if not found:
        pytest.skip(f"no partial Inception weights in {shared_data}/inception")
    return found[0]


def test_the_genuine_networks_lower_layers_are_known_by_their_numbers(partial, tmp_path, monkeypatch):
    weights = InceptionWeights.read(partial)
    monkeypatch.setattr(InceptionWeights, "read", lambda path: weights)
    for layer in (64, 192, 768):
        network = Inception(partial, layer)
        assert network.key == f"fd_inception{layer}"
        features = network(noise(2, 3, 32, 32))
        assert features.isfinite().all()
        assert features.std() > 0
    monkeypatch.undo()
    save_folded(weights, tmp_path / "copy.npz")
    copy = InceptionWeights.read(tmp_path / "copy.npz")
    assert copy.genuine(768)
    assert not copy.genuine(2048)
    copy.tensors["Conv2d_1a_3x3.weight"][0, 0, 0, 0] += 1
    assert not copy.genuine(768)


def test_a_part_of_the_network_refuses_a_layer_beyond_it_by_the_names_that_it_lacks(partial, stem):
    with pytest.raises(InputError, match=r"layer 2048, it lacks Mixed_7b.branch3x3dbl_2, Mixed_7c.branch3x3dbl_2, fc;"):
        Inception(partial, 2048)
    with pytest.raises(InputError, match=r"layer 192, it lacks Conv2d_3b_1x1, Conv2d_4a_3x3;"):
        Inception(stem, 192)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def altered(change: dict[str, Tensor]) -> Callable[[Path], None]:
    return lambda path: torch.save(random_state(64) | change, path)


NOT_NUMBER = {"Conv2d_1a_3x3.bn.bias": torch.full((32,), math.nan)}
OTHER_SHAPE = {"Conv2d_2a_3x3.conv.weight": torch.zeros(32, 32, 1, 1)}


@pytest.mark.parametrize(
    ("suffix", "damage", "sentence"),
    [
        (".pth", truncated, "or is damaged"),
        (".npz", truncated, "or is damaged"),
        (".pth", lambda path: path.write_bytes(b""), "or is damaged"),
        (".npz", lambda path: path.write_text("a page that says 404"), "or is damaged"),
        (".pth", lambda path: path.write_text("a page that says 404"), "or is damaged"),
        (".pth", lambda path: torch.save({"state_dict": {}, "epoch": 3}, path), "it has no Conv2d_1a_3x3"),
        (".pth", lambda path: torch.save(torch.zeros(3), path), "does not hold Inception weights"),
        (".pth", lambda path: torch.save(torch.nn.Linear(1, 1), path), "does not hold Inception weights"),
        (".npz", lambda path: np.savez(path, images=np.zeros(3)), "it has no Conv2d_1a_3x3"),
        (".pth", altered(NOT_NUMBER), "not all numbers are finite"),
        (".pth", altered(OTHER_SHAPE), r"another network: Conv2d_2a_3x3.weight is \(32, 32, 1, 1\), not \(32, 32, 3, 3\)"),
    ],
)
def test_damaged_weights_and_other_files_are_refused_in_one_sentence(suffix, damage, sentence, tmp_path):
    path = write_random_weights(tmp_path / "weights.pth", layer=64)
    if suffix == ".npz":
        save_folded(InceptionWeights.read(path), path := tmp_path / "weights.npz")
    damage(path)
    with pytest.raises(InputError, match=sentence) as raised:
        Inception(path, 64)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
