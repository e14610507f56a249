/**
 * Standard error as a command uses it: messages, a progress bar that messages don't tear apart, or JSON lines.
 *
 * @module
 */
import type { Host } from "../../core/host.ts";
import { visible } from "../../core/visible.ts";

/** How progress is shown: by itself a bar on a terminal and lines elsewhere. */
export const PROGRESS_FORMS = ["auto", "lines", "json"] as const;

/** Options that decide how standard error looks. */
export interface ScreenOptions {
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly progress?: (typeof PROGRESS_FORMS)[number];
  /** False with `--no-color`. */
  readonly color?: boolean;
}

/** Colours, as numbers of SGR. */
const COLORS = { red: 31, green: 32, cyan: 36, dim: 2 } as const;

/** Carriage return and "erase line" (ECMA-48): the next text takes the place of the line. */
const REDRAW = "\r\x1b[2K";

/**
 * Owns the terminal: nothing else writes to it, and what is no text of this program's own is made visible here. What is printed through {@linkcode Screen.host} goes above a bar, or into JSON lines. */
export class Screen {
  /** The host, for commands. */
  readonly host: Host;
  readonly #raw: Host;
  #options: ScreenOptions = {};
  #hasBar = false;

  /** Before it is configured it shows what it does by default. */
  constructor(host: Host) {
    this.#raw = host;
    this.host = {
      ...host,
      print: (text) => {
        this.endBar();
        host.print(visible(text));
      },
      printError: (text) => this.message(text),
    };
  }

  /** Takes the options of the command. */
  configure(options: ScreenOptions): void {
    this.#options = options;
  }

  /** How progress is drawn. */
  get form(): "bar" | "lines" | "json" {
    const { progress = "auto" } = this.#options;
    if (progress !== "auto") return progress;
    return this.#raw.isTerminal ? "bar" : "lines";
  }

  /** Columns that a line may take. */
  get width(): number {
    return this.#raw.terminal?.errorColumns() ?? 80;
  }

  /** Prints a text for people, or what stands for it among JSON lines. */
  message(text: string): void {
    if (this.form === "json") return this.event({ event: "message", text: text.trim() });
    if (this.#hasBar) this.#raw.printError(REDRAW);
    this.#hasBar = false;
    this.#raw.printError(visible(text));
  }

  /** Prints the last message of a command that failed. */
  failure(text: string): void {
    if (this.form === "json") return this.event({ event: "error", text });
    this.endBar();
    this.#raw.printError(`\n${this.paint("red", "plimsoll:")} ${visible(text)}\n`);
  }

  /** Prints an object on a line of its own. */
  event(event: Readonly<Record<string, unknown>>): void {
    this.#raw.printError(`${visible(JSON.stringify(event))}\n`);
  }

  /** Draws a bar in the place of the one before. */
  bar(line: string): void {
    this.#raw.printError(`${REDRAW}${line}`);
    this.#hasBar = true;
  }

  /** Leaves a bar as it is and goes to the next line, if there is one. */
  endBar(): void {
    if (this.#hasBar) this.#raw.printError("\n");
    this.#hasBar = false;
  }

  /** A text in a colour, where there are colours: https://no-color.org, and CLICOLOR_FORCE. */
  paint(color: keyof typeof COLORS, text: string): string {
    return this.#hasColor() ? `\x1b[${COLORS[color]}m${text}\x1b[0m` : text;
  }

  #hasColor(): boolean {
    if (this.#options.color === false) return false;
    const { isTerminal, terminal } = this.#raw;
    const force = terminal?.environment("FORCE_COLOR");
    if (terminal?.environment("NO_COLOR") || force === "0" || force === "false") return false;
    // Set but empty counts, as for commander, which colours the help.
    if (force || terminal?.environment("CLICOLOR_FORCE") !== undefined) return true;
    return isTerminal;
  }
}
