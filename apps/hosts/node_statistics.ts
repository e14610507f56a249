/**
 * `plimsoll/statistics` as Node's package gives it: with the runtime where npm puts it.
 *
 * @module
 */
import "./node_default.ts";

export * from "../../pipeline/mod_statistics.ts";
