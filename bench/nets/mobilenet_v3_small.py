"""Trains a MobileNetV3-small on Fashion-MNIST and exports it: the network that bias correction is measured on.

The architecture is torchvision's, which is the paper's (Howard et al. 2019, table 2): inverted residuals, squeeze and
excitation with HardSigmoid, HardSwish, BatchNormalization of eps 0.001. Two things differ, for images of 28×28 with one
channel: the stem takes one channel and has stride 1, so that the last stage is 2×2, and the last dropout is left out.
RMSprop as in the paper; what isn't in the paper is said by flags and written into the notes beside the model.

    python mobilenet_v3_small.py --data FOLDER_OF_THE_FOUR_IDX_FILES --out FOLDER

Input  `image`  float32 [N, 1, 28, 28], (pixel / 255 - 0.286) / 0.353, as data/fashion/preprocess.json says
Output `logits` float32 [N, 10]
Writes model.onnx (opset 17, BatchNormalization folded by the export) and notes.json. Wants torch and torchvision of
bench/peers/requirements.txt; one thread, so that a seed gives the same network again on the same kind of processor.
"""

import argparse
import gzip
import json
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F
import torchvision

MEAN, STD, SIZE, CLASSES = 0.286, 0.353, 28, 10


def read_idx(path):
    """The array of an IDX file, gzipped: MNIST's own format."""
    data = gzip.open(path).read()
    rank = data[3]
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load(folder, split):
    """Images, normalised, N×1×28×28, and their classes."""
    images = read_idx(folder / f"{split}-images-idx3-ubyte.gz").astype(np.float32)
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz").astype(np.int64)
    return torch.from_numpy((images / 255 - MEAN) / STD)[:, None], torch.from_numpy(labels)


def network(width):
    """torchvision's MobileNetV3-small of a width, its stem for one channel and stride 1."""
    net = torchvision.models.mobilenet_v3_small(width_mult=width, num_classes=CLASSES, dropout=0.0)
    stem = net.features[0][0]
    net.features[0][0] = torch.nn.Conv2d(1, stem.out_channels, 3, stride=1, padding=1, bias=False)
    torch.nn.init.kaiming_normal_(net.features[0][0].weight, mode="fan_out")
    return net


def augment(images):
    """Half of the images mirrored, all of a batch moved by up to two pixels."""
    mirrored = torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(3), images)
    dy, dx = torch.randint(0, 5, (2,)).tolist()
    return F.pad(mirrored, (2, 2, 2, 2), value=-MEAN / STD)[:, :, dy : dy + SIZE, dx : dx + SIZE]


def top1(net, images, labels, batch=500):
    """Part of the images that get their class."""
    net.eval()
    with torch.no_grad():
        classes = [net(images[i : i + batch]).argmax(1) for i in range(0, len(images), batch)]
    return (torch.cat(classes) == labels).float().mean().item()


def train(net, images, labels, test, arguments):
    """RMSprop with a rate that warms up over one epoch and then falls as a cosine."""
    optimizer = torch.optim.RMSprop(
        net.parameters(), arguments.rate, alpha=0.9, momentum=0.9, eps=0.0316, weight_decay=arguments.weight_decay
    )
    steps = len(images) // arguments.batch
    warm = lambda step: min(1, (step + 1) / steps)
    cosine = lambda step: 0.5 * (1 + np.cos(np.pi * step / (steps * arguments.epochs)))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warm(step) * cosine(step))
    for epoch in range(arguments.epochs):
        net.train()
        start, order, total = time.time(), torch.randperm(len(images)), 0.0
        for step in range(steps):
            index = order[step * arguments.batch : (step + 1) * arguments.batch]
            batch = augment(images[index]).to(memory_format=torch.channels_last)
            loss = F.cross_entropy(net(batch), labels[index], label_smoothing=arguments.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        seconds = time.time() - start
        print(f"epoch {epoch}: loss {total / steps:.3f}, top-1 {top1(net, *test):.4f}, {seconds:.0f} s", flush=True)


def export(net, path):
    """An ONNX file of opset 17 with a free batch."""
    torch.onnx.export(
        net.eval().to(memory_format=torch.contiguous_format),
        torch.zeros(1, 1, SIZE, SIZE),
        path,
        dynamo=False,
        opset_version=17,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="FOLDER")
    parser.add_argument("--width", type=float, default=0.5, help="factor for channels (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.01, help="highest learning rate")
    parser.add_argument("--weight-decay", type=float, default=1e-5)
    parser.add_argument("--label-smoothing", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    test = load(arguments.data, "t10k")
    net = network(arguments.width).to(memory_format=torch.channels_last)
    start = time.process_time()
    train(net, *load(arguments.data, "train"), test, arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    export(net, arguments.out / "model.onnx")
    notes = {
        **{name: value for name, value in vars(arguments).items() if name not in ("data", "out")},
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "top1_of_10000_test_images": top1(net, *test),
        "training_cpu_s": round(time.process_time() - start),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
    }
    (arguments.out / "notes.json").write_text(json.dumps(notes, indent=2) + "\n")


if __name__ == "__main__":
    main()
