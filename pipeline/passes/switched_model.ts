/**
 * One model with every quantizer of a manifest, each of which is off until it is switched on: what a quantizer costs the
 * outputs takes runs and no session of its own (`tpc/emission/variable_grids.ts`).
 *
 * @module
 */
import type { Levels } from "../../core/grid.ts";
import type { InputTensor, Sample } from "../../core/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import { makeGridsVariable, type VariableGrids } from "../../tpc/emission/variable_grids.ts";
import type { Manifest, ManifestActivation } from "../../tpc/manifest.ts";
import { createSession } from "../inference/default_runtime.ts";
import { modelInputs } from "../inference/infer.ts";
import type { InferenceSession, Runtime } from "../inference/runtime.ts";
import { gridFeeds, runsOf, scalar } from "./grid_feeds.ts";
import { type OutputMeasure, type Outputs, squaredError } from "./output_measure.ts";

/** A step so fine that float32 has no finer. */
const FINE = 2 ** -22;

/** What is switched on. */
export interface Switched {
  /** Grids by the tensor that has them. */
  readonly grids?: ReadonlyMap<string, Levels>;
  /** Nodes whose weights are rounded. */
  readonly weights?: Iterable<string>;
}

/** What {@linkcode openSwitched} needs beside the model. */
export interface SwitchedOptions {
  /** Samples to run, few: every measurement runs all of them. */
  readonly samples: readonly Sample[];
  /** What a loss is, default the squared error. */
  readonly measure?: OutputMeasure;
  readonly runtime?: Runtime;
}

/** A model whose quantizers are switched. */
export class SwitchedModel {
  /** Nodes whose weights have a switch. */
  readonly nodes: readonly string[];
  readonly #session: InferenceSession;
  readonly #variable: VariableGrids;
  readonly #runs: readonly ReadonlyMap<string, InputTensor>[];
  readonly #off: ReadonlyMap<string, Levels>;
  readonly #measure: OutputMeasure;
  #reference: readonly Outputs[] = [];

  /** Made by {@linkcode openSwitched}. */
  constructor(
    session: InferenceSession,
    variable: VariableGrids,
    manifest: Manifest,
    runs: readonly ReadonlyMap<string, InputTensor>[],
    measure: OutputMeasure,
  ) {
    this.#session = session;
    this.#variable = variable;
    this.#runs = runs;
    this.#measure = measure;
    this.nodes = [...variable.switches.keys()];
    this.#off = new Map(
      manifest.activations.filter(({ sameAs }) => sameAs === undefined)
        .map((entry) => [entry.tensor, fineLevels(entry)] as const),
    );
  }

  /** The loss of the outputs with this switched on and all else off. */
  async loss(switched: Switched): Promise<number> {
    return this.#measure(this.#reference, await this.run(switched));
  }

  /** Outputs with this switched on, run by run. */
  async run({ grids = new Map(), weights = [] }: Switched): Promise<Outputs[]> {
    const scalars = gridFeeds(this.#variable.inputs, new Map([...this.#off, ...grids]));
    for (const name of this.#variable.switches.values()) scalars.set(name, scalar(0));
    for (const node of weights) scalars.set(this.#variable.switches.get(node)!, scalar(1));
    const found: Outputs[] = [];
    for (const feeds of this.#runs) {
      found.push(await this.#session.run(new Map([...feeds, ...scalars]), this.#session.outputs));
    }
    return found;
  }

  /** Everything off: what losses are measured against. */
  async setReference(): Promise<void> {
    this.#reference = await this.run({});
  }

  /** Frees the runtime's memory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

/**
 * Opens the model of a manifest, with everything off.
 *
 * @param model The prepared float model of the manifest.
 * @param manifest With weight steps.
 */
export async function openSwitched(
  model: Model,
  manifest: Manifest,
  { samples, runtime, measure = squaredError }: SwitchedOptions,
): Promise<SwitchedModel> {
  const variable = makeGridsVariable(model, manifest, true);
  const runs = (await runsOf(samples, modelInputs(model.graph))).map(({ feeds }) => feeds);
  const name = "the model of all grids and weights";
  const session = await createSession(variable.model, { name, runtime });
  const switched = new SwitchedModel(session, variable, manifest, runs, measure);
  await switched.setReference();
  return switched;
}

/** A grid that changes nothing but last bits. */
function fineLevels({ threshold, statistics }: ManifestActivation): Levels {
  const { min, max } = statistics ?? {};
  const most = Math.max(threshold, -(min ?? 0), max ?? 0);
  return { step: most * FINE, low: -(2 ** 24), high: 2 ** 24 };
}
