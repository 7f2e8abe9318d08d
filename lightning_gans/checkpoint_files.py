"""How checkpoints get to the disk: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins import TorchCheckpointIO

from lightning_gans.checkpoints import load_checkpoint
from lightning_gans.errors import InputError

_SCRATCH = ".{}.tmp"


class CheckpointFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place and then puts it there, and reads nothing but tensors and plain values.

    Lightning's own stages it in the temporary folder, which may be small, and copies it over the last one: whoever is killed
    in the copy has neither.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            InputError: there is no room or no right to; what was there before is as it was.
        """
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        file = Path(path)
        scratch = file.with_name(_SCRATCH.format(file.name))
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            for left in file.parent.glob(_SCRATCH.format("*.ckpt")):  # by a run that was killed
                left.unlink(missing_ok=True)
            with open(scratch, "wb") as written:
                torch.save(checkpoint, written)
                written.flush()
                os.fsync(written.fileno())
            os.replace(scratch, file)
        except (OSError, RuntimeError) as error:  # torch's writer says the second of a full disk
            said = f"the checkpoint {file} cannot be written ({_reason(error)})"
            raise InputError(f"{said}; earlier files are as they were: make room, or set trainer.default_root_dir") from error
        finally:
            if scratch.parent.is_dir():
                scratch.unlink(missing_ok=True)

    def load_checkpoint(self, path: str | Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What is in a checkpoint, on the processor.

        Raises:
            InputError: there is none, or a damaged one.
        """
        return load_checkpoint(Path(path), mmap=False)


def _reason(error: BaseException | None) -> str:
    """That of the system, which torch leaves behind what it says itself."""
    first = error
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return (str(first).splitlines() or ["no room"])[0]
