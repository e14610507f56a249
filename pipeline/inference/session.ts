/**
 * The inference runtime. The only file that imports onnxruntime-web.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import { ModelProtoSchema, ValueInfoProtoSchema } from "../../onnx/file/onnx_pb.ts";
import * as ort from "onnxruntime-web/wasm";
import { detachWeights } from "../../onnx/file/external_data.ts";
import { type Model, writeModel } from "../../onnx/file/model.ts";
import { makeTensor, type TensorData } from "../../onnx/file/tensor.ts";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import type { ConstantRunner } from "../../onnx/prepare/fold_constants.ts";
import type { InputTensor } from "../../core/tensor.ts";
import {
  isOutOfMemory,
  LostRuntimeError,
  outOfMemoryLoad,
  outOfMemoryRun,
} from "./out_of_memory.ts";
import type { InferenceSession, Runtime, RuntimeSource, SessionOptions } from "./runtime.ts";

/**
 * Graph optimization level of every session. It decides the bits of the activations (7e-5 between
 * `all` and `disabled`, measured), so statistics depend on it: it is fixed.
 */
const OPTIMIZATION = "all";

/**
 * One thread a session: workers around sessions use the cores better, since statistics run beside inference then, and
 * threads that wait for others burn as much of the processor as they work.
 */
const ONE_THREAD = { intraOpNumThreads: 1, interOpNumThreads: 1 };

/** The runtime's classes, and how it is told where to run a model. */
interface Loaded extends Pick<typeof ort, "InferenceSession" | "Tensor"> {
  readonly provider: "wasm" | "cpu";
}

/** Ends when what was begun in onnxruntime-web has ended; see {@linkcode inTurn}. */
let webIsIdle: Promise<unknown> = Promise.resolve();

/**
 * Does one thing in onnxruntime-web after the other: creates, runs or releases. All its sessions share one stack of its WebAssembly, on which a
 * run lays its arguments before it waits for its inputs (1.30): a second run that begins meanwhile writes over them.
 */
function inTurn<T>(action: () => Promise<T>): Promise<T> {
  const result = webIsIdle.then(action);
  webIsIdle = result.catch(() => {});
  return result;
}

/**
 * A runtime that is started by its first session.
 *
 * @param source Where it comes from; onnxruntime-web with the WebAssembly file beside it when absent.
 *
 * @example
 * ```ts
 * import { createRuntime } from "./session.ts";
 * import { loadFloatModel } from "../quantize/quantize.ts";
 * import { readFile } from "node:fs/promises";
 * import assert from "node:assert/strict";
 *
 * const runtime = createRuntime();
 * const { original } = await loadFloatModel(await readFile("data/fashion/model.onnx"), "m", { runtime });
 * await using session = await runtime.open(original, { name: "the demo" });
 * assert.deepEqual(session.inputs, ["image"]);
 * ```
 */
export function createRuntime(source?: RuntimeSource): Runtime {
  return new OnnxRuntime(source);
}

class OnnxRuntime implements Runtime {
  readonly name: Runtime["name"];
  readonly version: string | undefined;
  readonly #source: RuntimeSource | undefined;
  readonly #inTurn: typeof inTurn;
  #loading: Promise<Loaded> | undefined;
  #hasStarted = false;
  #lost: PlimsollError | undefined;

  constructor(source: RuntimeSource | undefined) {
    this.#source = source;
    this.name = source?.kind === "native" ? "onnxruntime-node" : "onnxruntime-web";
    this.version = source?.kind === "native"
      ? source.runtime.env?.versions?.node
      : ort.env.versions.web;
    this.#inTurn = source?.kind === "native" ? (action) => action() : inTurn;
  }

  get lost(): PlimsollError | undefined {
    return this.#lost;
  }

  readonly runConstants: ConstantRunner = async (model) => {
    const { bytes, externalData } = serialise(model);
    const action = "computing constants of the model";
    const modelBytes = externalData.reduce((sum, { data }) => sum + data.length, bytes.length);
    try {
      // Errors are thrown as well.
      const session = await this.#start(bytes, { externalData, logSeverityLevel: 4 });
      try {
        const results = await this.#inTurn(() => session.run({}));
        return Object.entries(results).map(([name, { data, dims, type }]) =>
          makeTensor(name, dims, data as TensorData, ELEMENT_TYPES[type])
        );
      } finally {
        await this.#release(session);
      }
    } catch (cause) {
      if (cause instanceof PlimsollError) throw cause;
      if (isOutOfMemory(cause)) {
        await this.#loseIfBroken(cause);
        throw outOfMemoryLoad(action, modelBytes, cause);
      }
      const operators = [...new Set(model.graph.node.map(({ opType }) => opType))];
      throw new PlimsollError("model", {
        action: `${action} (${operators.slice(0, 5).join(", ")})`,
        wanted: `${this.name} to accept them`,
        found: `${(cause as Error)?.message ?? cause}`.trim(),
        remedy: "Check the model with onnx.checker, and that it runs in ONNX Runtime at all",
        cause,
      });
    }
  };

  async open(model: Model, options: SessionOptions): Promise<InferenceSession> {
    const { name } = options;
    const { Tensor: TensorOf } = await this.#load();
    const fail = (action: string, remedy: string) => (cause: unknown) => {
      if (cause instanceof PlimsollError) throw cause;
      throw new PlimsollError("runtime", {
        action,
        wanted: `${this.name} to accept it`,
        found: `${(cause as Error)?.message ?? cause}`.trim(),
        remedy,
        cause,
      });
    };
    const { bytes, externalData } = serialise(model);
    const loading = `loading ${name} into ${this.name}`;
    const modelBytes = externalData.reduce((sum, { data }) => sum + data.length, bytes.length);
    const session = await this.#start(bytes, {
      externalData,
      graphOptimizationLevel: options.optimization ?? OPTIMIZATION,
      // Warnings about initializers that nothing uses would land in the user's terminal; errors are thrown as well.
      logSeverityLevel: 4,
      ...(options.profile ? { enableProfiling: true } : {}),
    }).catch(async (cause) => {
      if (!isOutOfMemory(cause)) throw cause;
      await this.#loseIfBroken(cause);
      throw outOfMemoryLoad(loading, modelBytes, cause);
    }).catch(fail(
      loading,
      "Check that the model runs in ONNX Runtime at all and uses operators that it knows",
    ));
    const types = new Map(
      session.inputMetadata.map((input) => [input.name, input.isTensor ? input.type : undefined]),
    );
    return {
      inputs: session.inputNames,
      outputs: session.outputNames,
      run: async (feeds, outputs) => {
        const inputs: Record<string, ort.Tensor> = {};
        for (const [key, { data, dims }] of feeds) {
          inputs[key] = makeInput(TensorOf, key, data, dims, types.get(key));
        }
        const running = `running ${name} on input ${shapes(feeds)}`;
        const run = (feeds: typeof inputs) => this.#inTurn(() => session.run(feeds, [...outputs]));
        const results = await run(inputs).catch(async (cause) => {
          if (!isOutOfMemory(cause)) throw cause;
          const watchedBytes = await this.#loseIfBroken(cause)
            ? undefined
            : await measureSample(run, inputs, TensorOf);
          throw outOfMemoryRun({
            action: running,
            feeds,
            watchedBytes,
            watched: outputs.length,
            cause,
          });
        }).catch(fail(
          running,
          `Try a smaller ${
            option("batch")
          }; if that doesn't help, check the preprocessing against the model's input`,
        ));
        return new Map(outputs.map((output) => {
          const tensor = results[output];
          return [output, { data: tensor.data as Float32Array, dims: tensor.dims }];
        }));
      },
      endProfiling: () => capturePrints(() => session.endProfiling()),
      [Symbol.asyncDispose]: () => this.#release(session),
    };
  }

  /**
   * Not while another session runs, nor this one, whose caller may have given up on it; and not in a runtime that is
   * broken, which may never come back from it.
   */
  async #release(session: ort.InferenceSession): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#lost === undefined) await session.release();
    });
  }

  #load(): Promise<Loaded> {
    return this.#loading ??= this.#source?.kind === "native"
      ? Promise.resolve({ ...this.#source.runtime as typeof ort, provider: "cpu" })
      : Promise.resolve({
        InferenceSession: ort.InferenceSession,
        Tensor: ort.Tensor,
        provider: "wasm",
      });
  }

  /** Makes a session; the first one starts the runtime. */
  async #start(
    bytes: Uint8Array,
    options: ort.InferenceSession.SessionOptions,
  ): Promise<ort.InferenceSession> {
    if (this.#lost !== undefined) throw this.#lost;
    const { InferenceSession, provider } = await this.#load();
    const create = () =>
      InferenceSession.create(bytes, { ...options, ...ONE_THREAD, executionProviders: [provider] });
    return await this.#inTurn(() => this.#hasStarted ? create() : this.#startFirst(create));
  }

  /** Settings of onnxruntime-web are the process's: they are what they were once the runtime has started. */
  async #startFirst(create: () => Promise<ort.InferenceSession>): Promise<ort.InferenceSession> {
    if (this.#source?.kind === "native") {
      this.#hasStarted = true;
      return await withLateConsole(create);
    }
    const { binary = findBinary } = this.#source ?? {};
    const found = typeof binary === "function" ? await binary() : binary;
    const module = found instanceof WebAssembly.Module ? found : undefined;
    const { wasm } = ort.env;
    const { numThreads, wasmBinary } = wasm;
    // Threads need a worker from a blob URL, which Deno refuses. Parallelism, where wanted, is workers around sessions.
    wasm.numThreads = 1;
    // Any bytes will do where it came compiled: withCompiled() gives the module in their place.
    wasm.wasmBinary = module === undefined ? found as ArrayBuffer | undefined : EMPTY_MODULE;
    try {
      const session = await withLateConsole(() => withCompiled(module, create));
      this.#hasStarted = true;
      return session;
    } finally {
      Object.assign(wasm, { numThreads, wasmBinary });
    }
  }

  /**
   * Whether the runtime still works after it found no memory; where it doesn't, nobody uses it again.
   *
   * @returns Whether it is lost.
   */
  async #loseIfBroken(cause: unknown): Promise<boolean> {
    try {
      const session = await this.#start(writeModel(probeModel()), { logSeverityLevel: 4 });
      const { Tensor: TensorOf } = await this.#load();
      const x = new TensorOf("float32", Float32Array.of(-1, 2), [2]);
      const { y } = await this.#inTurn(() => session.run({ x }));
      if ((y.data as Float32Array)[1] !== 2) throw new Error("It computes something else");
      await this.#inTurn(() => session.release());
      return false;
    } catch {
      this.#lost ??= new LostRuntimeError(cause);
      return true;
    }
  }
}

/** The least binary that is one: magic number and version. */
const EMPTY_MODULE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0).buffer;

/**
 * Reads the WebAssembly file of onnxruntime-web. It finds it by itself, too, but under Deno no Web Worker starts any
 * more after that (2.9.6 with 1.30, measured), and calibration wants workers. Where fetch can't read it, it looks for
 * itself.
 */
async function findBinary(): Promise<ArrayBuffer | undefined> {
  try {
    const module = import.meta.resolve("onnxruntime-web/wasm");
    const response = await fetch(new URL("ort-wasm-simd-threaded.wasm", module));
    return response.ok ? await response.arrayBuffer() : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Lets the runtime start from a compiled module: it asks for bytes to be instantiated (1.30), which workerd forbids,
 * so for that time it gets an instance of the module.
 */
async function withCompiled<T>(
  module: WebAssembly.Module | undefined,
  start: () => Promise<T>,
): Promise<T> {
  if (module === undefined) return await start();
  const original = WebAssembly.instantiate;
  const instantiate = async (given: unknown, imports?: WebAssembly.Imports) =>
    given instanceof WebAssembly.Module
      ? await original(given, imports)
      : { module, instance: await original(module, imports) };
  WebAssembly.instantiate = instantiate as typeof WebAssembly.instantiate;
  try {
    return await start();
  } finally {
    WebAssembly.instantiate = original;
  }
}

/** The least model that computes something. */
function probeModel(): Model {
  const value = (name: string) =>
    create(ValueInfoProtoSchema, {
      name,
      type: {
        value: {
          case: "tensorType",
          value: { elemType: 1, shape: { dim: [{ value: { case: "dimValue", value: 2n } }] } },
        },
      },
    });
  return create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [{ domain: "", version: 13n }],
    graph: {
      name: "probe",
      node: [{ opType: "Relu", input: ["x"], output: ["y"] }],
      input: [value("x")],
      output: [value("y")],
    },
  }) as Model;
}

/** Bytes of the outputs for the first sample of a batch; undefined when it doesn't run alone. */
async function measureSample(
  run: (inputs: Record<string, ort.Tensor>) => Promise<ort.InferenceSession.OnnxValueMapType>,
  inputs: Readonly<Record<string, ort.Tensor>>,
  TensorOf: typeof ort.Tensor,
): Promise<number | undefined> {
  try {
    const first = Object.entries(inputs).map(([name, { type, data, dims }]) => {
      const count = data.length / dims[0];
      const part = (data as Float32Array).slice(0, count);
      return [name, new TensorOf(type as "float32", part, [1, ...dims.slice(1)])];
    });
    const results = await run(Object.fromEntries(first));
    return Object.values(results).reduce(
      (sum, value) => sum + ((value as ort.Tensor).data as Float32Array).byteLength,
      0,
    );
  } catch {
    return undefined;
  }
}

/**
 * A tensor of the type that the model wants. Whole numbers are converted between the integer types and to float32:
 * files don't always have the type of the model.
 *
 * @throws {PlimsollError} kind `data` for fractions where the model wants whole numbers: cut off, scaled pixels would
 * all be 0.
 */
function makeInput(
  TensorOf: typeof ort.Tensor,
  name: string,
  data: InputTensor["data"],
  dims: readonly number[],
  type: ort.Tensor.Type | undefined,
): ort.Tensor {
  const fraction = type !== "float32" && data instanceof Float32Array
    ? data.find((x) => !Number.isInteger(x))
    : undefined;
  if (fraction !== undefined) {
    throw new PlimsollError("data", {
      action: `feeding input ${JSON.stringify(name)} of the model`,
      wanted: `whole numbers, as its type ${type} says`,
      found: `${fraction}`,
      remedy: `Give pixels as they are, with ${option("preprocess", "raw")}, or whole numbers`,
    });
  }
  const numbers = () => Array.from(data as ArrayLike<number | bigint>, Number);
  if (type === "int64") {
    const wide = data instanceof BigInt64Array ? data : BigInt64Array.from(numbers(), BigInt);
    return new TensorOf(type, wide, dims);
  }
  const known = type === "int32" || type === "bool" || type === "uint8" ? type : "float32";
  const ArrayType = ARRAYS[known];
  return new TensorOf(
    known,
    data instanceof ArrayType ? data : ArrayType.from(numbers()),
    dims,
  );
}

/** Arrays of the element types of inputs, but for int64, whose elements are no numbers. */
const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array, uint8: Uint8Array };

/** A model for the runtime, large weights beside it: it copies them into its memory one by one. */
function serialise(model: Model) {
  const { model: light, data } = detachWeights(model);
  const externalData = Array.from(data, ([path, bytes]) => ({ path, data: bytes }));
  return { bytes: writeModel(light), externalData };
}

/**
 * Runs what starts the runtime. It keeps the console.log that it finds then, so it gets one that looks up the present
 * one with every line: a profile comes no other way (1.30).
 */
async function withLateConsole<T>(start: () => Promise<T>): Promise<T> {
  const { console } = globalThis;
  const { log } = console;
  const late = (...args: unknown[]) =>
    console.log === late ? log.apply(console, args) : console.log(...args);
  console.log = late;
  try {
    return await start();
  } finally {
    if (console.log === late) console.log = log;
  }
}

/** What the runtime prints while `action` runs, which is at once. */
function capturePrints(action: () => void): string {
  const { console } = globalThis;
  const { log } = console;
  const lines: string[] = [];
  console.log = (...args: unknown[]) => void lines.push(args.join(" "));
  try {
    action();
  } finally {
    console.log = log;
  }
  return lines.join("\n");
}

function shapes(feeds: ReadonlyMap<string, InputTensor>): string {
  return [...feeds].map(([name, { dims }]) => `${name} [${dims}]`).join(", ");
}

/** ONNX's numbers of the runtime's element types; its arrays alone don't tell float16 from uint16. */
const ELEMENT_TYPES: Readonly<Record<string, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
};
