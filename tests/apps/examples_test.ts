/** Every example runs as it is. tests/apps/hosts/npm_test.ts runs the first one from the package, too. */
import assert from "node:assert/strict";
import { DEFAULT_LIMITS } from "../../apps/http/limits.ts";
import { limitVariable } from "../../apps/http/settings.ts";
import { readModel } from "../../onnx/file/model.ts";
import { inFolder, runCommand } from "../support/cli.ts";
import { imagenetModel } from "../support/imagenet_model.ts";
import { sendSmall, smallRequest } from "../support/small_requests.ts";

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
    args: [
      "run",
      `--lock=${root}/deno.lock`,
      "-A",
      "--quiet",
      "--config",
      `${root}/deno.json`,
      `${root}/examples/${name}`,
    ],
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
  // There is no container here: what it would run is run.
  Dockerfile: async () => {
    const text = (await Deno.readTextFile("examples/Dockerfile")).replaceAll("\\\n", "");
    assert.match(text, /^USER 65534:65534$/m);
    const [program, ...args] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(text)![1]) as string[];
    assert.equal(program, "deno");
    const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const port = String((listener.addr as Deno.NetAddr).port);
    listener.close();
    const server = new Deno.Command(Deno.execPath(), {
      args: args.map((argument) => argument.replace("8000", port)),
      ...{ stdin: "null", stdout: "null", stderr: "null" },
    }).spawn();
    try {
      const probe = JSON.parse(/CMD (.*)$/m.exec(text)![1]).at(-1).replace("8000", port) as string;
      for (let i = 0;; i++) {
        const { code } = await new Deno.Command(Deno.execPath(), { args: ["eval", probe] })
          .output();
        if (code === 0) break;
        assert.ok(i < 20, "it isn't healthy");
      }
      const answer = await sendSmall(`http://127.0.0.1:${port}/`, smallRequest(0));
      assert.equal(answer.status, 200, await answer.text());
    } finally {
      server.kill("SIGTERM");
      assert.equal((await server.status).code, 0);
    }
  },
  // Nor is there a Docker that would start these: what they say is held against what there is.
  "worker.Dockerfile": async () => {
    const text = (await Deno.readTextFile("examples/worker.Dockerfile")).replaceAll("\\\n", "");
    assert.match(text, /^USER 65534:65534$/m);
    for (const path of /--entrypoint (.*?) &&/.exec(text)![1].trim().split(/\s+/)) {
      assert.ok((await Deno.stat(path)).isFile, path);
    }
    const pinned = await Deno.readTextFile("import_map.json");
    for (const [, name] of text.matchAll(/npm:(\S+@\d\S*)/g)) {
      assert.ok(pinned.includes(`npm:${name}`), name);
    }
    const [program, ...args] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(text)![1]) as string[];
    assert.equal(program, "deno");
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [...args.filter((each) => each !== "--cached-only"), "worker", "--help"],
    }).output();
    assert.ok(success);
    assert.match(new TextDecoder().decode(stdout), /--queue/);
  },
  "compose.yaml": async () => {
    const text = await Deno.readTextFile("examples/compose.yaml");
    const environment = /x-environment: &environment\n((?: {2}.*\n)+)/.exec(text)![1];
    const names = [...environment.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name);
    const guide = await Deno.readTextFile("docs/distributed.md");
    for (const name of names) assert.ok(guide.includes(name), name);
    const [, command] = /command: (worker .*)$/m.exec(text)!;
    const { out: printed } = await runCommand("worker", "--help");
    for (const [option] of command.matchAll(/--[\w-]+/g)) {
      assert.ok(printed.includes(option), option);
    }
    const [, dockerfile] = /dockerfile: (\S+)/.exec(text)!;
    assert.ok((await Deno.stat(dockerfile.replace(" }", ""))).isFile);
    assert.match(text, /--maxmemory-policy noeviction/);
  },
  "plimsoll.service": async () => {
    const text = await Deno.readTextFile("examples/plimsoll.service");
    assert.match(text, /^ExecStart=.*plimsoll\.js serve/m);
    const settings = Object.keys(DEFAULT_LIMITS).map((name) =>
      limitVariable(name as keyof typeof DEFAULT_LIMITS)
    );
    for (const [, name] of text.matchAll(/^Environment=(\w+)=/gm)) {
      assert.ok(settings.includes(name), name);
    }
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
