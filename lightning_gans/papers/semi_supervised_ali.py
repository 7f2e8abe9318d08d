"""Adversarially Learned Inference with few labels (Dumoulin et al., 2017, section 4.3)."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.losses import at_least_float32
from lightning_gans.networks import Tapped
from lightning_gans.papers.ali import ALI, accuracies
from lightning_gans.posteriors import PosteriorKind
from lightning_gans.priors import Prior


class SemiSupervisedALI(ALI):
    """ALI whose discriminator also tells apart the K classes of what it takes for real, taught by a few labelled samples.

    D has K outputs l_k, and the logit of "generated" is 0, without loss of generality (Salimans et al. 2016, section 5). So a
    pair is real with the logit l(x, z) = log sum_k exp l_k(x, z), and with z^ as in ``lightning_gans.ALI``

        D:    - w_s E log softmax(l(x_s, z^_s))_y - w_u / 2 (E log sigma(l(x, z^)) + E log(1 - sigma(l(x~, z))))
        E, G: - E log(1 - sigma(l(x, z^))) - E log sigma(l(x~, z))

    x_s, y are samples with their labels, x those without. The loss of E and G is ALI's own, without feature matching. No code
    was published; D's loss is that of the code which the paper adapts (openai/improved-gan at 0fa06b5,
    mnist_svhn_cifar10/train_cifar_feature_matching.py). All three kinds of pairs go through D in one pass, as ALI's two do.

    Args:
        encoder: E, as for ``ALI``.
        generator: G, as for ``ALI``.
        joint_discriminator: D, pairs of samples and latents to logits of the classes ``(N, K)``.
        prior: the distribution of z.
        posterior: as for ``ALI``.
        simultaneous: as for ``ALI``.
        one_pass: as for ``ALI``, of three kinds of pairs.
        scale: as for ``ALI``.
        supervised_weight: w_s.
        unsupervised_weight: w_u.
        **game: see ``lightning_gans.Game``.

    Raises:
        InputError: a weight is negative or not finite; in training: no samples are labelled, see ``data.labelled``.
    """

    learns_labels = True

    def __init__(
        self,
        encoder: Tapped,
        generator: Tapped,
        joint_discriminator: Tapped,
        prior: Prior,
        posterior: PosteriorKind = "gaussian",
        simultaneous: bool = True,
        one_pass: bool = True,
        scale: float = 1.0,
        supervised_weight: float = 1.0,
        unsupervised_weight: float = 1.0,
        **game: Any,
    ) -> None:
        super().__init__(encoder, generator, joint_discriminator, prior, posterior, simultaneous, one_pass, scale, **game)
        checks.not_negative(supervised_weight=supervised_weight, unsupervised_weight=unsupervised_weight)
        checks.positive(**{"supervised_weight + unsupervised_weight": supervised_weight + unsupervised_weight})
        self.supervised_weight, self.unsupervised_weight = supervised_weight, unsupervised_weight

    def given(self, batch: Batch) -> tuple[Tensor, ...]:
        """The labelled samples, their labels, and the noise of their posterior."""
        images, labels = batch.few_labelled()
        return images, labels, self.normal(len(images), self.inference.width)

    def both_losses(self, x: Tensor, z: Tensor, epsilon: Tensor, *labelled: Any) -> dict[str, Any]:
        """Of both players, from one forward."""
        classes, real, fake = self.classes_and_judged(x, z, epsilon, *labelled)
        return {"discriminator": self.discriminators(classes, labelled[1], real, fake), "autoencoder": self.right(fake, real)}

    def discriminator_loss(self, x: Tensor, z: Tensor, epsilon: Tensor, *labelled: Any) -> Any:
        """What D minimises: the first loss above."""
        classes, real, fake = self.classes_and_judged(x, z, epsilon, *labelled)
        return self.discriminators(classes, labelled[1], real, fake)

    def autoencoder_loss(self, x: Tensor, z: Tensor, epsilon: Tensor, *labelled: Any) -> Tensor:
        """What E and G minimise: the second loss above; labelled pairs matter to batch norm alone."""
        _, real, fake = self.classes_and_judged(x, z, epsilon, *labelled)
        return self.right(fake, real)

    def discriminators(self, classes: Tensor, labels: Tensor, real: Tensor, fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """D's loss of the labelled pairs' logits ``(N, K)``, and of l on the other pairs ``(N,)``; with what is logged."""
        supervised = F.cross_entropy(classes, labels)
        unsupervised = 0.5 * self.right(real, fake)
        told = {"supervised": supervised.detach(), "labelled_accuracy": (classes.argmax(1) == labels).float().mean()}
        told |= accuracies(real, fake)
        return self.scale * self.supervised_weight * supervised + self.unsupervised_weight * unsupervised, told

    def classes_and_judged(
        self, x: Tensor, z: Tensor, epsilon: Tensor, labelled: Tensor, labels: Tensor, of_labelled: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """D's logits of the classes of labelled pairs ``(N, K)``, and l on pairs of samples and codes and on generated ones."""
        codes, made = self.inference.draw(self.encoder, x, epsilon).to(z.dtype), self.generator(z)
        theirs = self.inference.draw(self.encoder, labelled, of_labelled).to(z.dtype)
        classes, real, fake = map(at_least_float32, self.judge((labelled, theirs), (x, codes), (made, z)))
        return classes, real.logsumexp(1), fake.logsumexp(1)

    def classify(self, images: Tensor) -> Tensor:
        """Logits of the classes ``(N, K)``, at the code without noise."""
        return self.joint_discriminator(self.normalize(images), self.encode(images))
