"""An ONNX model as a PyTorch module that MCT can trace.

MCT takes no ONNX, and torch.fx can't trace shapes that are computed: the batch is made constant, ONNX Runtime folds
what follows from it (BatchNormalization and padding stay, as a PyTorch user has them), onnx2torch converts the rest.
"""

import functools
import pathlib
import tempfile

import numpy as np
import onnx
import onnx2torch
import onnxruntime
import torch
from onnx import numpy_helper
from onnxruntime.tools.onnx_model_utils import make_input_shape_fixed

KEPT = ["ConvBNFusion", "ConvMulFusion", "ConvAddFusion", "EliminatePad", "PadFusion", "Pad_Fusion"]


def fold(model, batch, shape, path):
    """Writes the model with a constant batch and without what ONNX Runtime's basic optimizations fold."""
    graph = onnx.load(model)
    del graph.graph.value_info[:]  # shapes of any batch, which would keep what follows from this one from being folded
    initializers = {tensor.name for tensor in graph.graph.initializer}
    (name,) = [value.name for value in graph.graph.input if value.name not in initializers]
    make_input_shape_fixed(graph.graph, name, [batch, *shape])
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    options.intra_op_num_threads = 1
    onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"], disabled_optimizers=KEPT
    )


def name_batch(path, batch):
    """Gives reshapes the batch as a number where they say 0, the input's own: that can't be traced."""
    graph = onnx.load(path)
    reshaped = {node.input[1] for node in graph.graph.node if node.op_type == "Reshape"}
    for tensor in graph.graph.initializer:
        sizes = numpy_helper.to_array(tensor)
        if tensor.name in reshaped and sizes.size and sizes[0] == 0:
            tensor.CopyFrom(numpy_helper.from_array(np.array([batch, *sizes[1:]], np.int64), tensor.name))
    onnx.save(graph, path)


class Tracer(torch.fx.Tracer):
    """torch.fx's tracer, which takes integers of numpy as well: onnx2torch slices by them."""

    def create_arg(self, a):
        return super().create_arg(int(a) if isinstance(a, np.integer) else a)


def plain_pads(module):
    """Padding values of onnx2torch are tensors; MCT calls torch.nn.functional.pad, which wants numbers."""
    for node in module.graph.nodes:
        value = node.kwargs.get("value")
        if node.target is torch.nn.functional.pad and isinstance(value, torch.fx.Node):
            node.update_kwarg("value", float(functools.reduce(getattr, value.target.split("."), module)))


def plain_divisions(module):
    """onnx2torch's division asks for types, which can't be traced; all that is divided here are floats."""
    for part in module.modules():
        function = getattr(part, "math_op_function", None)
        if getattr(function, "__name__", "") == "_onnx_div":
            part.math_op_function = torch.div


def torch_model(model, batch, shape):
    """The module; its input is a batch of samples of a shape."""
    with tempfile.TemporaryDirectory() as folder:
        folded = pathlib.Path(folder) / "folded.onnx"
        fold(model, batch, shape, folded)
        name_batch(folded, batch)
        converted = onnx2torch.convert(str(folded)).eval()
    plain_divisions(converted)
    module = torch.fx.GraphModule(converted, Tracer().trace(converted))
    plain_pads(module)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module
