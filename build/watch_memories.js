// What a measured worker imports first: it knows all WebAssembly memories from then on; see isolate_memory.ts. They
// never shrink, so what they are now is the most that they have been.
const { Memory, Instance, instantiate } = WebAssembly;
const memories = [];

function know(memory) {
  memories.push(new WeakRef(memory));
}

function knowExports(instance) {
  Object.values(instance.exports).filter((value) => value instanceof Memory).forEach(know);
  return instance;
}

WebAssembly.Memory = class extends Memory {
  constructor(descriptor) {
    super(descriptor);
    know(this);
  }
};
WebAssembly.Instance = new Proxy(Instance, {
  construct: (target, given) => knowExports(new target(...given)),
});
WebAssembly.instantiate = async (...given) => {
  const made = await instantiate(...given);
  knowExports(made instanceof Instance ? made : made.instance);
  return made;
};

globalThis.wasmMemoryBytes = () =>
  [...new Set(memories.map((memory) => memory.deref()))]
    .reduce((sum, memory) => sum + (memory?.buffer.byteLength ?? 0), 0);
