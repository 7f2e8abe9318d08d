"""Improved Techniques for Training GANs (Salimans et al., 2016): semi-supervised learning with feature matching."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor
from torch.nn import functional as F

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import at_least_float32, bce_fake, bce_real
from lightning_gans.networks import Network
from lightning_gans.priors import Prior

Distance = Literal["squared", "absolute"]


class FeatureMatching(Game):
    """A discriminator D tells apart the K classes of data and what is generated, a generator G matches its features.

    D has K outputs l_k; the logit of "generated" is 0, so x is real with the logit l(x) = log sum_k exp l_k(x)     section 5

        D: - w_s E log softmax(l(x_s))_y - w_u / 2 (E log sigma(l(x)) + E log(1 - sigma(l(G(z)))))     section 5, the code
        G: |E f(x) - E f(G(z))|, f a hidden layer of D                                                 section 3.1

    x_s, y are samples with their labels, x those without; with w_s = 0 there are none, and D may have one output, its logit.
    The paper has G minimise the squared length of the difference; so does the code for MNIST, as a mean over the features,
    while for CIFAR-10 and SVHN it takes their mean absolute difference, the default here. It alternates one step each, the data
    of G's step being another minibatch; noise layers draw anew for each term. It tests D's averaged weights (``EMA`` averages D
    here; 0.9999 in the code). The code: openai/improved-gan at 0fa06b5, mnist_svhn_cifar10/train_mnist_feature_matching.py and
    train_cifar_feature_matching.py.

    Args:
        generator: G, latents ``(N, dim)`` to samples.
        discriminator: D, samples to logits of the classes ``(N, K)``.
        prior: the distribution of z.
        layer: name of f, a stage of D; ``last`` is the one before the output.
        distance: ``absolute`` or ``squared``, a mean over the features.
        fresh_batch: take another minibatch of data for G's step, drawn from the whole training set.
        supervised_weight: w_s; 0 learns without labels.
        unsupervised_weight: w_u.
        **game: see ``lightning_gans.Game``.

    Raises:
        InputError: a weight is negative or not finite; in training: no samples are labelled, see ``data.labelled``.
    """

    learns_labels = True
    averaged = "discriminator"
    discriminator_norm = None  # batch norm would tell data from samples by their company

    def __init__(
        self,
        generator: Network,
        discriminator: Network,
        prior: Prior,
        layer: str = "last",
        distance: Distance = "absolute",
        fresh_batch: bool = True,
        supervised_weight: float = 1.0,
        unsupervised_weight: float = 1.0,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        checks.one_of("distance", distance, Distance)
        checks.not_negative(supervised_weight=supervised_weight, unsupervised_weight=unsupervised_weight)
        checks.positive(**{"supervised_weight + unsupervised_weight": supervised_weight + unsupervised_weight})
        self.generator, self.discriminator, self.prior = generator, discriminator, prior
        self.layer, self.distance, self.fresh_batch = layer, distance, fresh_batch
        self.supervised_weight, self.unsupervised_weight = supervised_weight, unsupervised_weight
        self.learns_labels = supervised_weight > 0

    def players(self) -> dict[str, list[Network]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def step(self, batch: Batch) -> None:
        labelled = batch.few_labelled() if self.learns_labels else ()
        self.minimize("discriminator", self.discriminator_loss, batch.images, self.noise_like(batch), *labelled)
        x = batch.fresh().images if self.fresh_batch else batch.images
        self.minimize("generator", self.generator_loss, x, self.noise_like(batch))

    def discriminator_loss(self, x: Tensor, z: Tensor, *labelled: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What D minimises: the first loss above; with its supervised part and the share of labels that are right."""
        real, fake = self.realness(x), self.realness(self.generator(z))
        unsupervised = self.unsupervised_weight * 0.5 * (bce_real(real) + bce_fake(fake))
        if not labelled:
            return unsupervised, {}
        x_s, labels = labelled
        classes = at_least_float32(self.discriminator(x_s))
        supervised = F.cross_entropy(classes, labels)
        told = {"supervised": supervised.detach(), "labelled_accuracy": (classes.argmax(1) == labels).float().mean()}
        return self.supervised_weight * supervised + unsupervised, told

    def generator_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """What G minimises: how far apart the features' means are, over all ranks."""
        real, fake = (self.discriminator.features(each, [self.layer])[0] for each in (x, self.generator(z)))
        difference = self.batch_mean(at_least_float32(real)) - self.batch_mean(at_least_float32(fake))
        return difference.abs().mean() if self.distance == "absolute" else difference.square().mean()

    def realness(self, x: Tensor) -> Tensor:
        """l(x), ``(N,)``."""
        return at_least_float32(self.discriminator(x)).logsumexp(1)

    @property
    def can_classify(self) -> bool:
        """Whether D was told of classes."""
        return self.learns_labels

    def classify(self, images: Tensor) -> Tensor:
        """Logits of the classes ``(N, K)``."""
        return self.discriminator(self.normalize(images))
