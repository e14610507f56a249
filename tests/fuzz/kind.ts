/** What a kind of cases is. */
import type { Chance } from "./chance.ts";

/** One reader, or a way through several. */
export interface Kind {
  /** Ending of its files in the corpus. */
  readonly ending: string;
  /** Cases that take more than some milliseconds, as those with inference. */
  readonly isSlow?: true;
  /** The bytes of a case: the same choices give the same bytes. */
  make(chance: Chance): Uint8Array;
  /**
   * Does with them all that users do. A result or a PlimsollError is what they may give; anything else that is thrown
   * is a failure.
   */
  run(bytes: Uint8Array): Promise<void> | void;
  /** Smaller bytes that may show the same, for kinds that aren't cut anywhere. */
  smaller?(bytes: Uint8Array): Iterable<Uint8Array>;
}

/** Kinds by name, each made when it is wanted. */
export type Kinds = Readonly<Record<string, () => Promise<Kind> | Kind>>;
