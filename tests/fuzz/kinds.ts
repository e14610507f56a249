/** All kinds of cases. */
import type { Kinds } from "./kind.ts";
import { DECISIONS } from "./kinds/decisions.ts";
import { MODELS } from "./kinds/models.ts";
import { SAMPLES } from "./kinds/samples.ts";
import { SERVER } from "./kinds/server.ts";

/** By the name that `--kind` takes. */
export const KINDS: Kinds = { ...MODELS, ...DECISIONS, ...SAMPLES, ...SERVER };
