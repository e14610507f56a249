/**
 * One activation in detail.
 *
 * @module
 */
/// <reference lib="dom" />
import type { MethodResult, ReportActivation, ReportData } from "../data.ts";
import { distributionChart } from "./distribution_chart.ts";
import { h, terms } from "./dom.ts";
import { errorChart } from "./error_chart.ts";
import { count, decibels, percent, real, shape } from "./format.ts";
import { hashOf, type Selection } from "./selection.ts";
import { colorOf } from "./thresholds.ts";

/** How details are shown. */
export interface DetailOptions {
  readonly data: ReportData;
  readonly width: number;
  readonly isLog: boolean;
  readonly hidden: ReadonlySet<string>;
  readonly onScale: () => void;
  readonly onSelect: (selection: Selection) => void;
}

/** Facts, charts, what every method would choose, and why. */
export function activationDetail(index: number, options: DetailOptions): HTMLElement {
  const { data } = options;
  const activation = data.activations[index];
  const { seen, sameAs } = activation;
  return h(
    "div",
    {},
    position(index, options),
    h("h3", {}, activation.tensor),
    facts(activation),
    ...(seen === undefined
      ? [h(
        "p",
        { class: "note" },
        sameAs === undefined ? "Nothing was seen of this tensor." : "It has the grid of ",
        sameAs === undefined ? null : link({ kind: "activation", index: sameAs }, options),
      )]
      : charts(activation, options)),
    h("h4", {}, "Why"),
    h("ul", { class: "reasons" }, ...activation.reason.map((reason) => h("li", {}, reason))),
    around(activation, options),
  );
}

function position(index: number, { data, onSelect }: DetailOptions): HTMLElement {
  const step = (label: string, next: number) =>
    h(
      "button",
      {
        type: "button",
        disabled: next < 0 || next >= data.activations.length,
        click: () => onSelect({ kind: "activation", index: next }),
      },
      label,
    );
  return h(
    "div",
    { class: "bar" },
    h("span", { class: "note" }, `Activation ${index + 1} of ${data.activations.length}`),
    h("span", { class: "steps" }, step("← before", index - 1), step("after →", index + 1)),
  );
}

function facts(activation: ReportActivation): HTMLElement {
  const { measured } = activation;
  const {
    op,
    node,
    fused,
    bits,
    signed,
    constraint,
    method,
    threshold,
    scale,
    zeroPoint,
    range,
    seen,
  } = activation;
  return terms([
    [
      "made by",
      node === "" ? "input of the model" : `${op} ${node}`,
    ],
    fused.length === 0 ? null : ["clamps in the quantizer", fused.join(", ")],
    ["shape", shape(activation.shape)],
    ["quantizer", `${bits} bits, ${signed ? "signed" : "unsigned"}, ${constraint}, ${method}`],
    ["threshold", real(threshold)],
    ["scale", real(scale)],
    ["zero point", String(zeroPoint)],
    ["codes reach", `${real(range[0])} … ${real(range[1])}`],
    seen === undefined
      ? null
      : ["values seen", `${real(seen.min)} … ${real(seen.max)}, mean ${real(seen.mean)}`],
    seen === undefined
      ? null
      : ["elements", `${count(seen.elements)}, ${percent(seen.zeros / seen.elements)} zero`],
    seen === undefined ? null : ["SQNR", decibels(seen.sqnr)],
    seen === undefined ? null : ["clipped", percent(seen.clippedFraction)],
    measured === undefined ? null : ["measured SQNR, this layer", decibels(measured.local)],
    measured === undefined ? null : ["measured SQNR, whole model", decibels(measured.accumulated)],
    measured === undefined
      ? null
      : ["cosine, largest deviation", `${measured.cosine.toFixed(5)}, ${real(measured.maxAbs)}`],
  ]);
}

function charts(activation: ReportActivation, options: DetailOptions): (HTMLElement | null)[] {
  const { width, isLog, hidden, onScale } = options;
  const methods = activation.seen!.methods.filter(({ method, isChosen }) =>
    isChosen || !hidden.has(method)
  );
  const errors = errorChart(activation, methods, width);
  return [
    h(
      "div",
      { class: "bar" },
      h("h4", {}, "Distribution and thresholds"),
      h(
        "button",
        { type: "button", id: "scale", "aria-pressed": String(isLog), click: onScale },
        "logarithmic counts",
      ),
    ),
    h("figure", { id: "distribution" }, distributionChart(activation, { width, isLog, methods })),
    activation.seen!.clippedFraction === 0
      ? null
      : h("p", { class: "note" }, "Shaded: what the chosen grid clips."),
    h("h4", {}, "Error of each threshold"),
    errors === undefined
      ? h("p", { class: "note" }, "The methods shown set a range and judge no candidates.")
      : h("figure", { id: "errors" }, errors),
    activation.constraint === "uniform" && errors !== undefined
      ? h(
        "p",
        { class: "note" },
        "The range of a uniform grid has two ends: curves widen and narrow both alike.",
      )
      : null,
    h("h4", {}, "What each method chooses"),
    methodTable(methods),
  ];
}

function methodTable(methods: readonly MethodResult[]): HTMLElement {
  const head = ["method", "threshold", "codes reach", "ERR", "SQNR", "clipped"];
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "What each method chooses" },
    h(
      "table",
      { class: "numbers" },
      h("thead", {}, h("tr", {}, ...head.map((name) => h("th", { scope: "col" }, name)))),
      h(
        "tbody",
        {},
        ...methods.map(({ method, isChosen, threshold, range, error, sqnr, clippedFraction }) =>
          h(
            "tr",
            { class: isChosen ? "chosen" : null },
            h(
              "th",
              { scope: "row" },
              h("span", { class: "swatch", style: `--color: ${colorOf(method)}` }),
              method + (isChosen ? ", chosen" : ""),
            ),
            h("td", {}, real(threshold)),
            h("td", {}, `${real(range[0])} … ${real(range[1])}`),
            h("td", {}, error === null ? "–" : real(error)),
            h("td", {}, decibels(sqnr)),
            h("td", {}, percent(clippedFraction)),
          )
        ),
      ),
    ),
  );
}

/** Where the tensor stands in the graph. */
function around(
  { from, to, readers, weights }: ReportActivation,
  options: DetailOptions,
): HTMLElement {
  const links = (list: readonly number[], kind: Selection["kind"]) =>
    list.length === 0
      ? "–"
      : h("span", { class: "links" }, ...list.map((index) => link({ kind, index }, options)));
  return h(
    "div",
    {},
    h("h4", {}, "In the graph"),
    terms([
      ["made from", links(from, "activation")],
      ["goes into", links(to, "activation")],
      ["read by", readers.length === 0 ? "nobody: an output of the model" : readers.join(", ")],
      ["weights it meets", links(weights, "weight")],
    ]),
  );
}

/** A link to another quantizer. */
export function link(selection: Selection, { data, onSelect }: DetailOptions): HTMLElement {
  const { kind, index } = selection;
  const { tensor } = kind === "activation" ? data.activations[index] : data.weights[index];
  return h("a", {
    href: hashOf(selection),
    click: (event) => {
      event.preventDefault();
      onSelect(selection);
    },
  }, tensor);
}
