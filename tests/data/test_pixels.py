"""Images of other people: the formats that the docs name and no other, upright, on a white background."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from lightning_gans.data.pack import open_pack
from lightning_gans.data.source import find_source
from lightning_gans.errors import InputError
from tests.data.test_files import colours, images, npz, request, samples

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n%%EOF\n"


def test_no_program_is_started_for_a_file_that_is_only_called_an_image(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (tmp_path / "bin" / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "1.png").write_bytes(POSTSCRIPT)
    with pytest.raises(InputError, match=r"1\.png in .* cannot be read as an image \(it is none\)"):
        open_pack(find_source(request(tmp_path / "own")), "train")
    assert not (tmp_path / "started").exists()


def half(mode: str, seen, hidden, **options) -> tuple[Image.Image, dict]:
    """The left half of one colour, the right half transparent."""
    image = Image.new(mode, (4, 2), seen)
    image.paste(hidden, (2, 0, 4, 2))
    if mode == "P":
        image.putpalette(bytes(range(0, 210, 10)))
    return image, options


@pytest.mark.parametrize(
    ("made", "colour"),
    [
        (half("RGBA", (200, 100, 50, 255), (9, 9, 9, 0)), (200, 100, 50)),
        (half("LA", (90, 255), (9, 0)), (90,)),
        (half("L", 90, 9, transparency=9), (90,)),
        (half("RGB", (200, 100, 50), (9, 9, 9), transparency=(9, 9, 9)), (200, 100, 50)),
        (half("P", 5, 6, transparency=6), None),
        (half("I;16", 90 * 257, 9 * 257, transparency=9 * 257), (90,)),
    ],
    ids=["RGBA", "LA", "L", "RGB", "P", "I;16"],
)
def test_what_is_transparent_is_white(tmp_path, made, colour):
    image, options = made
    (tmp_path / "own").mkdir()
    image.save(tmp_path / "own" / "1.png", **options)
    found = images(tmp_path / "own")
    assert (found[0, :, :, 2:] == 255).all()
    assert not (found[0, :, :, :2] == 255).all()
    if colour:
        assert found[0, :, 0, 0].tolist() == list(colour)


@pytest.mark.parametrize("colour", [(80,), (200, 100, 50)])
def test_arrays_with_alpha_are_white_where_they_are_transparent(tmp_path, colour):
    pixels = np.zeros((2, 3, 4, len(colour) + 1), np.uint8)
    pixels[..., :2, :] = (*colour, 255)
    found = images(npz(tmp_path, images=pixels))
    assert found.shape == (2, len(colour), 3, 4)
    assert (found[..., 2:] == 255).all()
    assert found[0, :, 0, 0].tolist() == list(colour)


def test_exif_that_cannot_be_written_back_still_turns_its_image(tmp_path):
    entries = struct.pack("<HHI4s", 256, 2, 4, b"abc\0") + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)  # a width in letters
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + bytes(4)
    (tmp_path / "own").mkdir()
    Image.new("RGB", (6, 4)).save(tmp_path / "own" / "1.jpg", exif=exif)
    assert images(tmp_path / "own").shape == (1, 3, 6, 4)


def header_of_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize("raw", [b"P6 0 4 255\n", header_of_png(0, 4), header_of_png(30_000, 5_000), b"GIF89a" + bytes(20)])
def test_images_of_no_pixels_or_of_far_too_many_are_refused_by_name(tmp_path, raw):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "1.png").write_bytes(raw)
    with pytest.raises(InputError, match=r"1\.png in .* cannot be read as an image \("):
        samples(tmp_path / "own").image(0)


def test_arrays_of_no_pixels_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"images uint8 \(2, 0, 4\)"):
        samples(npz(tmp_path, images=np.zeros((2, 0, 4), np.uint8)))


def test_sixteen_bits_of_a_pgm_are_read_as_those_of_a_png(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "1.pgm").write_bytes(b"P5 2 1 65535\n" + struct.pack(">HH", 0, 200 * 256))
    assert images(tmp_path / "own").tolist() == [[[[0, 200]]]]


@pytest.mark.parametrize(
    "pixels",
    [np.eye(4, dtype=np.uint8), (np.eye(4) * 4095).astype(np.uint16)],
    ids=["0 and 1 of 255", "12 bits of 16"],
)
def test_images_in_a_corner_of_their_type_are_said_to_be_so_also_by_their_pack(tmp_path, pixels):
    (tmp_path / "own").mkdir()
    Image.fromarray(pixels).save(tmp_path / "own" / "1.png")
    with pytest.warns(UserWarning, match=r"no pixel is brighter than (1|15) of 255: scale the images"):
        open_pack(find_source(request(tmp_path / "own")), "train")
    assert "no pixel is brighter" in open_pack(find_source(request(tmp_path / "own")), "train").description.note


def test_an_image_of_the_formats_that_the_docs_name_is_read_whatever_it_is_called(tmp_path: Path):
    (tmp_path / "own").mkdir()
    file = io.BytesIO()
    Image.new("RGB", (4, 2), (10, 200, 30)).save(file, "bmp")
    (tmp_path / "own" / "1.png").write_bytes(file.getvalue())
    assert colours(tmp_path / "own") == [(10, 200, 30)]
