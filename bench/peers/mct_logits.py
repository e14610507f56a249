"""Writes what MCT's quantized module and the float module it came from say about every image of a folder.

Usage: mct_logits.py --model m.onnx --quantized q.pt --data FOLDER --batch 10 --out logits.npz --resize 256 …
"""

import argparse

import model_compression_toolkit  # noqa: F401  the pickled module refers to it
import numpy as np
import torch

from images import add_preprocessing, image_files, preprocessing_of
from torch_model import torch_model


def logits(module, files, load, batch):
    """One row an image; the last batch is filled up, since the batch is a constant of the module."""
    rows = []
    with torch.no_grad():
        for start in range(0, len(files), batch):
            images = [load(path) for path in files[start : start + batch]]
            filled = np.concatenate(images + [images[-1]] * (batch - len(images)))
            rows.append(module(torch.from_numpy(filled)).numpy()[: len(images)])
    return np.concatenate(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--quantized", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--out", required=True)
    add_preprocessing(parser)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    files, load, batch = image_files(arguments.data), preprocessing_of(arguments).load, arguments.batch
    quantized = torch.load(arguments.quantized, weights_only=False)
    np.savez(
        arguments.out,
        float=logits(torch_model(arguments.model, batch, (3, arguments.crop, arguments.crop)), files, load, batch),
        quantized=logits(quantized.eval(), files, load, batch),
    )


if __name__ == "__main__":
    main()
