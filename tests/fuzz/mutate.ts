/** Mutations of bytes, JSON and protobuf messages. */
import { type DescMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { concat } from "./containers.ts";
import { type Chance, ODD_FLOATS, ODD_NUMBERS, ODD_TEXTS } from "./chance.ts";

/** Bytes with some of them changed, taken out, doubled or put in. */
export function mutateBytes(chance: Chance, bytes: Uint8Array, from = 0): Uint8Array {
  let result: Uint8Array = bytes.slice();
  for (let n = chance.count(); n > 0; n--) result = mutateOnce(chance, result, from);
  return result;
}

function mutateOnce(chance: Chance, bytes: Uint8Array, from: number): Uint8Array {
  const at = from + chance.below(Math.max(1, bytes.length - from));
  const length = Math.min(bytes.length - at, 1 + chance.below(chance.happens(0.8) ? 8 : 256));
  const join = (...parts: Uint8Array[]) => concat(parts);
  const result = bytes.slice();
  switch (chance.below(8)) {
    case 0:
      if (at < result.length) result[at] ^= 1 << chance.below(8);
      return result;
    case 1:
      if (at < result.length) result[at] = chance.pick([0, 1, 127, 128, 255, chance.below(256)]);
      return result;
    case 2: {
      const size = chance.pick([2, 4, 8]);
      if (at + size > result.length) return result;
      const view = new DataView(result.buffer, result.byteOffset, result.byteLength);
      const value = BigInt.asIntN(64, BigInt(chance.pick(ODD_NUMBERS)));
      const isLittle = chance.happens(0.5);
      if (size === 2) view.setUint16(at, Number(BigInt.asUintN(16, value)), isLittle);
      else if (size === 4) view.setUint32(at, Number(BigInt.asUintN(32, value)), isLittle);
      else view.setBigInt64(at, value, isLittle);
      return result;
    }
    case 3:
      return join(bytes.subarray(0, at), bytes.subarray(at + length));
    case 4:
      return join(bytes.subarray(0, at + length), bytes.subarray(at));
    case 5:
      return join(
        bytes.subarray(0, at),
        Uint8Array.from({ length }, () => chance.below(256)),
        bytes.subarray(at),
      );
    case 6:
      return chance.happens(0.3) ? bytes.slice(0, at) : result.fill(0, at, at + length);
    default: {
      const other = from + chance.below(Math.max(1, bytes.length - from));
      result.set(bytes.subarray(other, other + length).slice(0, result.length - at), at);
      return result;
    }
  }
}

/** A place in a tree. */
interface Place {
  readonly parent: Record<string, unknown> | unknown[];
  readonly key: string | number;
}

const isTree = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !(value instanceof Uint8Array);

function placesOf(tree: unknown, found: Place[] = [], depth = 0): Place[] {
  if (!isTree(tree) || depth > 40) return found;
  for (const key of Object.keys(tree)) {
    if (key === "$typeName" || key === "$unknown") continue;
    const parent = tree as Record<string, unknown>;
    found.push({ parent, key: Array.isArray(tree) ? Number(key) : key });
    placesOf(parent[key], found, depth + 1);
  }
  return found;
}

const at = ({ parent, key }: Place) => (parent as Record<string | number, unknown>)[key];
/** As `JSON.parse` does: `__proto__` is a key as any other. */
const put = ({ parent, key }: Place, value: unknown) =>
  void Object.defineProperty(parent, key, {
    ...{ value, writable: true, enumerable: true, configurable: true },
  });

const ODD_VALUES = [null, true, false, [], {}, [[]], 0, "", { "": {} }];
/** Stand for what is nested so deeply that no walk through a tree survives it. */
const DEEP = ["\u0001[", "\u0001{"];
const DEPTH = 20_000;

/** A JSON value with some of its places changed; keys and texts of the value itself turn up elsewhere. */
export function mutateJson(chance: Chance, value: unknown): unknown {
  const root = { root: structuredClone(value) };
  for (let n = chance.count(); n > 0; n--) {
    const places = placesOf(root);
    const place = chance.pick(places);
    const other = chance.pick(places);
    const old = at(place);
    switch (chance.below(7)) {
      case 0:
        if (Array.isArray(place.parent)) place.parent.splice(Number(place.key), 1);
        else if (place.parent !== root) delete place.parent[place.key];
        break;
      case 1:
        put(place, structuredClone(at(other)));
        break;
      case 2:
        put(place, structuredClone(chance.pick<unknown>([...ODD_VALUES, ...DEEP])));
        break;
      case 3:
        if (Array.isArray(old)) put(place, [...old, ...old].slice(0, 200));
        else if (isTree(old)) {
          put({ parent: old, key: chance.pick(ODD_TEXTS) }, structuredClone(at(other)));
        } else put(place, chance.pick(ODD_TEXTS));
        break;
      case 4:
        put(place, chance.pick(ODD_NUMBERS));
        break;
      default:
        if (typeof old === "number") {
          put(
            place,
            chance.pick<unknown>([
              ...[-old, old + 1, old - 1, old * 2, old / 3, old * 1e9, old * 1e-40],
              ...[chance.pick(ODD_FLOATS), chance.pick(ODD_NUMBERS)],
            ]),
          );
        } else if (typeof old === "string") {
          const texts = places.map(at).filter((text) => typeof text === "string");
          put(place, chance.happens(0.6) ? chance.pick(texts) : old + chance.pick(ODD_TEXTS));
        } else if (typeof old === "boolean") put(place, !old);
    }
  }
  return root.root;
}

/** JSON as text, with what `JSON.stringify` writes otherwise: infinities as `JSON.parse` reads 1e999, −0, deep nesting. */
export function jsonBytes(value: unknown): Uint8Array {
  const text = JSON.stringify(
    value,
    (_, entry) =>
      entry === Infinity
        ? "\u0001inf"
        : entry === -Infinity
        ? "\u0001-inf"
        : Object.is(entry, -0)
        ? "\u0001-0"
        : entry,
  ) ?? "null";
  return new TextEncoder().encode(
    text.replace(/"\\u0001([^"]*)"/g, (_, what) => WRITTEN[what] ?? '""'),
  );
}

const WRITTEN: Readonly<Record<string, string>> = {
  "inf": "1e999",
  "-inf": "-1e999",
  "-0": "-0",
  "[": "[".repeat(DEPTH) + "]".repeat(DEPTH),
  "{": '{"a":'.repeat(DEPTH) + "1" + "}".repeat(DEPTH),
};

/** A message with some of its fields changed, as bytes: other names, numbers, kinds; parts doubled or gone. */
export function mutateMessage(chance: Chance, schema: DescMessage, message: Message): Uint8Array {
  for (let attempt = 0; attempt < 20; attempt++) {
    const root = { root: clone(message) };
    for (let n = chance.count(); n > 0; n--) changeMessage(chance, root);
    try {
      return toBinary(schema, root.root as Message);
    } catch {
      // What no file can say.
    }
  }
  return toBinary(schema, message);
}

function clone(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(clone);
  if (!isTree(value)) return value;
  const copy = Object.create(Object.getPrototypeOf(value));
  for (const [key, entry] of Object.entries(value)) copy[key] = clone(entry);
  return copy;
}

function changeMessage(chance: Chance, root: { root: unknown }): void {
  const places = placesOf(root).slice(1);
  const place = chance.pick(places);
  const old = at(place);
  const alike = () => at(chance.pick(places.filter((other) => typeof at(other) === typeof old)));
  if (Array.isArray(place.parent) && chance.happens(0.3)) {
    const list = place.parent;
    const index = Number(place.key);
    if (chance.happens(0.4)) list.splice(index, 1);
    else if (chance.happens(0.5)) list.splice(index, 0, clone(old));
    else [list[index], list[0]] = [list[0], list[index]];
    return;
  }
  if (old instanceof Uint8Array) {
    return put(place, chance.happens(0.7) ? mutateBytes(chance, old) : new Uint8Array());
  }
  if (Array.isArray(old)) {
    return put(place, chance.happens(0.5) ? [] : [...old, ...old].map(clone).slice(0, 300));
  }
  switch (typeof old) {
    case "bigint":
      return put(
        place,
        chance.happens(0.4)
          ? chance.pick([old + 1n, old - 1n, -old, old * 2n])
          : BigInt.asIntN(64, BigInt(chance.pick(ODD_NUMBERS))),
      );
    case "number":
      return put(
        place,
        Number.isInteger(old) && chance.happens(0.8)
          ? chance.pick([old + 1, old - 1, chance.below(25), chance.pick(ODD_NUMBERS) | 0])
          : Math.fround(chance.pick([...ODD_FLOATS.filter((x) => !(Math.abs(x) > 3.4e38)), NaN])),
      );
    case "string":
      return put(place, chance.happens(0.75) ? alike() : chance.pick(ODD_TEXTS.slice(0, 12)));
    case "object":
      if (old !== null && chance.happens(0.3)) put(place, undefined);
      else {
        const same = places.filter((other) => {
          const value = at(other);
          return isTree(value) && !Array.isArray(value) &&
            (value as { $typeName?: string }).$typeName ===
              (old as { $typeName?: string } | null)?.$typeName;
        });
        if (same.length > 0) put(place, clone(at(chance.pick(same))));
      }
  }
}
