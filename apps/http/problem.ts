/**
 * What went wrong, as `application/problem+json` (RFC 9457).
 *
 * @module
 */
import { type ErrorKind, PlimsollError } from "../../core/errors.ts";
import { requestWording } from "../../core/option_words.ts";
import { LostRuntimeError } from "../../pipeline/inference/out_of_memory.ts";

/** Media type of problems. */
export const PROBLEM_TYPE = "application/problem+json";

/** A problem as it is sent. */
export interface ProblemDocument {
  /** `urn:plimsoll:problem:` and its name. */
  readonly type: string;
  /** Its name in words. */
  readonly title: string;
  /** Status of the response. */
  readonly status: number;
  /** What was being done, what was wanted, what was found, what to do. */
  readonly detail: string;
}

/** Names of problems, with their status and title. */
const PROBLEMS = {
  "usage": [400, "The options make no sense"],
  "input": [400, "A part of the body can't be read"],
  "aborted": [400, "The body ended early"],
  "unauthorized": [401, "A token is wanted"],
  "forbidden": [403, "Not from there"],
  "not-found": [404, "There is nothing here"],
  "method": [405, "This method is not for this address"],
  "stalled": [408, "The client stopped sending"],
  "too-large": [413, "The body is too large"],
  "media-type": [415, "The body is of a type that isn't read here"],
  "model": [422, "The model can't be quantized"],
  "target": [422, "The target or manifest can't be used"],
  "data": [422, "The calibration data don't fit"],
  "runtime": [422, "The inference runtime refused"],
  "output": [500, "The result can't be written"],
  "defect": [500, "A defect of plimsoll"],
  "busy": [503, "Too many requests at once"],
  "stopping": [503, "The server is about to end"],
  "too-long": [503, "It took too long"],
  "lost": [503, "The inference runtime is lost"],
} as const satisfies Record<ErrorKind | string, readonly [number, string]>;

/** Name of a problem. */
export type ProblemName = keyof typeof PROBLEMS;

/** All names of problems, for the description of the interface. */
export const PROBLEM_NAMES = Object.keys(PROBLEMS) as ProblemName[];

/** Status that goes with a problem. */
export function statusOf(name: ProblemName): number {
  return PROBLEMS[name][0];
}

/** An error that is answered with a status of its own. */
export class Problem extends Error {
  /** Which one. */
  readonly problem: ProblemName;
  /** Headers of the response besides its type. */
  readonly headers: Readonly<Record<string, string>>;

  /** @param detail Whole sentences: what was wanted, what was found, what to do. */
  constructor(
    problem: ProblemName,
    detail: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail);
    this.name = "Problem";
    this.problem = problem;
    this.headers = headers;
  }
}

/**
 * The problem behind an error. Of what is no error of the user nothing is told: its message and its stack may name
 * places of this machine.
 */
export function problemOf(error: unknown): Problem {
  // A stage that reads the body wraps what the body throws.
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof Problem) return at;
  }
  if (error instanceof LostRuntimeError) return new Problem("lost", error.message);
  if (error instanceof PlimsollError) {
    return new Problem(error.kind, error.messageIn(requestWording));
  }
  return new Problem("defect", "Something went wrong that shouldn't have. Please report it.");
}

/** A problem as a value. */
export function problemDocument({ problem, message }: Problem): ProblemDocument {
  const [status, title] = PROBLEMS[problem];
  return { type: `urn:plimsoll:problem:${problem}`, title, status, detail: message };
}

/** A problem as a response. */
export function problemResponse(problem: Problem): Response {
  const document = problemDocument(problem);
  return new Response(`${JSON.stringify(document)}\n`, {
    status: document.status,
    headers: { "content-type": PROBLEM_TYPE, ...problem.headers },
  });
}
