/**
 * A table of every field of a JSON Schema, as Markdown. A development tool; `build.ts` uses it.
 *
 * @module
 */

/** As much of JSON Schema as Zod writes. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly additionalProperties?: JsonSchema | boolean;
}

/** One row of the table. */
interface Field {
  readonly path: string;
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
}

/**
 * Rows for every field of an object schema, in the schema's order, depth first; `[]` stands for each entry of a list,
 * `*` for any key.
 *
 * @param isLeftOut Whether a field, by its path, doesn't need a row.
 */
export function fieldTable(
  schema: JsonSchema,
  isLeftOut: (path: string) => boolean = () => false,
): string {
  const rows = [...fieldsOf(schema, "")].filter(({ path }) => !isLeftOut(path)).map((
    { path, schema, isRequired },
  ) =>
    [
      `\`${path}\``,
      typeOf(schema),
      valuesOf(schema),
      isRequired ? "yes" : "optional",
      descriptionOf(schema),
    ].map((cell) =>
      cell.replaceAll("|", "\\|").replaceAll("*", "\\*").replace(/`[^`]*`/g, (code) =>
        code.replaceAll("\\*", "*"))
    ).join(" | ")
  );
  return [
    "field | type | values | needed | meaning",
    "--- | --- | --- | --- | ---",
    ...rows,
  ].map((row) => `| ${row} |\n`).join("");
}

function* fieldsOf(schema: JsonSchema, path: string): Iterable<Field> {
  for (const [key, inner] of Object.entries(schema.properties ?? {})) {
    const here = path === "" ? key : `${path}.${key}`;
    yield { path: here, schema: inner, isRequired: schema.required?.includes(key) ?? false };
    const { path: below, schema: entry } = entryOf(inner, here);
    yield* fieldsOf(entry, below);
  }
}

/** What a list or map holds, and how its fields' paths begin. */
function entryOf(schema: JsonSchema, path: string): { path: string; schema: JsonSchema } {
  return schema.items === undefined ? { path, schema } : entryOf(schema.items, `${path}[]`);
}

function typeOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(" or ");
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  if (typeof schema.additionalProperties === "object") {
    return `map of ${typeOf(schema.additionalProperties)}`;
  }
  const types = [schema.type ?? typeof schema.const].flat();
  return types.map((type) => type === "string" ? "text" : type).join(" or ");
}

function valuesOf(schema: JsonSchema): string {
  const { minimum, maximum, exclusiveMinimum, minItems } = schema;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(" ");
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.anyOf !== undefined) return schema.anyOf.map(valuesOf).join(" ").trim();
  const own = [
    minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? `from ${minimum}` : "",
    exclusiveMinimum === undefined ? "" : `above ${exclusiveMinimum}`,
    maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? `to ${maximum}` : "",
    minItems === undefined ? "" : minItems === 1 ? "not empty" : `${minItems} or more`,
  ].filter((part) => part !== "").join(" ");
  const entry = schema.items === undefined ? "" : valuesOf(schema.items);
  return [own, entry].filter((part) => part !== "").join(", each ");
}

function descriptionOf(schema: JsonSchema): string {
  const entry = schema.items === undefined ? undefined : entryOf(schema, "").schema.description;
  return [schema.description, entry].filter((part) => part !== undefined).join(". ");
}
