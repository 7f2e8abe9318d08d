"""An export on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning_gans.errors import InputError
from lightning_gans.messages import first_sentence


def require_hub(repo: str) -> None:
    """Refuse to begin what could not be pushed.

    Raises:
        InputError: ``huggingface_hub`` is not installed, there is no token, or the repository cannot be called so.
    """
    hub = _hub()
    try:
        hub.utils.validate_repo_id(repo)
    except ValueError as error:
        raise InputError(f"--push {repo} is no repository ({first_sentence(error)}); call it USER/NAME") from error
    if hub.get_token() is None:
        raise InputError("there is no token to push with; run hf auth login, or set HF_TOKEN")


def push(folder: Path, files: list[str], repo: str, public: bool) -> str:
    """Upload files of an export; a new repository is private unless ``public``. Gives its address.

    Raises:
        InputError: the hub refuses, or is not there.
    """
    hub = _hub()
    try:
        api = hub.HfApi()
        address = api.create_repo(repo, private=not public, exist_ok=True)
        api.upload_folder(repo_id=repo, folder_path=folder, allow_patterns=files, commit_message="Export of lightning-gans")
    except Exception as error:  # of the hub, its client, or the network
        raise InputError(f"{folder} is written, but was not pushed to {repo} ({first_sentence(error)}); try again") from error
    return str(address)


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise InputError("--push needs huggingface_hub; pip install 'lightning-gans[hub]', or leave it out") from error
    return huggingface_hub
