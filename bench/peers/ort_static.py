"""Quantizes a model with ONNX Runtime's quantize_static, as its documentation recommends for x64.

quant_pre_process first, then QDQ with uint8 activations and int8 weights per channel. The histogram calibrators
(Percentile, Entropy) keep every activation of every image until they count; CalibStridedMinMax, their only limit
that works, makes them count every --stride images.

Usage: ort_static.py --model m.onnx --data FOLDER --method MinMax --stride 25 --out q.onnx --resize 256 …
"""

import argparse
import pathlib
import tempfile

import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from images import add_preprocessing, image_files, preprocessing_of

METHODS = ("MinMax", "Percentile", "Entropy")


class Reader(CalibrationDataReader):
    """Images one by one; a range of them when quantize_static asks for strides."""

    def __init__(self, name, files, load):
        self.name, self.files, self.load = name, files, load
        self.set_range(0, len(files))

    def __len__(self):
        return len(self.files)

    def set_range(self, start_index, end_index):
        self.left = iter(self.files[start_index:end_index])

    def get_next(self):
        path = next(self.left, None)
        return None if path is None else {self.name: self.load(path)}


def one_thread():
    """Calibrators make their sessions themselves; there is no other way to say how many threads they may use."""
    original = onnxruntime.SessionOptions

    def options():
        result = original()
        result.intra_op_num_threads = 1
        return result

    onnxruntime.SessionOptions = options


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--stride", type=int, help="images that a histogram calibrator holds at once")
    parser.add_argument("--out", required=True)
    add_preprocessing(parser)
    arguments = parser.parse_args()

    one_thread()
    with tempfile.TemporaryDirectory() as folder:
        prepared = str(pathlib.Path(folder) / "prepared.onnx")
        quant_pre_process(arguments.model, prepared)
        session = onnxruntime.InferenceSession(prepared, providers=["CPUExecutionProvider"])
        (name,) = [value.name for value in session.get_inputs()]
        del session
        quantize_static(
            prepared,
            arguments.out,
            Reader(name, image_files(arguments.data), preprocessing_of(arguments).load),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod[arguments.method],
            extra_options={"CalibStridedMinMax": arguments.stride} if arguments.stride else None,
        )


if __name__ == "__main__":
    main()
