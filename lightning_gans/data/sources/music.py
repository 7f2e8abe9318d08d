"""Symbols of music notation: any folder, archive or .npz of them."""

from __future__ import annotations

from lightning_gans.data.source import Request
from lightning_gans.data.sources.files import Files


class Music(Files):
    """Handwritten symbols of notation, such as those of MUSCIMA++ (Hajic and Pecina, 2017): whatever lies in ``root/music``.

    An ``.npz`` if there is just one, else images, in a folder for each class if there are classes; see ``Files``.
    """

    name = "music"
    where = "put images of symbols, or an .npz of them, into music/ (MUSCIMA++: ufal.mff.cuni.cz/muscima)"
    licence = "MUSCIMA++: CC BY-NC-SA 4.0"

    def __init__(self, request: Request) -> None:
        folder = request.root / "music"
        arrays = [*folder.glob("*.npz")]
        super().__init__(request, arrays[0] if len(arrays) == 1 else folder)

    @classmethod
    def answers_to(cls, request: Request) -> bool:
        return request.dataset == cls.name


SOURCE = Music
