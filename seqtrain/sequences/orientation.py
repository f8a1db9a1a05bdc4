"""The orientation of an image, from the EXIF tag that cameras write, without decoding the image.

A camera stores the pixels in the orientation of its sensor, and in the tag how to rotate or flip them for viewing. A
loader that ignores the tag trains on images that lie on their side. Damaged EXIF data counts as none.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from seqtrain.structure import ImageArray

UPRIGHT = 1
TRANSPOSED = frozenset({5, 6, 7, 8})  # the orientations that exchange height and width

_EXIF_HEADER = b"Exif\0\0"
_ORIENTATION_TAG, _SHORT = 0x0112, 3
_APP1, _START_OF_SCAN, _END_OF_IMAGE = 0xE1, 0xDA, 0xD9
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


def jpeg_orientation(jpeg: bytes) -> int:
    """The EXIF orientation of a JPEG, 1 to 8; 1 if it has none.

    Source: ITU-T T.81 (1992), annex B, for the markers; CIPA DC-008 (Exif 2.3), 4.7.2, for the APP1 segment.
    """
    position = 2
    while position + 4 <= len(jpeg) and jpeg[position] == 0xFF:
        marker = jpeg[position + 1]
        if marker in (_START_OF_SCAN, _END_OF_IMAGE):
            break
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        end = position + 2 + int.from_bytes(jpeg[position + 2 : position + 4])
        if marker == _APP1 and jpeg.startswith(_EXIF_HEADER, position + 4):
            return exif_orientation(jpeg[position + 4 : end])
        position = end
    return UPRIGHT


def exif_orientation(exif: bytes) -> int:
    """The orientation in a block of EXIF data, 1 to 8; 1 if there is none.

    Source: TIFF 6.0 (1992), section 2, for the directory; CIPA DC-008 (Exif 2.3), 4.6.4, for the tag.
    """
    tiff = exif.removeprefix(_EXIF_HEADER)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return UPRIGHT
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG and kind == _SHORT:
                return value if UPRIGHT <= value <= max(TRANSPOSED) else UPRIGHT
    except struct.error:
        pass  # the block ends early
    return UPRIGHT


def upright(image: ImageArray, orientation: int) -> ImageArray:
    """The image rotated and flipped for viewing.

    Args:
        image: (height, width) or (height, width, channels), as stored.
        orientation: 1 to 8.

    Source: CIPA DC-008 (Exif 2.3), 4.6.4: where row 0 and column 0 lie for each value.
    """
    if orientation == UPRIGHT:
        return image
    if orientation in TRANSPOSED:
        image = np.swapaxes(image, 0, 1)
    flips: dict[int, tuple[Any, Any]] = {
        2: (slice(None), slice(None, None, -1)),
        3: (slice(None, None, -1), slice(None, None, -1)),
        4: (slice(None, None, -1), slice(None)),
        6: (slice(None), slice(None, None, -1)),
        7: (slice(None, None, -1), slice(None, None, -1)),
        8: (slice(None, None, -1), slice(None)),
    }
    return np.ascontiguousarray(image[flips.get(orientation, ...)])
