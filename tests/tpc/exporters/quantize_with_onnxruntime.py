"""Quantizes a float model with the real onnxruntime.quantization from exported files.

Arguments: folder with float.onnx, cache.json and overrides.json. Prints JSON: per tensor that got a
QuantizeLinear or DequantizeLinear its scales and zero points.
"""

import json
import sys

import numpy as np
import onnx
from onnxruntime.quantization import QuantType, quantize_static

folder = sys.argv[1]
with open(f"{folder}/overrides.json") as file:
    overrides = json.load(file)
for channels in overrides.values():
    for entry in channels:
        entry["quant_type"] = QuantType.from_string(entry["quant_type"])
        entry["scale"] = np.array(entry["scale"], dtype=np.float32)
        entry["zero_point"] = np.array(entry["zero_point"])

results = {}
for name, extra in [("cache", {}), ("both", {"TensorQuantOverrides": overrides})]:
    quantize_static(
        f"{folder}/float.onnx",
        f"{folder}/{name}.onnx",
        None,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        extra_options=extra,
        calibration_cache_path=f"{folder}/cache.json",
    )
    constants = {
        tensor.name: onnx.numpy_helper.to_array(tensor).reshape(-1).tolist()
        for tensor in onnx.load(f"{folder}/{name}.onnx").graph.initializer
    }
    results[name] = {
        key.removesuffix("_scale"): [scale, constants[key.removesuffix("_scale") + "_zero_point"]]
        for key, scale in constants.items()
        if key.endswith("_scale")
    }
print(json.dumps(results))
