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
export interface BundleOptions extends BundleSettings {
  /** Module whose exports the bundle has, relative to the root of the repository. */
  readonly entry: string;
  /** File that is written, absolute or relative to the root. */
  readonly outfile: string;
}

/** Several bundles that share what they have in common, state included. */
export interface BundlesOptions extends BundleSettings {
  /** Modules by the names of their bundles, without `.js`. */
  readonly entries: Readonly<Record<string, string>>;
  /** Folder that is written, absolute or relative to the root. */
  readonly outdir: string;
}

/** For whom bundles are. */
export interface BundleSettings {
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
  /** Its file, relative to the root. */
  readonly path: string;
  /** Its size. */
  readonly byteLength: number;
  /** Modules in it, by path relative to the root, with the bytes that each adds. */
  readonly modules: ReadonlyMap<string, number>;
}

/** Bundles `entry` as an ES module. Same sources and pins, same bytes. */
export async function bundle({ entry, outfile, ...settings }: BundleOptions): Promise<Bundle> {
  const [bundle] = await build(settings, { entryPoints: [entry], outfile });
  return bundle;
}

/** Bundles several entries, and what they share into `chunks/`. */
export async function bundleAll(
  { entries, outdir, ...settings }: BundlesOptions,
): Promise<Bundle[]> {
  const shared = { splitting: true, chunkNames: "chunks/[name]-[hash]" };
  return await build(settings, { entryPoints: { ...entries }, outdir, ...shared });
}

async function build(
  { platform, embedWasm = true, minify = true, external = [], banner }: BundleSettings,
  what: esbuild.BuildOptions,
): Promise<Bundle[]> {
  await install();
  const isNode = platform === "node";
  const { metafile } = await esbuild.build({
    ...what,
    absWorkingDir: pathOf(ROOT),
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: isNode ? "node" : "neutral",
    conditions: isNode ? ["node"] : ["browser"],
    mainFields: ["module", "main"],
    nodePaths: [pathOf(new URL("node_modules", NPM_FOLDER))],
    external: [...external],
    define: isNode ? {} : { "import.meta.url": "undefined" },
    banner: banner === undefined ? {} : { js: banner },
    // Node 20 and the browsers of today don't know it.
    supported: { "using": false },
    minify,
    legalComments: "eof",
    metafile: true,
    logLevel: "error",
    plugins: [onlyEnglish, ...(embedWasm ? [] : [withoutGeneratedWasm])],
  });
  return Object.entries(metafile!.outputs).map(([path, { bytes, inputs }]) => ({
    path,
    byteLength: bytes,
    modules: new Map(
      Object.entries(inputs).map(([name, { bytesInOutput }]) => [name, bytesInOutput]),
    ),
  }));
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
