/**
 * ONNX's messages, `onnx/file/onnx.proto`, to `onnx/file/onnx_pb.ts`.
 *
 *     deno run -A build/proto.ts [--check]
 *
 * `onnx.proto` is that of the onnx package of PyPI, as it is there (Apache-2.0). protoc-gen-es has the version of
 * the @bufbuild/protobuf that `import_map.json` names; npm fetches it, and buf, which is protoc for it.
 *
 * A development tool; nothing that ships imports it.
 *
 * @module
 */
import pinned from "../import_map.json" with { type: "json" };
import { run } from "./install.ts";

const ONNX_VERSION = "1.20.1";
const BUF_VERSION = "1.61.0";
const FOLDER = new URL("../onnx/file/", import.meta.url);
const RESULT = new URL("onnx_pb.ts", FOLDER);

/** Packages of npm that generate. */
export const GENERATORS: readonly string[] = [
  `@bufbuild/buf@${BUF_VERSION}`,
  `@bufbuild/protoc-gen-es@${pinned.imports["@bufbuild/protobuf"].split("@").at(-1)}`,
];

/** The generated file. */
async function generate(): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(new URL("onnx.proto", FOLDER), `${folder}/onnx.proto`);
    const plugin = { local: "protoc-gen-es", out: ".", opt: ["target=ts"] };
    const template = JSON.stringify({ version: "v2", plugins: [plugin] });
    await run("npx", [
      ...["-y", ...GENERATORS.flatMap((name) => ["-p", name])],
      ...["buf", "generate", "--template", template],
    ], { cwd: folder });
    const text = await Deno.readTextFile(`${folder}/onnx_pb.ts`);
    const source = `// Generated from onnx.proto of onnx ${ONNX_VERSION} (PyPI, Apache-2.0) by ` +
      "`deno task build:proto`.\n// Don't edit it.\n";
    // Messages are read from and made of plain buffers, which Web APIs want.
    return source + text.replaceAll(/\bUint8Array(?!<)/g, "Uint8Array<ArrayBuffer>");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const text = await generate();
  if (!Deno.args.includes("--check")) {
    await Deno.writeTextFile(RESULT, text);
  } else if (await Deno.readTextFile(RESULT) !== text) {
    throw new Error("onnx/file/onnx_pb.ts isn't what onnx.proto gives: run deno task build:proto");
  }
}
