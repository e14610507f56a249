"""accuracy.json to its section of bench/RESULTS.md."""

TOOLS = {
    "nncf": "NNCF",
    "aimet": "AIMET-ONNX",
    "quark": "AMD Quark",
    "mct": "Sony MCT",
    "plimsoll": "Plimsoll",
}
SETTINGS = {
    ("nncf", "none"): "no bias correction",
    ("nncf", "fast"): "fast bias correction, its default",
    ("nncf", "full"): "full bias correction",
    ("aimet", "plain"): "min and max, its default",
    ("aimet", "seq_mse"): "sequential MSE, {effort} samples",
    ("aimet", "adaround"): "AdaRound, {effort} iterations a layer",
    ("quark", "plain"): "percentile, its default",
    ("quark", "adaround"): "AdaRound, {effort} iterations a layer",
    ("quark", "adaquant"): "AdaQuant, {effort} iterations a layer",
    ("mct", "ptq"): "PTQ, its default",
    ("mct", "gptq"): "GPTQ by gradients, {effort} epochs",
}

SECTION = """\
## Accuracy beside peers, at 8 and at 4 bits of weights

Written by `bench/peers/accuracy.py` from the measured rows in [peers/accuracy.json](peers/accuracy.json). Activations have
8 bits everywhere, steps of weights are per channel. All tools are given the same arrays to calibrate on, and the outputs
of all samples of the evaluation are compared with the float model's: **SQNR** is 10·log10(Σ f² / Σ (q − f)²) over all of
them, **as float** the part of the samples that get float's class or string.

{tables}
### How to read these

- ONNX files run in ONNX Runtime (Python, CPU, 1 thread, all optimizations); kernels are convolutions and products of
  matrices. What isn't an integer kernel computes in float with what is quantized around it. MCT writes no model of integers; its rows are
  its PyTorch module with fake quantization, where biases stay float, and so they do in AIMET's files.
- Peers but for MCT's own conversion are given the model after `onnx.version_converter` (where its opset is below 13) and
  ONNX Runtime's `quant_pre_process`, which changes no output by more than {prepared:.0e}; Plimsoll is given the file itself.
- **NNCF** with preset MIXED. **AIMET** with its default configuration, which puts a quantizer behind every operator, the
  last included. **Quark** with uint8 activations and int8 weights per channel, its presets' values for the rest. **MCT**
  with its default platform (powers of two for activations); 4 bits by `set_manual_weights_bit_width`.
- **Effort**: iterations, epochs and samples of the rows are what a part of two busy cores gave; AIMET advises 10,000
  iterations of AdaRound, MCT some 50 epochs. Rows that are missing were not measured.
- Rows of Plimsoll with "–" wait: they are not measured yet, or want flags that the checkout measured didn't have.
- **CPU, memory**: of the whole process, as above.

Again, with an environment for each peer:

```sh
for peer in nncf aimet quark; do
  python3.11 -m venv dist/peers-venvs/$peer && dist/peers-venvs/$peer/bin/pip install -r bench/peers/requirements-$peer.txt
done
dist/peers-venv/bin/python bench/peers/accuracy.py
dist/peers-venv/bin/python bench/peers/accuracy.py --only plimsoll    # these rows anew, the others stay
```

Versions: {versions}.
"""

TABLE = """\
### {title}

{calibration} samples to calibrate, {evaluation} others to evaluate.{labels} Model: SHA-256 `{sha}…`.

| tool | settings | weights | integer kernels | {top1}{says} as float | SQNR dB | CPU | peak memory |
| --- | --- | --- | --- | {dash}--- | --- | --- | --- |
{rows}
{failures}"""


def percent(count, of):
    return f"{100 * count / of:.2f} %" if of >= 1000 else f"{100 * count / of:.1f} %"


def name(row):
    """What the settings of a row are called."""
    if row["tool"] == "plimsoll":
        return f"`{row['settings']}`"
    return SETTINGS[row["tool"], row["settings"]].format(effort=f"{row.get('effort', 0):,}")


def table_row(row, network):
    labelled = network["float_hits"] is not None
    cells = [TOOLS[row["tool"]], name(row), f"{row['weight_bits']} bits"]
    if "sqnr_db" not in row:
        cells += ["–" if row.get("waits") else "failed"] + ["–"] * (labelled + 4)
    else:
        cells.append(f"{row['integer_kernels']} of {row['kernels']}" if "kernels" in row else "none, simulated")
        hits = [percent(row["hits"], network["evaluation"])] if labelled else []
        cells += [*hits, percent(row["same"], network["evaluation"])]
        cells += ["–" if row["sqnr_db"] is None else f"{row['sqnr_db']:.1f}"]
        cells += [f"{row['cpu_s']:.0f} s", f"{row['peak_mb']} MB"]
    return "| " + " | ".join(cells) + " |"


def failures(rows):
    """What failed tools said, each message once."""
    said = {}
    for row in rows:
        if "failed" in row:
            said.setdefault((TOOLS[row["tool"]], row["failed"]), []).append(f"{name(row)}, {row['weight_bits']} bits")
    return "".join(f"\n{tool} failed ({'; '.join(of)}): `{message}`\n" for (tool, message), of in said.items())


def table(network, rows):
    labelled = network["float_hits"] is not None
    labels = f" Float: top-1 {percent(network['float_hits'], network['evaluation'])}." if labelled else ""
    return TABLE.format(
        **{key: network[key] for key in ("title", "says", "calibration", "evaluation")},
        labels=labels,
        sha=network["model_sha256"][:16],
        top1="top-1 | " if labelled else "",
        dash="--- | " if labelled else "",
        rows="\n".join(table_row(row, network) for row in rows),
        failures=failures(rows),
    )


def section(results):
    """The section, not yet formatted; nothing as long as nothing is measured."""
    if not results["rows"]:
        return ""
    tables = [
        table(network, [row for row in results["rows"] if row["network"] == key])
        for key, network in results["networks"].items()
    ]
    versions = {row["tool"]: row["versions"] for row in results["rows"] if "versions" in row}
    return SECTION.format(
        tables="\n".join(tables),
        prepared=max(network["prepared_differs"] for network in results["networks"].values()),
        versions="; ".join(f"{TOOLS[tool]}: {text}" for tool, text in versions.items()),
    )
