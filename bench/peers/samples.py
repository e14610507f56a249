"""Samples as every peer of accuracy.py is given them: npz files of one array, the first axis is the sample."""

import argparse
import pathlib

import numpy as np


def load(path):
    """The array of a file, float32."""
    with np.load(path) as archive:
        (name,) = archive.files
        return archive[name].astype(np.float32)


def batches(path, size):
    """Arrays of `size` samples; what is left over at the end is left out, so that all have one shape."""
    array = load(path)
    return [array[start : start + size] for start in range(0, len(array) - size + 1, size)]


def peer(doc, methods):
    """Parses the flags that all scripts of peers share; `methods` are what the peer can do."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="float ONNX model of one input and one output")
    parser.add_argument("--calibration", required=True, type=pathlib.Path, metavar="NPZ")
    parser.add_argument("--evaluation", type=pathlib.Path, metavar="NPZ", help="where a peer writes outputs itself")
    parser.add_argument("--method", required=True, choices=methods)
    parser.add_argument("--weight-bits", type=int, default=8, metavar="N")
    parser.add_argument("--effort", type=int, default=1, metavar="N", help="iterations or epochs, as the method says")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    return parser.parse_args()
