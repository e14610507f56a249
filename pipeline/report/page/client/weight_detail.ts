/**
 * One weight tensor in detail.
 *
 * @module
 */
/// <reference lib="dom" />
import { type DetailOptions, link } from "./activation_detail.ts";
import { channelChart } from "./channel_chart.ts";
import { h, terms } from "./dom.ts";
import { decibels, real } from "./format.ts";
import { unevenness } from "./list.ts";

/** Facts, the ranges of its channels, and why. */
export function weightDetail(index: number, options: DetailOptions): HTMLElement {
  const { data, width } = options;
  const weight = data.weights[index];
  const { tensor, op, node, bits, constraint, granularity, method, ranges, sqnr, reason } = weight;
  const meets = data.activations.findIndex(({ weights }) => weights.includes(index));
  return h(
    "div",
    {},
    h("p", { class: "note" }, `Weight ${index + 1} of ${data.weights.length}`),
    h("h3", {}, tensor),
    terms([
      ["of", `${op} ${node}`],
      ["quantizer", `${bits} bits, ${constraint}, one step a ${granularity}, ${method}`],
      ["steps", ranges.length === 0 ? "not searched yet: emission does" : String(ranges.length)],
      ranges.length === 0 ? null : ["SQNR", decibels(sqnr)],
      ranges.length < 2 ? null : ["widest ÷ narrowest", real(unevenness(weight))],
      meets < 0 ? null : ["meets", link({ kind: "activation", index: meets }, options)],
    ]),
    ...(ranges.length < 2 ? [] : [
      h("h4", {}, `Range of each ${granularity}`),
      h("figure", {}, channelChart(weight, width)),
    ]),
    h("h4", {}, "Why"),
    h("ul", { class: "reasons" }, ...reason.map((text) => h("li", {}, text))),
  );
}
