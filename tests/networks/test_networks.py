"""Networks: shapes, ranges, taps, initialisation, and whether one row depends on the others."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lightning_gans.errors import InputError
from lightning_gans.networks import (
    MLP,
    ConvGenerator,
    ConvNet,
    UnrolledDiscriminator,
    UnrolledGenerator,
    WGANGPCritic,
    WGANGPGenerator,
    initialise,
)

NORMS = ["batch", "layer", None]


def small_net(**settings) -> ConvNet:
    return ConvNet((1, 8, 8), 2, (4, 6), **settings)


def small_generator(**settings) -> ConvGenerator:
    return ConvGenerator(5, (1, 8, 8), (6, 4), **settings)


def small_mlp(**settings) -> MLP:
    return MLP(5, (1, 8, 8), (9,), **settings)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def depends_on_other_rows(network: nn.Module, x: torch.Tensor) -> bool:
    return not torch.allclose(network(x)[0], network(torch.cat([x[:1], 3 * x[1:]]))[0], atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (2, 20, 33)])
@pytest.mark.parametrize("norm", NORMS)
def test_generator_and_discriminator_fit_images_of_every_size(shape, norm):
    widths = (8, 6, 4)
    images = ConvGenerator(5, shape, widths, norm=norm)(noise(2, 5))
    assert images.shape == (2, *shape)
    assert ConvNet(shape, 7, widths[::-1], norm=norm)(images).shape == (2, 7)


def test_each_layer_halves_28_pixels_to_14_7_and_4_and_back():
    generator, critic = WGANGPGenerator(width=4), WGANGPCritic(width=4)
    down = critic.features(noise(2, 1, 28, 28), ["conv1", "conv2", "conv3"])
    assert [tuple(f.shape[1:]) for f in down] == [(4, 14, 14), (8, 7, 7), (16, 4, 4)]
    up = generator.features(noise(2, 128), ["dense", "deconv1", "deconv2"])
    assert [tuple(f.shape[1:]) for f in up] == [(16, 4, 4), (8, 7, 7), (4, 14, 14)]


@pytest.mark.parametrize("network", [ConvGenerator, ConvNet])
@pytest.mark.parametrize("widths", [(), (4,) * 4])
def test_images_too_small_for_the_number_of_layers_are_refused(network, widths):
    with pytest.raises(InputError, match=f"8 pixels cannot be halved {len(widths)} times"):
        network(image_shape=(1, 8, 8), widths=widths)


@pytest.mark.parametrize(
    ("output", "squash", "interval"),
    [("sigmoid", torch.sigmoid, (0, 1)), ("tanh", torch.tanh, (-1, 1)), (None, lambda x: x, None)],
)
@pytest.mark.parametrize("make", [small_mlp, small_generator])
def test_forward_squashes_the_logits_into_the_stated_range(make, output, squash, interval):
    network = make(output=output).eval()
    z = 5 * noise(16, 5)
    assert network.output_range == interval
    torch.testing.assert_close(network(z), squash(network.logits(z)))


def test_discriminators_and_encoders_are_linear_at_the_end():
    assert ConvNet().output_range is None
    assert WGANGPCritic().output_range is None
    assert WGANGPGenerator().output_range == (0, 1)


@pytest.mark.parametrize("inputs", [6, (1, 2, 3)])
@pytest.mark.parametrize("outputs", [4, (2, 2, 1)])
def test_an_mlp_takes_and_makes_flat_numbers_or_images(inputs, outputs):
    shape = (inputs,) if isinstance(inputs, int) else inputs
    made = MLP(inputs, outputs, hidden=(5,))(noise(3, *shape))
    assert made.shape == (3, *((outputs,) if isinstance(outputs, int) else outputs))


def test_an_mlp_computes_linear_layers_with_relu_between():
    network = MLP(3, 2, hidden=(7, 5))
    first, second, last = (layer for layer in network.modules() if isinstance(layer, nn.Linear))
    x = noise(4, 3)
    hidden1 = F.relu(F.linear(x, first.weight, first.bias))
    hidden2 = F.relu(F.linear(hidden1, second.weight, second.bias))
    torch.testing.assert_close(network(x), F.linear(hidden2, last.weight, last.bias))
    for found, expected in zip(network.features(x, ["hidden2", "hidden1", "last"]), (hidden2, hidden1, hidden2), strict=True):
        torch.testing.assert_close(found, expected)


def test_maxout_keeps_the_largest_of_each_units_pieces():
    network = MLP(3, 1, hidden=(4,), activation="maxout", pieces=5)
    linear = next(layer for layer in network.modules() if isinstance(layer, nn.Linear))
    x = noise(6, 3)
    (hidden,) = network.features(x, ["hidden1"])
    torch.testing.assert_close(hidden, linear(x).reshape(6, 4, 5).max(dim=2).values)


@pytest.mark.parametrize("dropouts", [{"dropout": 0.5}, {"input_dropout": 0.5}])
def test_dropout_acts_in_training_only(dropouts):
    network, x = MLP(20, 3, hidden=(50,), **dropouts), noise(4, 20)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


@pytest.mark.parametrize("network", [small_net(), MLP((1, 8, 8), 1, (7, 5))])
def test_the_last_features_are_what_the_output_layer_takes(network):
    network, x = network.eval(), noise(3, 1, 8, 8)
    (last,) = network.features(x, ["last"])
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]
    torch.testing.assert_close(linear(last.flatten(1)), network(x))


def test_no_layers_asked_for_are_no_features():
    assert MLP().features(noise(3, 2), []) == []


@pytest.mark.parametrize(("network", "layer"), [(MLP(), "conv1"), (MLP(), "hidden4"), (MLP(hidden=()), "last")])
def test_a_layer_that_is_not_there_is_refused_with_the_names_of_those_that_are(network, layer):
    with pytest.raises(InputError, match=rf"MLP .*{layer}.*output"):
        network.features(noise(3, 2), ["output", layer])


LAYERS = [
    pytest.param(lambda: nn.Linear(300, 200), 300, id="linear"),
    pytest.param(lambda: nn.Conv2d(40, 60, 5, stride=2), 40 * 25, id="conv"),
    pytest.param(lambda: nn.ConvTranspose2d(40, 60, 5, stride=2), 40 * 25 / 4, id="deconv"),
]


@pytest.mark.parametrize(("layer", "fan_in"), LAYERS)
@pytest.mark.parametrize("how", ["he_normal", "he_uniform", "normal", "uniform"])
def test_weights_are_drawn_as_the_initialisation_says_and_biases_are_0(layer, fan_in, how):
    layer = layer()
    torch.manual_seed(0)
    initialise(layer, how, 0.05)
    w = layer.weight.detach()
    std = {"normal": 0.05, "uniform": 0.05 / math.sqrt(3)}.get(how, math.sqrt(2 / fan_in))
    assert w.std().item() == pytest.approx(std, rel=0.02)
    assert abs(w.mean().item()) < 5 * std / math.sqrt(w.numel())
    peak = w.abs().max().item() / std
    assert peak <= math.sqrt(3) * 1.0001 if "uniform" in how else peak > 3
    assert layer.bias.eq(0).all()


def test_glorot_uniform_is_torchs_xavier_uniform():
    layer, reference = nn.Linear(30, 20), torch.empty(20, 30)
    torch.manual_seed(0)
    initialise(layer, "glorot_uniform")
    torch.manual_seed(0)
    assert torch.equal(layer.weight, nn.init.xavier_uniform_(reference))


def test_he_normal_keeps_the_scale_of_activations_through_strided_transposed_convolutions():
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(64, 64, 5, stride=2, padding=2, output_padding=1)
    initialise(layer, "he_normal")
    inside = layer(F.relu(noise(4, 64, 24, 24)))[..., 4:-4, 4:-4]
    assert inside.square().mean().item() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize(
    ("make", "std"),
    [
        (lambda: MLP(200, 200, (200,)), math.sqrt(2 / 200)),
        (lambda: ConvNet((1, 8, 8), 1, (40, 40)), 0.02),
        (lambda: ConvGenerator(50, (1, 8, 8), (40, 40)), 0.02),
    ],
)
def test_every_layer_of_a_network_is_initialised_as_its_family_has_it(make, std):
    torch.manual_seed(0)
    network = make()
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and layer.weight.numel() >= 1000:
            assert layer.weight.std().item() == pytest.approx(std, rel=0.1)
    assert all(parameter.eq(0).all() for name, parameter in network.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("make", [small_net, small_generator])
@pytest.mark.parametrize("norm", NORMS)
def test_only_batch_norm_makes_a_row_depend_on_the_others(make, norm):
    network = make(norm=norm, init="he_normal")
    x = noise(4, 5) if isinstance(network, ConvGenerator) else noise(4, 1, 8, 8)
    assert depends_on_other_rows(network, x) == (norm == "batch")
    assert not depends_on_other_rows(network.eval(), x)


def test_layer_norm_is_over_channels_height_and_width():
    network = small_net(norm="layer", init="he_normal")
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    x = noise(3, 1, 8, 8)
    hidden = F.leaky_relu(convolutions[0](x), 0.2)
    expected = F.leaky_relu(F.layer_norm(convolutions[1](hidden), (6, 2, 2)), 0.2)
    torch.testing.assert_close(network.features(x, ["conv2"])[0], expected)


@pytest.mark.parametrize("wrong", [{"norm": "instance"}, {"init": "xavier"}])
@pytest.mark.parametrize("network", [ConvNet, ConvGenerator])
def test_an_unknown_norm_or_init_is_refused_by_name(network, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong.values()))):
        network(**wrong)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("width", [2, 4, 8])
def test_the_networks_of_stacked_mnist_fit_each_other_and_have_their_widths(kernel, width):
    generator, discriminator = UnrolledGenerator(8, kernel), UnrolledDiscriminator(width, kernel)
    sides = [stage.shape[-1] for stage in generator.features(noise(2, 8), ["dense", "deconv1", "deconv2", "deconv3"])]
    assert sides == [4, 7, 14, 28]
    images = generator(noise(2, 8))
    assert images.shape == (2, 3, 28, 28)
    assert images.abs().max() <= 1
    channels = [stage.shape[1:] for stage in discriminator.features(images, ["conv1", "conv2", "conv3"])]
    assert channels == [(width, 14, 14), (2 * width, 7, 7), (4 * width, 4, 4)]
    assert discriminator(images).shape == (2, 1)
    assert depends_on_other_rows(discriminator, images)
    assert not depends_on_other_rows(UnrolledDiscriminator(width, kernel, batch_norm=False), images)
