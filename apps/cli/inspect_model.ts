/**
 * `inspect` of models: float ones under a target, quantized ones as they are.
 *
 * @module
 */
import type { Model } from "../../onnx/file/model.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { listLayers } from "../../pipeline/inspect/layers.ts";
import { listQuantizedLayers } from "../../pipeline/inspect/quantized_layers.ts";
import { isSelected, isSelective, type Selection } from "../../pipeline/inspect/selection.ts";
import {
  inputFields,
  layerFields,
  layerReport,
  quantizedFields,
  quantizedReport,
} from "../../pipeline/report/layers.ts";
import { type Inspection, nothingSelected } from "./inspection.ts";

interface ModelInspection {
  /** What messages call the model. */
  readonly name: string;
  readonly selection: Selection;
  readonly width?: number;
}

/** Layers of a prepared float model, with what a target makes of them. */
export function inspectModel(
  model: Model,
  target: Target,
  { name, selection, width }: ModelInspection,
): Inspection {
  const { inputs, layers, outline, placement } = listLayers(model, target);
  const namesOf = (layer: (typeof layers)[number]) => [layer.node, ...layer.outputs];
  const selected = layers.filter((layer) =>
    isSelected(selection, { names: namesOf(layer), operators: [layer.op] })
  );
  if (selected.length === 0 && isSelective(selection)) {
    throw nothingSelected(name, layers.flatMap(namesOf));
  }
  const isOne = selected.length === 1 && isSelective(selection);
  return {
    value: isSelective(selection)
      ? { layers: selected }
      : { inputs, layers: selected, outline, placement },
    text: isOne ? layerFields(selected[0]) : layerReport({ layers: selected }, { width }),
  };
}

/** Layers of a quantized model with their quantizers. */
export function inspectQuantized(
  model: Model,
  { name, selection, width, fileBytes }: ModelInspection & { readonly fileBytes?: number },
): Inspection {
  const all = listQuantizedLayers(model);
  const namesOf = (layer: (typeof all.layers)[number]) => [
    ...[layer.node, ...layer.outputs],
    ...layer.constants.map(({ tensor }) => tensor),
  ];
  const layers = all.layers.filter((layer) =>
    isSelected(selection, { names: namesOf(layer), operators: [layer.op] })
  );
  const inputs = all.inputs.filter(({ tensor }) =>
    isSelected(selection, { names: [tensor], operators: [] })
  ).filter(() => selection.operators.length === 0);
  if (layers.length + inputs.length === 0 && isSelective(selection)) {
    throw nothingSelected(name, [
      ...all.inputs.map(({ tensor }) => tensor),
      ...all.layers.flatMap(namesOf),
    ]);
  }
  const isOne = layers.length + inputs.length === 1 && isSelective(selection);
  const text = !isOne
    ? quantizedReport({ inputs, layers, bytes: all.bytes }, { width, fileBytes })
    : layers.length === 1
    ? quantizedFields(layers[0])
    : inputFields(inputs[0]);
  const value = { inputs, layers };
  return {
    value: isSelective(selection)
      ? value
      : { ...value, bytes: { ...all.bytes, file: fileBytes ?? null } },
    text,
  };
}
