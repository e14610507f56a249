"""ONNX files in ONNX Runtime as the rows are evaluated: CPU, one thread, all optimizations."""

import pathlib
import tempfile

import numpy as np
import onnx
import onnxruntime

INTEGER = {"QLinearConv", "ConvInteger", "QGemm", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat"}
FLOAT = {"Conv", "FusedConv", "ConvTranspose", "Gemm", "FusedGemm", "MatMul", "FusedMatMul"}


def session(path, optimized=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # it warns that an optimized file is for this machine only
    if optimized:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def logits(model, files, load):
    """What a session says about each image, one image a run."""
    (name,) = [value.name for value in model.get_inputs()]
    return np.concatenate([model.run(None, {name: load(path)})[0].reshape(1, -1) for path in files])


def kernels(path):
    """How many convolutions and products of matrices ONNX Runtime makes integer kernels of, and of how many."""
    with tempfile.TemporaryDirectory() as folder:
        optimized = pathlib.Path(folder) / "optimized.onnx"
        session(path, optimized)
        types = [node.op_type for node in onnx.load(optimized).graph.node]
    integer = sum(name in INTEGER for name in types)
    return {"integer_kernels": integer, "kernels": integer + sum(name in FLOAT for name in types)}
