"""Two papers as a researcher would write them in a file of their own."""

from torch import nn

from lightning_gans import Game, PairNetwork
from lightning_gans.losses import bce_fake, bce_real
from lightning_gans.priors import Prior


class TinyALI(Game):
    def __init__(self, encoder: nn.Module, generator: nn.Module, discriminator: PairNetwork, prior: Prior, **game) -> None:
        super().__init__(**game)
        self.encoder, self.generator, self.discriminator, self.prior = encoder, generator, discriminator, prior

    def players(self):
        return {"discriminator": [self.discriminator], "autoencoder": [self.generator, self.encoder]}

    def step(self, batch):
        self.minimize_together(self.losses, batch.images, self.noise_like(batch))

    def losses(self, x, z):
        real, fake = self.discriminator(x, self.encoder(x)), self.discriminator(self.generator(z), z)
        return {"discriminator": bce_real(real) + bce_fake(fake), "autoencoder": bce_fake(real) + bce_real(fake)}


class TinyConditionalGAN(Game):
    conditional = True

    def __init__(self, generator: nn.Module, discriminator: nn.Module, prior: Prior, **game) -> None:
        super().__init__(**game)
        self.generator, self.discriminator, self.prior = generator, discriminator, prior

    def players(self):
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def step(self, batch):
        z, y = self.noise_like(batch), batch.conditions
        self.minimize("discriminator", self.discriminator_loss, batch.images, z, y)
        self.minimize("generator", self.generator_loss, z, y)

    def discriminator_loss(self, x, z, y):
        return bce_real(self.discriminator(x, y)) + bce_fake(self.discriminator(self.generator(z, y), y))

    def generator_loss(self, z, y):
        return bce_real(self.discriminator(self.generator(z, y), y))
