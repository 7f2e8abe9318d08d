"""Draw a picture of a trained model, as its run did."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from lightning_gans.commands._film import FILM, make_film
from lightning_gans.commands._pictures import save_and_say
from lightning_gans.errors import InputError
from lightning_gans.evaluation.samples.drawing import evaluating
from lightning_gans.figures.conditions import choose
from lightning_gans.figures.kinds import KINDS, draw
from lightning_gans.figures.subject import Subject, Way, Without
from lightning_gans.restore import Weights, restore

_OWN = ("seed", "num_images", "path", "draw")  # options of the pictures that are the command's, too
_OF_KINDS = ("without", "terms", "along", "text")  # and those of some kinds alone


def main(args: list[str]) -> None:
    """``lightning figure KIND --ckpt_path FILE``: further options, such as ``--data.root``, change the stored config."""
    if args[:1] == [FILM]:
        make_film(args[1:])
        return
    parser = argparse.ArgumentParser("lightning figure", description=main.__doc__, allow_abbrev=False)
    parser.add_argument("kind", metavar="KIND", help=", ".join([*KINDS, f"{FILM} (see lightning figure film --help)"]))
    parser.add_argument("--ckpt_path", type=Path, required=True, metavar="FILE", help="of the trained model")
    parser.add_argument("--out", type=Path, metavar="FILE", help="PNG to write; beside the checkpoint where none")
    parser.add_argument("--seed", type=int, help="of the noise; that of the run's own pictures where none")
    parser.add_argument("--num_images", type=int, help="images in a grid")
    path_help = "of interpolations; by default the prior's between its draws, linear between test images"
    parser.add_argument("--path", choices=get_args(Way), help=path_help)
    draw_help = "encode what is reconstructed and interpolated by a draw of a stochastic encoder; else by its mean"
    parser.add_argument("--draw", action=argparse.BooleanOptionalAction, help=draw_help)
    parser.add_argument("--weights", choices=get_args(Weights), default="raw", help="of the generator (default: %(default)s)")
    condition_help = "of a conditional model: labels as 7 or cat,dog, or Smiling=1,Male=0; those of test samples where none"
    parser.add_argument("--condition", metavar="WHAT", help=condition_help)
    without_help = "of conditions: latents that are 0, or no label (or attribute), which shows what the other one does alone"
    parser.add_argument("--without", choices=get_args(Without), help=without_help)
    terms_help = (
        'of arithmetic: "3,5,9 - 1,2,4 + 7,8,20", each the mean latent of samples by number, which count from 0 by row in the '
        'picture samples of the same --seed and --num_images; or of test images: "Smiling,Male=0 - Male=0,Smiling=0 + Male"'
    )
    parser.add_argument("--terms", metavar="SUM", help=terms_help)
    along_help = "of arithmetic: move samples along the sum of the terms; of captions: go from one text to another"
    parser.add_argument("--along", action="store_true", help=along_help)
    text_help = "of captions and style_transfer: make images of it, once for each text; captions of test images where none"
    parser.add_argument("--text", action="append", metavar="CAPTION", help=text_help)
    given, others = parser.parse_known_args(args)
    own = {f"--pictures.{name}": getattr(given, name) for name in _OWN if getattr(given, name) is not None}
    options = [*others, *(f"{name}={value}" for name, value in own.items())]
    model, data, pictures, step = restore(given.ckpt_path, options, given.weights)
    pictures.take_classifier_at_hand(data)
    subject = pictures.subject(model, data, step, given.weights)
    if given.condition is not None:
        subject.chosen = choose(given.condition, model, data)
    _tell(subject, given)
    with evaluating(model):
        figure = draw(given.kind, subject)
    kind = f"{given.kind}{'_ema' if given.weights == 'ema' else ''}"
    file = given.out or given.ckpt_path.with_name(f"{given.ckpt_path.stem}_{kind}.png")
    save_and_say(figure, file)


def _tell(subject: Subject, given: argparse.Namespace) -> None:
    """Give the subject what its kind alone takes."""
    for name in _OF_KINDS:
        if not (value := getattr(given, name)):
            continue
        taking = [kind for kind, module in KINDS.items() if name in getattr(module, "OPTIONS", ())]
        if given.kind not in taking:
            raise InputError(f"--{name} is of the picture {' or '.join(taking)}, and {given.kind} does without; leave it out")
        setattr(subject, name, value)
