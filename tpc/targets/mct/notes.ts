/**
 * Notes of an import: what was in the file and couldn't be honoured.
 *
 * @module
 */

/** Collects notes; one that is the same in several places is given once, with all of them. */
export class ImportNotes {
  readonly #entries = new Map<
    string,
    { path: string; text: string; places: Set<string>; operators: Set<string> }
  >();

  /**
   * Adds a note.
   *
   * @param path Key in the file; `*` stands for the operator sets that `place` names.
   * @param value What stands there.
   * @param why Why it has no effect, or what became of it: a clause; `{}` in it stands for the operators.
   */
  add(
    path: string,
    value: unknown,
    why: string,
    { place, operator }: { place?: string; operator?: string } = {},
  ): void {
    const text = `${typeof value === "string" ? value : JSON.stringify(value)}: ${why}`;
    const key = `${path} = ${text}`;
    const entry = this.#entries.get(key) ??
      { path, text, places: new Set(), operators: new Set() };
    if (place !== undefined) entry.places.add(place);
    if (operator !== undefined) entry.operators.add(operator);
    this.#entries.set(key, entry);
  }

  /** All notes in the order in which they came. */
  list(): string[] {
    return [...this.#entries.values()].map(({ path, text, places, operators }) =>
      `${path.replace("*", () => [...places].join(", "))} = ${
        text.replace("{}", () => [...operators].join(", "))
      }`
    );
  }
}
