/**
 * What each step of a quantization came to, a line each, for `--verbose`. Pure.
 *
 * @module
 */
import { groupBy } from "../../core/group_by.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import type { Model } from "../../onnx/file/model.ts";
import { opsetVersion } from "../../onnx/file/model.ts";
import type { Target } from "../../tpc/targets/target.ts";

/** The model as it was given and as it is quantized, with what was rewritten. */
export function modelStep(
  { original, prepared, rewritten, notes }: {
    readonly notes: readonly string[];
    readonly original: Model;
    readonly prepared: Model;
    readonly rewritten: readonly string[];
  },
): string {
  return [
    `model: opset ${opsetVersion(original)}, ${original.graph.node.length} nodes, ` +
    `${prepared.graph.node.length} when prepared`,
    ...notes,
    ...rewritten,
  ].join("\n  ");
}

/** What the target asks of activations and weights. */
export function targetStep(
  { name, activation, weight, overrides = [], layers = {} }: Target,
): string {
  const extra = overrides.length === 0 ? "" : `, ${overrides.length} overrides`;
  const { activations, weightOnly } = layers;
  if (weightOnly !== undefined) return `target ${name}: weights alone, ${weightOnly}${extra}`;
  if (activations === "dynamic") {
    return `target ${name}: activations as the model runs; weights ${weight.bits} bits, ` +
      `${weight.constraint}, per ${weight.granularity}, error ${weight.error}${extra}`;
  }
  return `target ${name}: activations ${activation.bits} bits, ${activation.constraint}, error ${activation.error}; ` +
    `weights ${weight.bits} bits, ${weight.constraint}, per ${weight.granularity}, error ${weight.error}${extra}`;
}

/** How many grids which method has chosen, and which of them fits its tensor least. */
export function decisionStep({ activations, weights, float }: Manifest): string {
  const own = activations.filter(({ statistics }) => statistics !== undefined);
  const methods = groupBy(own, ({ method }) => method);
  const counts = [...methods].map(([method, list]) => `${list.length} by ${method}`).join(", ");
  const least = leastOf(
    own.map(({ tensor, statistics }) => ({ tensor, sqnr: statistics!.sqnr })),
  );
  const leastWeights = leastOf(
    weights.map(({ tensor, steps }) => ({ tensor, sqnr: steps?.sqnr ?? null })),
  );
  return `decided: ${own.length} thresholds${
    own.length === 0 ? "" : `, ${counts}`
  }${least}; ${weights.length} weight tensors${leastWeights}; ` +
    `${float.length} nodes float`;
}

function leastOf(list: readonly { tensor: string; sqnr: number | null }[]): string {
  const known = list.filter(({ sqnr }) => sqnr !== null);
  if (known.length === 0) return "";
  const { tensor, sqnr } = known.reduce((a, b) => b.sqnr! < a.sqnr! ? b : a);
  return `, least SQNR ${sqnr!.toFixed(1)} dB of ${tensor}`;
}
