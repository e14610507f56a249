/**
 * The default runtime of Node: onnxruntime-web where npm has put it. Imported for its effect, by every entry of the
 * package that may run a model.
 *
 * @module
 */
import { supplyRuntime } from "../../pipeline/inference/default_runtime.ts";
import { nodeRuntimeSource } from "./node_runtime.ts";

supplyRuntime(nodeRuntimeSource());
