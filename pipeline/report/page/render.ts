/**
 * The report page: one HTML file that carries its data, style and script, and needs no network.
 *
 * @module
 */
import { escapeMarkup } from "../escape.ts";
import { collectReport, type ReportInput } from "./collect.ts";
import type { ReportData } from "./data.ts";
import { SCRIPT, STYLE } from "./generated.ts";

/** Nothing is loaded from anywhere; the page may only run and show what it carries. */
const POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";

/**
 * The report as an HTML document, a pure function of what it is made of: same manifest, statistics and evaluation, same
 * bytes.
 */
export function reportPage(input: ReportInput): string {
  return renderReport(collectReport(input));
}

/** The page of collected data. */
export function renderReport(data: ReportData): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="generator" content="${escapeMarkup(data.made.tool)}">
<title>${escapeMarkup(data.title)} – Plimsoll report</title>
<style>${STYLE}</style>
</head>
<body>
<main><noscript>This page draws its charts with a script, which is switched off here.</noscript></main>
<script type="application/json" id="data">${escapeScript(JSON.stringify(data))}</script>
<script type="module">${SCRIPT}</script>
</body>
</html>
`;
}

/** JSON that can't end its script element or begin a comment in it. */
function escapeScript(json: string): string {
  return json.replaceAll("<", "\\u003c");
}
