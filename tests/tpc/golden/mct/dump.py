"""Writes the built-in platforms of Sony's MCT as JSON, with MCT's own pydantic classes.

Of each wheel only the modules of the schema and of the platforms are imported: empty packages stand in for those whose
__init__ would load torch or TensorFlow. MCT 2.3 needs pydantic 1, MCT 2.6 pydantic 2.

    pip download --no-deps -d wheels model-compression-toolkit==2.3.0
    pip download --no-deps -d wheels model-compression-toolkit==2.6.1
    pip download --no-deps -d wheels mct-quantizers==1.7.0 edge-mdt-tpc==1.3.0
    python -m venv one && one/bin/pip install pydantic==1.10.27
    python -m venv two && two/bin/pip install pydantic==2.11.10
    one/bin/python dump.py wheels . && two/bin/python dump.py wheels .
"""
import importlib
import json
import pathlib
import subprocess
import sys
import types

import pydantic

DUMPS = {  # file: (wheel of MCT, module of the platform)
    "imx500-1.v1.json": ("2.3.0", "model_compression_toolkit.target_platform_capabilities.tpc_models.imx500_tpc.v1.tpc"),
    "tflite-1.v1.json": ("2.3.0", "model_compression_toolkit.target_platform_capabilities.tpc_models.tflite_tpc.v1.tpc"),
    "qnnpack-1.v1.json": ("2.3.0", "model_compression_toolkit.target_platform_capabilities.tpc_models.qnnpack_tpc.v1.tpc"),
    "imx500-1-lut.v1.json": ("2.6.1", "edgemdt_tpc.data.imx500.tpc_v1_0_lut"),
    "imx500-1.v2.json": ("2.6.1", "model_compression_toolkit.target_platform_capabilities.tpc_models.imx500_tpc.v1_0.tpc"),
    "imx500-4.v2.json": ("2.6.1", "model_compression_toolkit.target_platform_capabilities.tpc_models.imx500_tpc.v4_0.tpc"),
    "imx500-6.v2.json": ("2.6.1", "model_compression_toolkit.target_platform_capabilities.tpc_models.imx500_tpc.v6_0.tpc"),
    "tflite-1.v2.json": ("2.6.1", "model_compression_toolkit.target_platform_capabilities.tpc_models.tflite_tpc.v1_0.tpc"),
    "qnnpack-1.v2.json": ("2.6.1", "model_compression_toolkit.target_platform_capabilities.tpc_models.qnnpack_tpc.v1_0.tpc"),
}
# Packages whose __init__ must not run.
STUBS = [
    "model_compression_toolkit",
    "model_compression_toolkit.target_platform_capabilities",
    "model_compression_toolkit.target_platform_capabilities.tpc_models",
    "mct_quantizers",
    "mct_quantizers.common",
    "edgemdt_tpc",
    "edgemdt_tpc.data",
    "edgemdt_tpc.data.imx500",
]


def dump(wheels: pathlib.Path, version: str, module: str) -> str:
    paths = [*wheels.glob("mct_quantizers-*.whl"), *wheels.glob("edge_mdt_tpc-*.whl"),
             *wheels.glob(f"model_compression_toolkit-{version}-*.whl")]
    sys.path[:0] = map(str, paths)  # wheels are zip files: Python imports from them
    for name in STUBS:
        stub = types.ModuleType(name)
        stub.__path__ = [f"{path}/{name.replace('.', '/')}" for path in paths]
        sys.modules[name] = stub
    sys.modules["mct_quantizers"].QuantizationMethod = importlib.import_module(
        "mct_quantizers.common.quant_info").QuantizationMethod
    platform = importlib.import_module(module)
    tpc = platform.get_tpc() if hasattr(platform, "get_tpc") else platform.get_tp_model()
    # What MCT's export_tp_model writes, without its indentation; loading it again must give an equal object.
    if hasattr(tpc, "model_dump_json"):
        text = tpc.model_dump_json()
        assert type(tpc).model_validate_json(text) == tpc
    else:  # pydantic 1, which MCT 2.3 needs
        text = tpc.json()
        assert type(tpc).parse_raw(text) == tpc
    return json.dumps(json.loads(text), separators=(",", ":")) + "\n"


if __name__ == "__main__":
    if len(sys.argv) == 5:
        sys.stdout.write(dump(pathlib.Path(sys.argv[1]), *sys.argv[3:]))
    else:
        for file, (version, module) in DUMPS.items():
            if pydantic.VERSION.startswith("1.") != (version == "2.3.0"):
                continue
            # A process for each: modules of two versions of MCT have the same names.
            text = subprocess.run([sys.executable, __file__, *sys.argv[1:3], version, module],
                                  check=True, capture_output=True, text=True).stdout
            pathlib.Path(sys.argv[2], file).write_text(text)
