/**
 * Which config of a platform holds for which ONNX operator.
 *
 * @module
 */
import { canonicalJson } from "../../../core/canonical_json.ts";
import type { ImportNotes } from "./notes.ts";
import { hasKernel, isIndex, MCT_OPERATOR_SETS, OTHER_OPERATORS } from "./operator_sets.ts";
import type { MctConfig, MctOperatorSet } from "./schema.ts";
import {
  type Base,
  describeConfig,
  type Location,
  noteConfig,
  type Settings,
  settingsFor,
} from "./settings.ts";

/** What {@linkcode importSets} needs. */
export interface SetsInput {
  readonly sets: readonly MctOperatorSet[];
  readonly configs: ReadonlyMap<string, MctConfig | null>;
  readonly fallback: MctConfig;
  readonly base: Base;
  readonly notes: ImportNotes;
}

/** An operator set as a target has it. */
export interface ImportedSet extends Settings {
  readonly name: string;
  readonly operators: string[];
  readonly where?: Where;
}

type Where = Record<string, (string | number)[]>;

/** One ONNX operator with the config that holds for it. */
interface Claim {
  readonly op: string;
  readonly config: MctConfig;
  /** Name of the MCT set; undefined for the default. */
  readonly set?: string;
  readonly where?: Where;
}

const DEFAULT: Location = { path: "default_qco.base_config", place: "" };
const locate = (place: string): Location => ({
  path: "operator_set[*].qc_options.base_config",
  place,
});

/** Operator sets of a target: one for all operators that the platform treats alike. */
export function importSets(input: SetsInput): ImportedSet[] {
  const { configs, fallback, base, notes } = input;
  noteConfig(fallback, DEFAULT, notes);
  for (const [set, config] of configs) {
    if (config !== null) noteConfig(config, locate(set), notes);
  }
  const groups = new Map<string, { sets: string[]; operators: string[]; settings: Settings }>();
  for (const { op, config, set, where } of claimsOf(input)) {
    const location = set === undefined ? DEFAULT : locate(set);
    const settings = { ...settingsFor(op, config, base, location, notes), ...(where && { where }) };
    // Kernels stand apart, for the reader.
    const key = canonicalJson([settings, hasKernel(op)]);
    const group = groups.get(key) ?? { sets: [], operators: [], settings };
    groups.set(key, group);
    const label = set ?? "default_qco";
    if (!group.sets.includes(label)) group.sets.push(label);
    if (!group.operators.includes(op)) group.operators.push(op);
  }
  const names = new Set<string>();
  // A restricted set must stand before the one that holds the rest.
  return [...groups.values()].toSorted((a, b) =>
    Number("where" in b.settings) - Number("where" in a.settings)
  ).map(({ sets, operators, settings }) => {
    const name = sets.join(", ") + (settings.output?.fixedRange ? ", known range" : "");
    let unique = name;
    for (let number = 2; names.has(unique); number++) unique = `${name} (${number})`;
    names.add(unique);
    return { name: unique, operators, ...settings };
  });
}

/** Which config holds for which operator. */
function claimsOf({ sets, configs, fallback, notes }: SetsInput): Claim[] {
  const claims = new Map<string, Claim>();
  const depthwise: Claim[] = [];
  for (const [set, meaning] of MCT_OPERATOR_SETS) {
    const config = configs.get(set);
    if (config === undefined || config === null) continue;
    if ("reason" in meaning) {
      notes.add("operator_set[*]", describeConfig(config), meaning.reason, { place: set });
    }
    for (const op of meaning.operators) {
      const first = claims.get(op);
      const isSame = first !== undefined && canonicalJson(first.config) === canonicalJson(config);
      if (set === "DepthwiseConv2D" && !isSame) {
        claims.set(op, { op, config: fallback, ...first, where: { group: [1] } });
        depthwise.push({ op, config, set });
        notes.add(`operator_set[*]`, op, "holds for all convolutions with groups", {
          place: set,
        });
      } else if (first === undefined) claims.set(op, { op, config, set });
      else if (!isSame) {
        notes.add(
          "operator_set[*].qc_options",
          describeConfig(config),
          `${op} is the ONNX operator of ${first.set}, too, whose settings count`,
          { place: set },
        );
      }
    }
  }
  if (configs.get("Conv") && !configs.has("DepthwiseConv2D")) {
    notes.add("operator_set", "no DepthwiseConv2D", "ONNX has one operator: it is treated as Conv");
  }
  for (const { name } of sets) {
    if (MCT_OPERATOR_SETS.has(name)) continue;
    const config = configs.get(name) ?? fallback;
    // A set of the user's own: taken when it is named like the operator.
    if (OTHER_OPERATORS.includes(name)) claims.set(name, { op: name, config, set: name });
    else {
      notes.add(
        "operator_set[*]",
        describeConfig(config),
        "is no set of MCT's own: name its ONNX operators in a target that you make of this one",
        { place: name },
      );
    }
  }
  const all = [...MCT_OPERATOR_SETS.values()].flatMap(({ operators }) => [...operators]);
  for (const op of [...all, ...OTHER_OPERATORS]) {
    if (claims.has(op) || isIndex(op)) continue;
    claims.set(op, { op, config: fallback });
  }
  return [...claims.values(), ...depthwise];
}
