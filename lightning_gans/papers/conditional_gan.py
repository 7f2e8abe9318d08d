"""Conditional Generative Adversarial Nets (Mirza and Osindero, 2014)."""

from __future__ import annotations

from lightning_gans.papers.gan import GAN


class ConditionalGAN(GAN):
    """A GAN whose players are both given what belongs to the data, y: labels, attributes or encoded captions.

        max over D of E log sigma(D(x, y)) + E log(1 - sigma(D(G(z, y), y)))     Eqn. 2
        max over G of E log sigma(D(G(z, y), y))

    y of samples is that of the minibatch, so D sees the same labels with both, and only their match to the image can tell them
    apart. G and D are ``Conditioned`` networks: y joins at their input, or at every layer as the authors of DCGAN have it
    (Newmu/dcgan_code, mnist/train_cond_dcgan.py). Its arguments are those of ``lightning_gans.GAN``.
    """

    conditional = True
