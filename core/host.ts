/**
 * What the pipeline and the command line ask of their host, one capability an interface. Nothing else names a runtime.
 *
 * @module
 */

/** What a file holds: bytes, text, or bytes in pieces that are written one after the other. */
export type FileContent = Uint8Array | string | readonly Uint8Array[];

/** A file below a folder. */
export interface FileEntry {
  /** Path relative to the folder, with `/` between its parts. */
  readonly path: string;
  /** Its size. */
  readonly byteLength: number;
}

/** As much of a Web Worker as the pipeline needs. */
export interface HostWorker {
  /** Sends a message; what is in `transfer` changes hands. */
  postMessage(message: unknown, transfer?: Transferable[]): void;
  /** Takes messages. */
  onmessage: ((event: MessageEvent) => void) | null;
  /** Told what the worker threw and didn't catch. */
  onerror: ((event: ErrorEvent) => void) | null;
  /** Ends it at once. */
  terminate(): void;
}

/** What a terminal is like, and what its user has set. */
export interface Terminal {
  /** Columns of standard output; undefined when it is no terminal. Asked anew each time: windows change. */
  outputColumns(): number | undefined;
  /** Columns of standard error; undefined when it is no terminal. */
  errorColumns(): number | undefined;
  /** An environment variable; undefined when it isn't set, or the host may not say. */
  environment(name: string): string | undefined;
}

/** What a server answers with, and where. */
export interface ServeOptions {
  /** Answers a request; never rejects. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** 0 for any that is free. */
  readonly port: number;
  /** Name or address of this machine. */
  readonly hostname: string;
  /** Stops listening. */
  readonly signal: AbortSignal;
  /** Called then: resolves when requests at work have ended. Those that are left over are cut off. */
  readonly settle: () => Promise<void>;
  /** Told the address once it listens. */
  readonly onListen: (url: string) => void;
}

/** Files by name, the network and standard input, to read from. */
export interface Reader {
  /**
   * Whole content of a file. Throws {@linkcode PlimsollError} kind `input`, also for what is no file but a folder, a pipe
   * or a device, and for files of more than 2 GiB.
   */
  readFile(path: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Content of a file as a stream that reads on demand. Throws like {@linkcode Reader.readFile}, for no size. */
  openFile(path: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
  /**
   * `length` bytes of a file from `offset` on. Throws {@linkcode PlimsollError} kind `input`, also when
   * the file ends before.
   */
  readRange(path: string, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /** A path without links; absent where there are none. Throws like {@linkcode Reader.readFile}. */
  realPath?(path: string): Promise<string>;
  /** Whether a file is there. */
  fileExists(path: string): Promise<boolean>;
  /** Size of a file in bytes; undefined for what has none: pipes, folders, nothing. */
  fileSize(path: string): Promise<number | undefined>;
  /**
   * All files below a folder, in no order; links are followed. Undefined when there is no such
   * folder. Throws {@linkcode PlimsollError} kind `input` when one of the folders can't be read.
   */
  listFiles(path: string): Promise<FileEntry[] | undefined>;
  /** The fetch of the web. Throws {@linkcode PlimsollError} kind `input` when nobody answers. */
  fetch(url: string, init?: RequestInit): Promise<Response>;
  /**
   * Standard input, read on demand. It can be read once: throws {@linkcode PlimsollError} kind
   * `input` when asked again.
   */
  openInput(): ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** Files, to write. */
export interface Writer {
  /**
   * Removes files below a folder, and folders in it that are empty then; what isn't there any more doesn't matter. Absent
   * where a host can't.
   */
  removeFiles?(folder: string, paths: readonly string[]): Promise<void>;
  /**
   * Writes files so that none is ever seen half: all are written beside their places first and
   * renamed when the last one is whole. Folders are made where missing. Throws
   * {@linkcode PlimsollError} kind `output` and leaves nothing of its own behind.
   */
  writeFiles(files: ReadonlyMap<string, FileContent>): Promise<void>;
  /**
   * Finds out before any work whether {@linkcode Writer.writeFiles} could write to `path`, which may
   * not exist yet. Throws {@linkcode PlimsollError} kind `output`.
   */
  checkWritable(path: string): Promise<void>;
}

/** Where text goes. */
export interface Printer {
  /** Prints to standard output. */
  print(text: string): void;
  /** Prints to standard error. */
  printError(text: string): void;
  /** Whether standard error is a terminal that can redraw a line. */
  readonly isTerminal: boolean;
  /** More of the terminal; absent where a host knows nothing of it: then nothing is coloured or fitted. */
  readonly terminal?: Terminal;
}

/** All that the command line asks of a runtime; what reads, writes or prints asks for that part alone. */
export interface Host extends Reader, Writer, Printer {
  /** Path of a file that comes with Plimsoll, relative to its root. */
  assetPath(name: string): string;
  /** Starts a worker that does what `pipeline/passes/serve_calibration.ts` does; absent where there are none. */
  startWorker?(): HostWorker;
  /** Starts a worker that runs `apps/http/request_worker.ts`; absent where there are none. */
  startRequestWorker?(): HostWorker;
  /** Starts a worker that gathers shards of passes, `apps/cli/shard_thread.ts`; absent where there are none. */
  startShardWorker?(): HostWorker;
  /** An environment variable, for credentials; undefined when it isn't set, or the host may not say. */
  environment?(name: string): string | undefined;
  /** What the machine has: processors, and bytes of memory that are free, where the host knows or may say. */
  capacity?(): { readonly cores: number; readonly freeBytes?: number };
  /** Bytes of memory that the process has; absent where a host doesn't say. */
  residentBytes?(): number;
  /** Whether a faster runtime is installed beside Plimsoll, as far as can be seen without loading it. */
  hasNativeRuntime?(): Promise<boolean>;
  /**
   * Runs models from now on with a faster runtime that is installed beside Plimsoll; absent where none can be. Throws
   * {@linkcode PlimsollError} kind `usage` when it isn't installed.
   */
  useNativeRuntime?(): Promise<void>;
  /**
   * Answers HTTP until the signal aborts and what is at work then has ended; absent where a host can't. Throws {@linkcode PlimsollError} kind `runtime`
   * where it can't listen.
   */
  serve?(options: ServeOptions): Promise<void>;
  /** Files of the page for browsers, where a host has it: undefined for every other request. */
  pageFile?(request: Request): Promise<Response | undefined>;
  /** Runtime, system and processors in a few words, for `run.json`. */
  machine?(): string;
  /** What users write in front of a command's name; `deno task` where nothing is said. */
  readonly command?: string;
}
