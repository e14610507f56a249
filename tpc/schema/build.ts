/**
 * Writes what is made from the Zod schemas that the program checks with: the published JSON Schemas, and the tables in
 * docs/targets.md, docs/recipe.md and docs/composites.md.
 *
 *     deno task build:schema            writes the files
 *     deno task build:schema --check    fails when one of them is out of date
 *
 * A development tool; nothing imports it.
 *
 * @module
 */
import * as z from "zod";
import { canonicalJson } from "../../core/canonical_json.ts";
import { commandLineWording, optionName, wordOptions } from "../../core/option_words.ts";
import { manifestSchema } from "../manifest.ts";
import { COMPOSITES, PARTS } from "../placement/composite_library.ts";
import { recipeSchema } from "../recipe/recipe.ts";
import { wantedOf } from "../recipe/wish.ts";
import { WISH_ENTRIES } from "../recipe/wishes.ts";
import { presetTarget, TARGET_NAMES } from "../targets/read_target.ts";
import { extensionSchema, targetFileSchema, targetSchema } from "../targets/target.ts";
import { fieldTable, type JsonSchema } from "./field_reference.ts";

const SCHEMAS = {
  "target.v2.schema.json": targetFileSchema,
  "manifest.v1.schema.json": manifestSchema,
  "recipe.v1.schema.json": recipeSchema,
};
/** Documents with a generated section, and the lines between which it stands. */
const REFERENCES = {
  "../../docs/targets.md": targetSection,
  "../../docs/recipe.md": wishSection,
  "../../docs/composites.md": compositeSection,
};
const [BEGIN, END] = ["<!-- deno-fmt-ignore-start -->\n", "<!-- deno-fmt-ignore-end -->\n"];

/** The document with its section made anew. */
function withSection(text: string, section: string): string {
  const [begin, end] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
  if (begin < BEGIN.length || end < begin) throw new Error("a document lacks its markers");
  return `${text.slice(0, begin)}\n${section}\n${text.slice(end)}`;
}

/** The wishes of a recipe: key, option of the command line, values, meaning. */
function wishSection(): string {
  const rows = WISH_ENTRIES.map(([key, wish]) => {
    const words = wordOptions(wish.text, commandLineWording).replaceAll("|", "\\|");
    return `| \`${key}\` | \`--${optionName(key)}\` | ${wantedOf(wish)} | ${words} | ${
      wordOptions(wish.otherwise, commandLineWording)
    } | ${wish.pass === undefined ? "" : wish.pass.stage} |`;
  });
  return [
    "<!-- Made by `deno task build:schema` from tpc/recipe/wishes.ts -->",
    "| key | option | values | meaning | when absent | further pass |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n") + "\n";
}

function targetSection(): string {
  const [whole, extension] = [targetSchema, extensionSchema].map((schema) =>
    z.toJSONSchema(schema) as JsonSchema
  );
  const own = new Set(Object.keys(whole.properties!));
  return [
    "<!-- Made by `deno task build:schema` from tpc/targets/target.ts -->",
    "### A whole target\n",
    fieldTable(whole),
    "### A target that extends another\n",
    "Every field above may stand there, too, and all but `schemaVersion` and `name` are optional.\n",
    fieldTable(extension, (path) => own.has(path.split(/[.[]/)[0])),
  ].join("\n");
}

/** Composites with their forms, the parts of these, and what each target does with them. */
function compositeSection(): string {
  const code = (texts: readonly string[]) => texts.map((text) => `\`${text}\``).join("<br>");
  return [
    "<!-- Made by `deno task build:schema` from tpc/placement/composite_library.ts and tpc/targets/ -->",
    "## Forms\n",
    "| operator | what it is | forms |",
    "| --- | --- | --- |",
    ...COMPOSITES.map(({ name, meaning = "", forms, behind = [] }) =>
      `| ${name} | ${meaning}${behind.length === 0 ? "" : `; behind ${behind.join(", ")}`} | ${
        code(forms)
      } |`
    ),
    "\n## Parts of forms\n",
    "| part | any of |",
    "| --- | --- |",
    ...Object.entries(PARTS).map(([name, options]) => `| \`${name}\` | ${code(options)} |`),
    "\n## What targets make of them\n",
    "A target that doesn't name an operator sees its nodes one by one.\n",
    `| operator | ${TARGET_NAMES.join(" | ")} |`,
    `| --- |${" --- |".repeat(TARGET_NAMES.length)}`,
    ...COMPOSITES.map(({ name }) =>
      `| ${name} | ${TARGET_NAMES.map((target) => useOf(name, target)).join(" | ")} |`
    ),
  ].join("\n") + "\n";
}

function useOf(composite: string, name: string): string {
  const { operatorSets } = presetTarget(name)!;
  return operatorSets.find(({ operators }) => operators.includes(composite))?.use ?? "by nodes";
}

if (import.meta.main) {
  const isCheck = Deno.args.includes("--check");
  const write = (url: URL, text: string) => {
    if (!isCheck) Deno.writeTextFileSync(url, text);
    else if (Deno.readTextFileSync(url) !== text) {
      const name = url.pathname.split("/").slice(-2).join("/");
      throw new Error(`${name} is not what the sources give: run deno task build:schema`);
    }
  };
  for (const [name, schema] of Object.entries(SCHEMAS)) {
    write(new URL(name, import.meta.url), canonicalJson(z.toJSONSchema(schema, { io: "input" })));
  }
  for (const [name, section] of Object.entries(REFERENCES)) {
    const url = new URL(name, import.meta.url);
    write(url, withSection(Deno.readTextFileSync(url), section()));
  }
}
