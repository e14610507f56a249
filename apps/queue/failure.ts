/**
 * Failures on their way through the queue, so that whoever submitted a run reads what one machine would have said.
 *
 * @module
 */
import { z } from "zod";
import { type ErrorKind, PlimsollError } from "../../core/errors.ts";

const KINDS = ["usage", "input", "model", "target", "data", "runtime", "output"] as const;

const failureSchema = z.strictObject({
  kind: z.enum(KINDS),
  parts: z.strictObject({
    action: z.string(),
    wanted: z.string(),
    found: z.string(),
    remedy: z.string(),
  }),
});

/** A failure as a message of an error, the only thing that a queue keeps of one. */
export function failureText(error: PlimsollError): string {
  const { action, wanted, found, remedy } = error.parts;
  return JSON.stringify({
    kind: error.kind satisfies ErrorKind,
    parts: { action, wanted, found, remedy },
  });
}

/** The failure of a job, from the text that the queue has of it. */
export function failureOf(text: string, shard: string): PlimsollError {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const { success, data } = failureSchema.safeParse(value);
  if (success) return new PlimsollError(data.kind, data.parts);
  const isLost = /stalled more than/.test(text);
  return new PlimsollError("runtime", {
    action: `gathering ${shard} on other machines`,
    wanted: "a worker that finishes it",
    found: isLost ? "workers that ended over it, again and again" : text,
    remedy: isLost
      ? "Look at the memory of the workers' machines and at their logs; a smaller batch takes less"
      : "Look at the terminals of the workers",
  });
}
