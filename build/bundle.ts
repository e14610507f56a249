/**
 * One function that makes a bundle of any entry, for any host.
 *
 * A development tool; nothing that ships imports it.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { install, NPM_FOLDER } from "./install.ts";

const ROOT = new URL("../", import.meta.url);

/** What to bundle, and for whom. */
export interface BundleOptions {
  /** Module whose exports the bundle has, relative to the root of the repository. */
  readonly entry: string;
  /** File that is written, absolute or relative to the root. */
  readonly outfile: string;
  /**
   * `node` leaves `node:` modules alone. `web` is for every other host: browsers, their workers, workerd. It knows no
   * module but its own, and `import.meta.url` is undefined in it, so that onnxruntime-web uses the glue inside the
   * bundle and asks for no file.
   */
  readonly platform: "node" | "web";
  /** Packages that the bundle imports instead of carrying them. */
  readonly external?: readonly string[];
  /**
   * Whether `wasm/generated` is inside, as base64. Without it the host must call `supplyWasm()` before the first
   * tensor or image. Default true.
   */
  readonly embedWasm?: boolean;
  /** Default true: names are shortened, spaces taken out. */
  readonly minify?: boolean;
  /** First line of the bundle. */
  readonly banner?: string;
}

/** What a bundle consists of. */
export interface Bundle {
  /** Its size. */
  readonly byteLength: number;
  /** Modules in it, by path relative to the root, with the bytes that each adds. */
  readonly modules: ReadonlyMap<string, number>;
}

/** Bundles `entry` as an ES module. Same sources and pins, same bytes. */
export async function bundle(options: BundleOptions): Promise<Bundle> {
  const { platform, embedWasm = true, minify = true, external = [] } = options;
  await install();
  const { metafile } = await esbuild.build({
    absWorkingDir: pathOf(ROOT),
    entryPoints: [options.entry],
    outfile: options.outfile,
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: platform === "node" ? "node" : "neutral",
    conditions: platform === "node" ? ["node"] : ["browser"],
    mainFields: ["module", "main"],
    nodePaths: [pathOf(new URL("node_modules", NPM_FOLDER))],
    external: [...external],
    define: platform === "node" ? {} : { "import.meta.url": "undefined" },
    banner: options.banner === undefined ? {} : { js: options.banner },
    supported: { "using": false },
    minify,
    keepNames: false,
    legalComments: "eof",
    metafile: true,
    logLevel: "error",
    plugins: [onlyEnglish, ...(embedWasm ? [] : [withoutGeneratedWasm])],
  });
  const [output] = Object.values(metafile!.outputs);
  return {
    byteLength: output.bytes,
    modules: new Map(
      Object.entries(output.inputs).map(([path, { bytesInOutput }]) => [path, bytesInOutput]),
    ),
  };
}

/** Ends esbuild's own process, which would keep this one alive. */
export async function stopBundling(): Promise<void> {
  await esbuild.stop();
}

/** Zod's messages in one language of its fifty: 200 kB less. */
const onlyEnglish: esbuild.Plugin = {
  name: "only-english",
  setup: (build) =>
    build.onLoad({ filter: /[/\\]zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
      loader: "js",
    })),
};

/** Empty strings in place of the binaries; `wasm/supply.ts` says what is missing when one is needed. */
const withoutGeneratedWasm: esbuild.Plugin = {
  name: "without-generated-wasm",
  setup: (build) =>
    build.onLoad({ filter: /[/\\]wasm[/\\]generated[/\\]\w+\.ts$/ }, async ({ path }) => {
      const text = await Deno.readTextFile(path);
      return { contents: text.replace(/= *\n? *"[^"]+";/, '= "";'), loader: "ts" };
    }),
};

function pathOf(url: URL): string {
  const { pathname } = url;
  return decodeURIComponent(Deno.build.os === "windows" ? pathname.slice(1) : pathname);
}
