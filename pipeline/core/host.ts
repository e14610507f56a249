/**
 * What the pipeline asks of its host. Each runtime gives one of these; nothing else in the pipeline
 * names a runtime.
 *
 * @module
 */

/** What a file holds: bytes, text, or bytes in pieces that are written one after the other. */
export type FileContent = Uint8Array | string | readonly Uint8Array[];

/** Files by name, and a terminal. */
export interface Host {
  /** Whole content of a file. Throws {@linkcode PlimsollError} kind `input`. */
  readFile(path: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Content of a file as a stream that reads on demand. Throws like {@linkcode Host.readFile}. */
  openFile(path: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
  /**
   * `length` bytes of a file from `offset` on. Throws {@linkcode PlimsollError} kind `input`, also when
   * the file ends before.
   */
  readRange(path: string, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Whether a file is there. */
  fileExists(path: string): Promise<boolean>;
  /**
   * Writes files so that none is ever seen half: all are written beside their places first and
   * renamed when the last one is whole. Folders are made where missing. Throws
   * {@linkcode PlimsollError} kind `output` and leaves nothing of its own behind.
   */
  writeFiles(files: ReadonlyMap<string, FileContent>): Promise<void>;
  /**
   * Finds out before any work whether {@linkcode Host.writeFiles} could write to `path`, which may
   * not exist yet. Throws {@linkcode PlimsollError} kind `output`.
   */
  checkWritable(path: string): Promise<void>;
  /** Path of a file that comes with Plimsoll, relative to its root. */
  assetPath(name: string): string;
  /** Prints to standard output. */
  print(text: string): void;
  /** Prints to standard error. */
  printError(text: string): void;
  /** Whether standard error is a terminal that can redraw a line. */
  readonly isTerminal: boolean;
}
