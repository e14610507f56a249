/**
 * Operators that exporters write as several nodes, in the forms that PyTorch, TensorFlow, Keras, JAX, Paddle and MXNet
 * give them. A form is matched whatever the order of the arguments of Add, Mul, Max and Min, and constants within 0.1 %.
 *
 * A target that names one of them, in a set or a fusing pattern, treats these nodes as one operator. Where ONNX
 * has an operator of the same name it means both. docs/composites.md is made from these tables.
 *
 * @module
 */

/** An operator and the sub-graphs that stand for it. */
export interface CompositeDefinition {
  /** Name, as in operator sets and fusing patterns. */
  readonly name: string;
  /** Expressions; see `expression.ts`. Built-in ones may use {@linkcode PARTS}. */
  readonly forms: readonly string[];
  /** Operators that must make the input; anything may when absent. */
  readonly behind?: readonly string[];
  /** What it computes, and who writes it so. */
  readonly meaning?: string;
}

/** A mean; jax2tf writes it as a sum. */
const means = (part: string) => [
  `ReduceMean(${part})`,
  `Mul(ReduceSum(${part}), c)`,
  `Div(ReduceSum(${part}), c)`,
];
/** One number a row, brought to the shape of the row: by broadcasting, or as jax2tf writes it. */
const spread = (part: string) => [
  part,
  `Unsqueeze(${part}, s)`,
  `Reshape(${part}, s)`,
  `Expand(${part}, s)`,
  `Expand(Unsqueeze(${part}, s), s)`,
  `Expand(Reshape(${part}, s), s)`,
];
const squares = (part: string) => [`Pow(${part}, 2)`, `Mul(${part}, ${part})`];
const roots = (part: string) => [`Sqrt(${part})`, `Pow(${part}, 0.5)`];
const inverseRoots = (part: string, root: string) => [
  `Reciprocal(${root})`,
  `Div(1, ${root})`,
  `Pow(${part}, -0.5)`,
];

/** Names for what stands in several forms, each with the expressions that it may be. */
export const PARTS: Readonly<Record<string, readonly string[]>> = {
  square: squares("x"),
  mean: means("x"),
  wide_mean: spread("mean"),
  mean_square: means("square"),

  // (x − μ)/√(σ² + ε), σ² as E[(x − μ)²] or E[x²] − μ²
  centred: ["Sub(x, wide_mean)"],
  centred_square: squares("centred"),
  square_mean: squares("mean"),
  difference: ["Sub(mean_square, square_mean)"],
  variance: [...means("centred_square"), "difference", "Max(difference, 0)", "Relu(difference)"],
  wide_variance: spread("variance"),
  safe_variance: ["Add(wide_variance, c)"],
  deviation: roots("safe_variance"),
  inverse_deviation: inverseRoots("safe_variance", "deviation"),
  normalized: ["Div(centred, deviation)", "Mul(centred, inverse_deviation)"],
  gain: ["inverse_deviation", "Mul(inverse_deviation, c)"],
  gained: ["Mul(normalized, c)", "Mul(centred, Mul(inverse_deviation, c))"],

  // x/√(E[x²] + ε)
  wide_mean_square: spread("mean_square"),
  safe_mean_square: ["Add(wide_mean_square, c)"],
  root_mean_square: roots("safe_mean_square"),
  inverse_root: inverseRoots("safe_mean_square", "root_mean_square"),

  // InstanceNormalization of groups of channels, its own gain and offset 1 and 0.
  grouped: ["Reshape(InstanceNormalization(Reshape(x, s), c, c), s)"],

  // relu6(x + 3)
  shifted: ["Add(x, 3)"],
  gate: [
    "Clip(shifted, 0, 6)",
    "Min(Max(shifted, 0), 6)",
    "Max(Min(shifted, 6), 0)",
    "Min(Relu(shifted), 6)",
    "Relu(Min(shifted, 6))",
    "Clip(Relu(shifted), 0, 6)",
  ],
  // relu6(x + 3)/6
  sixth_gate: [
    "Div(gate, 6)",
    "Mul(gate, 0.166667)",
    ...["Add(Mul(x, 0.166667), 0.5)", "Add(Div(x, 6), 0.5)", "Div(shifted, 6)"].flatMap((part) => [
      `Clip(${part}, 0, 1)`,
      `Min(Max(${part}, 0), 1)`,
      `Max(Min(${part}, 1), 0)`,
    ]),
    "Clip(Mul(shifted, 0.166667), 0, 1)",
  ],

  // 1 + erf(x/√2), also as the complement of erf(−x/√2)
  scaled: ["Div(x, 1.41421356)", "Mul(x, 0.70710678)"],
  negated: ["Mul(x, -0.70710678)", "Div(x, -1.41421356)", "Mul(Neg(x), 0.70710678)", "Neg(scaled)"],
  // x + 0.044715·x³
  cube: ["Pow(x, 3)", "Mul(x, square)"],
  cubic: [
    "Mul(cube, 0.044715)",
    "Mul(x, Mul(square, 0.044715))",
    "Mul(square, Mul(x, 0.044715))",
    "Mul(x, Mul(x, Mul(x, 0.044715)))",
  ],
  tanh_argument: [
    "Mul(Add(x, cubic), 0.79788456)",
    "Mul(Mul(x, 0.79788456), Add(Mul(square, 0.044715), 1))",
    "Mul(Mul(x, 0.79788456), Add(Mul(x, Mul(x, 0.044715)), 1))",
    "Mul(Mul(x, Add(Mul(square, 0.044715), 1)), 0.79788456)",
  ],
  // 2·Φ(x) and Φ(x), Φ that of the normal distribution
  twice_phi: ["Add(Erf(scaled), 1)", "Sub(1, Erf(negated))", "Add(Tanh(tanh_argument), 1)"],
  phi: [
    "Mul(twice_phi, 0.5)",
    "Div(twice_phi, 2)",
    "Add(Mul(Erf(scaled), 0.5), 0.5)",
    "Add(Mul(Tanh(tanh_argument), 0.5), 0.5)",
  ],

  written_softplus: [
    "Log(Add(Exp(x), 1))",
    // As JAX and TensorFlow write it, so that it doesn't overflow.
    "Add(Max(x, 0), Log(Add(Exp(Neg(Abs(x))), 1)))",
    "Add(Relu(x), Log(Add(Exp(Neg(Abs(x))), 1)))",
  ],
  // (1 + eˣ)² − 1
  mish_power: ["Mul(Exp(x), Add(Exp(x), 2))"],
};

/** The built-in composites; of two forms that fit the same nodes the first counts. */
export const COMPOSITES: readonly CompositeDefinition[] = [
  {
    name: "Gelu",
    meaning:
      "x·Φ(x): torch.nn.GELU below opset 20, transformers, Keras, JAX, Paddle, MXNet; its tanh approximation; quick GELU (CLIP)",
    forms: [
      "Mul(x, phi)",
      "Mul(Mul(x, twice_phi), 0.5)",
      "Div(Mul(x, twice_phi), 2)",
      "Mul(Mul(x, 0.5), twice_phi)",
      "Mul(Div(x, 2), twice_phi)",
      // The factor ½ folded into the layer behind it.
      "Mul(x, twice_phi)",
      "Mul(x, Sigmoid(Mul(x, 1.702)))",
    ],
  },
  {
    name: "Silu",
    meaning:
      "x·σ(x), with a factor β: x·σ(βx): torch.nn.SiLU, swish of Keras, Paddle and EfficientNet",
    forms: [
      "Mul(x, Sigmoid(x))",
      "Mul(x, Sigmoid(Mul(x, c)))",
      "Div(x, Add(Exp(Neg(x)), 1))",
      "Mul(x, Div(1, Add(Exp(Neg(x)), 1)))",
    ],
  },
  {
    name: "HardSwish",
    meaning:
      "x·relu6(x + 3)/6: torch.nn.Hardswish below opset 14, MobileNetV3 of Keras, TensorFlow and Paddle",
    forms: [
      "Mul(x, HardSigmoid{alpha=0.166667,beta=0.5}(x))",
      "Mul(x, sixth_gate)",
      "Div(Mul(x, gate), 6)",
      "Mul(Mul(x, gate), 0.166667)",
      "Mul(Mul(x, 0.166667), gate)",
      "Mul(Div(x, 6), gate)",
      // The factor folded into the layer behind it.
      "Mul(x, gate)",
    ],
  },
  {
    name: "HardSigmoid",
    meaning: "relu6(x + 3)/6, or a line of another slope through ½: gates of squeeze-and-excite",
    forms: ["sixth_gate", "Clip(Add(Mul(x, c), 0.5), 0, 1)"],
  },
  {
    name: "LeakyRelu",
    meaning: "max(cx, x): tf.nn.leaky_relu",
    forms: ["Max(Mul(x, c), x)"],
  },
  {
    name: "Softplus",
    meaning: "log(1 + eˣ): TensorFlow, JAX, YOLOv4",
    forms: ["written_softplus"],
  },
  {
    name: "Mish",
    meaning: "x·tanh(log(1 + eˣ)): torch.nn.Mish below opset 18, YOLOv4, Paddle",
    forms: [
      "Mul(x, Tanh(Softplus(x)))",
      "Mul(x, Tanh(written_softplus))",
      "Mul(x, Div(mish_power, Add(mish_power, 2)))",
    ],
  },
  {
    name: "AddBias",
    meaning: "a bias as a node of its own: torch.nn.Linear of rank 3, TensorFlow's BiasAdd",
    forms: ["Add(x, c)"],
    behind: ["MatMul"],
  },
  {
    name: "LayerNormalization",
    meaning:
      "(x − μ)/√(σ² + ε), with gain and offset, one of them or neither: PyTorch below opset 17, transformers, Paddle and MXNet; TensorFlow's form with the factor on x and μ apart; Flax's E[x²] − μ²",
    forms: [
      "normalized",
      "gained",
      "Add(normalized, c)",
      "Add(gained, c)",
      "Add(Mul(x, gain), Sub(c, Mul(wide_mean, gain)))",
      "Sub(Mul(x, gain), Mul(wide_mean, gain))",
    ],
  },
  {
    name: "RMSNormalization",
    meaning: "x/√(E[x²] + ε), with gain or without: LLaMA, T5, Gemma",
    forms: [
      "Div(x, root_mean_square)",
      "Mul(x, inverse_root)",
      "Mul(Div(x, root_mean_square), c)",
      "Mul(Mul(x, inverse_root), c)",
      "Mul(x, Mul(inverse_root, c))",
    ],
  },
  {
    name: "GroupNormalization",
    meaning: "InstanceNormalization between two Reshapes: torch.nn.GroupNorm, both exporters",
    forms: ["grouped", "Mul(grouped, c)", "Add(Mul(grouped, c), c)"],
  },
];
