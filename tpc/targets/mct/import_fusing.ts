/**
 * From MCT's fusing patterns to those of a target.
 *
 * @module
 */
import { canonicalJson } from "../../../core/canonical_json.ts";
import type { ImportNotes } from "./notes.ts";
import { hasKernel, MCT_OPERATOR_SETS } from "./operator_sets.ts";
import type { MctFusing, MctOperatorSet } from "./schema.ts";

/** A fusing pattern as a target has it. */
export interface FusingPattern {
  readonly name: string;
  readonly pattern: string[][];
}

/** Operators that graph preparation folds into the convolution before them, or exporters write there. */
const FOLDED = new Set(["BatchNormalization", "AddBias"]);

/**
 * Patterns of a platform, and the forms that they take in ONNX: normalisations and biases that are part of the
 * convolution are left out, and the bias of a fully connected layer is a node of its own behind MatMul.
 *
 * @param sets Sets of the platform by name, of which patterns hold copies.
 */
export function importFusing(
  fusing: readonly MctFusing[],
  sets: ReadonlyMap<string, MctOperatorSet>,
  notes: ImportNotes,
): FusingPattern[] {
  const patterns: FusingPattern[] = [];
  const seen = new Set<string>();
  const names = new Set<string>();
  const add = (name: string, pattern: string[][], path?: string) => {
    const key = JSON.stringify(pattern);
    if (seen.has(key)) {
      if (path !== undefined) notes.add(path, name, "is in ONNX the same as an earlier pattern");
      return;
    }
    if (pattern.length < 2) return;
    seen.add(key);
    let unique = name;
    for (let number = 2; names.has(unique); number++) unique = `${name} (${number})`;
    names.add(unique);
    patterns.push({ name: unique, pattern });
  };
  for (const [i, entry] of fusing.entries()) {
    const path = `fusing_patterns[${i}]`;
    const groups = entry.operator_groups.map((group) =>
      group.type === "OperatorSetGroup" ? group.operators_set : [group]
    );
    checkCopies(entry, sets, path, notes);
    noteInner(entry, path, notes);
    const positions = groups.map((members) => [
      ...new Set(members.flatMap(({ name }) => operatorsOf(name))),
    ]);
    const label = entry.name ?? groups.map((members) => labelOf(members)).join("_");
    if (positions.some((operators) => operators.length === 0)) {
      notes.add(path, label, "left out, since one of its positions has no ONNX operator");
      continue;
    }
    add(label, positions, path);
    const [head, ...tail] = positions;
    if (!head.some(hasKernel)) continue;
    const rest = tail.filter((operators) => !operators.every((op) => FOLDED.has(op)));
    add(`${label}, folded`, [head, ...rest]);
    if (!head.includes("MatMul")) continue;
    add(`${label}, bias`, [["MatMul"], ["AddBias"]]);
    add(`${label}, bias`, [["MatMul"], ["AddBias"], ...rest]);
  }
  return patterns;
}

/** ONNX operators of a set, by its name. */
function operatorsOf(name: string): readonly string[] {
  // Add means its own nodes here; a bias is named as such.
  return name === "Add" ? ["Add", "AddBias"] : MCT_OPERATOR_SETS.get(name)?.operators ?? [];
}

function labelOf(members: readonly MctOperatorSet[]): string {
  return members.map(({ name }) => name).join("_");
}

/** What a pattern says besides the names of sets. */
function checkCopies(
  { operator_groups: groups }: MctFusing,
  sets: ReadonlyMap<string, MctOperatorSet>,
  path: string,
  notes: ImportNotes,
): void {
  for (const [j, group] of groups.entries()) {
    const at = `${path}.operator_groups[${j}]`;
    const members = group.type === "OperatorSetGroup" ? group.operators_set : [group];
    if (group.type === "OperatorSetGroup" && group.name !== null) {
      if (group.name !== labelOf(members)) {
        notes.add(`${at}.name`, group.name, "groups have no name");
      }
    }
    for (const member of members) {
      const original = sets.get(member.name);
      if (original === undefined) {
        notes.add(
          at,
          member.name,
          "is no set of the platform; its operators are fused all the same",
        );
      }
      const [own, other] = [member.qc_options, original?.qc_options ?? null].map((options) =>
        canonicalJson(options)
      );
      if (own !== other) {
        notes.add(
          `${at}.qc_options`,
          `${member.name} ${JSON.stringify(member.qc_options)}`,
          "differs from operator_set, whose settings count",
        );
      }
    }
  }
}

/** The quantization of tensors inside a fused chain. */
function noteInner(entry: MctFusing, path: string, notes: ImportNotes): void {
  if (!("fuse_op_quantization_config" in entry)) return;
  const config = entry.fuse_op_quantization_config;
  if (config === null) return;
  notes.add(
    `${path}.fuse_op_quantization_config`,
    config,
    config.enable_activation_quantization
      ? "tensors inside a fused chain aren't quantized"
      : "as in any fused chain, tensors inside aren't quantized",
  );
}
