/**
 * The settings: target, the wishes of a recipe as their table has them, preprocessing, limits.
 *
 * @module
 */
/// <reference lib="dom" />
import { PlimsollError } from "../../../core/errors.ts";
import { optionName, wordOptions } from "../../../core/option_words.ts";
import { parseJson } from "../../../core/parse_json.ts";
import {
  parsePreprocessing,
  PREPROCESSING_NAMES,
  presetPreprocessing,
} from "../../../tpc/recipe/preprocessing.ts";
import type { Recipe } from "../../../tpc/recipe/recipe.ts";
import { formOf, parseWish, wantedOf, type Wish } from "../../../tpc/recipe/wish.ts";
import { WISH_ENTRIES } from "../../../tpc/recipe/wishes.ts";
import { TARGET_NAMES } from "../../../tpc/targets/read_target.ts";
import { h } from "../../../pipeline/report/page/client/dom.ts";

/** What the settings come to. */
export interface Settings {
  readonly recipe: Recipe;
  readonly limit?: number;
  readonly batch?: number;
}

/** A control of the form that has a text; empty where nothing was chosen. */
type Control = HTMLSelectElement | HTMLInputElement;

/** Headings of the groups of wishes. */
const GROUPS = {
  activations: "Activations",
  weights: "Weights",
  graph: "Graph",
  verdict: "Verdict",
} as const;
/** The wish that is seen at once. */
const FIRST = "error";

/** The form; empty fields leave what the target says. */
export class SettingsForm {
  readonly element: HTMLElement;
  readonly #target = select("target", TARGET_NAMES);
  readonly #wishes = new Map(WISH_ENTRIES.map(([key, wish]) => [key, controlOf(key, wish)]));
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
      field(FIRST, "Error method", this.#wishes.get(FIRST)!),
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
      ...Object.entries(GROUPS).map(([group, title]) =>
        h("details", {}, h("summary", {}, title), ...this.#fieldsOf(group))
      ),
      h(
        "details",
        {},
        h("summary", {}, "More"),
        field("samples", "Samples at most", this.#limit),
        field("batch", "Samples a run", this.#batch),
      ),
    );
  }

  #fieldsOf(group: string): HTMLElement[] {
    return WISH_ENTRIES.filter(([key, wish]) => wish.group === group && key !== FIRST).map(
      ([key, { text }]) => {
        const label = key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
        return field(
          optionName(key),
          label[0].toUpperCase() + label.slice(1),
          this.#wishes.get(key)!,
          wordOptions(text, (key, value) => [key, value].filter(Boolean).join(" ")),
        );
      },
    );
  }

  /** Takes preprocessing from a file. */
  setPreprocessing(text: string): void {
    this.#preprocess.value = text;
  }

  /**
   * The settings as they stand.
   *
   * @throws {PlimsollError} kind `usage` or `input`, for values that can't be.
   */
  read(): Settings {
    const [limit, batch] = [numberIn(this.#limit), numberIn(this.#batch)];
    const preprocessing = parsePreprocessing(
      parseJson(this.#preprocess.value, "the preprocessing"),
      "the preprocessing",
    );
    const wishes = WISH_ENTRIES.flatMap(([key, wish]) => {
      const { value } = this.#wishes.get(key)!;
      return value === "" ? [] : [[key, checked(key, wish, value)]];
    });
    return {
      recipe: { target: this.#target.value, preprocessing, ...Object.fromEntries(wishes) },
      ...(limit === undefined ? {} : { limit }),
      ...(batch === undefined ? {} : { batch }),
    };
  }

  #usePreset(): void {
    this.#preprocess.value = JSON.stringify(presetPreprocessing(this.#preset.value), null, 1);
  }
}

/** A list for choices, a number for ranges; empty means what happens when nobody wishes. */
function controlOf(key: string, { schema, otherwise }: Wish): Control {
  const form = formOf(schema);
  const id = optionName(key);
  if (form.kind !== "number") {
    const values = form.kind === "yesNo" ? ["yes", "no"] : form.values.map(String);
    const list = select(id, values);
    list.prepend(h("option", { value: "", selected: "" }, otherwise));
    list.value = "";
    return list;
  }
  const { least, most, isInteger } = form;
  return number(id, {
    min: least,
    ...(most < Number.MAX_SAFE_INTEGER ? { max: most } : {}),
    step: isInteger ? 1 : "any",
    placeholder: otherwise,
  });
}

function checked(key: string, wish: Wish, text: string): unknown {
  const value = parseWish(wish, text);
  if (value !== undefined) return value;
  throw new PlimsollError("usage", {
    action: "reading the settings",
    wanted: `${optionName(key)}: ${wantedOf(wish)}`,
    found: text,
    remedy: "Correct it, or leave it empty",
  });
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
  attributes: {
    readonly min: number;
    readonly max?: number;
    readonly step?: number | "any";
    readonly placeholder?: string;
  },
): HTMLInputElement {
  const { min, max = null, step = 1, placeholder = "default" } = attributes;
  return h("input", { id, type: "number", step, min, max, placeholder }) as HTMLInputElement;
}

function numberIn({ value }: HTMLInputElement): number | undefined {
  return value === "" ? undefined : Number(value);
}

function field(id: string, label: string, control: HTMLElement, title = ""): HTMLElement {
  return h("div", { class: "field" }, h("label", { for: id, title }, label), control);
}
