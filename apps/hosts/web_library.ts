/**
 * The library as the npm package gives it to browsers and whatever else isn't Node.
 *
 * @module
 */
export * from "../../pipeline/mod.ts";
export { placedSamples as openSamples } from "../../pipeline/source/sample_opener.ts";
