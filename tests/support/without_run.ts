/** Result files that two runs share: all but what says when and where they ran. */

const RUN = /"repeat":"(?:[^"\\]|\\.)*","run":(?:null|\{.*?"inputs":\{[^}]*\}\})/;

/** The content of a result file; of a report without paths and times of its run. */
export function withoutRun(path: string): string | Uint8Array {
  const bytes = Deno.readFileSync(path);
  if (!path.endsWith(".html")) return bytes;
  const text = new TextDecoder().decode(bytes);
  if (!RUN.test(text)) throw new Error(`${path} doesn't say how it was made`);
  return text.replace(RUN, "");
}
