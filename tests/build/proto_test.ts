/** The messages in onnx/file/onnx_pb.ts are what onnx.proto gives. */
import assert from "node:assert/strict";
import { GENERATORS } from "../../build/proto.ts";

/** Nothing is fetched for a test: the generators must be in npm's cache. */
const offline = { npm_config_offline: "true" };
const isAtHand = await new Deno.Command("npx", {
  args: ["-y", ...GENERATORS.flatMap((name) => ["-p", name]), "buf", "--version"],
  env: offline,
}).output().then(({ success }) => success, () => false);

Deno.test({
  name: `onnx_pb.ts is what onnx.proto gives${isAtHand ? "" : " (skipped: no protoc-gen-es)"}`,
  ignore: !isAtHand,
  fn: async () => {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "build/proto.ts", "--check"],
      env: offline,
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  },
});
