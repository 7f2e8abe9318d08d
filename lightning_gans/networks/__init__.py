"""Encoders, generators and discriminators by family. Any module with the right shapes can stand in for them."""

from lightning_gans.networks.aegan import AEGANDiscriminator, AEGANEncoder, AEGANGenerator, AEGANLatentDiscriminator
from lightning_gans.networks.ali import ALIDiscriminator, ALIEncoder, ALIGenerator
from lightning_gans.networks.began import BEGANDiscriminator, BEGANGenerator
from lightning_gans.networks.cluster_heads import ClusterHeads
from lightning_gans.networks.conditioned import Conditioned, Reinjected
from lightning_gans.networks.conditions import AttributeCondition, Condition, LabelCondition, NamedConditions
from lightning_gans.networks.dcgan import ConvGenerator, ConvNet
from lightning_gans.networks.gan_cls import GANCLSDiscriminator, GANCLSGenerator
from lightning_gans.networks.heads import Apart, Heads
from lightning_gans.networks.layers import Network, Tapped, eval_mode, initialise, kept_statistics
from lightning_gans.networks.mlp import MLP
from lightning_gans.networks.packed import Packed
from lightning_gans.networks.pairs import PairNetwork
from lightning_gans.networks.sets import SetDiscriminator
from lightning_gans.networks.table import Layer, LayerTable
from lightning_gans.networks.unrolled import UnrolledDiscriminator, UnrolledGenerator
from lightning_gans.networks.vae_gan import VAEGANMLP, VAEGANDiscriminator, VAEGANEncoder, VAEGANGenerator
from lightning_gans.networks.wgan_gp import WGANGPCritic, WGANGPGenerator

__all__ = [
    "MLP",
    "VAEGANMLP",
    "AEGANDiscriminator",
    "AEGANEncoder",
    "AEGANGenerator",
    "AEGANLatentDiscriminator",
    "ALIDiscriminator",
    "ALIEncoder",
    "ALIGenerator",
    "Apart",
    "AttributeCondition",
    "BEGANDiscriminator",
    "BEGANGenerator",
    "ClusterHeads",
    "Condition",
    "Conditioned",
    "ConvGenerator",
    "ConvNet",
    "GANCLSDiscriminator",
    "GANCLSGenerator",
    "Heads",
    "LabelCondition",
    "Layer",
    "LayerTable",
    "NamedConditions",
    "Network",
    "Packed",
    "PairNetwork",
    "Reinjected",
    "SetDiscriminator",
    "Tapped",
    "UnrolledDiscriminator",
    "UnrolledGenerator",
    "VAEGANDiscriminator",
    "VAEGANEncoder",
    "VAEGANGenerator",
    "WGANGPCritic",
    "WGANGPGenerator",
    "eval_mode",
    "initialise",
    "kept_statistics",
]
