/**
 * The library as Node's package gives it: the public surface, with files to read from and the runtime where npm puts it.
 *
 * @module
 */
import "./node_default.ts";
import type { HostWorker } from "../../core/host.ts";
import {
  type PlacedSamples,
  placedSamples,
  type SamplePlace,
  type SamplePlaceOptions,
} from "../../pipeline/source/sample_opener.ts";
import { nodeReader } from "./node_reader.ts";
import { startThread } from "./node_thread.ts";

export * from "../../pipeline/mod.ts";

/**
 * Samples of a folder of images, a data set, an address or bytes, for `quantize`.
 *
 * @throws {PlimsollError} kinds `usage` and `input`.
 */
export function openSamples(place: SamplePlace, options: SamplePlaceOptions = {}): PlacedSamples {
  return placedSamples(place, { reader: nodeReader, ...options });
}

/** Starts a worker thread that calibrates: option `startWorker` of `quantize`. */
export function startWorker(): HostWorker {
  // This file is bundled into the root of the package.
  return startThread(new URL("./calibration_worker.js", import.meta.url), "wasm");
}

/** Starts a worker thread that does the work of requests: option `startWorker` of `createHandler`. */
export function startRequestWorker(): HostWorker {
  return startThread(new URL("./request_worker.js", import.meta.url), "wasm");
}
