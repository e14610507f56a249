/** Sets of files change as one; what runs that were killed leave behind goes. */
import assert from "node:assert/strict";
import { denoHost } from "../../../apps/hosts/deno.ts";
import { inFolder } from "../../support/cli.ts";

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
const UUID = "11111111-1111-4111-8111-111111111111";

Deno.test("a target that is a folder is refused before anything changes", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/manifest.json`);
    await Deno.writeTextFile(`${folder}/model.onnx`, "old");
    const files = new Map([
      [`${folder}/model.onnx`, "new"],
      [`${folder}/manifest.json`, "new"],
      [`${folder}/more/report.html`, "new"],
    ]);
    await assert.rejects(denoHost.writeFiles(files), /manifest.json".*found a folder of that name/);
    await assert.rejects(
      denoHost.checkWritable(`${folder}/manifest.json`),
      /a folder of that name/,
    );
    assert.equal(await Deno.readTextFile(`${folder}/model.onnx`), "old");
    assert.deepEqual(names(folder), ["manifest.json", "model.onnx"]);
  }));

Deno.test("writers that begin at once in a folder that isn't there yet all write", () =>
  inFolder(async (folder) => {
    const paths = Array.from({ length: 20 }, (_, i) => `${folder}/new/deep/${i}`);
    await Promise.all(paths.map((path) => denoHost.writeFiles(new Map([[path, "x"]]))));
    assert.equal(names(`${folder}/new/deep`).length, paths.length);
  }));

Deno.test("the manifest is renamed last", () =>
  inFolder(async (folder) => {
    const files = new Map([[`${folder}/manifest.json`, "m"], [`${folder}/z`, "z"]]);
    const order: string[] = [];
    const watcher = Deno.watchFs(folder);
    const watching = (async () => {
      for await (const { kind, paths } of watcher) {
        if (kind !== "rename" && kind !== "modify") continue;
        for (const path of paths) {
          if (!path.endsWith(".partial")) order.push(path.split("/").at(-1)!);
        }
        if (order.includes("manifest.json") && order.includes("z")) return;
      }
    })();
    await denoHost.writeFiles(files);
    await Promise.race([watching, new Promise((resolve) => setTimeout(resolve, 2000))]);
    watcher.close();
    const seen = [...new Set(order)];
    assert.equal(seen.at(-1), "manifest.json", `${seen}`);
  }));

Deno.test("partial files go when their writer is gone, and stay while it lives", () =>
  inFolder(async (folder) => {
    const dead = `${folder}/a.plim.deno-${UUID}.partial`;
    const alive = `${folder}/b.plim.deno-${UUID}.partial`;
    const others = [`${folder}/c.node1-${UUID}.partial`, `${folder}/mine.partial`];
    for (const path of [dead, alive, ...others]) await Deno.writeTextFile(path, "half");
    const program = `const f = await Deno.open(Deno.args[0], { write: true });
      await f.lock(true); console.log("held"); await new Promise((r) => setTimeout(r, 60000));`;
    const script = `${folder}/hold.ts`;
    await Deno.writeTextFile(script, program);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--quiet", script, alive],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    await denoHost.checkWritable(`${folder}/new.plim`);
    const left = names(folder).filter((name) => name.endsWith(".partial"));
    assert.deepEqual(left, [alive, ...others].map((path) => path.split("/").at(-1)));
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    await denoHost.writeFiles(new Map([[`${folder}/new.plim`, "whole"]]));
    assert.ok(!names(folder).includes(`b.plim.deno-${UUID}.partial`));
  }));

Deno.test({
  name: "devices, pipes and folders are no files, and waiting for a pipe's writer isn't tried",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const pipe = `${folder}/pipe`;
      const { success } = await new Deno.Command("mkfifo", { args: [pipe] }).output();
      assert.ok(success);
      for (const path of [pipe, "/dev/zero"]) {
        const found = /found it is no file, but a pipe or a device/;
        await assert.rejects(denoHost.readFile(path), found);
        await assert.rejects(denoHost.openFile(path), found);
        await assert.rejects(denoHost.readRange(path, 0, 8), found);
      }
      await assert.rejects(denoHost.readFile(folder), /found it is a folder/);
      // Nothing is allocated for what isn't there.
      const small = `${folder}/small`;
      await Deno.writeTextFile(small, "12345678");
      await assert.rejects(denoHost.readRange(small, 4, 2 ** 40), /wanted 1099511627776 bytes/);
      await Deno.truncate(small, 2 ** 31);
      await assert.rejects(denoHost.readFile(small), /wanted a file of at most 2147483647 bytes/);
    }),
});
