import assert from "node:assert/strict";
import { addHashes, digest, MultisetHash, sha256 } from "../../core/hash.ts";
import { canonicalJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { own } from "../../core/own.ts";
import { parseJson } from "../../core/parse_json.ts";
import { denoHost } from "../../apps/hosts/deno.ts";

Deno.test("sha256() is SHA-256", async () => {
  assert.equal(
    await sha256("abc"),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

Deno.test("MultisetHash doesn't depend on order but on every member and its count", async () => {
  const hash = async (...members: string[]) => {
    const result = new MultisetHash();
    for (const member of members) result.add(await digest(new TextEncoder().encode(member)));
    return result.toString();
  };
  assert.equal(await hash("a", "b", "c"), await hash("c", "a", "b"));
  assert.equal(await hash("abc"), await sha256("abc"));
  assert.equal(addHashes([await hash("a", "b"), await hash("c")]), await hash("a", "b", "c"));
  const all = await Promise.all([hash(), hash("a"), hash("a", "a"), hash("a", "b"), hash("ab")]);
  assert.equal(new Set(all).size, all.length);
});

Deno.test("canonicalJson() has one spelling for equal values and refuses what JSON can't say", () => {
  assert.equal(
    canonicalJson({ z: [3, { b: 1, a: -0 }], a: "x" }),
    canonicalJson({ a: "x", z: [3, { a: 0, b: 1 }] }),
  );
  const numbers = [0.1, 1e21, 2 ** -149, Math.fround(0.1)];
  assert.deepEqual(JSON.parse(canonicalJson(numbers)), numbers);
  for (const bad of [NaN, Infinity, 1n, () => 1]) assert.throws(() => canonicalJson({ bad }));
});

Deno.test("parseJson() refuses what is nested so deeply that it can't be walked through", () => {
  const nested = (depth: number) => "[".repeat(depth) + '"\\"]["' + "]".repeat(depth);
  assert.deepEqual(parseJson(`[${'"[{\\\\",'.repeat(500)} 1]`, "f"), [
    ...Array(500).fill("[{\\"),
    1,
  ]);
  parseJson(nested(100), "f");
  for (const deep of [nested(101), nested(100_000)]) {
    assert.throws(() => parseJson(deep, "f"), /wanted JSON, found more than 100 lists or objects/);
  }
});

Deno.test("own() doesn't find what every object has", () => {
  assert.equal(own({ a: 1 }, "a"), 1);
  for (const name of ["b", "toString", "__proto__"]) assert.equal(own({ a: 1 }, name), undefined);
});

Deno.test("messages stay short, whatever is in a file", () => {
  const found = "x".repeat(1e6);
  const parts = { action: "reading", wanted: "y", found, remedy: "Correct it" };
  const { message } = new PlimsollError("input", parts);
  assert.match(
    message,
    /^While reading: wanted y, found x{2000} … \(1000000 characters\)\. Correct/,
  );
});

Deno.test("writeFiles() writes all files or none", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/file`, "");
  const files = new Map([[`${folder}/a/b/one`, "1"], [`${folder}/file/two`, "2"]]);
  await assert.rejects(denoHost.writeFiles(files), /writing ".*file\/two"/);
  assert.deepEqual(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["file"]);
  await denoHost.writeFiles(new Map([[`${folder}/a/b/one`, "1"], [`${folder}/file`, "2"]]));
  assert.equal(await Deno.readTextFile(`${folder}/a/b/one`), "1");
  assert.equal(await Deno.readTextFile(`${folder}/file`), "2");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("openFile() reads on demand and closes on cancel", async () => {
  const stream = await denoHost.openFile("data/fashion/model.onnx");
  const reader = stream.getReader();
  assert.equal((await reader.read()).value?.length, 65536);
  await reader.cancel();
  await assert.rejects(denoHost.openFile("data"), /it is a folder/);
});
