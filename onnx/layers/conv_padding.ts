/**
 * Padding of Conv, whichever way it is written.
 *
 * @module
 */
import type { LinearLayer } from "./linear_layer.ts";
import { intsAttribute, stringAttribute } from "../graph/node.ts";

/**
 * What a Conv pads: begin of each spatial axis, then end of each. Undefined where that depends on the size
 * of its input, as with `auto_pad` SAME and steps other than 1, and for `auto_pad` SAME with dilations, which
 * ONNX Runtime doesn't run.
 */
export function convPadding({ node, weight }: LinearLayer): readonly number[] | undefined {
  const kernel = weight.dims.slice(2);
  const none = new Array<number>(2 * kernel.length).fill(0);
  const autoPad = stringAttribute(node, "auto_pad", "NOTSET");
  if (autoPad === "NOTSET") {
    const pads = intsAttribute(node, "pads") ?? [];
    return pads.length === 0 ? none : pads;
  }
  if (autoPad === "VALID") return none;
  const steps = ["strides", "dilations"].flatMap((name) => intsAttribute(node, name) ?? []);
  if (!steps.every((step) => step === 1)) return;
  // The output is as large as the input: an odd element goes to the end, with SAME_LOWER to the begin.
  const less = kernel.map((size) => Math.floor((size - 1) / 2));
  const more = kernel.map((size) => Math.ceil((size - 1) / 2));
  return autoPad === "SAME_LOWER" ? [...more, ...less] : [...less, ...more];
}
