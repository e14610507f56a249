/**
 * Statistics of several runs added up.
 *
 * @module
 */
import { compactJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { addHashes } from "../../core/hash.ts";
import { addCounts } from "./add_counts.ts";
import { mergeChannels } from "./channel_sums.ts";
import { mergeCoverage } from "./coverage.ts";
import { mergeHistograms } from "./merge_histograms.ts";
import type { Statistics, TensorStatistics } from "./statistics.ts";

/**
 * The statistics of all samples of the parts, as one run over them would have made: the same bytes, in whatever
 * order the parts are given.
 *
 * @param parts At least one.
 * @param names What messages call the parts.
 * @throws {PlimsollError} kind `data` for parts of different models, preprocessing or watched tensors, and for parts
 * that cover the same sample.
 */
export function mergeStatistics(
  parts: readonly Statistics[],
  names: readonly string[] = parts.map((_, i) => `part ${i + 1}`),
): Statistics {
  const [first] = parts;
  parts.forEach((part, i) => {
    const same: [string, (statistics: Statistics) => unknown][] = [
      ["the same model", ({ model }) => model],
      ["the same preprocessing", ({ data }) => data.preprocessing],
      ["the same runtime", ({ runtime }) => runtime],
      ["the same rewrites", ({ rewrites }) => rewrites],
      ["the same prepared graph", ({ outline }) => outline],
      ["the same watched tensors", ({ tensors }) => tensors.map(({ tensor }) => tensor)],
      ["the same layers", ({ channels }) => channels.map(({ tensor, axis }) => [tensor, axis])],
      ["held-out samples in all parts or none", ({ data }) => data.holdsOut],
    ];
    for (const [wanted, key] of same) {
      if (compactJson(key(part) ?? null) === compactJson(key(first) ?? null)) continue;
      throw new PlimsollError("data", {
        action: `merging statistics ${JSON.stringify(names[i])}`,
        wanted: `${wanted} as in ${JSON.stringify(names[0])}${shortly(key(first))}`,
        found: `another one${shortly(key(part))}`,
        remedy: "Calibrate all parts with the same model, options and target" +
          (key(part) === part.runtime ? `, ${option("runtime", "wasm")} on all machines` : ""),
      });
    }
  });
  return {
    ...first,
    data: {
      ...first.data,
      samples: addCounts(parts.map(({ data }) => data.samples), "samples"),
      skipped: addCounts(parts.map(({ data }) => data.skipped), "samples left out"),
      sha256: addHashes(parts.map(({ data }) => data.sha256)),
      sources: mergeCoverage(parts.map(({ data }) => data.sources)),
    },
    tensors: first.tensors.map((_, i) => mergeTensors(parts.map(({ tensors }) => tensors[i]))),
    channels: first.channels.map((_, i) => mergeChannels(parts.map(({ channels }) => channels[i]))),
  };
}

/** What parts differ in, where it is said in a few words. */
function shortly(value: unknown): string {
  return typeof value === "string" ? `, ${value}` : "";
}

function mergeTensors(all: readonly TensorStatistics[]): TensorStatistics {
  // A part of which every sample was left out has seen no shape.
  const seen = all.filter(({ histogram: { finite } }) => finite > 0);
  const heldOut = all.flatMap((entry) => entry.heldOut === undefined ? [] : [entry.heldOut]);
  return {
    tensor: all[0].tensor,
    shape: (seen.length > 0 ? seen : all).map(({ shape }) => shape).reduce(mergeShapes),
    histogram: mergeHistograms(all.map(({ histogram }) => histogram)),
    ...(heldOut.length === all.length ? { heldOut: mergeHistograms(heldOut) } : {}),
  };
}

/** Axes that differ become null; shapes of another rank leave none. */
export function mergeShapes(
  a: TensorStatistics["shape"],
  b: TensorStatistics["shape"],
): TensorStatistics["shape"] {
  if (a.length !== b.length) return [];
  return a.map((size, axis) => size === b[axis] ? size : null);
}
