"""Fashion-MNIST from its four original files, which are called like MNIST's."""

from lightning_gans.data.description import Description
from lightning_gans.data.sources.mnist import MNIST


class FashionMNIST(MNIST):
    """60,000 training and 10,000 test articles of 28x28 grey pixels (Xiao et al., 2017)."""

    name = "fashion_mnist"
    description = Description(
        classes=("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
    )
    where = "put its four .gz files into FashionMNIST/raw (github.com/zalandoresearch/fashion-mnist)"
    size = "30 MB"
    licence = "MIT"
    folders = ("FashionMNIST/raw", "fashion_mnist")
    official = "FashionMNIST"


SOURCE = FashionMNIST
