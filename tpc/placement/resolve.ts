/**
 * Placement: graph × target → which tensor gets which quantizer, and why. Decides only; nothing is
 * edited here. The steps are in `placement/`, one a file:
 *
 *     graph ─► units ─► why_float ─► islands ─► fuse ─► share_grids ─► plans
 *
 * @module
 */
import { storageFor, STORED_CODES } from "../../core/grid.ts";
import { PlimsollError } from "../../core/errors.ts";
import type { ActivationSpec } from "../../core/types.ts";
import type { GraphOutline } from "../../onnx/graph/outline.ts";
import { clampRange, knownRange } from "../../onnx/operators/operators.ts";
import { type Group, groupFrom, groupOutput } from "./fuse.ts";
import { worthFloat } from "./cheaper_float.ts";
import { dynamicPlan, separateDynamic } from "./dynamic.ts";
import { GraphView } from "./graph_view.ts";
import { insideIslands, numberIslands } from "./islands.ts";
import { FEW_STEPS, idleJoins, isJoin, lostSource, rangeThrough, readersBehind } from "./joins.ts";
import { unitsByPattern } from "./by_pattern.ts";
import { recurrentPlans } from "./recurrent.ts";
import { pinnedUnits } from "./pinned.ts";
import { keptPlans } from "./kept_weights.ts";
import type { RangeOf } from "./seen_range.ts";
import { operatorSetOf } from "./operator_sets.ts";
import { OverrideEffects } from "./override_effects.ts";
import { describeOverride, exclusionOf, overridesFor } from "./overrides.ts";
import { activationInputs, type GridShare, shareGrids } from "./share_grids.ts";
import { tablePlans } from "./tables.ts";
import type { ActivationPlan, PlacedUnit, Placement } from "./types.ts";
import { isClamp, nameOf, outputOf, subjectsOf, type Unit, unitsOf } from "./units.ts";
import { checkBlocks, constantPlans, type WeightContext } from "./weight_plans.ts";
import { placeWeightsOnly } from "./weight_only.ts";
import { readsMask, whyFloat } from "./why_float.ts";
import { checkAllowed } from "../targets/read_target.ts";
import type { Target } from "../targets/target.ts";

/** What {@linkcode resolve} may know beside graph and target. */
export interface ResolveOptions {
  /** Ranges that calibration has seen; without them only what graph and target say counts. */
  readonly seen?: RangeOf;
  /** Whether all joins are taken for ones whose sources differ too much: what a calibration must watch for both. */
  readonly splitJoins?: boolean;
}

/**
 * Decides where quantizers go. Deterministic; the order is that of the graph.
 *
 * @throws {PlimsollError} kind `target` for an override that the target doesn't allow.
 */
export function resolve(
  outline: GraphOutline,
  target: Target,
  { seen = () => undefined, splitJoins = false }: ResolveOptions = {},
): Placement {
  const graph = new GraphView(outline);
  const units = unitsOf(graph, target);
  const { weightOnly } = target.layers ?? {};
  if (weightOnly !== undefined) return placeWeightsOnly(units, graph, target, weightOnly);
  const effects = new OverrideEffects();
  const unitOf = new Map(units.flatMap((unit) => unit.nodes.map((node) => [node, unit] as const)));
  const sets = new Map(units.map((unit) => [unit, operatorSetOf(unit, graph, target)]));
  const reasons = new Map(
    units.map((unit) => [unit, whyFloat(unit, sets.get(unit), graph, target)]),
  );
  const isFloat = (unit: Unit) => reasons.get(unit) !== undefined;
  const isPreserving = (unit: Unit) => !isFloat(unit) && sets.get(unit)?.use === "preserving";
  const matching = { graph, unitOf, isPreserving };
  for (const [unit, { name, reason }] of unitsByPattern(units, target.keepFloat, matching)) {
    if (!isFloat(unit) && !isPreserving(unit)) reasons.set(unit, `${name}: ${reason}`);
  }
  const dynamic = separateDynamic(units, reasons, { graph, target, effects });
  const joins = { graph, unitOf, isFloat, isPreserving };
  for (const unit of units) {
    if (!isJoin(unit) || isFloat(unit)) continue;
    const lost = splitJoins ? "" : lostSource(unit, target.activation.bits, seen, joins);
    if (lost === undefined) continue;
    const why = `${lost} has less than ${FEW_STEPS} steps of a grid for all that ${unit.op} joins`;
    const { readers, passed } = readersBehind(outputOf(unit), joins);
    reasons.set(unit, why);
    for (const other of [...readers, ...passed]) {
      if (!isFloat(other)) reasons.set(other, `reads ${outputOf(unit)}: ${why}`);
    }
  }
  for (const unit of idleJoins(units, joins)) {
    reasons.set(unit, "only outputs and float operators read what it joins");
  }
  const isPlainAdd = (unit: Unit) =>
    unit.op === "AddBias" &&
    isFloat(unitOf.get(graph.producer(unit.inputs[0]!)!)!);
  // Costs say what pays, unit by unit; without them it is counted in quantizers.
  const pinned = pinnedUnits(units.filter((unit) => !isFloat(unit)), target, effects);
  const isOptional = (unit: Unit) => !isFloat(unit) && !pinned.has(unit);
  const candidates = target.costs !== undefined
    ? []
    : units.filter((unit) =>
      isOptional(unit) && (sets.get(unit)?.onlyIfCheaper || isPlainAdd(unit))
    );
  const givesEither = (unit: Unit) => sets.get(unit)?.floatOutput === true;
  for (const unit of worthFloat(units, candidates, { ...joins, givesEither })) {
    reasons.set(unit, "on integers it would take as many quantizers or more, and save no time");
  }
  const loose = units.filter((unit) =>
    !isPreserving(unit) && (!pinned.has(unit) || isClamp(unit, graph))
  );
  for (const unit of insideIslands(loose, graph, isFloat)) {
    reasons.set(unit, "on an island of float operators: on integers it would only add a quantizer");
  }

  const taken = new Set<Unit>();
  const groups: Group[] = [];
  for (const unit of units) {
    if (isFloat(unit) || isPreserving(unit) || taken.has(unit)) continue;
    const isFree = (next: Unit) =>
      !taken.has(next) && !readsMask(next, graph) &&
      exclusionOf(target, subjectsOf(next)) === undefined;
    const group = groupFrom(unit, graph, target, unitOf, isFree);
    for (const member of group.units) taken.add(member);
    groups.push(group);
  }
  const preserving = units.filter((unit) => isPreserving(unit) && !taken.has(unit));
  const shares = shareGrids(
    groups.map((group) => ({
      ...group,
      hasOneGrid: sets.get(group.units[0])?.inputs === "same",
      canGiveFloat: sets.get(group.units[0])?.floatOutput === true,
    })),
    preserving,
    graph,
    {
      fixedGrid: (tensor) => fixedGridOf(tensor, { graph, target, sets, unitOf }, isPreserving),
      range: (tensor) => rangeThrough(tensor, seen, joins),
    },
  );

  const settings = unitsByPattern(units, target.settings, matching);
  const context = { graph, target, sets, unitOf, shares, effects, settings };
  const tables = tablePlans(units, graph, target);
  const { recurrent, stored } = recurrentPlans(units, (unit) => sets.get(unit), context);
  const picking = new Set([...tables, ...recurrent].map(({ node }) => node));
  const float = units.filter((unit) =>
    isFloat(unit) && !dynamic.has(unit) && !picking.has(nameOf(unit)) && !taken.has(unit) &&
    isActivation(unit, graph)
  );
  const islands = numberIslands(float, graph, (tensor) => shares.has(tensor));
  const activations = activationPlans(groups, context);
  const positions = new Map(outline.nodes.map(({ name }, i) => [name, i]));
  const weights = [
    ...groups.flatMap((group) => constantPlans(group, context)),
    ...[...dynamic].map((unit) => dynamicPlan(unit, context)),
    ...keptPlans(units.filter((unit) => isFloat(unit) && !dynamic.has(unit)), context),
  ].toSorted((a, b) => positions.get(a.node)! - positions.get(b.node)!);
  effects.check(target, units, graph, (unit) => reasons.get(unit));
  checkBlocks(target, weights);
  return {
    units: [
      ...groups.map((group) => ({
        node: nameOf(group.units[0]),
        op: group.units[0].op,
        nodes: group.units.flatMap(({ nodes }) => nodes.map(({ name }) => name)),
        inputs: activationInputs(group.units[0], graph),
        outputs: [groupOutput(group)],
        kind: "integer" as const,
        givesFloat: givesEither(group.units[0]),
        ...(group.units.some((unit) => pinned.has(unit)) && { isPinned: true as const }),
      })),
      ...preserving.map((unit) => describeUnit(unit, "moving", graph)),
      ...units.filter((unit) => isFloat(unit) && !taken.has(unit) && isActivation(unit, graph))
        .map((unit) => describeUnit(unit, "float", graph)),
    ],
    activations,
    weights,
    tables,
    recurrent,
    stored,
    float: float.flatMap((unit) =>
      unit.nodes.map((node) => ({
        node: node.name,
        op: node.op,
        island: islands.get(unit)!,
        reason: reasons.get(unit)!,
      }))
    ),
  };
}

interface Context extends WeightContext {
  readonly unitOf: ReadonlyMap<unknown, Unit>;
  readonly shares: ReadonlyMap<string, GridShare>;
  /** What quantizers get by pattern. */
  readonly settings: ReadonlyMap<Unit, NonNullable<Target["settings"]>[number]>;
}

function describeUnit(
  unit: Unit,
  kind: "moving" | "float",
  graph: GraphView,
): PlacedUnit {
  return {
    node: nameOf(unit),
    op: unit.op,
    nodes: unit.nodes.map(({ name }) => name),
    inputs: activationInputs(unit, graph).filter((name) => graph.isFloat(name)),
    outputs: unit.nodes.at(-1)!.outputs.filter((name) => name !== "" && graph.isFloat(name)),
    kind,
    givesFloat: kind === "float",
  };
}

/** Whether a unit works on activations at all: shape arithmetic is no island. */
function isActivation(unit: Unit, graph: GraphView): boolean {
  return graph.isFloat(outputOf(unit));
}

function activationPlans(groups: readonly Group[], context: Context): ActivationPlan[] {
  const { graph, shares, unitOf } = context;
  const groupOf = new Map(groups.map((group) => [groupOutput(group), group]));
  return [...shares].map(([tensor, { sources, requantized, isDerived }]) => {
    const producer = graph.producer(tensor);
    const unit = producer && unitOf.get(producer);
    const group = groupOf.get(tensor);
    const clamps = group === undefined ? [] : group.units.slice(group.units.length - group.clamps);
    const [origin] = sources;
    const further = [...sources.slice(1), ...requantized];
    const { reason, ...quantizer } = quantizerFor(tensor, origin, unit, group, context);
    return {
      tensor,
      producer: producer === undefined ? null : { op: unit!.op, node: producer.name },
      ...quantizer,
      fused: clamps.map(nameOf),
      clamp: clampOf(clamps, graph),
      isDerived,
      ...(origin === tensor ? {} : { sameAs: origin }),
      ...(origin === tensor && further.length > 0 ? { sharedWith: further } : {}),
      reason: [reasonFor(tensor, [...sources, ...requantized], unit, group), ...reason].join("; "),
    };
  });
}

/** Range that the clamps at the end of a group leave. */
function clampOf(clamps: readonly Unit[], graph: GraphView): ActivationPlan["clamp"] {
  let [low, high] = [-Infinity, Infinity];
  for (const { nodes: [node] } of clamps) {
    const [from, to] = clampRange(node, graph)!;
    [low, high] = [Math.max(low, from), Math.min(high, to)];
  }
  return { low: Number.isFinite(low) ? low : null, high: Number.isFinite(high) ? high : null };
}

function notItsOwn(tensor: string, origin: string): PlimsollError {
  return new PlimsollError("target", {
    action: "applying overrides to the model",
    wanted: "a tensor with a grid of its own",
    found: `${JSON.stringify(tensor)}, which has that of ${JSON.stringify(origin)}`,
    remedy: "Override that tensor instead",
  });
}

/** Equal for tensors whose grid the target fixes the same, made by operators that keep it perhaps. */
function fixedGridOf(
  tensor: string,
  context: Pick<Context, "graph" | "target" | "sets" | "unitOf">,
  isPreserving: (unit: Unit) => boolean,
): string | undefined {
  const { graph, target, sets, unitOf } = context;
  const producer = graph.producer(tensor);
  const unit = producer && unitOf.get(producer);
  if (unit === undefined) return undefined;
  if (isPreserving(unit)) {
    const grids = activationInputs(unit, graph).map((name) =>
      fixedGridOf(name, context, isPreserving)
    );
    return grids.every((grid) => grid === grids[0]) ? grids[0] : undefined;
  }
  const isOverridden = overridesFor(target, subjectsOf(unit))
    .some(({ activation }) => activation !== undefined);
  const { fixedGrid, fixedRange } = sets.get(unit)?.output ?? {};
  if (isOverridden) return undefined;
  if (fixedGrid !== undefined) return JSON.stringify(fixedGrid);
  const range = fixedRange && knownRange(unit.nodes.at(-1)!, graph);
  return range ? JSON.stringify(range) : undefined;
}

/** What the target asks of one tensor: its defaults, its set's for the producer, its overrides. */
function quantizerFor(
  tensor: string,
  origin: string,
  unit: Unit | undefined,
  group: Group | undefined,
  { target, sets, graph, effects, settings }: Context,
): Pick<ActivationPlan, "spec" | "usual" | "storage"> & { reason: string[] } {
  const set = unit && sets.get(group?.units.at(-1) ?? unit);
  const { fixedRange, fixedGrid, ...output } = set?.output ?? {};
  const fused = group?.units ?? (unit === undefined ? [] : [unit]);
  const overrides = overridesFor(target, [{ tensor }, ...fused.flatMap(subjectsOf)])
    .filter(({ activation }) => activation !== undefined);
  const reason: string[] = [];
  let spec: ActivationSpec = { ...target.activation, ...output };
  if (origin !== tensor) {
    const named = overrides.find(({ match }) => match.tensor === tensor);
    if (named !== undefined) throw notItsOwn(tensor, origin);
    return { spec, storage: storageFor(spec.bits, target.storage.activation), reason };
  }
  const setting = fused.map((member) => settings.get(member)).find((found) => found !== undefined);
  const usual = setting !== undefined && setting.activation.bits !== undefined
    ? { usual: spec }
    : {};
  if (setting !== undefined) {
    spec = { ...spec, ...setting.activation };
    reason.push(`${setting.name}: ${setting.reason}`);
  }
  for (const override of overrides) {
    const name = `the override for ${describeOverride(override)}`;
    checkAllowed(target, "activation", override.activation!, name);
    effects.note(override, "activation");
    spec = { ...spec, ...override.activation };
    reason.push(`set by ${name}`);
  }
  const storage = storageFor(spec.bits, target.storage.activation);
  if (overrides.length > 0) return { spec, storage, reason };
  if (unit === undefined) return { spec, ...usual, storage, reason };
  if (fixedGrid !== undefined) {
    const { scale, zeroPoint } = fixedGrid;
    const [min, max] = STORED_CODES[storage];
    const grid = { op: unit.op, step: scale, low: min - zeroPoint, high: max - zeroPoint };
    return { spec: { ...spec, fixedGrid: grid }, storage, reason };
  }
  const range = fixedRange && knownRange(unit.nodes.at(-1)!, graph);
  if (!range) return { spec, ...usual, storage, reason };
  const [low, high] = range;
  const fixed = { fixedRange: { op: unit.op, low, high } };
  return {
    spec: { ...spec, ...fixed },
    ...(usual.usual && { usual: { ...usual.usual, ...fixed } }),
    storage,
    reason,
  };
}

function reasonFor(
  tensor: string,
  [origin, ...further]: readonly string[],
  unit: Unit | undefined,
  group: Group | undefined,
): string {
  if (origin !== tensor) {
    return group === undefined && unit !== undefined
      ? `${unit.op} keeps the quantization of ${origin}`
      : `one grid with ${origin}, as the target wants it of what joins them`;
  }
  const shared = further.length === 0 ? "" : `; one grid with ${further.join(", ")}`;
  if (unit === undefined) return `input of the model, read by a quantized operator${shared}`;
  if (group === undefined) {
    return `output of ${unit.op} (float), read by a quantized operator${shared}`;
  }
  return `output of ${group.units.map(({ op }) => op).join(" + ")}${shared}`;
}
