/**
 * Declarations of the npm package, by TypeScript's own compiler, and with them the check that shipped code uses nothing
 * that Node 20 and ES2023 lack.
 *
 *     deno run -A build/npm_types.ts      checks alone
 *
 * @module
 */
import { copyFolder } from "./copy_folder.ts";
import { install, NPM_FOLDER, run } from "./install.ts";

const ROOT = new URL("../", import.meta.url);
const WORK = new URL("../dist/types/", import.meta.url);
/** All that ships and isn't Deno's. */
const ENTRIES = [
  "apps/hosts/node_library.ts",
  "apps/hosts/node_main.ts",
  "apps/hosts/node_shard.ts",
  "apps/hosts/node_worker.ts",
  "apps/hosts/web_library.ts",
];
/** Array types take a parameter from TypeScript 5.7 on; before, it is an error. */
const PARAMETRIC =
  /\b((?:Uint8|Int8|Uint16|Int16|Uint32|Int32|Float32|Float64|BigInt64)Array)<[\w\s|]+>/g;

/** Descriptors of ONNX's messages, which no entry gives. */
const DESCRIPTOR = /^export declare const \w+: Gen(File|Message|Enum)\b.*\n/gm;
const CODEGEN_IMPORT = /^import .* from "@bufbuild\/protobuf\/codegenv2";\n/gm;
/**
 * What messages have beside their fields. `@bufbuild/protobuf` declares the same, but also arrays with a parameter, and
 * compilers before 5.7 would refuse the whole package for that.
 */
const MESSAGE_TYPES =
  `/** What every protobuf message has; the same as in \`@bufbuild/protobuf\`. */
export type Message<Name extends string = string> = {
  /** Full name of the message's type. */
  readonly $typeName: Name;
  /** Fields that the sources of this library don't know; they survive reading and writing. */
  $unknown?: { readonly no: number; readonly wireType: number; readonly data: Uint8Array }[];
};
`;

/**
 * Writes declarations for entries and all that they reach into `types/` of a package.
 *
 * @throws {Error} With the compiler's messages, where something needs more than ES2023 and Node 20.
 */
export async function writeTypes(entries: readonly string[], packageFolder: URL): Promise<void> {
  const out = new URL("types/", packageFolder);
  await compile(entries, { declaration: true, emitDeclarationOnly: true, outDir: out.pathname });
  await adapt(out, "");
  await Deno.writeTextFile(new URL("protobuf.d.ts", out), MESSAGE_TYPES);
}

async function compile(entries: readonly string[], options: object): Promise<void> {
  await install();
  await Deno.remove(WORK, { recursive: true }).catch(() => {});
  for (const name of ["core", "wasm", "onnx", "tpc", "pipeline", "apps"]) {
    await copyFolder(
      new URL(`${name}/`, ROOT),
      new URL(`${name}/`, WORK),
      (file) => /\.(ts|json)$/.test(file),
    );
  }
  await Deno.symlink(new URL("node_modules", NPM_FOLDER), new URL("node_modules", WORK), {
    type: "dir",
  });
  await Deno.writeTextFile(
    new URL("tsconfig.json", WORK),
    JSON.stringify({
      compilerOptions: {
        target: "es2022",
        module: "esnext",
        moduleResolution: "bundler",
        strict: true,
        lib: ["es2023", "dom", "dom.iterable", "dom.asynciterable"],
        types: ["node"],
        allowImportingTsExtensions: true,
        resolveJsonModule: true,
        rootDir: ".",
        verbatimModuleSyntax: true,
        skipLibCheck: true,
        ...options,
      },
      files: entries,
    }),
  );
  await run("node", ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"], { cwd: WORK });
}

/**
 * Makes declarations fit older compilers and default libraries: names of files, array types, disposables, messages.
 *
 * @param root Way from the folder to that of all declarations.
 */
async function adapt(folder: URL, root: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const url = new URL(name + (isDirectory ? "/" : ""), folder);
    if (isDirectory) {
      await adapt(url, `${root}../`);
      continue;
    }
    const text = await Deno.readTextFile(url);
    const adapted = text.replace(/(from |import\()"(\.[^"]*)\.ts"/g, '$1"$2.js"')
      .replace(PARAMETRIC, "$1")
      .replace(CODEGEN_IMPORT, "")
      .replace(DESCRIPTOR, "")
      .replace('from "@bufbuild/protobuf"', `from "${root || "./"}protobuf.js"`)
      .replace(/^.*\[Symbol\.(asyncD|d)ispose\].*\n/gm, "")
      .replace(/ extends (Async)?Disposable \{/g, " {");
    await Deno.writeTextFile(url, adapted);
  }
}

if (import.meta.main) await compile(ENTRIES, { noEmit: true });
