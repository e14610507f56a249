/**
 * The tokenizer that lies beside a model.
 *
 * @module
 */
import type { Host } from "../../core/host.ts";
import { isUrl } from "../../pipeline/source/byte_source.ts";
import {
  noTokenizer,
  type TextInput,
  textInputs,
  type Tokenize,
} from "../../pipeline/source/text_inputs.ts";
import { openTokenizer } from "../../pipeline/source/tokenizer.ts";
import { readJson, sibling } from "./files.ts";

/**
 * Makes numbers of text with `--tokenizer`, or with the `tokenizer.json` that lies beside the model or a folder above it,
 * as Hugging Face has them. Nothing is looked for before the first text comes.
 */
export function tokenizeBeside(
  host: Host,
  model: string | undefined,
  { tokenizer, inputs }: { readonly tokenizer?: string; readonly inputs: readonly TextInput[] },
): Tokenize {
  let opened: Promise<Tokenize> | undefined;
  const open = async (id: string): Promise<Tokenize> => {
    const path = tokenizer ?? await findTokenizer(host, model);
    if (path === undefined) throw noTokenizer(id);
    const config = sibling(path, "tokenizer_config.json");
    const found = await openTokenizer(
      await readJson(host, path),
      await host.fileExists(config) ? await readJson(host, config) : {},
      path,
    );
    return textInputs(found, inputs, (text) => host.printError(`note: ${text}\n`));
  };
  return async (text, id) => await (await (opened ??= open(id)))(text, id);
}

async function findTokenizer(host: Host, model: string | undefined): Promise<string | undefined> {
  if (model === undefined || isUrl(model)) return undefined;
  for (const name of ["tokenizer.json", "../tokenizer.json"]) {
    const path = sibling(model, name);
    if (await host.fileExists(path)) return path;
  }
  return undefined;
}
