/**
 * `inspect --fusion`: a model → the kernels that run for it.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";
import { explainFusion, type Fusion, nameNodes } from "../../tpc/emission/fusion.ts";
import { readModelWithData } from "../../onnx/file/external_data.ts";
import type { Host } from "../../core/host.ts";
import { exampleFeeds } from "../../pipeline/inference/example_feeds.ts";
import { profileKernels } from "../../pipeline/inference/profile.ts";
import { fusionReport } from "../../pipeline/report/fusion.ts";
import { readerBeside } from "./files.ts";

/** Runs a model once on inputs without meaning and explains what ran. */
export async function inspectFusion(
  host: Host,
  path: string,
  shapes: ReadonlyMap<string, readonly number[]> = new Map(),
): Promise<{ value: Fusion; text: string }> {
  const { model } = await readModelWithData(
    await host.readFile(path),
    path,
    readerBeside(host, path),
  );
  const named = nameNodes(model);
  const kernels = await profileKernels(named, exampleFeeds(named, shapes), JSON.stringify(path));
  const fusion = explainFusion(named, kernels);
  return { value: fusion, text: fusionReport(fusion) };
}

/** Parses one `--input-shape` and adds it to those before; the name may have colons in it. */
export function inputShape(
  text: string,
  before: ReadonlyMap<string, number[]> = new Map(),
): Map<string, number[]> {
  const colon = text.lastIndexOf(":");
  const dims = text.slice(colon + 1).split("x").map(Number);
  if (colon < 1 || !dims.every((size) => Number.isInteger(size) && size > 0)) {
    throw new InvalidArgumentError("Give NAME:SHAPE, as image:1x3x224x224.");
  }
  return new Map([...before, [text.slice(0, colon), dims]]);
}
