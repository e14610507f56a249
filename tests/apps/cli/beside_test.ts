/** Weights beside a model: from its own folder, whatever links say. */
import assert from "node:assert/strict";
import { denoHost } from "../../../apps/hosts/deno.ts";
import { loadModel } from "../../../apps/cli/inputs.ts";
import { writeModel } from "../../../onnx/file/model.ts";
import { splitWeights } from "../../../onnx/file/external_data.ts";
import { model, node, value } from "../../support/onnx.ts";
import { weights } from "../../support/rewrite.ts";
import { inFolder } from "../../support/cli.ts";

const parts = splitWeights(
  model({
    inputs: [value("x", ["N", 4])],
    outputs: [value("y", ["N", 4])],
    initializers: [weights("w", 4, 4)],
    nodes: [node("MatMul", ["x", "w"], ["y"])],
  }),
  "w.data",
  1,
);
const data = new Uint8Array(
  await new Blob([...parts.data] as Uint8Array<ArrayBuffer>[]).arrayBuffer(),
);

Deno.test({
  name:
    "links out of the folder of a model are refused, those inside and beside its real file aren't",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      for (const name of ["own", "blobs", "cache", "elsewhere"]) {
        await Deno.mkdir(`${folder}/${name}`);
      }
      const file = writeModel(parts.model);
      await Deno.writeFile(`${folder}/own/m.onnx`, file);
      await Deno.writeFile(`${folder}/elsewhere/secret`, data);
      const load = (path: string) => loadModel(denoHost, `${folder}/${path}`);

      await Deno.symlink(`${folder}/elsewhere/secret`, `${folder}/own/w.data`);
      await assert.rejects(load("own/m.onnx"), /found "w.data", a link out of it/);
      await Deno.remove(`${folder}/own/w.data`);
      // A folder whose name begins alike is another one.
      await Deno.mkdir(`${folder}/own2`);
      await Deno.writeFile(`${folder}/own2/w`, data);
      await Deno.symlink("../own2/w", `${folder}/own/w.data`);
      await assert.rejects(load("own/m.onnx"), /a link out of it/);
      await Deno.remove(`${folder}/own/w.data`);
      await Deno.writeFile(`${folder}/own/real`, data);
      await Deno.symlink("real", `${folder}/own/w.data`);
      await load("own/m.onnx");

      // As the cache of a hub has it: links to files that lie together.
      await Deno.writeFile(`${folder}/blobs/1`, file);
      await Deno.writeFile(`${folder}/blobs/2`, data);
      await Deno.symlink("../blobs/1", `${folder}/cache/m.onnx`);
      await Deno.symlink("../blobs/2", `${folder}/cache/w.data`);
      await load("cache/m.onnx");

      await Deno.remove(`${folder}/own/w.data`);
      await Deno.symlink("/dev/zero", `${folder}/own/w.data`);
      await assert.rejects(load("own/m.onnx"), /a link out of it/);
    }),
});
