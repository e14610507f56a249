"""Writes onnx_operators.json: the operators of ONNX's default domain, as the onnx package has them."""
import json
import os

import onnx
from onnx import defs, helper

schemas = {}
for schema in defs.get_all_schemas_with_history():
    if schema.domain == "":
        schemas.setdefault(schema.name, []).append(schema)

def default(attribute):
    if not attribute.default_value.name:
        return None
    value = helper.get_attribute_value(attribute.default_value)
    return value.decode() if isinstance(value, bytes) else value

operators = {}
for name, versions in sorted(schemas.items()):
    latest = max(versions, key=lambda schema: schema.since_version)
    defaults = {key: default(value) for key, value in sorted(latest.attributes.items())}
    entry = {"since": min(schema.since_version for schema in versions)}
    if latest.deprecated:
        entry["until"] = latest.since_version
    entry["inputs"] = -1 if latest.max_input > 1000 else latest.max_input
    entry["defaults"] = {
        key: value for key, value in defaults.items() if isinstance(value, (int, float, str))
    }
    operators[name] = entry

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "onnx_operators.json")
with open(path, "w") as file:
    rows = ",\n".join(f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in operators.items())
    file.write(
        f'{{\n  "onnx": "{onnx.__version__}",\n  "opset": {defs.onnx_opset_version()},\n'
        f'  "operators": {{\n{rows}\n  }}\n}}\n'
    )
