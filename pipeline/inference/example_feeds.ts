/**
 * Inputs for a model when any will do.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import type { Model } from "../../onnx/file/model.ts";
import { outlineInputs } from "../../onnx/graph/outline.ts";
import { elementCount } from "../../onnx/file/tensor.ts";
import type { Tensor } from "../../core/tensor.ts";

/**
 * Numbers between −1 and 1 without a pattern for each float32 input, zeros for others: the same in every run.
 *
 * @param shapes Shapes by input name; others are as declared, dimensions that vary being 1.
 * @throws {PlimsollError} kind `usage` for a shape that doesn't fit, that is missing where the model declares none, or
 * of an input that isn't there.
 */
export function exampleFeeds(
  model: Model,
  shapes: ReadonlyMap<string, readonly number[]>,
): Map<string, Tensor> {
  const inputs = outlineInputs(model.graph);
  for (const name of shapes.keys()) {
    if (inputs.some((input) => input.name === name)) continue;
    throw new PlimsollError("usage", {
      action: "making inputs for the model",
      wanted: `shapes for ${inputs.map((input) => JSON.stringify(input.name)).join(", ")}`,
      found: `one for ${JSON.stringify(name)}`,
      remedy: `Correct ${option("inputShape")}`,
    });
  }
  return new Map(inputs.map(({ name, type, shape: declared }) => {
    const fail = (wanted: string, found: string) =>
      new PlimsollError("usage", {
        action: `making input ${JSON.stringify(name)} for the model`,
        wanted,
        found,
        remedy: `Correct ${option("inputShape")}`,
      });
    const given = shapes.get(name);
    const dims = given ?? declared?.map((size) => size ?? 1);
    if (dims === undefined) {
      throw fail("a shape, which the model doesn't declare", "none given");
    }
    const fits = declared === undefined || declared.length === dims.length &&
        declared.every((size, i) => size === null || size === dims[i]);
    if (!fits) {
      const text = declared!.map((size) => size ?? "any").join("x");
      throw fail(text, dims.join("x"));
    }
    const data = Float32Array.from(
      { length: elementCount(dims) },
      (_, i) => type === "float" ? Math.sin(i * i) : 0,
    );
    return [name, { data, dims: [...dims] }];
  }));
}
