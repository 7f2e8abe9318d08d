"""Do the distances behave? Real images against real ones, and against real ones that were spoiled more and more."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur
from tqdm import tqdm

from lightning_gans.data import Images
from lightning_gans.evaluation.features.find import FeatureNetwork, find_network
from lightning_gans.evaluation.features.frechet import FeatureSums, Gaussian, frechet_distance
from lightning_gans.evaluation.samples.quantise import quantise
from lightning_gans.randomness import keyed_generator

Spoil = Callable[[Tensor], Tensor]
_BATCH = 50


def main() -> None:
    """Print the Fréchet distances of a dataset's test images to spoiled and unspoiled training images."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("dataset", choices=["cifar10", "mnist"])
    parser.add_argument("--root", type=Path, default=Path("data"))
    parser.add_argument("--features", default="inception768", help="see evaluation.features (default: %(default)s)")
    parser.add_argument("--weights_path", help="of Inception")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "tf32", "fp16", "bf16"])
    parser.add_argument("--n", type=int, default=2000, help="images on each side (default: %(default)s)")
    given = parser.parse_args()
    data = Images(given.dataset, str(given.root))
    data.prepare_data()
    data.setup("validate")
    network = find_network(given.features, data.name, given.root, given.precision, given.weights_path, download=False)
    network.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    print(f"{network.key}, {given.precision}, {given.n} test images of {data.name} against as many training images")
    test = statistics(network, data, "test", chosen(data, "test", given.n))
    rows = chosen(data, "train", given.n)
    for size in (given.n // 4, given.n // 2, given.n):
        unspoiled = statistics(network, data, "train", rows[:size])
        other = test if size == given.n else statistics(network, data, "test", chosen(data, "test", given.n)[:size])
        print(f"{f'unspoiled, n = {size}':<28}{frechet_distance(other, unspoiled):>10.3f}", flush=True)
    for name, spoil in spoilers():
        print(f"{name:<28}{frechet_distance(test, statistics(network, data, 'train', rows, spoil)):>10.3f}", flush=True)
    labels = data.labels("train")
    assert labels is not None
    for kept in (8, 5, 2):
        of_these = (labels < kept).nonzero().flatten()
        kept_rows = of_these[torch.randperm(len(of_these), generator=keyed_generator("sanity", kept))[: given.n]]
        print(
            f"{f'{kept} of 10 classes':<28}{frechet_distance(test, statistics(network, data, 'train', kept_rows)):>10.3f}",
            flush=True,
        )


def spoilers() -> Iterator[tuple[str, Spoil]]:
    """Ways to spoil images in [-1, 1], by name."""
    for sigma in (0.5, 1.0, 2.0):
        yield f"Gaussian blur, sigma {sigma} px", partial(gaussian_blur, kernel_size=[9, 9], sigma=[sigma, sigma])
    for std in (0.05, 0.1, 0.2):
        yield f"Gaussian noise, std {std}", partial(add_noise, std=std)


def add_noise(images: Tensor, std: float) -> Tensor:
    """Always the same noise, of a standard deviation in units of [-1, 1]."""
    return images + std * torch.randn(images.shape, generator=keyed_generator("noise"))


def chosen(data: Images, split: str, n: int) -> Tensor:
    """Rows drawn once and for all."""
    return torch.randperm(data.size(split), generator=keyed_generator("sanity", split))[:n]


def statistics(network: FeatureNetwork, data: Images, split: str, rows: Tensor, spoil: Spoil = lambda x: x) -> Gaussian:
    """Of the features of some images."""
    sums = FeatureSums(network.dim)
    for batch in tqdm(rows.split(_BATCH), leave=False, delay=5):
        sums.update(network(quantise(spoil(data.real(split, batch)))))
    return sums.gaussian()


if __name__ == "__main__":
    main()
