"""Quantizes an ONNX model with AMD Quark: uint8 activations by percentile (its default), int8 weights per channel.

Usage: quark_quantize.py --model m.onnx --calibration c.npz --method plain|adaround|adaquant --weight-bits 8 --out q.onnx
adaround and adaquant with the values of its own presets A8W8_ADAROUND and A8W8_ADAQUANT but for `--effort`, iterations a
layer. Quark's ONNX backend has no type of 4 bits for weights of convolutions.
"""

import os
import tempfile

import torch
from onnx import load
from onnxruntime.quantization import CalibrationDataReader
from quark.onnx import (
    AdaQuantConfig,
    AdaRoundConfig,
    Int8Spec,
    ModelQuantizer,
    QConfig,
    QLayerConfig,
    QuantGranularity,
    UInt8Spec,
)

from samples import batches, peer


class Reader(CalibrationDataReader):
    """Samples one by one, as often as they are wanted."""

    def __init__(self, name, samples):
        self.name, self.samples = name, samples
        self.reset_iter()

    def __len__(self):
        return len(self.samples)

    def reset_iter(self):
        self.left = iter(self.samples)

    def get_next(self):
        sample = next(self.left, None)
        return None if sample is None else {self.name: sample}


def main():
    arguments = peer(__doc__, ("plain", "adaround", "adaquant"))
    if arguments.weight_bits != 8:
        raise SystemExit("Quark's ONNX backend has no specification of weights of 4 bits (Int8Spec is the smallest)")
    torch.set_num_threads(1)
    algorithms = {
        "plain": [],
        "adaround": [AdaRoundConfig(learning_rate=0.1, num_iterations=arguments.effort)],
        "adaquant": [AdaQuantConfig(learning_rate=0.00001, num_iterations=arguments.effort)],
    }
    config = QConfig(
        global_config=QLayerConfig(
            activation=UInt8Spec(), weight=Int8Spec(quant_granularity=QuantGranularity.Channel)
        ),
        algo_config=algorithms[arguments.method],
        ForceQuantizeNoInputCheck=True,
        AlignSlice=False,
        FoldRelu=True,
        AlignConcat=True,
    )
    (name,) = [value.name for value in load(arguments.model, load_external_data=False).graph.input]
    reader = Reader(name, batches(arguments.calibration, 1))
    model, out = os.path.abspath(arguments.model), str(arguments.out.absolute())
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # Quark leaves a table of what it quantized wherever it runs
        ModelQuantizer(config).quantize_model(model, out, reader)
        os.chdir("/")


if __name__ == "__main__":
    main()
