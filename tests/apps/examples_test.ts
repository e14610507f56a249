/** Every example runs as it is. tests/apps/hosts/npm_test.ts runs the first one from the package, too. */
import assert from "node:assert/strict";
import { readModel } from "../../onnx/file/model.ts";
import { inFolder, runCommand } from "../support/cli.ts";
import { imagenetModel } from "../support/imagenet_model.ts";

/** A folder with what examples read. */
async function withInputs(test: (folder: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/images`);
    for (const name of ["jpeg_444.jpg", "jpeg_rgb.jpg", "jpeg_422.jpg", "jpeg_ycck.jpg"]) {
      await Deno.copyFile(`tests/wasm/image/images/${name}`, `${folder}/images/${name}`);
    }
    await Deno.writeFile(`${folder}/m.onnx`, imagenetModel());
    await test(folder);
  });
}

/** Runs an example in a folder and returns what it prints. */
async function run(name: string, folder: string): Promise<string> {
  const root = Deno.cwd();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--config", `${root}/deno.json`, `${root}/examples/${name}`],
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

const EXAMPLES: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  "quantize.ts": async (folder) => {
    await run("quantize.ts", folder);
    readModel(await Deno.readFile(`${folder}/m-int8.onnx`), "m-int8.onnx");
  },
  "compare.ts": async (folder) => {
    const printed = await run("compare.ts", folder);
    for (const name of ["float", "mse", "kl", "noclipping"]) assert.ok(printed.includes(name));
    readModel(await Deno.readFile(`${folder}/m-int8.onnx`), "m-int8.onnx");
  },
  "stream.ts": async (folder) => {
    assert.match(await run("stream.ts", folder), /calibrated\n(.*\n)*\d tensors quantized/);
    readModel(await Deno.readFile(`${folder}/m-int8.onnx`), "m-int8.onnx");
  },
  "serve.ts": async () => {
    const { default: handler } = await import("../../examples/serve.ts");
    const ask = (init: RequestInit) =>
      handler.fetch(new Request("http://localhost/v1/search", { method: "POST", ...init }));
    assert.equal((await ask({})).status, 401);
    assert.equal((await ask({ headers: { authorization: "Bearer secret" } })).status, 415);
  },
  "recipe.json": async (folder) => {
    const inputs = ["--model", `${folder}/m.onnx`, "--data", `${folder}/images`];
    const { code, error } = await runCommand(
      ...["quantize", ...inputs, "--recipe", "examples/recipe.json"],
      ...["--out", `${folder}/out`, "--quiet"],
    );
    assert.equal(code, 0, error);
    const { recipe } = JSON.parse(await Deno.readTextFile(`${folder}/out/manifest.json`));
    assert.deepEqual([recipe.error, recipe.weightRounding], ["auto", "gptq"]);
  },
};

Deno.test("every example has a test", () => {
  const files = Array.from(Deno.readDirSync("examples"), ({ name }) => name);
  assert.deepEqual(files.sort(), Object.keys(EXAMPLES).sort());
});

for (const [name, test] of Object.entries(EXAMPLES)) {
  Deno.test(`examples/${name} does what it says`, () => withInputs(test));
}
