"""Measures the accuracy of Plimsoll and its peers at 8 and at 4 bits of weights on several networks.

    dist/peers-venv/bin/python bench/peers/accuracy.py
    dist/peers-venv/bin/python bench/peers/accuracy.py --only plimsoll --network lite0
    dist/peers-venv/bin/python bench/peers/accuracy.py --only plimsoll --plimsoll="--target default --exact"

Every tool is given the same arrays (networks.py) and runs in a process of its own on one thread; peers have an
environment each, since their pinned packages don't agree: dist/peers-venvs/NAME from requirements-NAME.txt, and MCT the
one of run.py. Outputs of ONNX files are ONNX Runtime's with all optimizations, for every sample of the evaluation. Rows
go to accuracy.json, each as soon as it is measured, and from there into bench/RESULTS.md; a row measured again replaces
the one before. A row whose
flags this checkout doesn't know waits, and is measured by a later run.
"""

import argparse
import datetime
import fcntl
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np

import measure
import report
from networks import NETWORKS, ROOT, lay
from sessions import kernels, session

HERE = pathlib.Path(__file__).resolve().parent
DENO = ["npx", "-y", "deno@2"]
BITS = (8, 4)

# Settings of each peer: its script, its methods, and the effort where a method has one, by network: iterations a layer,
# epochs, or samples, as the scripts say.
PEERS = {
    "nncf": ("nncf_quantize.py", {"none": {}, "fast": {}, "full": {}}),
    "aimet": ("aimet_quantize.py", {"plain": {}, "seq_mse": {"lite0": 32, "ppocr_cls": 24, "ppocr_rec": 16, "*": 256}, "adaround": {"*": 10000}}),
    "quark": ("quark_quantize.py", {"plain": {}, "adaround": {"*": 1000}, "adaquant": {"*": 1000}}),
    "mct": ("mct_gptq.py", {"ptq": {}, "gptq": {"lite0": 5, "*": 20}}),
}
TARGETS = ("default", "onnxruntime")
PLIMSOLL = tuple(
    f"--target {target}{more}"
    for more in (
        "",
        " --weight-rounding gptq",
        " --sequential bias",
        " --sequential weights",
    )
    for target in TARGETS
)
TOOLS = (*PEERS, "plimsoll")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", action="append", choices=NETWORKS, help="measure on these only")
    parser.add_argument("--only", action="append", choices=TOOLS, help="measure these tools only")
    parser.add_argument("--method", action="append", metavar="NAME", help="measure these methods of peers only")
    parser.add_argument("--bits", action="append", type=int, choices=BITS, help="bits of weights")
    parser.add_argument("--effort", type=int, metavar="N", help="another effort than the one listed here; the row says it")
    parser.add_argument("--missing", action="store_true", help="leave out rows that are measured already")
    parser.add_argument("--plimsoll", action="append", metavar="FLAGS", help="a row; repeatable")
    parser.add_argument("--work", default=ROOT / "dist" / "peers" / "accuracy", type=pathlib.Path)
    parser.add_argument("--venvs", default=ROOT / "dist" / "peers-venvs", type=pathlib.Path)
    return parser.parse_args()


def outputs(path, samples):
    """The first output for every sample, one sample a run, as one array of samples."""
    model = session(path)
    (name,) = [value.name for value in model.get_inputs()]
    return np.concatenate([model.run(None, {name: sample[None]})[0] for sample in samples])


def accuracy(network, expected, found, labels):
    """SQNR = 10·log10(Σ f² / Σ (q − f)²) over all outputs, and how many samples get float's answer, and the right one."""
    f, q = expected.astype(np.float64), found.astype(np.float64)
    noise = ((q - f) ** 2).sum()
    answers = [network.answer(output) for output in q]
    return {
        "same": sum(a == network.answer(output) for a, output in zip(answers, f)),
        "hits": None if labels is None else sum(a == label for a, label in zip(answers, labels.tolist())),
        "sqnr_db": round(float(10 * np.log10((f**2).sum() / noise)), 2) if noise else None,
    }


def last_line(log):
    """What a failed tool said last."""
    lines = [line.strip() for line in pathlib.Path(log).read_text(errors="replace").splitlines() if line.strip()]
    return re.sub(r"\s+", " ", lines[-1])[:300] if lines else "it said nothing"


def packages(python, names):
    """Versions of packages in an environment."""
    code = "import importlib.metadata as m, sys; print(*(f'{n} {m.version(n)}' for n in sys.argv[1:]), sep=', ')"
    return subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=True).stdout.strip()


@functools.cache
def help_of_quantize():
    """What each flag of this checkout says about itself."""
    text = subprocess.run([*DENO, "task", "quantize", "--help"], cwd=ROOT, capture_output=True, text=True).stdout
    return {part.split()[0]: part for part in re.split(r"\n  (?=--)", text)}


def known(flags):
    """Whether this checkout knows all flags, and their values where it names the choices."""
    words = flags.split()
    for flag, value in zip(words, [*words[1:], "--"]):
        if not flag.startswith("--"):
            continue
        said = help_of_quantize().get(flag)
        if said is None or ("choices:" in said and f'"{value}"' not in said):
            return False
    return True


class Bench:
    """One network laid in a folder, and how a row of it comes about."""

    def __init__(self, name, arguments):
        self.name, self.network, self.arguments = name, NETWORKS[name], arguments
        self.folder = lay(name, arguments.work)
        with np.load(self.folder / "evaluation.npz") as archive:
            self.samples = archive[archive.files[0]]
        with np.load(self.folder / "calibration.npz") as archive:
            self.calibration_samples = len(archive[archive.files[0]])
        labels = self.folder / "labels.npy"
        self.labels = np.load(labels) if labels.exists() else None
        self.float_outputs = outputs(self.folder / "float.onnx", self.samples)

    def identity(self):
        """What all rows of the network have in common."""
        prepared = outputs(self.folder / "prepared.onnx", self.samples[:8])
        return {
            "title": self.network.title,
            "says": self.network.says,
            "model_sha256": hashlib.sha256((self.folder / "float.onnx").read_bytes()).hexdigest(),
            "calibration": self.calibration_samples,
            "evaluation": len(self.samples),
            "float_hits": accuracy(self.network, self.float_outputs, self.float_outputs, self.labels)["hits"],
            "prepared_differs": float(np.abs(prepared - self.float_outputs[:8]).max()),
        }

    def relative(self, path):
        return os.path.relpath(path, ROOT)

    def rows(self, tool):
        """The rows of a tool that the flags ask for, each with what measures it."""
        for bits in self.arguments.bits or BITS:
            if tool == "plimsoll":
                for flags in self.arguments.plimsoll or PLIMSOLL:
                    yield self.row(tool, flags, bits), functools.partial(self.plimsoll, flags, bits)
            else:
                script, methods = PEERS[tool]
                for method, efforts in methods.items():
                    if not self.arguments.method or method in self.arguments.method:
                        effort = self.arguments.effort or efforts.get(self.name, efforts.get("*"))
                        row = {**self.row(tool, method, bits), **({"effort": effort} if effort else {})}
                        yield row, functools.partial(self.peer, tool, script, method, bits, effort)

    def row(self, tool, settings, bits):
        return {"network": self.name, "tool": tool, "settings": settings, "weight_bits": bits}

    def peer(self, tool, script, method, bits, effort):
        python = sys.executable if tool == "mct" else str(self.arguments.venvs.absolute() / tool / "bin" / "python")
        out = self.folder / f"{tool}-{method}-w{bits}.{'npz' if tool == 'mct' else 'onnx'}"
        command = [
            *(self.relative(python), self.relative(HERE / script), "--model", self.relative(self.folder / "prepared.onnx")),
            *("--calibration", self.relative(self.folder / "calibration.npz")),
            *("--method", method, "--weight-bits", str(bits), "--out", self.relative(out)),
            *(["--effort", str(effort)] if effort else []),
            *(["--evaluation", self.relative(self.folder / "evaluation.npz")] if tool == "mct" else []),
        ]
        names = {
            "nncf": ("nncf", "onnx", "onnxruntime"),
            "aimet": ("aimet-onnx", "onnx", "onnxruntime", "torch"),
            "quark": ("amd-quark", "onnx", "onnxruntime", "torch"),
            "mct": ("model-compression-toolkit", "onnx2torch", "torch"),
        }
        said = {"command": command, "versions": packages(python, names[tool])}
        return {**said, **self.measured(command, out)}

    def plimsoll(self, flags, bits):
        if not known(flags):
            return {"waits": True}
        out = self.folder / ("plimsoll-" + re.sub(r"[^a-z0-9]+", "-", flags.strip("-")) + f"-w{bits}")
        command = [
            *(*DENO, "task", "quantize", "--model", self.relative(self.folder / "float.onnx")),
            *("--data", self.relative(self.folder / "calibration.npz"), *flags.split()),
            *(["--weight-bits", str(bits)] if bits != 8 else []),
            *("--accept", "--quiet", "--out", self.relative(out)),
        ]
        commit = subprocess.run(["git", "rev-parse", "--short=8", "HEAD"], cwd=ROOT, capture_output=True, text=True)
        said = {"command": command, "versions": f"plimsoll {commit.stdout.strip()}"}
        return {**said, **self.measured(command, out / "model.onnx")}

    def measured(self, command, out):
        """Runs a tool and tells how well what it wrote does; a tool that fails is a row, too, with what it said."""
        log = out.parent / f"{out.name}.log" if out.suffix != ".onnx" or out.name != "model.onnx" else f"{out.parent}.log"
        if out.exists():
            out.unlink()
        try:
            cost = measure.run(command, ROOT, log)
            if out.suffix == ".npz":
                arrays = np.load(out)
                differs = float(np.abs(arrays["float"] - self.float_outputs).max())
                found, more = arrays["quantized"], {"float_differs": differs}
            else:
                found, more = outputs(out, self.samples), kernels(out)
            return {**cost, **accuracy(self.network, self.float_outputs, found, self.labels), **more}
        except measure.Failed:
            return {"failed": last_line(log)}
        except Exception as error:  # ONNX Runtime doesn't take what the tool wrote
            return {"failed": f"its model doesn't run: {str(error).strip().splitlines()[0][:250]}"}


def measured_rows():
    """Rows that don't wait."""
    return [row for row in json.loads((HERE / "accuracy.json").read_text())["rows"] if not row.get("waits")]


KEY = ("network", "tool", "settings", "weight_bits")


def place(row):
    """Where a row stands: by network, bits and tool; the settings of a peer as they are listed, ours as they came."""
    methods = [*PEERS[row["tool"]][1]] if row["tool"] in PEERS else []
    settings = methods.index(row["settings"]) if row["settings"] in methods else len(methods)
    return [*NETWORKS].index(row["network"]), -row["weight_bits"], TOOLS.index(row["tool"]), settings


def saved(change):
    """Applies a change to accuracy.json, while nobody else does, and writes the report anew."""
    path = HERE / "accuracy.json"
    with open(HERE / ".accuracy.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        results = json.loads(path.read_text()) if path.exists() else {"networks": {}, "rows": []}
        change(results)
        results["networks"] = {name: results["networks"][name] for name in NETWORKS if name in results["networks"]}
        results["rows"].sort(key=place)
        path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
        report.write(HERE)


def main():
    arguments = parse()
    arguments.work = arguments.work.absolute()
    os.chdir(ROOT)
    for name in arguments.network or NETWORKS:
        bench = Bench(name, arguments)
        identity = bench.identity()

        def begin(results):
            if results["networks"].get(name) not in (None, identity):
                print(f"{name}: another model or other samples than last time: its rows go", file=sys.stderr)
                results["rows"] = [row for row in results["rows"] if row["network"] != name]
            results["networks"][name] = identity

        saved(begin)
        done = {tuple(row[k] for k in KEY) for row in measured_rows()}
        for tool in arguments.only or TOOLS:
            for row, run in bench.rows(tool):
                key = tuple(row[k] for k in KEY)
                if arguments.missing and key in done:
                    continue
                row = {**row, "date": datetime.date.today().isoformat(), **run()}
                print(json.dumps({k: v for k, v in row.items() if k != "command"}), file=sys.stderr, flush=True)

                def replace(results, key=key, row=row):
                    kept = [other for other in results["rows"] if tuple(other[k] for k in KEY) != key]
                    results["rows"] = [*kept, row]

                saved(replace)


if __name__ == "__main__":
    main()
