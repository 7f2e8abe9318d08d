"""Write a trained model to a folder that others can use."""

from __future__ import annotations

import argparse
from pathlib import Path

from lightning_gans.export.folder import MANIFEST, read_manifest, refuse_folder
from lightning_gans.export.hub import push, require_hub
from lightning_gans.export.onnx import require_onnx
from lightning_gans.export.writing import write


def main(args: list[str]) -> None:
    """``lightning export --ckpt_path FILE --to DIR``: weights as safetensors, config, model card, licence and an example.

    ``lightning_gans.load_exported("DIR")`` loads it without pickle. Further options, such as ``--data.root``, change the stored
    config; data are needed only for a model that is given attributes or captions.
    """
    parser = argparse.ArgumentParser("lightning export", description=main.__doc__, allow_abbrev=False)
    parser.add_argument("--ckpt_path", type=Path, required=True, metavar="FILE", help="of the trained model")
    parser.add_argument(
        "--to", type=Path, required=True, metavar="DIR", help="folder that is new, empty, or of an earlier export"
    )
    parser.add_argument("--onnx", action="store_true", help="the generator as generator.onnx, too")
    parser.add_argument("--push", metavar="USER/NAME", help="upload it to the Hugging Face hub; a new repository is private")
    parser.add_argument("--public", action="store_true", help="let a new repository be seen by everybody")
    given, options = parser.parse_known_args(args)
    refuse_folder(given.to)
    if given.onnx:
        require_onnx()
    if given.push is not None:
        require_hub(given.push)
    write(given.ckpt_path, given.to, options, given.onnx)
    files = [*read_manifest(given.to)["files"], MANIFEST]
    print(f"{given.to} has {', '.join(files)}")
    if given.push is not None:
        print(f"pushed to {push(given.to, files, given.push, given.public)}")
