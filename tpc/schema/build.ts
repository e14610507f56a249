/**
 * Writes the published JSON Schemas from the Zod schemas that the program checks with.
 *
 *     deno task build:schema            writes the files
 *     deno task build:schema --check    fails when one of them is out of date
 *
 * A development tool; nothing imports it.
 *
 * @module
 */
import { z } from "zod";
import { canonicalJson } from "../core/canonical_json.ts";
import { manifestSchema } from "../manifest.ts";
import { targetFileSchema } from "../target.ts";

const SCHEMAS = {
  "target.v2.schema.json": targetFileSchema,
  "manifest.v1.schema.json": manifestSchema,
};

if (import.meta.main) {
  const isCheck = Deno.args.includes("--check");
  for (const [name, schema] of Object.entries(SCHEMAS)) {
    const url = new URL(name, import.meta.url);
    const text = canonicalJson(z.toJSONSchema(schema));
    if (!isCheck) Deno.writeTextFileSync(url, text);
    else if (Deno.readTextFileSync(url) !== text) {
      throw new Error(
        `tpc/schema/${name} is not what the sources give: run deno task build:schema`,
      );
    }
  }
}
