/**
 * What `run.json` holds: all of a run that statistics and manifest must not know, so that the same samples give the
 * same bytes.
 *
 * @module
 */
import { canonicalJson } from "../../core/canonical_json.ts";
import { VERSION } from "../../core/version.ts";
import type { RunDescription } from "../../pipeline/report/page/data.ts";
import { withoutPassword } from "../queue/broker.ts";
import type { Context } from "./context.ts";

/** Times a run from its beginning. */
export class RunRecord {
  readonly #context: Pick<Context, "host" | "args">;
  readonly #started = new Date();
  readonly #begin = performance.now();
  #inputs: RunDescription["inputs"] = {};
  #seconds = 0;

  /** Begins with the run. */
  constructor(context: Pick<Context, "host" | "args">) {
    this.#context = context;
  }

  /** Ends the time, and names what the run read. */
  finish(inputs: RunDescription["inputs"]): void {
    this.#inputs = inputs;
    this.#seconds = Math.round(performance.now() - this.#begin) / 1000;
  }

  /** The record as a value. */
  value(): RunDescription {
    const { host, args } = this.#context;
    return {
      tool: `plimsoll ${VERSION}`,
      command: [host.command ?? "deno task", ...args.map(withoutPassword)],
      started: this.#started.toISOString(),
      seconds: this.#seconds,
      machine: host.machine?.() ?? null,
      inputs: this.#inputs,
    };
  }

  /** The content of `run.json`. */
  json(): string {
    return canonicalJson(this.value());
  }
}
