import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parseTarget, presetTarget, TARGET_NAMES } from "../../../tpc/targets/read_target.ts";

const schema = JSON.parse(Deno.readTextFileSync("tpc/schema/target.v2.schema.json"));
const validate = new Ajv2020({ strict: false }).compile(schema);

for (const name of TARGET_NAMES) {
  Deno.test(`target ${name} conforms to the published schema and has its own name`, () => {
    const target: { description: string } = JSON.parse(
      Deno.readTextFileSync(`tpc/targets/${name}.json`),
    );
    assert.ok(validate(target), JSON.stringify(validate.errors));
    assert.equal(presetTarget(name)?.name, name);
    assert.equal(presetTarget(name)?.description, target.description);
  });
}

const valid = JSON.parse(Deno.readTextFileSync("tpc/targets/default.json"));
const FAULTS: [string, unknown, RegExp][] = [
  ["an unknown key", { ...valid, activations: {} }, /activations/],
  ["an unknown key inside", { ...valid, weight: { ...valid.weight, bit: 8 } }, /weight: .*bit/],
  [
    "too many bits",
    { ...valid, activation: { ...valid.activation, bits: 17 } },
    /activation\.bits: .*16/,
  ],
  [
    "an unknown constraint",
    { ...valid, activation: { ...valid.activation, constraint: "cubic" } },
    /activation\.constraint: .*"pot"/,
  ],
  ["another version", { ...valid, schemaVersion: 99 }, /schemaVersion: .*2/],
  [
    "a short pattern",
    { ...valid, fusing: [{ name: "short", pattern: [["Conv"]] }] },
    /fusing\.0\.pattern: .*2/,
  ],
  ["an unknown base", { schemaVersion: 2, name: "x", extends: "nothing", with: 1 }, /with/],
  ["no object", 7, /the top level/],
];
for (const [name, value, message] of FAULTS) {
  Deno.test(`parseTarget() refuses ${name}, naming the path`, () => {
    assert.throws(() => parseTarget(value, "t.json"), message);
    assert.ok(!validate(value), "the published schema takes it");
  });
}
