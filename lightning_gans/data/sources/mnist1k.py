"""MNIST-1K, also called stacked MNIST: a thousand modes, known by their digits."""

from lightning_gans.data.sources.mnist import MNIST


class MNIST1K(MNIST):
    """Three uniformly drawn digits as the red, green and blue of one image (Metz et al., 2017); label 100 R + 10 G + B.

    Training draws new triples for every batch. To measure against there are fixed ones: as many as training digits of these,
    and 25,600 of the test digits. The pool of 55,000 digits that some authors use is ``held_out: 5000``.
    """

    name = "mnist1k"
    packed_as = "mnist"
    stacks = True


SOURCE = MNIST1K
