"""Quantizes a model with Sony's MCT and its gradient-based GPTQ, and writes outputs of the quantized and the float module.

Usage: mct_gptq.py --model m.onnx --calibration c.npz --evaluation e.npz --method ptq|gptq --weight-bits 8 --out outputs.npz
ptq is the post-training quantization that gptq begins with: powers of two for activations, bias correction, weights by
MSE. gptq trains roundings for `--effort` epochs over the calibration samples. MCT writes no model of integers, so its
module with fake quantization is run on the evaluation samples here.
"""

import model_compression_toolkit as mct
import numpy as np
import torch
from model_compression_toolkit.core.common.network_editors import NodeTypeFilter

from samples import batches, load, peer
from torch_model import torch_model

LARGEST_BATCH = 16


def outputs(module, samples, batch):
    """What a module says; the last batch is filled up, since the batch is a constant of the module."""
    rows = []
    with torch.no_grad():
        for start in range(0, len(samples), batch):
            part = samples[start : start + batch]
            filled = np.concatenate([part, np.repeat(part[-1:], batch - len(part), 0)])
            rows.append(module(torch.from_numpy(filled)).numpy()[: len(part)])
    return np.concatenate(rows)


def core_config(module, weight_bits):
    """MCT's defaults, with all weights of convolutions and linear layers at a number of bits."""
    config = mct.core.CoreConfig()
    kinds = {type(part) for part in module.modules()} & {torch.nn.Conv2d, torch.nn.Linear}
    if weight_bits != 8:
        config.bit_width_config.set_manual_weights_bit_width(
            [NodeTypeFilter(kind) for kind in sorted(kinds, key=str)], weight_bits, "weight"
        )
    return config


def main():
    arguments = peer(__doc__, ("ptq", "gptq"))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)
    evaluation, count = load(arguments.evaluation), len(load(arguments.calibration))
    batch = max(size for size in range(1, LARGEST_BATCH + 1) if count % size == 0)
    calibration = batches(arguments.calibration, batch)
    module = torch_model(arguments.model, batch, calibration[0].shape[1:])

    def samples():
        for part in calibration:
            yield [part]

    config = core_config(module, arguments.weight_bits)
    if arguments.method == "ptq":
        quantized, _ = mct.ptq.pytorch_post_training_quantization(module, samples, core_config=config)
    else:
        quantized, _ = mct.gptq.pytorch_gradient_post_training_quantization(
            module,
            samples,
            core_config=config,
            gptq_config=mct.gptq.get_pytorch_gptq_config(n_epochs=arguments.effort),
        )
    float_module = torch_model(arguments.model, batch, calibration[0].shape[1:])
    np.savez(
        arguments.out,
        float=outputs(float_module.eval(), evaluation, batch),
        quantized=outputs(quantized.eval(), evaluation, batch),
    )


if __name__ == "__main__":
    main()
