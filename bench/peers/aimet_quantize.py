"""Quantizes an ONNX model with AIMET-ONNX: its default configuration (steps per channel) and one method for weights.

Usage: aimet_quantize.py --model m.onnx --calibration c.npz --method plain|seq_mse|adaround --weight-bits 8 --out q.onnx
seq_mse chooses steps of weights by the outputs of layers on the first `--effort` samples, of 20 candidates (its default);
adaround learns roundings with `--effort` iterations a layer (10,000 is its default; its batch is 4 samples here). Grids of
activations are chosen on all samples. Written by `to_onnx_qdq`.
"""

import aimet_onnx
import numpy as np
import onnx
import torch
from aimet_onnx import QuantizationSimModel, apply_adaround, apply_seq_mse

from samples import batches, peer

BITS = {8: aimet_onnx.int8, 4: aimet_onnx.int4}
BATCH = 4


def main():
    arguments = peer(__doc__, ("plain", "seq_mse", "adaround"))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)
    model = onnx.load(arguments.model)
    (name,) = [value.name for value in model.graph.input]
    samples = batches(arguments.calibration, 1)
    sim = QuantizationSimModel(
        model,
        param_type=BITS[arguments.weight_bits],
        activation_type=aimet_onnx.int8,
        dummy_input={name: samples[0]},
        session_options_kwargs={"intra_op_num_threads": 1},
    )
    batch = [{name: sample} for sample in batches(arguments.calibration, BATCH)]
    if arguments.method == "seq_mse":
        apply_seq_mse(sim, batch[: arguments.effort // BATCH])
    if arguments.method == "adaround":
        apply_adaround(sim, batch, num_iterations=arguments.effort)
    sim.compute_encodings([{name: sample} for sample in samples])
    onnx.save(sim.to_onnx_qdq(prequantize_constants=True), arguments.out)


if __name__ == "__main__":
    main()
