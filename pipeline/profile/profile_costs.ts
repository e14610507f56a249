/**
 * What the kernels of a model take: the float model, the same with everything on integers, and one with every other unit
 * on integers, for what changes between the two cost, run in turns under the profiler.
 *
 * @module
 */
import type { InputTensor } from "../../core/tensor.ts";
import { emitModel } from "../../tpc/emission/emit.ts";
import { nameNodes } from "../../tpc/emission/fusion.ts";
import { addOverrides } from "../../tpc/targets/read_target.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { Model } from "../../onnx/file/model.ts";
import { ALL_INTEGER } from "../plan/estimates.ts";
import { leftFloat } from "../plan/plan_problem.ts";
import { decide } from "../search/decide.ts";
import { placementFor } from "../search/placement.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { defaultRuntime } from "../inference/default_runtime.ts";
import type { CostsFile } from "../plan/costs_file.ts";
import { type KernelTime, measureKernels, type MeasureOptions } from "./measure_kernels.ts";

/** What {@linkcode profileCosts} measures. */
export interface ProfiledModel {
  /** The prepared float model, with the rewrites of the statistics. */
  readonly model: Model;
  /** SHA-256 of the float model file. */
  readonly sha256: string;
  readonly statistics: Statistics;
  /** What may be on integers. */
  readonly target: Target;
  /** One sample, or a batch where the model's is fixed. */
  readonly feeds: ReadonlyMap<string, InputTensor>;
}

/**
 * Measures.
 *
 * @throws {PlimsollError} kind `runtime` when the runtime refuses a model.
 */
export async function profileCosts(
  { model, sha256, statistics, target, feeds }: ProfiledModel,
  { runtime = defaultRuntime(), ...options }: MeasureOptions = {},
): Promise<CostsFile> {
  const whole = addOverrides(target, [ALL_INTEGER]);
  const units = placementFor(statistics, whole).units.filter(({ kind }) => kind === "integer");
  const emit = async (target: Target) => {
    const input = { statistics, statisticsSha256: sha256, target, model };
    return nameNodes(emitModel(model, await decide(input)));
  };
  const mixed = addOverrides(whole, units.filter((_, i) => i % 2 === 1).flatMap(leftFloat));
  const { runs, kernels: [float, integer, both] } = await measureKernels(
    [
      { name: "the float model", model: nameNodes(model) },
      { name: "the model on integers", model: await emit(whole) },
      { name: "the model half on integers", model: await emit(mixed) },
    ],
    feeds,
    { ...options, runtime },
  );
  const own = new Set(model.graph.node.map(({ name }) => name));
  return {
    schemaVersion: 1,
    runtime: runtime.name,
    model: { sha256 },
    runs,
    float: total(float),
    integer: total(integer),
    ...borderTimes([...integer, ...both], own),
    units: units.map(({ node, op, nodes }) => ({
      node,
      op,
      float: timeOf(float, nodes),
      integer: timeOf(integer, nodes),
    })),
  };
}

function total(kernels: readonly KernelTime[]): number {
  return kernels.reduce((sum, { nanoseconds }) => sum + nanoseconds, 0);
}

function timeOf(kernels: readonly KernelTime[], nodes: readonly string[]): number {
  const wanted = new Set(nodes);
  return total(kernels.filter(({ node }) => wanted.has(nameOf(node))));
}

/** The layout transformer makes new nodes, NAME_token_7 of NAME. */
function nameOf(node: string): string {
  return node.replace(/_token_\d+$/, "");
}

/** What an element takes that changes, with the Transposes that the runtime puts beside it. */
function borderTimes(
  kernels: readonly KernelTime[],
  own: ReadonlySet<string>,
): { quantize: number; dequantize: number } {
  const sums = { QuantizeLinear: [0, 0], DequantizeLinear: [0, 0], Transpose: [0, 0] };
  for (const { node, kernel, nanoseconds, elements } of kernels) {
    if (!(kernel in sums) || own.has(nameOf(node))) continue;
    const sum = sums[kernel as keyof typeof sums];
    sum[0] += nanoseconds;
    sum[1] += elements;
  }
  const { QuantizeLinear: q, DequantizeLinear: d, Transpose: t } = sums;
  const each = ([time, elements]: readonly number[]) => elements === 0 ? 0 : time / elements;
  const layout = each([t[0], q[1] + d[1]]);
  return { quantize: each(q) + layout, dequantize: each(d) + layout };
}
