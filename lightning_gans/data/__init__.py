"""One LightningDataModule for every dataset; one small file a source in ``sources``."""

from lightning_gans.data.images import Images

__all__ = ["Images"]
