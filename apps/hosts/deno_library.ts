/**
 * The library as Deno has it: the public surface, with files to read from.
 *
 * @module
 */
import {
  type PlacedSamples,
  placedSamples,
  type SamplePlace,
  type SamplePlaceOptions,
} from "../../pipeline/source/sample_opener.ts";
import { denoHost } from "./deno.ts";

export * from "../../pipeline/mod.ts";
export { startRequestWorker } from "./deno.ts";

/**
 * Samples of a folder of images, a data set, an address or bytes, for `quantize`.
 *
 * @throws {PlimsollError} kinds `usage` and `input`.
 */
export function openSamples(place: SamplePlace, options: SamplePlaceOptions = {}): PlacedSamples {
  return placedSamples(place, { reader: denoHost, ...options });
}
