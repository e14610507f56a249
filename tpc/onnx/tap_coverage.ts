/**
 * How often each tap of a kernel meets an element and not padding.
 *
 * @module
 */
import type { NodeProto } from "onnx-buf";
import { intsAttribute, stringAttribute } from "./node.ts";

/**
 * Part of the output positions at which each tap of a Conv's kernel lies inside the input, row-major over the kernel
 * without channels; of a ConvTranspose the part that each tap adds to. At the border of a small map that is far from
 * 1: a corner of a 5 × 5 kernel on 7 × 7 padded by 2 meets an element at 25 of 49 positions.
 *
 * @param kernel Sizes of the kernel.
 * @param input Sizes of the input without batch and channels, as many.
 */
export function tapCoverage(
  node: NodeProto,
  kernel: readonly number[],
  input: readonly number[],
): Float64Array {
  const ones: readonly number[] = kernel.map(() => 1);
  const zeros: readonly number[] = [...kernel, ...kernel].map(() => 0);
  const strides = intsAttribute(node, "strides") ?? ones;
  const dilations = intsAttribute(node, "dilations") ?? ones;
  const pads = intsAttribute(node, "pads") ?? zeros;
  const extra = intsAttribute(node, "output_padding") ?? zeros;
  const axes = kernel.map((size, axis) => {
    const given: Axis = {
      size,
      input: input[axis],
      stride: strides[axis],
      reach: dilations[axis] * (size - 1) + 1,
      before: pads[axis],
      after: pads[axis + kernel.length],
    };
    const isTransposed = node.opType === "ConvTranspose";
    const place = isTransposed
      ? given
      : automatic(given, stringAttribute(node, "auto_pad", "NOTSET"));
    const output = isTransposed
      ? (place.input - 1) * place.stride + place.reach + extra[axis] - place.before - place.after
      : Math.floor((place.input + place.before + place.after - place.reach) / place.stride) + 1;
    const [steps, limit] = isTransposed ? [place.input, output] : [output, place.input];
    return Float64Array.from({ length: size }, (_, tap) => {
      const first = tap * dilations[axis] - place.before;
      let inside = 0;
      for (let i = 0; i < steps; i++) {
        const at = first + i * place.stride;
        if (at >= 0 && at < limit) inside++;
      }
      return inside / output;
    });
  });
  return axes.reduce(
    (all, own) =>
      Float64Array.from(
        { length: all.length * own.length },
        (_, i) => all[Math.floor(i / own.length)] * own[i % own.length],
      ),
    Float64Array.of(1),
  );
}

/** A Conv along one axis. */
interface Axis {
  readonly size: number;
  readonly input: number;
  readonly stride: number;
  /** From the first to the last tap, both included. */
  readonly reach: number;
  readonly before: number;
  readonly after: number;
}

/** Padding that `auto_pad` stands for. */
function automatic(axis: Axis, autoPad: string): Axis {
  if (autoPad === "NOTSET") return axis;
  if (autoPad === "VALID") return { ...axis, before: 0, after: 0 };
  const output = Math.ceil(axis.input / axis.stride);
  const total = Math.max(0, (output - 1) * axis.stride + axis.reach - axis.input);
  const less = Math.floor(total / 2);
  return autoPad === "SAME_UPPER"
    ? { ...axis, before: less, after: total - less }
    : { ...axis, before: total - less, after: less };
}
