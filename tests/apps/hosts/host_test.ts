/** What every host with files gives: one suite over all of them. Node's runs here, too: Deno has Node's modules. */
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import type { Host } from "../../../core/host.ts";
import { denoHost } from "../../../apps/hosts/deno.ts";
import { createNodeHost } from "../../../apps/hosts/node.ts";
import { inFolder } from "../../support/cli.ts";

const root = pathToFileURL(`${Deno.cwd()}/`);
const HOSTS: Record<string, Host> = {
  deno: denoHost,
  node: createNodeHost({
    root,
    worker: new URL("apps/hosts/node_worker.ts", root),
    requestWorker: new URL("apps/hosts/node_request_worker.ts", root),
    shardWorker: new URL("apps/hosts/node_shard.ts", root),
  }),
};

const collect = async (stream: ReadableStream<Uint8Array>) =>
  new Uint8Array(
    await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
  );

for (const [name, host] of Object.entries(HOSTS)) {
  Deno.test(`${name}: files are removed with the folders that are empty then, and no others`, () =>
    inFolder(async (folder) => {
      const paths = ["a/b/1", "a/b/2", "a/3", "4", "c/5"];
      await host.writeFiles(new Map(paths.map((path) => [`${folder}/${path}`, "x"])));
      await host.removeFiles!(folder, ["a/b/1", "a/b/2", "c/5", "c/none"]);
      const left = (await host.listFiles(folder))!.map(({ path }) => path).sort();
      assert.deepEqual(left, ["4", "a/3"]);
      assert.deepEqual(Array.from(Deno.readDirSync(folder), ({ name }) => name).sort(), ["4", "a"]);
    }));

  Deno.test(`${name}: what is written is read back: whole, as a stream, by ranges`, async () => {
    await inFolder(async (folder) => {
      const bytes = crypto.getRandomValues(new Uint8Array(40_000));
      const many = Array.from({ length: 5 }, () => bytes);
      const path = `${folder}/new/deep/a.bin`;
      await host.writeFiles(
        new Map<string, Uint8Array | string | Uint8Array[]>([
          [path, many],
          [`${folder}/b.txt`, "öß"],
          [`${folder}/c.bin`, bytes],
        ]),
      );
      const whole = await host.readFile(path);
      assert.equal(whole.length, 200_000);
      assert.deepEqual(whole.slice(40_000, 80_000), bytes);
      assert.deepEqual(await collect(await host.openFile(path)), whole);
      assert.deepEqual(await host.readRange(path, 39_990, 20), whole.slice(39_990, 40_010));
      assert.equal(new TextDecoder().decode(await host.readFile(`${folder}/b.txt`)), "öß");
      assert.equal(await host.fileSize(path), 200_000);
      assert.equal(await host.fileSize(folder), undefined);
      assert.equal(await host.fileExists(path), true);
      assert.equal(await host.fileExists(folder), false);
      const stream = await host.openFile(path);
      await stream.cancel();
    });
  });

  Deno.test(`${name}: folders are listed through links, but not round in circles`, async () => {
    await inFolder(async (folder) => {
      await host.writeFiles(new Map([[`${folder}/a/b/1.txt`, "1"], [`${folder}/2.txt`, "22"]]));
      await Deno.symlink(folder, `${folder}/a/circle`);
      await Deno.symlink(`${folder}/2.txt`, `${folder}/a/link.txt`);
      await Deno.symlink(`${folder}/nowhere`, `${folder}/a/broken`);
      const files = await host.listFiles(folder);
      assert.deepEqual(
        files!.toSorted((a, b) => a.path < b.path ? -1 : 1),
        [
          { path: "2.txt", byteLength: 2 },
          { path: "a/b/1.txt", byteLength: 1 },
          { path: "a/broken", byteLength: 0 },
          { path: "a/link.txt", byteLength: 2 },
        ],
      );
      assert.equal(await host.listFiles(`${folder}/2.txt`), undefined);
      assert.equal(await host.listFiles(`${folder}/none`), undefined);
    });
  });

  Deno.test(`${name}: what can't be read or written is named, and nothing is left behind`, async () => {
    await inFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/file`, "x");
      const missing = { kind: "input", message: /opening ".*none".*found no such file/ };
      await assert.rejects(host.readFile(`${folder}/none`), missing);
      await assert.rejects(host.openFile(`${folder}/none`), missing);
      await assert.rejects(host.readRange(`${folder}/none`, 0, 1), missing);
      await assert.rejects(host.openFile(folder), { kind: "input", message: /it is a folder/ });
      await assert.rejects(host.readRange(`${folder}/file`, 0, 9), {
        ...{ kind: "input", message: /wanted 9 bytes from byte 0 on, found 1/ },
      });
      const inside = `${folder}/file/below`;
      await assert.rejects(host.checkWritable(inside), { kind: "output" });
      const files = new Map([[`${folder}/new/good`, "x"], [inside, "y"]]);
      await assert.rejects(host.writeFiles(files), { kind: "output" });
      assert.deepEqual(Array.from(Deno.readDirSync(folder), (entry) => entry.name), ["file"]);
      await host.checkWritable(`${folder}/a/b/c`);
      assert.deepEqual(Array.from(Deno.readDirSync(folder), (entry) => entry.name), ["file"]);
    });
  });

  Deno.test(`${name}: nobody answering is an error of the network, and assets are found`, async () => {
    await assert.rejects(host.fetch("http://127.0.0.1:9/"), {
      ...{ kind: "input", message: /fetching "http:\/\/127.0.0.1:9\/": wanted an answer/ },
    });
    assert.equal(await host.fileExists(host.assetPath("data/fashion/model.onnx")), true);
  });
}
