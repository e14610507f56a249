/** Commands that are told to end, with a model that never does. */
import assert from "node:assert/strict";
import { inFolder, RUN_WITH_FILES } from "../../support/cli.ts";
import { endlessModel } from "../../support/endless.ts";

for (
  const [signal, times, seconds] of [["SIGINT", 1, 5], ["SIGTERM", 1, 5], ["SIGINT", 2, 2]] as const
) {
  Deno.test(`a command ends within ${seconds} s of ${times} ${signal}, whatever its model does`, async () => {
    await inFolder(async (folder) => {
      await Deno.writeFile(`${folder}/m.onnx`, endlessModel());
      await Deno.writeTextFile(`${folder}/x.ndjson`, '{"input": [1, 2, 3, 4]}\n');
      const process = new Deno.Command(Deno.execPath(), {
        args: [
          ...RUN_WITH_FILES,
          ...["calibrate", "--model", `${folder}/m.onnx`, "--data", `${folder}/x.ndjson`],
          ...["--out", `${folder}/s.plim`],
        ],
        ...{ stdin: "null", stdout: "null", stderr: "piped" },
        env: { NO_COLOR: "1" },
      }).spawn();
      const told = new Response(process.stderr).text();
      // Long enough for it to be at work, on a slow machine as well.
      await new Promise((resolve) => setTimeout(resolve, 4000));
      const since = performance.now();
      for (let i = 0; i < times; i++) {
        process.kill(signal);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      assert.equal((await process.status).code, 130);
      assert.ok(performance.now() - since < seconds * 1000, `${performance.now() - since} ms`);
      if (times === 1) assert.match(await told, /Interrupted: what was at work didn't stop/);
      else await told;
      const files = Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
      assert.deepEqual(files, ["m.onnx", "x.ndjson"]);
    });
  });
}
