/**
 * The least that a command needs of its host: what its arguments name, and the program. `launch.ts` starts it with that
 * and no more, so that whatever a model or a data set might make of this program can't reach beyond.
 *
 * @module
 */
import { isUrl } from "../../pipeline/source/byte_source.ts";

/** What is known of the places that arguments name. */
export interface Places {
  /** Folders and files of the program itself. */
  readonly program: readonly string[];
  /** Folder of the native runtime's library, whether it is there or not. */
  readonly library: string;
  /** What a path leads to. */
  kindOf(path: string): "file" | "folder" | undefined;
  /** The folder of a path. */
  parent(path: string): string;
}

/** What a process may do; paths allow all that is below them. */
export interface Permissions {
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** Whether it may read everything: where a queue says what is read. */
  readonly readAll: boolean;
  /** Whether it may speak to the network: servers redirect to others, so that no list of names would do. */
  readonly net: boolean;
  /** Native libraries that it may load: they are bound by nothing else of this. */
  readonly ffi: readonly string[];
  /** Whether it may ask how much memory is free. */
  readonly memory: boolean;
  /** Which part of the environment it may read: settings of the terminal, credentials of buckets too, or all of it. */
  readonly env: "terminal" | "buckets" | "all";
}

/** Commands that run models, in a runtime of the user's choice. */
export const RUNTIME_COMMANDS = ["quantize", "calibrate", "evaluate", "compare", "worker"];
/** Commands that write nothing. */
const READERS = ["inspect", "targets", "serve"];
/** Commands that speak to a queue, and to nothing of the user's own unless they say so. */
const QUEUERS = ["worker", "queue"];
/** Commands whose `--out` is a folder. */
const TO_FOLDER = ["quantize", "compare"];
/** Options that name what is written. */
const WRITTEN = ["--out", "--checkpoint", "--prepared", "--results"];
/** Where results lie when nobody says otherwise. */
const DEFAULT_FOLDER = "out";
/** Files that belong to a folder and may lie beside it. */
const BESIDE_FOLDERS = ["classes.txt", "preprocess.json", "statistics.plim", "comparison.json"];

/** First argument of a process that was started so. */
export const LAUNCHED = "--launched";

/** Finds what a command line needs. */
export function permissionsFor(
  [command = "", ...args]: readonly string[],
  places: Places,
): Permissions {
  const { kindOf, parent } = places;
  const read = new Set([...places.program, DEFAULT_FOLDER]);
  const write = new Set<string>();
  const outputs: { readonly path: string; readonly isFolder: boolean }[] = [];
  let net = command === "serve" || QUEUERS.includes(command);
  let env: Permissions["env"] = QUEUERS.includes(command) ? "all" : "terminal";
  let isShared = false;
  let runtime = RUNTIME_COMMANDS.includes(command) ? "auto" : "wasm";
  let option = "";
  for (const arg of args) {
    const [, name, glued] = /^(--[a-z-]+)(?:=([^]*))?$/.exec(arg) ?? [];
    if (name !== undefined) {
      option = name;
      if (glued === undefined) continue;
    }
    const value = glued ?? arg;
    if (option === "--share") isShared = true;
    if (option === "--runtime") runtime = value;
    if (option === "--queue") {
      net = true;
      // Clients of queues read what they like of it, down to the list of its names.
      env = "all";
    } else if (isUrl(value)) {
      net = true;
      if (/^s3:/i.test(value) && env === "terminal") env = "buckets";
    } else if (WRITTEN.includes(option)) {
      const isFolder = option === "--results" || option === "--out" && TO_FOLDER.includes(command);
      outputs.push({ path: value, isFolder });
    } else if (value !== "-" && value !== "") {
      const kind = kindOf(value);
      // JSON, as of --override, and other lists are no paths.
      if (kind === undefined && value.includes(",")) continue;
      // `report` writes into the folder that it reads.
      if (command === "report" && option === "") outputs.push({ path: value, isFolder: true });
      read.add(value);
      // Weights, labels and tokenizers lie beside models and data.
      if (kind === "file") read.add(parent(value));
      if (kind === "folder") {
        for (const other of BESIDE_FOLDERS) read.add(`${parent(value)}/${other}`);
      }
    }
    // It takes several.
    if (option !== "--share") option = "";
  }
  if (!READERS.includes(command)) {
    // Without --out most commands write there, and so does `evaluate` never.
    const writesNothing = command === "evaluate" || QUEUERS.includes(command);
    if (!args.some((arg) => arg.startsWith("--out")) && !writesNothing) {
      write.add(DEFAULT_FOLDER);
    }
    for (const { path, isFolder } of outputs) {
      const folder = isFolder ? path : parent(path);
      write.add(folder);
      // Folders that are missing are made.
      for (let at = folder; kindOf(at) === undefined && parent(at) !== at; at = parent(at)) {
        write.add(at);
      }
    }
  }
  for (const path of write) read.add(path);
  const list = (paths: Set<string>) => [...new Set([...paths].map(separable))];
  const readAll = command === "worker" && !isShared;
  const ffi = runtime !== "wasm" && kindOf(places.library) === "folder" ? [places.library] : [];
  // Its package is more than its library.
  for (const path of ffi) read.add(path.replace(/bin[/\\].*$/, ""));
  return {
    read: list(read),
    write: list(write),
    readAll,
    net,
    ffi,
    memory: RUNTIME_COMMANDS.includes(command),
    env,
  };

  /** Deno parts paths by commas, and knows no way to write one (2.9.6): a folder above has none. */
  function separable(path: string): string {
    return path.includes(",") ? separable(parent(path)) : path;
  }
}

const TERMINAL_ENV = "NO_COLOR,FORCE_COLOR,CLICOLOR_FORCE";

/** The same, as flags of its runtime */
export function denoFlags({ read, write, readAll, net, ffi, memory, env }: Permissions): string[] {
  return [
    readAll ? "--allow-read" : `--allow-read=${read}`,
    ...write.length === 0 ? [] : [`--allow-write=${write}`],
    ...net ? ["--allow-net"] : [],
    ...ffi.length === 0 ? [] : [`--allow-ffi=${ffi}`],
    ...memory ? ["--allow-sys=systemMemoryInfo"] : [],
    env === "all"
      ? "--allow-env"
      : `--allow-env=${TERMINAL_ENV}${env === "buckets" ? ",AWS_*" : ""}`,
  ];
}
