"""Batches, packing and opening beside torchvision, PIL and numpy doing the same.

Batches are of 64 in [-1, 1] with what travels with them, in the processor's memory; torchvision's loaders have two workers,
ours has none. The faces are real where ``LIGHTNING_GANS_TEST_DATA`` or ``data`` has CelebA, made otherwise. Memory is what a
process takes beyond its imports to pack some faces (raw) and four times as many (ours), in MB instead of ms.
"""

from __future__ import annotations

import io
import itertools
import logging
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from lightning.pytorch import Trainer
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import CIFAR10
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

from lightning_gans import Images

_BATCH, _WARMUP, _BATCHES = 64, 10, 100
_FACES, _FEW = 4_000, 1_000
_NORMALISED = [ToTensor(), Normalize((0.5,) * 3, (0.5,) * 3)]


@dataclass(frozen=True)
class Case:
    """One thing done twice: ``raw`` and ``ours`` give what it took, from the files that ``make`` laid out."""

    name: str
    goal: float | None
    make: Callable[[Path], None]
    raw: Callable[[Path], float]
    ours: Callable[[Path], float]


class Faces(Dataset[tuple[Tensor, Tensor]]):
    """JPEGs with attributes, decoded one at a time as torchvision's CelebA does."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted((folder / "celeba" / "img_align_celeba").iterdir())
        self.attributes = torch.zeros(len(self.files), 40)
        side = min(Image.open(self.files[0]).size)
        self.transform = Compose([CenterCrop(side), Resize(64), *_NORMALISED])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.transform(Image.open(self.files[index])), self.attributes[index]


def make_cifar(folder: Path) -> None:
    """Noise of the size of CIFAR-10."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (50_000, 32, 32, 3), dtype=np.uint8)
    np.savez(folder / "made.npz", images=images, labels=random.integers(0, 10, len(images)))


def make_images(folder: Path) -> None:
    """10,000 images of noise, 64x64."""
    np.savez(folder / "made.npz", images=np.random.default_rng(0).integers(0, 256, (10_000, 64, 64, 3), dtype=np.uint8))
    _opened(folder / "made.npz", folder)


def make_faces(folder: Path) -> None:
    """Links to real faces, or made ones that are as smooth."""
    real = Path(os.environ.get("LIGHTNING_GANS_TEST_DATA", "data")).resolve() / "celeba" / "img_align_celeba"
    (folder / "celeba" / "img_align_celeba").mkdir(parents=True)
    files = sorted(real.glob("*.jpg"))[:_FACES] if real.is_dir() else []
    random = np.random.default_rng(0)
    for number in range(_FACES):
        face = folder / "celeba" / "img_align_celeba" / f"{number + 1:06d}.jpg"
        if len(files) == _FACES:
            face.symlink_to(files[number])
        else:
            noise = Image.fromarray(random.integers(0, 256, (22, 18, 3), dtype=np.uint8))
            noise.resize((178, 218), Image.Resampling.BICUBIC).save(face, quality=95)


def make_few_and_many(folder: Path) -> None:
    """Some faces, and four times as many."""
    make_faces(folder / "many")
    faces = folder / "few" / "celeba" / "img_align_celeba"
    faces.mkdir(parents=True)
    for face in sorted((folder / "many" / "celeba" / "img_align_celeba").iterdir())[:_FEW]:
        shutil.copy(face, faces)


def cifar_of_torchvision(folder: Path) -> float:
    """Milliseconds a batch."""
    dataset = CIFAR10.__new__(CIFAR10)  # its files are not needed, only what it does with them
    with np.load(folder / "made.npz") as stored:
        dataset.data, dataset.targets = stored["images"], stored["labels"].tolist()
    dataset.transform, dataset.target_transform = Compose(_NORMALISED), None
    return _ms_a_batch(DataLoader(dataset, _BATCH, shuffle=True, num_workers=2))


def faces_of_torchvision(folder: Path) -> float:
    """Milliseconds a batch."""
    return _ms_a_batch(itertools.chain.from_iterable(itertools.repeat(DataLoader(Faces(folder), _BATCH, True, num_workers=2))))


def ours(dataset: str) -> Callable[[Path], float]:
    """Milliseconds a batch of a dataset in the folder."""

    def measured(folder: Path) -> float:
        data = _opened(dataset, folder)
        loader = data.train_dataloader()
        rows = itertools.chain.from_iterable(itertools.repeat(loader))
        return _ms_a_batch(data.transfer_batch_to_device(r, torch.device("cpu"), 0) for r in rows)

    return measured


def packing_by_pil(folder: Path) -> float:
    """Milliseconds to decode, cut, scale and write the faces, one after the other."""
    start = time.perf_counter()
    faces = []
    files = sorted((folder / "celeba" / "img_align_celeba").iterdir())
    for file in files[: len(files) * 9 // 10]:  # the tenth that is ``valid`` is not packed either
        image = Image.open(file).convert("RGB")
        upper = (image.height - image.width) // 2
        image = image.resize((64, 64), Image.Resampling.LANCZOS, (0, upper, image.width, upper + image.width))
        faces.append(np.asarray(image).transpose(2, 0, 1))
    np.save(folder / "faces.npy", np.stack(faces))
    return 1000 * (time.perf_counter() - start)


def packing(folder: Path) -> float:
    """Milliseconds to pack the faces for training and testing."""
    shutil.rmtree(folder / "packed", ignore_errors=True)
    start = time.perf_counter()
    Images("celeba", str(folder)).prepare_data()
    return 1000 * (time.perf_counter() - start)


_MEMORY = """
import resource, sys
from pathlib import Path
from lightning_gans import Images
from lightning_gans.data.sources import celeba

def peak():  # of this process alone: getrusage counts the one that started it too
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return int(status.read_text().split("VmHWM:")[1].split()[0]) / 2**10

before = peak()
Images("celeba", sys.argv[1], image_size=128).prepare_data()
print(peak() - before)
"""


def memory(which: str) -> Callable[[Path], float]:
    """Megabytes beyond the imports at the peak of packing."""

    def measured(folder: Path) -> float:
        shutil.rmtree(folder / which / "packed", ignore_errors=True)
        return _printed(_MEMORY, folder / which)

    return measured


_FIRST_OF_OURS = """
import sys, time
import torch
from lightning.pytorch import Trainer
from lightning_gans import Images
trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
start = time.perf_counter()
data = Images(sys.argv[1] + "/made.npz", sys.argv[1], batch_size=64)
data.trainer = trainer
data.prepare_data()
data.setup("fit")
data.transfer_batch_to_device(next(iter(data.train_dataloader())), torch.device("cpu"), 0)
print(1000 * (time.perf_counter() - start))
"""
_FIRST_OF_NUMPY = """
import sys, time
import numpy as np, torch
start = time.perf_counter()
images = torch.from_numpy(np.load(sys.argv[1] + "/made.npz")["images"])
images[torch.randperm(len(images))[:64]].float().mul_(2 / 255).sub_(1)
print(1000 * (time.perf_counter() - start))
"""

CASES = [
    Case("data: batch of CIFAR-10, DataLoader", 1 / 20, make_cifar, cifar_of_torchvision, ours("made.npz")),
    Case("data: batch of CelebA-64, DataLoader", 1 / 30, make_faces, faces_of_torchvision, ours("celeba")),
    Case(f"data: pack {_FACES:,} faces, PIL", 1 / 1.7, make_faces, packing_by_pil, packing),
    Case(f"data: MB to pack {4 * _FEW:,} faces, {_FEW:,}", 1.25, make_few_and_many, memory("few"), memory("many")),
    Case(
        "data: first batch of 10,000x64x64, np.load",
        None,
        make_images,
        lambda folder: _printed(_FIRST_OF_NUMPY, folder),
        lambda folder: _printed(_FIRST_OF_OURS, folder),
    ),
]


def measure(case: Case, repeats: int) -> list[tuple[tuple[float], tuple[float]]]:
    """(raw, ours) of each repeat, after one of each to warm the file cache."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with TemporaryDirectory() as folder, warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        case.make(Path(folder))
        for side in (case.raw, case.ours):
            side(Path(folder))
        return [((case.raw(Path(folder)),), (case.ours(Path(folder)),)) for _ in range(repeats)]


def _opened(dataset: str | Path, root: Path) -> Images:
    data = Images(str(dataset), str(root), batch_size=_BATCH)
    data.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    data.prepare_data()
    data.setup("fit")
    return data


def _ms_a_batch(batches: Iterable[object]) -> float:
    iterator = iter(batches)
    for _ in range(_WARMUP):
        next(iterator)
    start = time.perf_counter()
    for _ in range(_BATCHES):
        next(iterator)
    return 1000 * (time.perf_counter() - start) / _BATCHES


def _printed(program: str, folder: Path) -> float:
    done = subprocess.run([sys.executable, "-c", program, str(folder)], check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])
