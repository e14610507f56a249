/**
 * All formats, by the name that `export --format` takes.
 *
 * @module
 */
import { aimet061, aimet100 } from "./aimet.ts";
import type { Exporter } from "./exporter.ts";
import { ncnn } from "./ncnn.ts";
import { ortCache } from "./ort_cache.ts";
import { ortOverrides } from "./ort_overrides.ts";
import { tensorRt } from "./tensorrt.ts";

/** Exporters by name. */
export const EXPORTERS = {
  "ort-cache": ortCache,
  "ort-overrides": ortOverrides,
  "tensorrt": tensorRt,
  "aimet-0.6.1": aimet061,
  "aimet-1.0.0": aimet100,
  "ncnn": ncnn,
} as const satisfies Record<string, Exporter>;

/** Name of a format. */
export type ExportFormat = keyof typeof EXPORTERS;
/** Names of all formats. */
export const EXPORT_FORMATS = Object.keys(EXPORTERS) as ExportFormat[];
