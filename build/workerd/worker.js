// workerd compiles WebAssembly that is imported, and no other.
import runtime from "./ort-wasm-simd-threaded.wasm";
import histogram from "./histogram.wasm";
import image from "./image.wasm";
import { createWorker } from "./plimsoll.js";

export default createWorker({ runtime, histogram, image });
