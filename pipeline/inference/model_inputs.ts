/**
 * What a model takes: types, shapes, and which axis of each input counts samples.
 *
 * @module
 */
import {
  type GraphProto,
  TensorProto_DataType,
  type ValueInfoProto,
} from "../../onnx/file/onnx_pb.ts";
import { outlineInputs } from "../../onnx/graph/outline.ts";

/** An input of the model. */
export interface ModelInput {
  readonly name: string;
  /** Dimensions, null = dynamic; absent where nobody knows. */
  readonly shape?: readonly (number | null)[];
  /** Names of the dynamic dimensions, empty for others; absent where none has one. */
  readonly symbols?: readonly string[];
  /** Whether it takes whole numbers: pixels as they are, ids, masks. */
  readonly isInteger?: boolean;
  /** Axis that counts samples; null where none does: scalars, and fixed sizes beside inputs that count. Axis 0 when absent. */
  readonly batchAxis?: number | null;
}

/** How exporters call the dimension of samples. */
const BATCH_NAMES = /^(n|b|bs|batch.*|.*batch(_?size)?|num_?samples)$/i;

/**
 * Inputs of a model. The axis of samples is the first one, unless that is fixed and another one has the name that the
 * first axis of other inputs has, or one that exporters give to it: `[2, batch, 128]`, as recurrent states are. An input
 * whose first axis is fixed to more than one, beside another that counts any number or one, has no axis of samples; neither has a fixed vector, such as a waveform.
 *
 * @example
 * ```ts
 * import { modelInputs } from "./model_inputs.ts";
 * import { readModel } from "../../onnx/file/model.ts";
 * import { readFile } from "node:fs/promises";
 * import assert from "node:assert/strict";
 *
 * const { graph } = readModel(await readFile("data/fashion/model.onnx"), "m");
 * const [{ name, batchAxis }] = modelInputs(graph);
 * assert.deepEqual([name, batchAxis], ["image", 0]);
 * ```
 */
export function modelInputs(graph: GraphProto): ModelInput[] {
  const symbols = graph.input.map(symbolsOf);
  const isCounting = outlineInputs(graph).some(({ shape }) =>
    shape !== undefined && isAnyCount(shape[0])
  );
  const first = new Set(symbols.map(([symbol]) => symbol).filter((symbol) => symbol !== ""));
  return outlineInputs(graph).map(({ name, shape }, i) => ({
    name,
    isInteger: isIntegerType(graph.input[i]),
    ...(shape === undefined ? {} : { shape }),
    ...(symbols[i].some((symbol) => symbol !== "") ? { symbols: symbols[i] } : {}),
    batchAxis: shape === undefined ? 0 : axisOf(shape, symbols[i], first, isCounting),
  }));
}

/** Whether a first axis counts samples, one of them or any number. */
function isAnyCount(size: number | null | undefined): boolean {
  return size === null || size === 1;
}

function axisOf(
  shape: readonly (number | null)[],
  symbols: readonly string[],
  first: ReadonlySet<string>,
  isCounting: boolean,
): number | null {
  if (shape.length === 0) return null;
  if (isAnyCount(shape[0])) return 0;
  const named = symbols.findIndex((symbol, axis) =>
    axis > 0 && symbol !== "" && (first.has(symbol) || BATCH_NAMES.test(symbol))
  );
  if (named >= 0) return named;
  return isCounting || shape.length === 1 ? null : 0;
}

/** Types whose values are fractions, or none at all. */
const NOT_INTEGER: readonly TensorProto_DataType[] = [
  TensorProto_DataType.UNDEFINED,
  TensorProto_DataType.FLOAT,
  TensorProto_DataType.FLOAT16,
  TensorProto_DataType.BFLOAT16,
  TensorProto_DataType.DOUBLE,
  TensorProto_DataType.STRING,
];

function isIntegerType({ type }: ValueInfoProto): boolean {
  return type?.value.case === "tensorType" && !NOT_INTEGER.includes(type.value.value.elemType);
}

/** Names of the dynamic dimensions; empty where there are none. */
function symbolsOf({ type }: ValueInfoProto): string[] {
  if (type?.value.case !== "tensorType") return [];
  return type.value.value.shape?.dim.map(({ value }) =>
    value.case === "dimParam" ? value.value : ""
  ) ?? [];
}

/** Whether samples can be stacked: every input counts them along its first axis. */
export function isBatched(inputs: readonly ModelInput[]): boolean {
  return inputs.every(({ batchAxis = 0 }) => batchAxis === 0);
}
