/**
 * What each quantizer costs the outputs: one quantizer at a time, everything else float. Losses of quantizers that don't
 * know of each other add up (EfficientNet-Lite0: 19.1 dB by the sum, 19.1 measured), so this is whose fault it is.
 *
 * One model has them all (`passes/switched_model.ts`), so a quantizer costs its runs and no session.
 *
 * @module
 */
import type { Sample } from "../../core/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import type { Runtime } from "../inference/runtime.ts";
import { openSwitched } from "../passes/switched_model.ts";
import { levelsOf } from "../search/levels_of.ts";

/** A quantizer with what it alone costs. */
export interface OutputLoss {
  /** Whether it rounds an activation or the weights of a layer. */
  readonly kind: "activation" | "weights";
  /** The activation's tensor, or the node of the layer. */
  readonly name: string;
  /** Σ over float outputs of Σ(y′ − y)² / Σy² with this quantizer alone. */
  readonly loss: number;
  /** Part of the sum of all losses. */
  readonly share: number;
}

/** What {@linkcode outputLosses} needs. */
export interface OutputLossesOptions {
  /** Samples to run, few: every quantizer runs all of them. */
  readonly samples: readonly Sample[];
  readonly runtime?: Runtime;
  readonly signal?: AbortSignal;
  /** Told after every quantizer. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Measures every quantizer of a manifest.
 *
 * @param model The prepared float model of the manifest.
 * @returns The most expensive first.
 */
export async function outputLosses(
  model: Model,
  manifest: Manifest,
  { samples, runtime, signal, onProgress }: OutputLossesOptions,
): Promise<OutputLoss[]> {
  await using switched = await openSwitched(model, manifest, { samples, runtime });
  const owners = manifest.activations.filter(({ sameAs }) => sameAs === undefined);
  const measured: Omit<OutputLoss, "share">[] = [];
  const total = owners.length + switched.nodes.length;
  const note = (kind: OutputLoss["kind"], name: string, loss: number) => {
    measured.push({ kind, name, loss });
    onProgress?.(measured.length, total);
  };
  for (const entry of owners) {
    signal?.throwIfAborted();
    const grids = new Map([[entry.tensor, levelsOf(entry)]]);
    note("activation", entry.tensor, await switched.loss({ grids }));
  }
  for (const node of switched.nodes) {
    signal?.throwIfAborted();
    note("weights", node, await switched.loss({ weights: [node] }));
  }
  const sum = measured.reduce((all, { loss }) => all + loss, 0);
  return measured.map((entry) => ({ ...entry, share: sum === 0 ? 0 : entry.loss / sum }))
    .toSorted((a, b) => b.loss - a.loss);
}
