"""Quantizes an ONNX model with NNCF's ONNX backend: preset MIXED (weights symmetric, activations not), else its defaults.

Usage: nncf_quantize.py --model m.onnx --calibration c.npz --method fast|full|none --weight-bits 8 --out q.onnx
none, fast and full are the bias corrections: none, of each layer by itself (NNCF's default), one layer after another in
the network as it is quantized so far (`fast_bias_correction=False`).
"""

import nncf
import onnx
from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, QuantizationParameters

from samples import batches, peer


def main():
    arguments = peer(__doc__, ("none", "fast", "full"))
    model = onnx.load(arguments.model)
    (name,) = [value.name for value in model.graph.input]
    dataset = nncf.Dataset([{name: sample} for sample in batches(arguments.calibration, 1)])
    advanced = AdvancedQuantizationParameters(disable_bias_correction=arguments.method == "none")
    if arguments.weight_bits != 8:
        advanced.weights_quantization_params = QuantizationParameters(num_bits=arguments.weight_bits)
    quantized = nncf.quantize(
        model,
        dataset,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=dataset.get_length(),
        fast_bias_correction=arguments.method != "full",
        advanced_parameters=advanced,
    )
    onnx.save(quantized, arguments.out)


if __name__ == "__main__":
    main()
