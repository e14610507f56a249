"""results.json and accuracy.json to the text of bench/RESULTS.md."""

import json
import shlex
import subprocess

from accuracy_report import section
from images import preprocessing_from

TOOLS = {
    "ort": "ONNX Runtime `quantize_static`",
    "mct": "Sony MCT",
    "plimsoll": "Plimsoll",
}

PAGE = """\
# Plimsoll beside other quantizers

Written by `bench/peers/run.py` on {date} from the measured rows in
[peers/results.json](peers/results.json).

- Model: {model}
- Images: {images}
- Preprocessing: {preprocessing}
- Machine: {machine}

Float: top-1 {float_top1}.

| tool | settings | runs as | top-1 | as float | SQNR dB | calibration CPU | peak memory | latency | measured |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

## How to read it

- **As float**: part of the images that get the class that the float model gives them. **SQNR**: 10·log10(Σ f² / Σ (q −
  f)²) over all logits of all evaluation images. One image is {point} of top-1: SQNR and agreement say more.
- **Runs as**: integer rows are the ONNX file itself in ONNX Runtime (Python, CPU, 1 thread), f the float model there;
  kernels are convolutions and products of matrices.
  MCT writes no model of integers: its rows are its PyTorch module with **fake-quantized floats**, f the float module that
  MCT was given{float_differs}. They have no latency, and what MCT doesn't quantize, such as biases, is a float in them.
- **Calibration CPU, peak memory**: the whole process from its start to the file written, user and system time, decoding
  of the images included; one thread, but for rows of Plimsoll without `--workers`; resident memory of its largest process. Others used the machine as well{load}.
- **Latency**: median for one image relative to the float model in the same process, in turns, 1 thread{float_ms}.
- **ONNX Runtime** as its documentation advises for x64: `quant_pre_process`, QDQ, uint8 activations, int8 weights per
  channel. Percentile is its default 99.999 %. Percentile and Entropy hold every activation of a stride's images at once;
  without strides, those of all images.
- **MCT** with its defaults (IMX500 platform: powers of two for activations; symmetric weights per channel by MSE; bias
  correction). The method in the table is that of the activations. The module comes from the same ONNX file by onnx2torch,
  BatchNormalization and padding kept.
- **Plimsoll** is given image files and decodes them itself; the others share Pillow.
{own}
## Versions

{versions}

## Again

```sh
{again}
```

These commands were measured, each in the repository's folder {after_split}:

```sh
{commands}
```
"""

OWN = """
## Plimsoll's own evaluation

The same files by `evaluate`: its own decoder, whose pixels differ a little from Pillow's, and onnxruntime-web. Top-1 of
the float model: {there} there, {here} above.

| settings | top-1 | as float | SQNR dB |
| --- | --- | --- | --- |
{rows}
"""


def percent(value):
    return "–" if value is None else f"{100 * value:.1f} %"


def ratio(row, field):
    return None if row[field] is None else row[field] / row["images"]


def table_row(cells):
    return "| " + " | ".join(cells) + " |"


def measured_row(row):
    """One row of the table."""
    cells = [TOOLS[row["tool"]], f"`{row['name']}`" if row["tool"] == "plimsoll" else row["name"]]
    if "failed" in row:
        return table_row([*cells, "failed", *[""] * 6, row["date"]])
    integer = "{integer_kernels} of {kernels} kernels integer"
    cells.append(integer.format(**row) if "kernels" in row else "fake-quantized float")
    cells += [percent(ratio(row, "hits")), percent(ratio(row, "same_class")), f"{row['sqnr_db']:.1f}"]
    cells += [f"{row['cpu_s']:.0f} s", f"{row['peak_mb']} MB"]
    cells += [f"{row['latency_ratio']:.2f} ×" if "latency_ratio" in row else "–", row["date"]]
    return table_row(cells)


def own_evaluation(rows, float_top1):
    """Plimsoll's own view of its rows, if there are any."""
    views = [(row["name"], row["own_evaluation"]) for row in rows if "own_evaluation" in row]
    if not views:
        return ""
    cells = [
        [f"`{name}`", percent(view["top1"]), percent(view["agreement"]), f"{view['sqnr_db']:.1f}"]
        for name, view in views
    ]
    there = percent(views[0][1]["float_top1"])
    return OWN.format(there=there, here=float_top1, rows="\n".join(map(table_row, cells)))


def span(rows, field, text):
    """Smallest and largest value of a field, in a text, or nothing."""
    values = [row[field] for row in rows if field in row]
    return text.format(low=min(values), high=max(values)) if values else ""


def images_line(recipe):
    folders = (
        f"`{recipe['images']}`, cut by turns in the order of their names"
        if "images" in recipe
        else f"`{recipe['calibration_dir']}` and `{recipe['evaluation_dir']}`"
    )
    return f"{recipe['calibration_images']} to calibrate, {recipe['evaluation_images']} others to evaluate: {folders}"


def versions_list(rows):
    used = {}
    for row in rows:
        used.setdefault(row["tool"], {}).update(row["versions"])
    lines = [
        f"- {TOOLS[tool]}: " + ", ".join(f"{name} {version}" for name, version in found.items())
        for tool, found in used.items()
    ]
    return "\n".join([*lines, "- All that Python had: [peers/requirements.txt](peers/requirements.txt)"])


def again(recipe):
    """Commands that make this page again."""
    folders = {"images": "--images", "calibration_dir": "--calibration-dir", "evaluation_dir": "--evaluation-dir"}
    given = [part for name, flag in folders.items() if name in recipe for part in (flag, recipe[name])]
    python = "dist/peers-venv/bin/python bench/peers/run.py"
    return (
        "python3.11 -m venv dist/peers-venv && dist/peers-venv/bin/pip install -r bench/peers/requirements.txt\n"
        f"{python} --model {shlex.quote(recipe['model'])} {shlex.join(given)} \\\n"
        f"    {shlex.join(preprocessing_from(recipe).flags())}\n"
        f"{python} --only plimsoll    # these rows anew, the others stay"
    )


def markdown(results):
    """The page, not yet formatted."""
    recipe, rows, machine = results["recipe"], results["rows"], results["machine"]
    done = [row for row in rows if "failed" not in row]
    float_top1 = percent(ratio(results["float"], "hits"))
    vnni = "with" if machine["vnni"] else "without"
    return PAGE.format(
        date=max((row["date"] for row in rows), default="–"),
        model=f"`{recipe['model']}`, SHA-256 `{recipe['model_sha256'][:16]}…`",
        images=images_line(recipe),
        preprocessing=f"`{shlex.join(preprocessing_from(recipe).flags())}`",
        machine=f"{machine['processor']}, {machine['cores']} cores, {vnni} VNNI, {machine['memory_gb']} GB, "
        f"{machine['system']}",
        float_top1=float_top1,
        rows="\n".join(map(measured_row, rows)),
        point=f"{100 / results['float']['images']:.1f} %",
        float_differs=span(done, "float_differs", ", whose logits are ONNX Runtime's to within {high:.0e}"),
        load=span(done, "load", " (load {low:.1f} to {high:.1f})"),
        float_ms=span(done, "float_ms", "; float took {low:.1f} to {high:.1f} ms"),
        own=own_evaluation(done, float_top1),
        versions=versions_list(rows),
        again=again(recipe),
        after_split="after `run.py` had cut the images in two" if "images" in recipe else "by `run.py`",
        commands="\n".join(shlex.join(row["command"]) for row in rows),
    )


def write(folder, results="results.json", accuracy="accuracy.json", page="../RESULTS.md"):
    """Writes the page of what is measured in a folder, as `deno fmt` wants it."""
    measured = [path for path in (folder / results, folder / accuracy) if path.exists()]
    parts = [json.loads(path.read_text()) for path in measured]
    texts = [section(part) if "networks" in part else markdown(part) for part in parts]
    (folder / page).write_text("\n".join(text for text in texts if text))
    files = [str(path.resolve()) for path in (*measured, folder / page)]
    subprocess.run(["npx", "-y", "deno@2", "fmt", "--quiet", *files], cwd=folder, check=True)
