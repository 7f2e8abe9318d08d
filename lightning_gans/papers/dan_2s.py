"""Distributional Adversarial Networks (Li, Alvarez-Melis, Xu, Jegelka and Sra, 2017)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import bce_fake, bce_real
from lightning_gans.networks import SetDiscriminator
from lightning_gans.priors import Prior


class DAN2S(Game):
    """A discriminator S of two sets of samples says whether they are of one distribution, so a generator cannot drop modes:

        S(A, B) = h(|E phi(a) - E phi(b)|)                                          means over the sets
        min over S of l(S(X, X'), same) + l(S(Y, Y'), same) + l(S(X, Y'), other) + l(S(Y, X'), other)
        min over G of E -log sigma(D(G(z))) + lambda_s (l(S(X, Y'), same) + l(S(Y, X'), same))
        min over D of E -log sigma(D(x)) + E -log(1 - sigma(D(G(z))))

    X, X' are the halves of a minibatch, Y, Y' those of as many samples, of all ranks, and l is the cross-entropy. Without D the
    sets alone are judged, as in the authors' toy. All players have the same samples; D moves first, then S, then G. Code:
    ChengtaoLi/dan, mnist/model_mnist_mlp.py at 733a81f; in its toy (toy_demo.ipynb at 7fd10e0) one of G's two terms has the
    wrong label, which is mended here.

    Args:
        generator: G, latents ``(N, dim)`` to samples.
        set_discriminator: S, a ``SetDiscriminator`` of two sets.
        prior: the distribution of z.
        discriminator: D, samples to logits ``(N, 1)``; none where the sets alone are judged.
        set_weight: lambda_s of the generator's loss; 0.1 in the code for MNIST, 1 in the toy.
        set_every: S moves in every so many batches; 5 in the code for MNIST.
        **game: see ``lightning_gans.Game``.

    Raises:
        InputError: in training: a device is given an odd number of samples.
    """

    features_of = "set_discriminator"
    compares_sets = True
    """Whether a set discriminator that is completed takes two sets."""
    pack = 2
    """Of how many samples a device must be given a multiple: two have halves."""

    def __init__(
        self,
        generator: nn.Module,
        set_discriminator: SetDiscriminator,
        prior: Prior,
        discriminator: nn.Module | None = None,
        set_weight: float = 1.0,
        set_every: int = 1,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        checks.positive(set_weight=set_weight, set_every=set_every)
        self.generator, self.prior = generator, prior
        self.set_discriminator, self.discriminator = set_discriminator, discriminator
        self.set_weight, self.set_every, self.steps_differ = set_weight, set_every, set_every > 1

    def players(self) -> dict[str, list[nn.Module]]:
        alone = {} if self.discriminator is None else {"discriminator": [self.discriminator]}
        return {**alone, "set_discriminator": [self.set_discriminator], "generator": [self.generator]}

    def step(self, batch: Batch) -> None:
        x, z = batch.images, self.noise_like(batch)
        if self.discriminator is not None:
            self.minimize("discriminator", self.discriminator_loss, x, z)
        if not self.steps_differ or (self.global_step + 1) % self.set_every == 0:
            self.minimize("set_discriminator", self.set_loss, x, z)
        self.minimize("generator", self.generator_loss, x, z)

    def discriminator_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """What D minimises."""
        assert self.discriminator is not None
        return bce_real(self.discriminator(x)) + bce_fake(self.discriminator(self.generator(z)))

    def set_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """What S minimises."""
        (x_0, x_1), (y_0, y_1) = self.halves(x), self.halves(self.generator(z))
        same = bce_real(self.judged(x_0, x_1)) + bce_real(self.judged(y_0, y_1))
        return same + bce_fake(self.judged(x_0, y_1)) + bce_fake(self.judged(y_0, x_1))

    def generator_loss(self, x: Tensor, z: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What G minimises."""
        samples = self.generator(z)
        of_sets = self.opposed(x, samples)
        of_samples = samples.new_zeros(()) if self.discriminator is None else bce_real(self.discriminator(samples))
        return of_samples + self.set_weight * of_sets, {"of_sets": of_sets.detach()}

    def opposed(self, x: Tensor, samples: Tensor) -> Tensor:
        """The part of G's loss that is of sets."""
        (x_0, x_1), (y_0, y_1) = self.halves(x), self.halves(samples)
        return bce_real(self.judged(x_0, y_1)) + bce_real(self.judged(y_0, x_1))

    def judged(self, *means: Tensor) -> Tensor:
        """S's logit of sets with these mean features."""
        return self.set_discriminator.judge(*means)

    def halves(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Mean features ``(1, F)`` of both halves: every other sample, so that ranks have the same halves together as one."""
        rows = self.set_discriminator.embed(samples)
        return self.batch_mean(rows[0::2])[None], self.batch_mean(rows[1::2])[None]


class DANS(DAN2S):
    """The set discriminator of one set says whether it is of data or generated, which is DAN-S of the same paper:

        S(A) = h(E phi(a))
        min over S of l(S(X), data) + l(S(Y), generated)
        min over G of E -log sigma(D(G(z))) + lambda_s l(S(Y), data)

    X and Y are the whole minibatch and as many samples. Its arguments are those of ``DAN2S``, but S is a ``SetDiscriminator``
    of one set; lambda_s is 0.2 in the code for MNIST.
    """

    compares_sets = False
    pack = 1

    def set_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """What S minimises."""
        return bce_real(self.judged(self.whole(x))) + bce_fake(self.judged(self.whole(self.generator(z))))

    def opposed(self, x: Tensor, samples: Tensor) -> Tensor:
        """The part of G's loss that is of sets."""
        return bce_real(self.judged(self.whole(samples)))

    def whole(self, samples: Tensor) -> Tensor:
        """Mean features ``(1, F)`` of all samples."""
        return self.batch_mean(self.set_discriminator.embed(samples))[None]
