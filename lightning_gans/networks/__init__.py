"""Encoders, generators and discriminators by family. Any module with the right shapes can stand in for them."""

from lightning_gans.networks.dcgan import ConvGenerator, ConvNet
from lightning_gans.networks.layers import Network, initialise
from lightning_gans.networks.mlp import MLP
from lightning_gans.networks.unrolled import UnrolledDiscriminator, UnrolledGenerator
from lightning_gans.networks.wgan_gp import WGANGPCritic, WGANGPGenerator

__all__ = [
    "MLP",
    "ConvGenerator",
    "ConvNet",
    "Network",
    "UnrolledDiscriminator",
    "UnrolledGenerator",
    "WGANGPCritic",
    "WGANGPGenerator",
    "initialise",
]
