/**
 * Writes what is made from the Zod schemas that the program checks with: the published JSON Schemas, and the table of
 * fields in docs/targets.md.
 *
 *     deno task build:schema            writes the files
 *     deno task build:schema --check    fails when one of them is out of date
 *
 * A development tool; nothing imports it.
 *
 * @module
 */
import { z } from "zod";
import { canonicalJson } from "../../core/canonical_json.ts";
import { manifestSchema } from "../manifest.ts";
import { extensionSchema, targetFileSchema, targetSchema } from "../targets/target.ts";
import { fieldTable, type JsonSchema } from "./field_reference.ts";

const SCHEMAS = {
  "target.v2.schema.json": targetFileSchema,
  "manifest.v1.schema.json": manifestSchema,
};
/** Document with the generated section, and the lines between which it stands. */
const REFERENCE = "../../docs/targets.md";
const [BEGIN, END] = ["<!-- deno-fmt-ignore-start -->\n", "<!-- deno-fmt-ignore-end -->\n"];

/** The document with its section made anew. */
function withReference(text: string): string {
  const [begin, end] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
  if (begin < BEGIN.length || end < begin) throw new Error("docs/targets.md lacks its markers");
  const [whole, extension] = [targetSchema, extensionSchema].map((schema) =>
    z.toJSONSchema(schema) as JsonSchema
  );
  const own = new Set(Object.keys(whole.properties!));
  const section = [
    "<!-- Made by `deno task build:schema` from tpc/targets/target.ts -->",
    "### A whole target\n",
    fieldTable(whole),
    "### A target that extends another\n",
    "Every field above may stand there, too, and all but `schemaVersion` and `name` are optional.\n",
    fieldTable(extension, (path) => own.has(path.split(/[.[]/)[0])),
  ].join("\n");
  return `${text.slice(0, begin)}\n${section}\n${text.slice(end)}`;
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
    write(new URL(name, import.meta.url), canonicalJson(z.toJSONSchema(schema)));
  }
  const reference = new URL(REFERENCE, import.meta.url);
  write(reference, withReference(Deno.readTextFileSync(reference)));
}
