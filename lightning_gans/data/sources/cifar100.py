"""CIFAR-100 from its original batches, which are laid out like CIFAR-10's."""

from typing import ClassVar

from lightning_gans.data.description import Description
from lightning_gans.data.sources.cifar10 import CIFAR10


class CIFAR100(CIFAR10):
    """50,000 training and 10,000 test images of 32x32 colour pixels in a hundred fine classes (Krizhevsky, 2009).

    Looked for like CIFAR-10, as ``cifar100/cifar100.npz``, ``cifar-100-python`` and ``cifar-100-python.tar.gz``.
    """

    name = "cifar100"
    description = Description(
        classes=tuple(
            "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly "  # noqa: SIM905
            "camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup "
            "dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower "
            "leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid "
            "otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray "
            "road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar "
            "sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle "
            "wardrobe whale willow_tree wolf woman worm".split()
        )
    )
    where = (
        "put cifar-100-python.tar.gz, or the folder cifar-100-python that is in it, into cifar100/ "
        "(www.cs.toronto.edu/~kriz/cifar.html)"
    )
    size = "169 MB"
    folder, archive = "cifar-100-python", "cifar-100-python.tar.gz"
    batches: ClassVar = {"train": ("train",), "test": ("test",)}
    labels = b"fine_labels"
    official = "CIFAR100"


SOURCE = CIFAR100
