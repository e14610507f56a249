/**
 * What a job made: files to save, and the report.
 *
 * @module
 */
/// <reference lib="dom" />
import { h } from "../../../pipeline/report/page/client/dom.ts";
import { bytes } from "../../../pipeline/report/page/client/format.ts";
import type { JobResult } from "../messages.ts";

/** Links to save each file, a table, and the report in a frame that may do nothing but run its script. */
export function resultsView(
  { files, summary, table }: JobResult,
): { element: HTMLElement; release: () => void } {
  const urls: string[] = [];
  const links = files.map(({ name, mediaType, parts }) => {
    const blob = new Blob([...parts], { type: mediaType });
    const url = URL.createObjectURL(blob);
    urls.push(url);
    return {
      name,
      url,
      link: h("a", { href: url, download: name, class: "save" }, `${name}, ${bytes(blob.size)}`),
    };
  });
  const report = links.find(({ name }) => name === "report.html");
  return {
    element: h(
      "div",
      {},
      h("p", { role: "status" }, summary),
      h("p", { class: "saves" }, ...links.map(({ link }) => link)),
      table === undefined ? null : h("pre", { class: "scroll", tabindex: 0 }, table),
      report === undefined
        ? null
        : h("iframe", { src: report.url, title: "Report", sandbox: "allow-scripts" }),
    ),
    release: () => urls.forEach((url) => URL.revokeObjectURL(url)),
  };
}
