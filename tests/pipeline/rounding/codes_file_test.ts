/** Codes beside a manifest belong to it, byte for byte. */
import assert from "node:assert/strict";
import { sha256 } from "../../../core/hash.ts";
import { PlimsollError } from "../../../core/errors.ts";
import { readCodes } from "../../../pipeline/rounding/codes_file.ts";
import { decideWeights } from "../../../pipeline/search/decide_weights.ts";
import { emitModel } from "../../../tpc/emission/emit.ts";
import { quantized } from "../../fuzz/seeds.ts";

Deno.test("codes of a wrong length, and a manifest without its codes, are refused with a message", async () => {
  const { manifest, codes, float } = await quantized({
    target: "onnxruntime",
    weightRounding: "gptq",
  });
  const model = float.prepared;
  const read = async (file: Uint8Array) => {
    const named = { ...manifest, codes: { sha256: await sha256(file) } };
    return await readCodes(file, { manifest: named, model, name: "codes.bin" });
  };
  emitModel(model, decideWeights(manifest, model), await read(codes!));
  for (const odd of [codes!.slice(1), new Uint8Array([...codes!, 0]), new Uint8Array()]) {
    await assert.rejects(read(odd), /wanted a byte for each of \d+ weights of the manifest/);
  }
  const { codes: _, ...alone } = manifest;
  assert.throws(() => emitModel(model, decideWeights(alone, model)), (error) => {
    assert.ok(error instanceof PlimsollError);
    assert.match(error.message, /a manifest without a file of codes/);
    return true;
  });
});
