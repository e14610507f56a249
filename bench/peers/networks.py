"""The networks of accuracy.py: their files, the samples that every tool is given, and what their outputs say.

A network becomes a folder with float.onnx (as it is), prepared.onnx (opset 13 or later, shapes inferred and constants and
BatchNormalization folded by onnx and ONNX Runtime: what peers are given, since some take nothing else), calibration.npz,
evaluation.npz and, where classes are known, labels.npy. Samples that a tool calibrates on are never evaluated on.
"""

import gzip
import pathlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Callable

import numpy as np
import onnx
import onnx.version_converter
from onnxruntime.quantization.shape_inference import quant_pre_process

from images import Preprocessing, image_files

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SHARED = ROOT.parent / "shared"
LEAST_OPSET, OPSET = 13, 17


@dataclass(frozen=True)
class Samples:
    """Arrays of samples, and the classes of the evaluated ones where they are known."""

    calibration: np.ndarray
    evaluation: np.ndarray
    labels: np.ndarray | None = None


@dataclass(frozen=True)
class Network:
    """A network: where its file is, how its samples come about, what one sample's output says."""

    title: str
    model: Callable[[pathlib.Path], pathlib.Path]
    samples: Callable[[], Samples]
    answer: Callable[[np.ndarray], object]
    says: str


def photographs():
    """ImageNet's sample, every second image to calibrate, as run.py cuts it."""
    load = Preprocessing(256, 224, 1.0, (127.0,), (128.0,)).load
    files = image_files(SHARED / "data" / "imagenet-sample")
    arrays = [np.concatenate([load(path) for path in files[start::2]]) for start in (0, 1)]
    return Samples(*arrays, np.array([int(re.match(r"\d+", path.name)[0]) for path in files[1::2]]))


def read_idx(path):
    """The array of an IDX file, gzipped."""
    data = gzip.open(path).read()
    rank = data[3]
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def fashion():
    """256 training images to calibrate, all 10,000 test images to evaluate."""
    folder = SHARED / "data" / "fashion"
    normalised = lambda images: ((images.astype(np.float32) / 255 - 0.286) / 0.353).astype(np.float32)[:, None]
    return Samples(
        normalised(read_idx(folder / "train-images-idx3-ubyte.gz")[:256]),
        normalised(read_idx(folder / "t10k-images-idx3-ubyte.gz")),
        read_idx(folder / "t10k-labels-idx1-ubyte.gz").astype(np.int64),
    )


def archives(name):
    """The npz files beside a model of shared/models."""

    def read(file):
        with np.load(SHARED / "models" / name / file) as archive:
            return archive[archive.files[0]]

    return lambda: Samples(read("calib.npz"), read("eval.npz"))


def fetched(name):
    """A model of shared/models; one that is too large to lie there is fetched by its own script."""

    def path(work):
        here = SHARED / "models" / name / "model.onnx"
        if here.exists():
            return here
        subprocess.run([sys.executable, SHARED / "models" / "get.py", work / "get"], check=True, stdout=sys.stderr)
        return work / "get" / name / "model.onnx"

    return path


def largest(output):
    """The class of one sample."""
    return int(output.argmax())


def string(output):
    """The string of one sample, steps × characters: the best character of each step, without repeats and blanks."""
    best = output.reshape(output.shape[-2:]).argmax(-1)
    return tuple(int(c) for i, c in enumerate(best) if c and (i == 0 or c != best[i - 1]))


NETWORKS = {
    "lite0": Network(
        "EfficientNet-Lite0",
        lambda work: SHARED / "data" / "efficientnet-lite0" / "model.onnx",
        photographs,
        largest,
        "class",
    ),
    "mobilenet_v3_small": Network(
        "MobileNetV3-small 0.5 on Fashion-MNIST",
        lambda work: ROOT / "bench" / "nets" / "mobilenet_v3_small.onnx",
        fashion,
        largest,
        "class",
    ),
    "ppocr_cls": Network(
        "PaddleOCR's direction of text", fetched("ppocr_cls"), archives("ppocr_cls"), largest, "class"
    ),
    "ppocr_rec": Network(
        "PaddleOCR's recognition of text", fetched("ppocr_rec"), archives("ppocr_rec"), string, "string"
    ),
}


def prepare(model, shape, path):
    """Writes the model as peers are given it: of samples of one shape, as many as one likes."""
    graph = onnx.load(model)
    opset = next(entry.version for entry in graph.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < LEAST_OPSET:
        graph = onnx.version_converter.convert_version(graph, OPSET)
    constants = {tensor.name for tensor in graph.graph.initializer}
    (image,) = [value for value in graph.graph.input if value.name not in constants]
    for dimension, size in zip(image.type.tensor_type.shape.dim, ("N", *shape)):
        if isinstance(size, str):
            dimension.dim_param = size
        else:
            dimension.dim_value = size
    onnx.save(graph, path)
    quant_pre_process(str(path), str(path), skip_symbolic_shape=True)


def lay(name, work):
    """Lays a network's files into a folder, unless they are there, and returns the folder."""
    network, folder = NETWORKS[name], work / name
    if (folder / "laid").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    samples = network.samples()
    np.savez(folder / "calibration.npz", samples.calibration)
    np.savez(folder / "evaluation.npz", samples.evaluation)
    if samples.labels is not None:
        np.save(folder / "labels.npy", samples.labels)
    shutil.copyfile(network.model(work), folder / "float.onnx")
    prepare(folder / "float.onnx", samples.calibration.shape[1:], folder / "prepared.onnx")
    (folder / "laid").touch()
    return folder
