# The edge bundle in a workerd of your own, its JavaScript heap held to 32 MiB:
#   workerd serve dist/edge/edge.capnp
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(
    name = "main",
    worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = "2026-04-01",
      compatibilityFlags = ["enable_request_signal"],
    ),
  )],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "main")],
  v8Flags = ["--max-heap-size=32"],
);
