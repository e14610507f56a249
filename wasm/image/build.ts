/**
 * Builds the image core: `wasm/image/`, which is Rust, with wasm-pack, into `wasm/generated/image.ts`, which carries
 * the binary as base64.
 *
 *     deno run -A wasm/image/build.ts            writes wasm/generated/image.ts
 *     deno run -A wasm/image/build.ts --check    exits 1 when it is not current; needs no Rust
 *     deno run -A wasm/image/build.ts --emit=DIR writes image.wasm from wasm/generated/, for hosts that take only that
 *
 * `--check` compares hashes of the sources and of the binary. Where the toolchain is the one that built the binary, it
 * builds again and compares the bytes, too, unless `--no-build` is given.
 *
 * A development tool; nothing that ships imports it. `README.md` says how to install the toolchain.
 *
 * @module
 */
// deno-lint-ignore-file no-console
const CRATE = new URL("./", import.meta.url);
const GENERATED = new URL("../generated/image.ts", import.meta.url);

/** rustc's flags. Without reference types wasm-bindgen asks for nothing that this crate doesn't have. */
const TARGET_FEATURES = "-Ctarget-feature=+simd128,-reference-types";
const WASM_PACK = [
  "build",
  ...["--mode", "no-install", "--no-opt", "--no-typescript", "--no-pack"],
  ...["--target", "web", "--release"],
];

/** Debian's `rustc-web`, `cargo-web` and `rust-web-src`: no library for wasm32, but its source. */
const DEBIAN = {
  source: "/usr/lib/rustlib/src/rust/library",
  env: {
    RUSTC: "/usr/bin/rustc",
    CARGO: "/usr/bin/cargo",
    RUSTC_BOOTSTRAP: "1",
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: "wasm-ld-19",
    CARGO_UNSTABLE_BUILD_STD: "std,panic_abort",
  },
};

interface Toolchain {
  /** Versions of all that has a say in the bytes. */
  readonly label: string;
  readonly env: Readonly<Record<string, string>>;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function hashSources(): Promise<string> {
  const names = ["Cargo.toml", "Cargo.lock"];
  for await (const entry of Deno.readDir(new URL("src/", CRATE))) names.push(`src/${entry.name}`);
  let listing = "";
  for (const name of names.sort()) {
    const text = await Deno.readTextFile(new URL(name, CRATE));
    listing += `${name}\0${text.replaceAll("\r\n", "\n")}\0`;
  }
  return await sha256(new TextEncoder().encode(listing));
}

/** What a command prints, or undefined when it isn't there or fails. */
async function capture(command: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function findToolchain(): Promise<Toolchain | undefined> {
  const tools = [await capture("wasm-pack", "--version"), await capture("wasm-bindgen", "-V")];
  if (tools.includes(undefined)) return undefined;
  const target = ["--print", "target-libdir", "--target", "wasm32-unknown-unknown"];
  const library = await capture("rustc", ...target);
  const files = library && await exists(library)
    ? Array.from(Deno.readDirSync(library), ({ name }) => name)
    : [];
  if (files.some((name) => name.startsWith("libstd-"))) {
    return { label: [await capture("rustc", "-V"), ...tools].join(", "), env: {} };
  }
  const rustc = await capture(DEBIAN.env.RUSTC, "-V");
  if (rustc === undefined || !await exists(DEBIAN.source)) return undefined;
  return { label: [rustc, ...tools].join(", "), env: DEBIAN.env };
}

async function compile({ label, env }: Toolchain): Promise<Uint8Array<ArrayBuffer>> {
  const out = await Deno.makeTempDir();
  const home = Deno.env.get("CARGO_HOME") ?? `${Deno.env.get("HOME")}/.cargo`;
  const crate = decodeURIComponent(CRATE.pathname).replace(/\/$/, "");
  // Paths in messages of panics must not depend on the machine.
  const remap = [`${home}/registry/src=/registry`, `${crate}=/image`];
  const { success } = await new Deno.Command("wasm-pack", {
    args: [...WASM_PACK, "--out-dir", out, crate, "--", "--locked"],
    env: {
      CARGO_TARGET_DIR: `${Deno.env.get("TMPDIR") ?? "/tmp"}/plimsoll-image-target`,
      ...env,
      RUSTFLAGS: [TARGET_FEATURES, ...remap.map((pair) => `--remap-path-prefix=${pair}`)].join(" "),
      PATH: env.RUSTC ? `/usr/bin:${Deno.env.get("PATH")}` : Deno.env.get("PATH") ?? "",
    },
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`Cannot compile wasm/image with ${label}`);
  const binary = await Deno.readFile(`${out}/plimsoll_image_bg.wasm`);
  await Deno.remove(out, { recursive: true });
  return binary;
}

async function render(label: string, binary: Uint8Array<ArrayBuffer>): Promise<string> {
  return [
    "// Generated by wasm/image/build.ts from wasm/image/. Do not edit; run `deno task build:image`.",
    `// Compiler: ${label}`,
    `// Options: ${WASM_PACK.join(" ")} ${TARGET_FEATURES}`,
    `// Sources: sha256 ${await hashSources()}`,
    `// Binary: sha256 ${await sha256(binary)}`,
    "",
    `/** The WebAssembly binary, ${binary.length} bytes, as base64. */`,
    "export const IMAGE: string =",
    `  "${binary.toBase64()}";`,
    "",
  ].join("\n");
}

/** The header's values and the binary of `wasm/generated/image.ts`. */
async function readGenerated() {
  const text = (await Deno.readTextFile(GENERATED)).replaceAll("\r\n", "\n");
  const value = (name: string) => text.match(new RegExp(`^// ${name}: (.*)$`, "m"))?.[1];
  const base64 = text.match(/^ {2}"([^"]*)";$/m)?.[1] ?? "";
  return {
    ...{ compiler: value("Compiler"), sources: value("Sources"), binaryHash: value("Binary") },
    binary: Uint8Array.fromBase64(base64),
  };
}

async function check(mayBuild: boolean): Promise<string[]> {
  const { compiler, sources, binaryHash, binary } = await readGenerated();
  if (sources !== `sha256 ${await hashSources()}`) return ["it was built from other sources"];
  if (binaryHash !== `sha256 ${await sha256(binary)}`) return ["its binary was changed"];
  const toolchain = mayBuild ? await findToolchain() : undefined;
  if (toolchain?.label !== compiler) return [];
  const rebuilt = await compile(toolchain!);
  return await sha256(rebuilt) === await sha256(binary) ? [] : ["the sources build other bytes"];
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--check")) {
    const faults = await check(!args.includes("--no-build"));
    for (const fault of faults) {
      console.error(`wasm/generated/image.ts: ${fault}; run \`deno task build:image\``);
    }
    return faults.length === 0 ? 0 : 1;
  }
  const folder = args.find((arg) => arg.startsWith("--emit="))?.slice("--emit=".length);
  if (folder !== undefined) {
    await Deno.writeFile(`${folder}/image.wasm`, (await readGenerated()).binary);
    return 0;
  }
  const toolchain = await findToolchain();
  if (toolchain === undefined) {
    console.error("Cannot build wasm/image: wanted Rust for wasm32-unknown-unknown and wasm-pack,");
    console.error("found none; wasm/image/README.md says how to install them");
    return 1;
  }
  const binary = await compile(toolchain);
  await Deno.writeTextFile(GENERATED, await render(toolchain.label, binary));
  console.log(`wasm/generated/image.ts: ${binary.length} bytes of WebAssembly`);
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
