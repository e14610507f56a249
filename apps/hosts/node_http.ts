/**
 * `plimsoll/http` as Node's package gives it: with the runtime where npm puts it.
 *
 * @module
 */
import "./node_default.ts";

export * from "../http/mod.ts";
