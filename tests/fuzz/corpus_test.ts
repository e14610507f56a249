/** What fuzzing has found once stays mended. */
import assert from "node:assert/strict";
import { PlimsollError } from "../../core/errors.ts";
import { KINDS } from "./kinds.ts";

const CORPUS = new URL("corpus/", import.meta.url);
/** Far more than any case takes. */
const MAX_MS = 30_000;

for (const [name, load] of Object.entries(KINDS)) {
  const folder = new URL(`${name}/`, CORPUS);
  let files: string[];
  try {
    files = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
  } catch {
    continue;
  }
  Deno.test(`cases of ${name} give a result or a message`, async () => {
    const kind = await load();
    for (const file of files) {
      const begun = performance.now();
      try {
        await kind.run(await Deno.readFile(new URL(file, folder)));
      } catch (error) {
        assert.ok(error instanceof PlimsollError, `${file}: ${(error as Error)?.stack ?? error}`);
      }
      assert.ok(performance.now() - begun < MAX_MS, `${file} takes too long`);
    }
  });
}

Deno.test("a case is made of its seed and number alone", async () => {
  const { Chance } = await import("./chance.ts");
  for (const name of ["onnx", "npz", "recipe", "zip"]) {
    const kind = await KINDS[name]();
    const made = [0, 1, 2].map((index) => kind.make(new Chance(5, index)));
    assert.deepEqual([0, 1, 2].map((index) => kind.make(new Chance(5, index))), made);
    assert.notDeepEqual(made[0], made[1]);
  }
});
