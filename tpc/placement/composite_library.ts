/**
 * Operators that exporters write as several nodes, in the forms that PyTorch, TensorFlow and Keras give them. A
 * form is matched whatever the order of the arguments of Add and Mul, and constants within 0.1 %.
 *
 * A target that names one of them, in a set or a fusing pattern, treats these nodes as one operator. Where ONNX
 * has an operator of the same name it means both.
 *
 * @module
 */

/** An operator and the sub-graphs that stand for it. */
export interface CompositeDefinition {
  /** Name, as in operator sets and fusing patterns. */
  readonly name: string;
  /** Expressions; see `expression.ts`. */
  readonly forms: readonly string[];
  /** Operators that must make the input; anything may when absent. */
  readonly behind?: readonly string[];
}

const CENTRED = "Sub(x, ReduceMean(x))";
const DEVIATION = `Sqrt(Add(ReduceMean(Pow(${CENTRED}, 2)), c))`;
const DEVIATION_MUL = `Sqrt(Add(ReduceMean(Mul(${CENTRED}, ${CENTRED})), c))`;

/** The built-in composites. */
export const COMPOSITES: readonly CompositeDefinition[] = [
  // x·σ(x): torch.nn.SiLU, keras swish
  { name: "Silu", forms: ["Mul(x, Sigmoid(x))"] },
  {
    // x·relu6(x + 3)/6: torch.nn.Hardswish below opset 14, MobileNetV3 of Keras and TensorFlow
    name: "HardSwish",
    forms: [
      "Mul(x, HardSigmoid{alpha=0.166667,beta=0.5}(x))",
      "Div(Mul(x, Clip(Add(x, 3), 0, 6)), 6)",
      "Mul(x, Div(Clip(Add(x, 3), 0, 6), 6))",
      "Mul(x, Mul(Clip(Add(x, 3), 0, 6), 0.166667))",
      "Mul(Mul(x, Clip(Add(x, 3), 0, 6)), 0.166667)",
      // The factor folded into the layer behind it.
      "Mul(x, Clip(Add(x, 3), 0, 6))",
    ],
  },
  {
    name: "HardSigmoid",
    forms: ["Div(Clip(Add(x, 3), 0, 6), 6)", "Mul(Clip(Add(x, 3), 0, 6), 0.166667)"],
  },
  {
    // x·Φ(x): torch.nn.GELU below opset 20, transformers, Keras; then its tanh approximation
    name: "Gelu",
    forms: [
      "Mul(Mul(x, Add(Erf(Div(x, 1.41421356)), 1)), 0.5)",
      "Mul(Mul(x, 0.5), Add(Erf(Div(x, 1.41421356)), 1))",
      "Mul(x, Mul(Add(Erf(Div(x, 1.41421356)), 1), 0.5))",
      "Mul(Mul(x, Add(Erf(Mul(x, 0.70710678)), 1)), 0.5)",
      "Mul(Mul(x, 0.5), Add(Erf(Mul(x, 0.70710678)), 1))",
      "Mul(x, Mul(Add(Erf(Mul(x, 0.70710678)), 1), 0.5))",
      "Mul(Mul(x, 0.5), Add(Tanh(Mul(Add(x, Mul(Pow(x, 3), 0.044715)), 0.79788456)), 1))",
      "Mul(Mul(x, Add(Tanh(Mul(Add(x, Mul(Pow(x, 3), 0.044715)), 0.79788456)), 1)), 0.5)",
      "Mul(x, Mul(Add(Tanh(Mul(Add(x, Mul(Pow(x, 3), 0.044715)), 0.79788456)), 1), 0.5))",
      // The factor ½ folded into the layer behind it.
      "Mul(x, Add(Erf(Div(x, 1.41421356)), 1))",
      "Mul(x, Add(Erf(Mul(x, 0.70710678)), 1))",
      "Mul(x, Add(Tanh(Mul(Add(x, Mul(Pow(x, 3), 0.044715)), 0.79788456)), 1))",
      // quick GELU (CLIP)
      "Mul(x, Sigmoid(Mul(x, 1.702)))",
    ],
  },
  // tf.nn.leaky_relu
  { name: "LeakyRelu", forms: ["Max(Mul(x, c), x)", "Max(x, Mul(x, c))"] },
  { name: "Mish", forms: ["Mul(x, Tanh(Softplus(x)))"] },
  // A bias as a node of its own: PyTorch's Linear of rank 3, TensorFlow's BiasAdd.
  { name: "AddBias", forms: ["Add(x, c)"], behind: ["MatMul"] },
  {
    name: "LayerNormalization",
    forms: [
      `Add(Mul(Div(${CENTRED}, ${DEVIATION}), c), c)`,
      `Add(Mul(Div(${CENTRED}, ${DEVIATION_MUL}), c), c)`,
      `Div(${CENTRED}, ${DEVIATION})`,
    ],
  },
  {
    name: "RMSNormalization",
    forms: [
      "Mul(Mul(x, Reciprocal(Sqrt(Add(ReduceMean(Pow(x, 2)), c)))), c)",
      "Mul(Div(x, Sqrt(Add(ReduceMean(Pow(x, 2)), c))), c)",
      "Mul(Mul(x, Div(1, Sqrt(Add(ReduceMean(Pow(x, 2)), c)))), c)",
    ],
  },
];
