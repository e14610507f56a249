"""Folders of photographs to the arrays that every peer is fed: RGB, resized, cropped, normalised, NCHW float32.

The same arithmetic as Plimsoll's flags of the same names: (pixel * scale - mean) / std.
"""

import pathlib
import re
import shutil
from dataclasses import dataclass

import numpy as np
from PIL import Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}


def number(x):
    """A number as a flag, every digit kept."""
    return repr(float(x)).removesuffix(".0")


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes an input; shortest side and window in pixels, mean and std one or one per channel."""

    resize: int
    crop: int
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def flags(self):
        """The flags that say the same to Plimsoll and to the scripts of this folder."""
        values = {
            "resize": str(self.resize),
            "crop": str(self.crop),
            "scale": number(self.scale),
            "mean": ",".join(map(number, self.mean)),
            "std": ",".join(map(number, self.std)),
        }
        return [part for name, value in values.items() for part in (f"--{name}", value)]

    def load(self, path):
        """One image as an array of 1×3×crop×crop."""
        image = Image.open(path).convert("RGB")
        ratio = self.resize / min(image.size)
        image = image.resize([round(side * ratio) for side in image.size], Image.BILINEAR)
        left, top = (image.width - self.crop) // 2, (image.height - self.crop) // 2
        pixels = np.asarray(image.crop((left, top, left + self.crop, top + self.crop)))
        scaled = pixels.astype(np.float32) * np.float32(self.scale)
        normalised = (scaled - np.float32(self.mean)) / np.float32(self.std)
        return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None])


def numbers(text):
    """One number or one per channel."""
    return tuple(float(x) for x in text.split(","))


def add_preprocessing(parser, required=True):
    """Adds the flags of Preprocessing to an argparse parser."""
    parser.add_argument("--resize", type=int, required=required, metavar="N", help="shortest side")
    parser.add_argument("--crop", type=int, required=required, metavar="N", help="window around the centre")
    parser.add_argument("--scale", type=float, required=required, metavar="X", help="factor for pixels 0 … 255")
    parser.add_argument("--mean", type=numbers, required=required, metavar="X,…", help="subtracted after scaling")
    parser.add_argument("--std", type=numbers, required=required, metavar="X,…", help="divisor after that")


def preprocessing_from(recipe):
    """The Preprocessing of a results file."""
    values = recipe["preprocessing"].items()
    return Preprocessing(**{name: tuple(x) if isinstance(x, list) else x for name, x in values})


def preprocessing_of(arguments):
    """The Preprocessing that the flags of add_preprocessing say."""
    fields = ("resize", "crop", "scale", "mean", "std")
    return Preprocessing(*(getattr(arguments, name) for name in fields))


def image_files(folder):
    """The images of a folder by name."""
    files = sorted(path for path in pathlib.Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise SystemExit(f"no images in {folder}")
    return files


def labels_of(files, pattern):
    """Class index of each file by the first group of a pattern, or None when names don't tell."""
    found = [re.search(pattern, path.name) for path in files]
    return np.array([int(match[1]) for match in found]) if all(found) else None


def split(folder, calibration, evaluation):
    """Every second image, from the first on, for calibration; the others for evaluation."""
    for target in (calibration, evaluation):
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
    for index, path in enumerate(image_files(folder)):
        shutil.copy2(path, (calibration, evaluation)[index % 2] / path.name)
