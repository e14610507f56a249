"""Measures Plimsoll beside ONNX Runtime's quantize_static and Sony's MCT: one model, one set of images.

    python3.11 -m venv dist/peers-venv && dist/peers-venv/bin/pip install -r bench/peers/requirements.txt
    dist/peers-venv/bin/python bench/peers/run.py --model m.onnx --images FOLDER \\
        --resize 256 --crop 224 --scale 1 --mean 127 --std 128
    dist/peers-venv/bin/python bench/peers/run.py --only plimsoll
    dist/peers-venv/bin/python bench/peers/run.py --only plimsoll --plimsoll="--target onnxruntime --error auto"

Every quantizer runs in a process of its own on one thread, decoding the images included. --images is cut in two, every
second image for calibration; or give --calibration-dir and --evaluation-dir. File names begin with the class index, or
--label-pattern says otherwise. What isn't given is taken from the results of the last run, whose other rows stay as
long as model, images and preprocessing are the same. Rows go to results.json, and from there to bench/RESULTS.md.
"""

import argparse
import datetime
import hashlib
import importlib.metadata
import itertools
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

import numpy as np

import measure
import report
from images import add_preprocessing, image_files, labels_of, preprocessing_from, split
from sessions import kernels, logits, session

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DENO = ["npx", "-y", "deno@2"]

TOOLS = ("ort", "mct", "plimsoll")
ORT = ("MinMax", "Percentile", "Entropy")
MCT = ("MSE", "NOCLIPPING")
# A row whose flags this checkout doesn't know is left out.
PLIMSOLL = (
    # One thread, as the others; what a user gets without these options is the last row.
    "--target default --runtime native --workers 1",
    "--target onnxruntime --runtime native --workers 1",
    "--target default --weight-rounding gptq --runtime native --workers 1",
    "--target onnxruntime --weight-rounding gptq --runtime native --workers 1",
    "--target default --runtime wasm --workers 1",
    "--target onnxruntime --runtime wasm --workers 1",
    "--target onnxruntime",
)
MCT_BATCH, ORT_STRIDE = 10, 25


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="float ONNX model of one image input and one output of logits")
    parser.add_argument("--images", metavar="FOLDER", help="images to cut in two")
    parser.add_argument("--calibration-dir", metavar="FOLDER")
    parser.add_argument("--evaluation-dir", metavar="FOLDER")
    parser.add_argument(
        "--label-pattern", metavar="REGEX", help=r"the first group is the class index (default: ^(\d+)_)"
    )
    add_preprocessing(parser, required=False)
    parser.add_argument("--only", action="append", choices=TOOLS, help="measure these rows anew")
    parser.add_argument("--plimsoll", action="append", metavar="FLAGS", help=f"a row; repeatable (default: {PLIMSOLL})")
    parser.add_argument("--work", default=ROOT / "dist" / "peers", help="folder for what is made on the way")
    whole = lambda path: pathlib.Path(path).resolve()
    parser.add_argument("--results", default=HERE / "results.json", type=whole)
    parser.add_argument("--report", default=HERE.parent / "RESULTS.md", type=whole)
    return parser.parse_args()


def from_root(path):
    """A path as seen from the repository, where commands run: results hold no path of one machine."""
    return os.path.relpath(path, ROOT)


def recipe_of(arguments, last):
    """What is measured on, as JSON: given, or else as the last time."""
    names = ("model", "images", "calibration_dir", "evaluation_dir", "label_pattern")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name)}
    for name in ("model", "images", "calibration_dir", "evaluation_dir"):
        if name in given:
            given[name] = from_root(given[name])
    if "images" in given and ("calibration_dir" in given or "evaluation_dir" in given):
        raise SystemExit("give --images, or --calibration-dir and --evaluation-dir")
    kept = {name: value for name, value in last.items() if name in (*names, "preprocessing")}
    if "images" in given:
        kept.pop("calibration_dir", None), kept.pop("evaluation_dir", None)
    if "calibration_dir" in given or "evaluation_dir" in given:
        kept.pop("images", None)
    recipe = {"label_pattern": r"^(\d+)_", **kept, **given}
    preprocessing = dict(recipe.get("preprocessing", {}))
    for name in ("resize", "crop", "scale", "mean", "std"):
        value = getattr(arguments, name)
        if value is not None:
            preprocessing[name] = list(value) if isinstance(value, tuple) else value
        if name not in preprocessing:
            raise SystemExit(f"--{name} is missing")
    recipe["preprocessing"] = preprocessing
    if "model" not in recipe or not ("images" in recipe or {"calibration_dir", "evaluation_dir"} <= recipe.keys()):
        raise SystemExit("--model, and --images or --calibration-dir and --evaluation-dir are missing")
    return recipe


def machine():
    """The processor, whether it multiplies bytes without saturating, memory, system."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1])
    return {
        "processor": re.search(r"model name\s*:\s*(.+)", info)[1],
        "cores": os.cpu_count(),
        "vnni": bool(re.search(r"\bavx(512)?_vnni\b", info)),
        "memory_gb": round(memory * 1024 / 1e9),
        "system": f"{platform.system()} {platform.release()}",
    }


def versions(*packages):
    return {name: importlib.metadata.version(name) for name in packages}


def sha256_of(files):
    """One digest of names and bytes."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def commit():
    """The commit of this checkout, and whether anything but the benchmark has changed since."""
    changed = printed("git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench")
    return printed("git", "rev-parse", "--short=8", "HEAD") + (" with changes" if changed else "")


def printed(*command):
    """What a command of this checkout prints."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


class Bench:
    """Folders, images and the float model's logits, and how the rows of each tool come about."""

    def __init__(self, recipe, work, rows_of_plimsoll):
        self.model, self.work, self.rows_of_plimsoll = recipe["model"], work, rows_of_plimsoll
        self.preprocessing = preprocessing_from(recipe)
        self.pattern = recipe["label_pattern"]
        if "images" in recipe:
            self.calibration, self.evaluation = work / "calibration", work / "evaluation"
            split(recipe["images"], self.calibration, self.evaluation)
        else:
            self.calibration, self.evaluation = (
                pathlib.Path(recipe[f"{x}_dir"]) for x in ("calibration", "evaluation")
            )
        self.files = image_files(self.evaluation)
        self.labels = labels_of(self.files, self.pattern)
        self.count = len(image_files(self.calibration))
        self.float_session = session(self.model)
        self.float_logits = logits(self.float_session, self.files, self.preprocessing.load)

    def identity(self):
        """What rows must have in common to stand in one table."""
        folders = {"calibration": self.calibration, "evaluation": self.evaluation}
        return {
            "model_sha256": hashlib.sha256(pathlib.Path(self.model).read_bytes()).hexdigest(),
            **{f"{name}_sha256": sha256_of(image_files(folder)) for name, folder in folders.items()},
            "calibration_images": self.count,
            "evaluation_images": len(self.files),
        }

    def divisor(self, limit):
        """The largest batch up to a limit into which the calibration images can be cut."""
        return max(n for n in range(1, limit + 1) if self.count % n == 0)

    def onnx_accuracy(self, path):
        """Accuracy and latency of a quantized ONNX file, run as it is by ONNX Runtime."""
        quantized = session(path)
        found = logits(quantized, self.files, self.preprocessing.load)
        float_ms, quantized_ms = measure.latency(
            [self.float_session, quantized], self.preprocessing.load(self.files[0])
        )
        return {
            **measure.accuracy(self.float_logits, found, self.labels),
            **kernels(path),
            "float_ms": round(float_ms, 2),
            "quantized_ms": round(quantized_ms, 2),
            "latency_ratio": round(quantized_ms / float_ms, 3),
            "file_mb": round(os.path.getsize(path) / 1e6, 2),
        }

    def python(self, script, *flags):
        script = str((HERE / script).relative_to(ROOT))  # where commands run
        return [from_root(sys.executable), script, "--model", self.model, *flags, *self.preprocessing.flags()]

    def ort(self):
        for method in ORT:
            out = self.work / f"ort-{method}.onnx"
            stride = [] if method == "MinMax" else ["--stride", str(self.divisor(ORT_STRIDE))]
            command = self.python(
                "ort_static.py", "--data", str(self.calibration), "--method", method, *stride, "--out", str(out)
            )
            yield (
                {
                    "name": f"{method}, uint8, int8 per channel" + (f", strides of {stride[1]}" if stride else ""),
                    "versions": versions("onnxruntime", "onnx", "numpy"),
                    "command": command,
                },
                lambda command=command, out=out, method=method: {
                    **measure.run(command, ROOT, self.work / f"ort-{method}.log"),
                    **self.onnx_accuracy(out),
                },
            )

    def mct(self):
        batch = ["--batch", str(self.divisor(MCT_BATCH))]
        for method in MCT:
            out, found = self.work / f"mct-{method}.pt", self.work / f"mct-{method}.npz"
            command = self.python(
                "mct_quantize.py", "--data", str(self.calibration), "--method", method, *batch, "--out", str(out)
            )
            evaluate = self.python(
                "mct_logits.py", "--quantized", str(out), "--data", str(self.evaluation), *batch, "--out", str(found)
            )

            def run(command=command, evaluate=evaluate, found=found, method=method):
                cost = measure.run(command, ROOT, self.work / f"mct-{method}.log")
                measure.run(evaluate, ROOT, self.work / f"mct-{method}-logits.log")
                arrays = np.load(found)
                return {
                    **cost,
                    **measure.accuracy(arrays["float"], arrays["quantized"], self.labels),
                    "float_differs": float(np.abs(arrays["float"] - self.float_logits).max()),
                }

            yield (
                {
                    "name": f"{method}, default platform",
                    "versions": versions("model-compression-toolkit", "torch", "onnx2torch", "numpy"),
                    "command": command,
                },
                run,
            )

    def plimsoll(self):
        known = set(re.findall(r"--[\w-]+", printed(*DENO, "task", "quantize", "--help")))
        used = {
            "plimsoll": commit(),
            "deno": printed(*DENO, "--version").split("\n")[0].split()[1],
        }
        for index, flags in enumerate(self.rows_of_plimsoll):
            missing = set(re.findall(r"--[\w-]+", flags)) - known
            if missing:
                print(f"left out: {flags} ({', '.join(missing)} not in --help)", file=sys.stderr)
                continue
            out = self.work / f"plimsoll-{index}"
            command = [
                *(*DENO, "task", "quantize", "--model", self.model, "--data", str(self.calibration)),
                *(*self.preprocessing.flags(), *flags.split(), "--out", str(out), "--quiet"),
            ]

            def run(command=command, out=out):
                cost = measure.run(command, ROOT, f"{out}.log")
                return {**cost, **self.onnx_accuracy(out / "model.onnx"), **self.own_view(out / "model.onnx")}

            yield (
                {
                    "name": flags,
                    "versions": used,
                    "command": command,
                },
                run,
            )

    def own_view(self, path):
        """Plimsoll's own decoder and onnxruntime-web on the same images: must tell the same."""
        result = path.parent / "peers.json"
        flags = ["--label-pattern", self.pattern] if self.labels is not None else []
        command = [
            *(*DENO, "task", "evaluate", self.model, str(path), "--data", str(self.evaluation)),
            *(*self.preprocessing.flags(), *flags, "--out", str(result), "--quiet"),
        ]
        measure.run(command, ROOT, path.parent / "peers.log")
        float_model, quantized = json.loads(result.read_text())["models"]
        return {
            "own_evaluation": {
                "float_top1": float_model.get("top1"),
                "top1": quantized.get("top1"),
                "agreement": quantized["agreement"],
                "sqnr_db": round(quantized["sqnr"], 2),
            }
        }


def main():
    arguments = parse()
    last = json.loads(arguments.results.read_text()) if arguments.results.exists() else {"recipe": {}, "rows": []}
    recipe = recipe_of(arguments, last["recipe"])
    work = pathlib.Path(from_root(arguments.work))
    os.chdir(ROOT)
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(recipe, work, arguments.plimsoll or PLIMSOLL)
    recipe.update(bench.identity())
    same = all(recipe[name] == last["recipe"].get(name) for name in (*bench.identity(), "preprocessing"))
    if last["rows"] and not same:
        print("other model, images or preprocessing than last time: its rows go", file=sys.stderr)
    rows = {tool: [row for row in last["rows"] if same and row["tool"] == tool] for tool in TOOLS}
    results = {
        "recipe": recipe,
        "machine": machine(),
        "float": measure.accuracy(bench.float_logits, bench.float_logits, bench.labels),
    }
    for tool in arguments.only or TOOLS:
        rows[tool] = []
        for row, run in getattr(bench, tool)():
            row = {"tool": tool, "date": datetime.date.today().isoformat(), **row}
            try:
                row |= {**run(), "load": round(os.getloadavg()[0], 2)}
            except measure.Failed as error:
                row["failed"] = str(error)
            print(json.dumps({k: v for k, v in row.items() if k not in ("command", "versions")}), file=sys.stderr)
            rows[tool].append(row)
            save({**results, "rows": [*itertools.chain(*rows.values())]}, arguments.results, arguments.report)


def save(results, path, markdown):
    """Writes the rows and the report that is made of them."""
    path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    report.write(HERE, results=path, page=markdown)


if __name__ == "__main__":
    main()
