"""Quantizes a model with Sony's Model Compression Toolkit: its default platform and configuration, one error method.

MCT writes no model of integers, so the result is a pickled PyTorch module with fake quantization.

Usage: mct_quantize.py --model m.onnx --data FOLDER --method MSE --batch 10 --out q.pt --resize 256 …
"""

import argparse

import cloudpickle
import model_compression_toolkit as mct
import numpy as np
import torch

from images import add_preprocessing, image_files, preprocessing_of
from torch_model import torch_model

METHODS = ("MSE", "NOCLIPPING")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--method", choices=METHODS, required=True, help="of activations; weights keep the default")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--out", required=True)
    add_preprocessing(parser)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(0)
    files, load = image_files(arguments.data), preprocessing_of(arguments).load
    batch = arguments.batch
    if len(files) % batch:
        raise SystemExit(f"{len(files)} images can't be cut into batches of {batch}")

    def batches():
        for start in range(0, len(files), batch):
            yield [np.concatenate([load(path) for path in files[start : start + batch]])]

    method = mct.core.QuantizationErrorMethod[arguments.method]
    quantized, _ = mct.ptq.pytorch_post_training_quantization(
        torch_model(arguments.model, batch, (3, arguments.crop, arguments.crop)),
        batches,
        core_config=mct.core.CoreConfig(
            quantization_config=mct.core.QuantizationConfig(activation_error_method=method)
        ),
    )
    torch.save(quantized, arguments.out, pickle_module=cloudpickle)


if __name__ == "__main__":
    main()
