/** Which kernels onnxruntime-web runs for a model, read from its profiler. */

const SCRIPT = `
import { createSession } from ${
  JSON.stringify(new URL("../../pipeline/inference/session.ts", import.meta.url).href)
};
import { readModel } from ${
  JSON.stringify(new URL("../../tpc/onnx/model.ts", import.meta.url).href)
};
const { model, feeds } = JSON.parse(new TextDecoder().decode(Deno.readFileSync(Deno.args[0])));
const session = await createSession(readModel(Deno.readFileSync(model), model), { name: model, profile: true });
const inputs = new Map(feeds.map(([name, dims]) => {
  const size = dims.reduce((a, b) => a * b, 1);
  return [name, { dims, data: Float32Array.from({ length: size }, (_, i) => Math.sin(i * i)) }];
}));
await session.run(inputs, session.outputs);
session.endProfiling();
`;

/**
 * Runs a model once in a process of its own (the profile goes to standard output) and returns the
 * operators that ran, with the names of their nodes.
 */
export async function profileKernels(
  model: Uint8Array,
  feeds: Record<string, number[]>,
): Promise<{ op: string; node: string }[]> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/model.onnx`, model);
    await Deno.writeTextFile(`${folder}/run.ts`, SCRIPT);
    const request = { model: `${folder}/model.onnx`, feeds: Object.entries(feeds) };
    await Deno.writeTextFile(`${folder}/request.json`, JSON.stringify(request));
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        "--config",
        config,
        `${folder}/run.ts`,
        `${folder}/request.json`,
      ],
    }).output();
    const text = new TextDecoder().decode(stdout);
    const lines = text.split("\n").filter((line) => line.includes("_kernel_time"));
    if (lines.length === 0) {
      throw new Error(`no profile: ${text}${new TextDecoder().decode(stderr)}`);
    }
    return lines.map((line) => {
      const { name, args } = JSON.parse(line.replace(/,\s*$/, ""));
      return { op: args.op_name, node: name.replace(/_kernel_time$/, "") };
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
