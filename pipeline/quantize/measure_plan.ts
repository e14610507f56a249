/**
 * Models of plans, made and measured beside the float one.
 *
 * @module
 */
import type { Model } from "../../onnx/file/model.ts";
import { emitModel } from "../../tpc/emission/emit.ts";
import { addOverrides } from "../../tpc/targets/read_target.ts";
import type { Override } from "../../tpc/targets/target.ts";
import { latencyRatio } from "../evaluate/latency.ts";
import { createSession } from "../inference/default_runtime.ts";
import type { InferenceSession } from "../inference/runtime.ts";
import { SessionStack } from "../inference/session_stack.ts";
import { measureNamed } from "../passes/output_measure.ts";
import { lossText } from "../plan/goal.ts";
import type { PlanFigures } from "../plan/plan.ts";
import { decide } from "../search/decide.ts";
import { serialiseFor } from "./float_model.ts";
import type { PlanStart } from "./plan_loop.ts";
import type { RunOptions } from "./run.ts";

/** Samples that every option of every quantizer runs. */
export const PLANNED_SAMPLES = 8;

/**
 * What makes the model of some overrides and measures it.
 *
 * @param isTimed Whether times are wanted.
 */
export function measuring(
  { variant, wish, calibrated, reference }: PlanStart,
  isTimed: boolean,
  { runtime, signal, onEvent }: RunOptions,
): (name: string, overrides: readonly Override[]) => Promise<PlanFigures> {
  const { float, target, recipe } = variant;
  const { statistics, sha256 } = calibrated;
  return async (name, overrides) => {
    const manifest = await decide({
      statistics,
      statisticsSha256: sha256,
      target: addOverrides(target, overrides),
      model: float.prepared,
      recipe,
    });
    const emitted = emitModel(float.prepared, manifest);
    const { file, weights } = serialiseFor(float, emitted);
    await using stack = new SessionStack();
    const open = async (model: Model, name: string) =>
      stack.use(await createSession(model, { name, runtime }));
    const session = await open(emitted, name);
    const measured: PlanFigures = {
      loss: await lossOf(session, { reference, measure: wish.measure, signal }),
      latency: isTimed
        ? await latencyRatio(
          await open(float.original, "the float model"),
          session,
          reference.runs[0].feeds,
          signal,
        )
        : null,
      size: weights.reduce((sum, { length }) => sum + length, file.length),
    };
    await onEvent?.({ kind: "note", text: `${name}: ${describeFigures(measured)}` });
    return measured;
  };
}

/** What a model loses of the outputs on the samples that models are measured on; null when infinite. */
export async function lossOf(
  session: InferenceSession,
  { reference, measure = "squared", signal }:
    & Pick<PlanStart, "reference">
    & Pick<PlanStart["wish"], "measure">
    & Pick<RunOptions, "signal">,
): Promise<number | null> {
  // Those that losses were measured on may be the first ones, and say little of others.
  const from = reference.runs.length > PLANNED_SAMPLES ? PLANNED_SAMPLES : 0;
  const found = [];
  for (const { feeds } of reference.runs.slice(from)) {
    signal?.throwIfAborted();
    found.push(await session.run(feeds, session.outputs));
  }
  const loss = measureNamed(measure)(reference.outputs.slice(from), found);
  return Number.isFinite(loss) ? loss : null;
}

/** Figures in words. */
export function describeFigures({ loss, latency, size }: PlanFigures): string {
  return [
    loss === null ? "outputs lost" : lossText(loss),
    ...(latency === null ? [] : [`${latency.toFixed(2)} of float's time`]),
    `${(size / 1e6).toFixed(2)} MB`,
  ].join(", ");
}
