/** Servers and workers of queues, each a process of its own; servers are those of Debian, and a bucket's from npm. */
const decoder = new TextDecoder();

/** A server that is running. */
export interface Server {
  readonly url: string;
  /** Ends it, and starts it anew with what it has on disk. */
  restart(): Promise<void>;
  /** Answers nothing until `resume`. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

async function found(...names: string[]): Promise<string | undefined> {
  for (const name of names) {
    const { success, stdout } = await new Deno.Command("sh", {
      args: ["-c", `command -v ${name} || ls ${name} 2>/dev/null | tail -n 1`],
    }).output();
    const path = decoder.decode(stdout).trim();
    if (success && path !== "") return path;
  }
}

/** Redis or Valkey; undefined where there is none. */
export const redisServer = await found("valkey-server", "redis-server");
/** PostgreSQL's programs; undefined where there are none. */
const initdb = await found("initdb", "/usr/lib/postgresql/*/bin/initdb");
/** Folder of PostgreSQL's programs. */
export const postgresFolder = initdb?.replace(/\/initdb$/, "");

for (
  const [what, found] of [
    ["Redis or Valkey", redisServer],
    ["PostgreSQL", postgresFolder],
  ] as const
) {
  // deno-lint-ignore no-console
  if (found === undefined) console.warn(`no ${what} here: its tests of queues are skipped`);
}

/** A server of buckets from npm; undefined where it is neither cached nor to be had. */
export const bucketServer = await (async () => {
  const name = "npm:s3rver@3.7.1";
  const args = ["cache", "--lock=deno.lock", "--quiet", name];
  const { success } = await new Deno.Command(Deno.execPath(), { args, stderr: "null" }).output();
  return success ? name : undefined;
})();

/** A port that nobody has now. */
export function freePort(): number {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

export async function waitFor(isReady: () => Promise<boolean>, what: string, ms = 20_000) {
  const end = performance.now() + ms;
  while (!await isReady()) {
    if (performance.now() > end) throw new Error(`${what} took more than ${ms / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ port, hostname: "127.0.0.1" })).close();
    return true;
  } catch {
    return false;
  }
}

/** Redis with persistence. */
export async function startRedis(
  folder: string,
  { password, settings = [] }: { readonly password?: string; readonly settings?: string[] } = {},
): Promise<Server> {
  const port = freePort();
  const start = async () => {
    const child = new Deno.Command(redisServer!, {
      args: [
        ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
        ...["--appendonly", "yes", "--appendfsync", "always"],
        ...(password === undefined ? [] : ["--requirepass", password]),
        ...settings,
      ],
      ...{ stdin: "null", stdout: "null", stderr: "null" },
    }).spawn();
    await waitFor(() => accepts(port), "starting redis");
    return child;
  };
  let child = await start();
  const stop = async () => {
    child.kill("SIGCONT");
    child.kill("SIGTERM");
    await child.status;
  };
  return {
    url: password === undefined
      ? `redis://127.0.0.1:${port}`
      : `redis://:${password}@127.0.0.1:${port}`,
    restart: async () => {
      await stop();
      child = await start();
    },
    pause: () => child.kill("SIGSTOP"),
    resume: () => child.kill("SIGCONT"),
    stop,
  };
}

/** PostgreSQL, which refuses to run as root. */
export async function startPostgres(folder: string): Promise<Server> {
  const port = freePort();
  const data = `${folder}/data`;
  const isRoot = Deno.uid() === 0;
  const run = async (...command: string[]) => {
    const [name, ...args] = isRoot ? ["runuser", "-u", "postgres", "--", ...command] : command;
    const { success, stderr, stdout } = await new Deno.Command(name, { args, cwd: "/" }).output();
    if (!success) throw new Error(decoder.decode(stdout) + decoder.decode(stderr));
  };
  await Deno.writeTextFile(`${folder}/password`, "secret");
  await Deno.chmod(folder, 0o777);
  await run(
    `${postgresFolder}/initdb`,
    ...["-D", data, "-U", "plimsoll", "-A", "scram-sha-256", `--pwfile=${folder}/password`],
  );
  const control = (...args: string[]) => run(`${postgresFolder}/pg_ctl`, "-D", data, ...args);
  const start = () =>
    control("-o", `-p ${port} -k ${folder}`, "-l", `${folder}/log`, "-w", "start");
  await start();
  const stop = () => control("-m", "fast", "-w", "stop");
  const signal = (name: Deno.Signal) => {
    const [pid] = Deno.readTextFileSync(`${data}/postmaster.pid`).split("\n");
    const { stdout } = new Deno.Command("pgrep", { args: ["-P", pid] }).outputSync();
    for (const each of [pid, ...decoder.decode(stdout).split("\n").filter(Boolean)]) {
      try {
        Deno.kill(Number(each), name);
      } catch {
        // One that served a client who left meanwhile.
      }
    }
  };
  return {
    url: `postgres://plimsoll:secret@127.0.0.1:${port}/postgres`,
    restart: async () => {
      await stop();
      await start();
    },
    pause: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    stop,
  };
}

/** A server of buckets with a bucket `shards`, and the environment with which it is reached. */
export async function startBuckets(
  folder: string,
): Promise<{ readonly env: Record<string, string>; readonly stop: () => Promise<void> }> {
  const port = freePort();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--lock=deno.lock", "-A", bucketServer!, "-d", folder, "-p", `${port}`],
      ...["--configure-bucket", "shards"],
    ],
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
  await waitFor(() => accepts(port), "starting a server of buckets", 60_000);
  return {
    env: {
      AWS_ACCESS_KEY_ID: "S3RVER",
      AWS_SECRET_ACCESS_KEY: "S3RVER",
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    },
    stop: async () => {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

/** A command in a process of its own. */
export class Command {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  /** What it has written to both outputs so far. */
  text = "";
  readonly status: Promise<Deno.CommandStatus>;

  constructor(args: readonly string[], env: Record<string, string> = {}) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--lock=deno.lock", "-A", "--no-check", "main.ts", ...args],
      ...{ stdin: "null", stdout: "piped", stderr: "piped" },
      env: { NO_COLOR: "1", ...env },
    }).spawn();
    const read = async (stream: ReadableStream<Uint8Array>) => {
      for await (const piece of stream.pipeThrough(new TextDecoderStream() as never)) {
        this.text += piece;
      }
    };
    this.#reading = Promise.all([read(this.#child.stdout), read(this.#child.stderr)]);
    this.status = this.#child.status;
  }

  kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended by itself.
    }
  }

  /** Its exit code, once all that it wrote is read; ends it when it takes too long. */
  async end(ms = 120_000): Promise<number> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.kill("SIGKILL");
    }, ms);
    const { code } = await this.status;
    clearTimeout(timer);
    await this.#reading;
    if (isLate) throw new Error(`took more than ${ms / 1000} s:\n${this.text}`);
    return code;
  }

  /** Waits until it has written something. */
  async says(pattern: RegExp, ms = 60_000): Promise<void> {
    let code: number | undefined;
    this.status.then((status) => code = status.code);
    await waitFor(
      () => {
        if (pattern.test(this.text)) return Promise.resolve(true);
        if (code !== undefined) {
          throw new Error(
            `ended with ${code} before ${pattern}:\n${this.text}`,
          );
        }
        return Promise.resolve(false);
      },
      `${pattern}`,
      ms,
    );
  }
}

/** A worker that has begun to listen. */
export async function startWorker(
  options: readonly string[],
  env: Record<string, string> = {},
): Promise<Command> {
  const worker = new Command(["worker", "--silence", "3", ...options], env);
  await worker.says(/takes shards of/);
  return worker;
}

/** Ends workers as a cluster does. */
export async function stopWorkers(workers: readonly Command[]): Promise<void> {
  for (const worker of workers) worker.kill("SIGTERM");
  await Promise.all(workers.map((worker) => worker.end(12_000)));
}
