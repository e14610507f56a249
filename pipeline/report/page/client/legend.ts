/**
 * The methods with their colours; each one can be hidden in all charts.
 *
 * @module
 */
/// <reference lib="dom" />
import { h } from "./dom.ts";
import { colorOf } from "./thresholds.ts";

/** Buttons, one a method. */
export function legend(
  methods: readonly string[],
  hidden: ReadonlySet<string>,
  onToggle: (method: string) => void,
): HTMLElement {
  return h(
    "div",
    { class: "legend", role: "group", "aria-label": "Error methods in the charts" },
    ...methods.map((method) =>
      h(
        "button",
        {
          type: "button",
          "data-method": method,
          "aria-pressed": String(!hidden.has(method)),
          style: `--color: ${colorOf(method)}`,
          click: () => onToggle(method),
        },
        method,
      )
    ),
  );
}
