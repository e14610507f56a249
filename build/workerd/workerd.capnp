# The whole handler in a workerd of your own, its JavaScript heap held to 64 MiB:
#   workerd serve dist/workerd/workerd.capnp
# With that limit V8 lets less garbage lie about, in array buffers as well; see docs/hosts.md.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(
    name = "main",
    worker = (
      modules = [
        (name = "worker.js", esModule = embed "worker.js"),
        (name = "plimsoll.js", esModule = embed "plimsoll.js"),
        (name = "ort-wasm-simd-threaded.wasm", wasm = embed "ort-wasm-simd-threaded.wasm"),
        (name = "histogram.wasm", wasm = embed "histogram.wasm"),
        (name = "image.wasm", wasm = embed "image.wasm"),
      ],
      compatibilityDate = "2026-04-01",
      compatibilityFlags = ["enable_request_signal"],
    ),
  )],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "main")],
  v8Flags = ["--max-heap-size=64"],
);
