/**
 * The settings: target, method, bits, preprocessing, limits.
 *
 * @module
 */
/// <reference lib="dom" />
import { CONSTRAINTS, METHOD_CHOICES } from "../../../core/types.ts";
import type { TargetChoices } from "../../../tpc/targets/apply_choices.ts";
import { TARGET_NAMES } from "../../../tpc/targets/read_target.ts";
import { h } from "../../../pipeline/report/page/client/dom.ts";
import { PREPROCESSING_NAMES, presetPreprocessing } from "../../../pipeline/source/preprocess.ts";

/** What the settings come to. */
export interface Settings {
  readonly target: string;
  readonly choices: TargetChoices;
  readonly preprocess: string;
  readonly limit?: number;
  readonly batch?: number;
}

/** What a choice is called that leaves the target's own setting. */
const AS_TARGET = "as the target";

/** The form; empty fields leave what the target says. */
export class SettingsForm {
  readonly element: HTMLElement;
  readonly #target = select("target", TARGET_NAMES);
  readonly #error = select("error", [AS_TARGET, ...METHOD_CHOICES]);
  readonly #constraint = select("constraint", [AS_TARGET, ...CONSTRAINTS]);
  readonly #bits = number("bits", { min: 2, max: 16 });
  readonly #weightBits = number("weight-bits", { min: 2, max: 8 });
  readonly #limit = number("samples", { min: 1 });
  readonly #batch = number("batch", { min: 1 });
  readonly #preset = select("preset", PREPROCESSING_NAMES);
  readonly #preprocess = h("textarea", {
    id: "preprocess",
    rows: 6,
    spellcheck: "false",
  }) as HTMLTextAreaElement;

  constructor() {
    this.#preset.addEventListener("change", () => this.#usePreset());
    this.#preset.value = "raw";
    this.#usePreset();
    this.element = h(
      "section",
      { class: "settings", "aria-label": "Settings" },
      field("target", "Target", this.#target),
      field("error", "Error method", this.#error),
      h(
        "details",
        {},
        h("summary", {}, "Preprocessing"),
        field("preset", "Preset", this.#preset),
        field("preprocess", "As JSON", this.#preprocess),
        h(
          "p",
          { class: "note" },
          '(pixel × scale − mean) / std, after "resize": 256 and "crop": 224; also interpolation, ' +
            "channelOrder, grayscale, layout. A preprocess.json that is picked with the images goes here.",
        ),
      ),
      h(
        "details",
        {},
        h("summary", {}, "More"),
        field("constraint", "Constraint", this.#constraint),
        field("bits", "Bits of activations", this.#bits),
        field("weight-bits", "Bits of weights", this.#weightBits),
        field("samples", "Samples at most", this.#limit),
        field("batch", "Samples a run", this.#batch),
      ),
    );
  }

  /** Takes preprocessing from a file. */
  setPreprocessing(text: string): void {
    this.#preprocess.value = text;
  }

  read(): Settings {
    const [limit, batch] = [value(this.#limit), value(this.#batch)];
    const [bits, weightBits] = [value(this.#bits), value(this.#weightBits)];
    const { value: error } = this.#error;
    const { value: constraint } = this.#constraint;
    return {
      target: this.#target.value,
      preprocess: this.#preprocess.value,
      choices: {
        ...(error === AS_TARGET ? {} : { error: error as TargetChoices["error"] }),
        ...(constraint === AS_TARGET
          ? {}
          : { constraint: constraint as TargetChoices["constraint"] }),
        ...(bits === undefined ? {} : { bits }),
        ...(weightBits === undefined ? {} : { weightBits }),
      },
      ...(limit === undefined ? {} : { limit }),
      ...(batch === undefined ? {} : { batch }),
    };
  }

  #usePreset(): void {
    this.#preprocess.value = JSON.stringify(presetPreprocessing(this.#preset.value), null, 1);
  }
}

function select(id: string, options: readonly string[]): HTMLSelectElement {
  return h(
    "select",
    { id },
    ...options.map((option) => h("option", {}, option)),
  ) as HTMLSelectElement;
}

function number(
  id: string,
  range: { readonly min: number; readonly max?: number },
): HTMLInputElement {
  const { min, max = null } = range;
  return h("input", {
    id,
    type: "number",
    step: 1,
    min,
    max,
    placeholder: "default",
  }) as HTMLInputElement;
}

function value({ value }: HTMLInputElement): number | undefined {
  return value === "" ? undefined : Number(value);
}

function field(id: string, label: string, control: HTMLElement): HTMLElement {
  return h("div", { class: "field" }, h("label", { for: id }, label), control);
}
