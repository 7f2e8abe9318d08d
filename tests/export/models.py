"""Small models as checkpoints that nobody has trained, of each sort that an export has to do with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml

from lightning_gans import CharCNNRNN
from lightning_gans.command_line import make_model, make_ready
from lightning_gans.stored import identity_of, write_stored
from lightning_gans.text.loading import KIND
from tests.data.test_captions import faces

Settings = dict[str, Any]
STEP = 7
WIDTH = 5  # numbers of a text
KINDS = ("gan", "vae", "gaan", "sae", "conditional_gan", "infogan", "gan_cls")
DIGITS = [1, 8, 8]


def of(name: str, **given: Any) -> Settings:
    """A class of this package and its arguments, as a config has them."""
    return {"class_path": f"lightning_gans.{name}", "init_args": given}


def mlp(inputs: int, outputs: int, **given: Any) -> Settings:
    return of("MLP", inputs=inputs, outputs=outputs, hidden=[6], **given)


def pictures(inputs: int, shape: list[int] = DIGITS, **row: Any) -> Settings:
    """A generator of images with batch statistics."""
    last = {"channels": shape[0] * shape[1] * shape[2], "activation": "sigmoid", "image": shape, **row}
    return of("LayerTable", input_shape=inputs, layers=[{"channels": 8, "norm": "batch", "activation": "relu"}, last])


def seeing(outputs: int, shape: list[int] = DIGITS) -> Settings:
    return of("LayerTable", input_shape=shape, layers=[{"channels": outputs}])


def conditioned(network: Settings, condition: Settings) -> Settings:
    return of("Conditioned", network=network, condition=condition)


def settings_of(kind: str, folder: Path) -> tuple[Settings, Settings]:
    """Of a model, and of its data; what these need lies in the folder then."""
    labels, text, uniform = of("LabelCondition", classes=25), of("AttributeCondition", columns=WIDTH), of("Uniform", dim=2)
    parts = {"noise": of("Uniform", dim=3), "digit": of("Categorical", classes=4)}
    heads = {"real": mlp(6, 1), "digit": mlp(6, 4)}
    judge = of("Heads", trunk=seeing(6), heads=heads)
    colour = [3, 4, 4]
    models = {
        "gan": of("GAN", generator=mlp(2, 2, output="sigmoid"), discriminator=mlp(2, 1), prior=uniform, data_scale=4.2),
        "vae": of("VAE", encoder=seeing(4), generator=pictures(2), prior=of("Normal", dim=2)),
        "gaan": of("GAAN", encoder=seeing(2), generator=pictures(2), discriminator=seeing(1), prior=uniform),
        "sae": of(
            "SAE",
            diversifying_encoder=mlp(2, 3),
            generalising_encoder=mlp(2, 3),
            generator=mlp(3, 2),
            prior=of("Empirical", dim=3, size=40),
        ),
        "conditional_gan": of(
            "ConditionalGAN",
            generator=conditioned(mlp(27, 2), labels),
            discriminator=conditioned(mlp(27, 1), labels),
            prior=uniform,
        ),
        "infogan": of("InfoGAN", generator=pictures(7), discriminator=judge, prior=of("Product", parts=parts)),
        "gan_cls": of(
            "GANCLS",
            generator=conditioned(pictures(2 + WIDTH, colour), text),
            discriminator=conditioned(seeing(1, [3 + WIDTH, 4, 4]), text),
            prior=uniform,
            text_encoder=of("load_text_encoder", path=str(folder / "encoder.pt"), min_score=0.0),
        ),
    }
    data: Settings = {"dataset": "grid25" if kind in ("gan", "sae", "conditional_gan") else "digits", "batch_size": 32}
    if kind == "conditional_gan":
        data["condition"] = "labels"
    if kind == "gan_cls":
        write_text_encoder(folder / "encoder.pt")
        data = {"dataset": str(faces(folder / "faces")), "root": str(folder), "condition": "captions"}
    return models[kind], data


def write_text_encoder(file: Path) -> None:
    encoder, sizes = CharCNNRNN(WIDTH, (4, 4, 4), 48), {"width": WIDTH, "channels": [4, 4, 4], "length": 48}
    about = {"kind": KIND, "score": 0.5, "dataset": "anime", "recipe": {"min_score": 0.0}, "sha256": identity_of(encoder)}
    write_stored({**about, **sizes, "weights": encoder.state_dict()}, file, "text encoder")


def write_checkpoint(kind: str, folder: Path, **others: Any) -> Path:
    """A checkpoint with statistics and latents that are no model's first ones."""
    folder.mkdir(parents=True, exist_ok=True)
    make_ready()
    settings, data = settings_of(kind, folder)
    torch.manual_seed(5)
    model = make_model(settings)
    state = model.state_dict()
    for name, value in state.items():
        if name.endswith(("running_mean", "running_var")):
            state[name] = torch.rand_like(value)
        elif name.startswith("generator.") and value.dim() > 1:
            state[name] = torch.randn_like(value)  # so that there is something to be seen
    places = {"trainer": {"max_steps": 7, "default_root_dir": str(folder)}}
    config = {"seed_everything": 3, "model": settings, "data": data, **places}
    stored = {
        "state_dict": state,
        "global_step": STEP,
        "epoch": 0,
        "config": yaml.safe_dump(config, sort_keys=False),
        "game": {"paper": type(model).__name__, "seed": 3},
        **others,
    }
    torch.save(stored, file := folder / f"{kind}.ckpt")
    return file
