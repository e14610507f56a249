/**
 * The server that queues live on: Redis, Valkey or PostgreSQL behind one face, BullMQ's. The only file that knows which.
 *
 * @module
 */
import type { FlowProducer, Job, Processor, Queue, Worker, WorkerOptions } from "bullmq";
import type { Redis } from "ioredis";
import { PlimsollError } from "../../core/errors.ts";
import type { Host } from "../../core/host.ts";
import { option } from "../../core/option_words.ts";
import { loadPackage } from "./load_package.ts";

/** Milliseconds that a server has to answer when it is first asked. */
const CONNECT_MS = 5000;
/** Milliseconds between two attempts to reach a server that went away, at most. */
const MOST_PAUSE_MS = 2000;
/** Connections of a process to PostgreSQL: each worker and follower keeps one to listen. */
const POOL = 16;
/** Where the password is taken from when the address has none. */
const PASSWORD = "PLIMSOLL_QUEUE_PASSWORD";

/** A server of queues. */
export interface Broker {
  /** How messages call it: its address without a password. */
  readonly place: string;
  /** A queue; closed with the broker. */
  queue(name: string): Queue;
  /** Adds jobs that wait for others. */
  readonly flow: FlowProducer;
  /** Whoever takes jobs; without a processor it only shows up in `getWorkers()`. */
  worker(
    name: string,
    processor: Processor | undefined,
    options: Omit<WorkerOptions, "connection">,
  ): Worker;
  /** Errors by which a processor says that it neither failed nor finished, or that nobody need try again. */
  readonly errors: {
    readonly WaitingError: new () => Error;
    readonly UnrecoverableError: new (message: string) => Error;
  };
  /** Lets go of all connections; waits for no answer. */
  close(): Promise<void>;
}

/** As much of `pg.Pool` as is used here; the package has no types. */
interface Pool {
  on(event: "error", listener: () => void): unknown;
  connect(): Promise<{ release(): void }>;
  end(): Promise<void>;
}

/** A job of whatever kind. */
export type AnyJob = Job;

/** An address as people may read it. */
export function withoutPassword(address: string): string {
  return address.replace(/((?:rediss?|postgres(?:ql)?):\/\/[^:@/]*):[^@]*@/, "$1:…@");
}

/**
 * Connects to a server.
 *
 * @param address `redis(s)://…` for Redis or Valkey, `postgres://…` or `postgresql://…`.
 * @throws {PlimsollError} kinds `usage` for a wrong address or password and a server that would lose jobs, `runtime`
 * where none answers.
 */
export async function openBroker(
  host: Pick<Host, "environment">,
  address: string,
): Promise<Broker> {
  const url = parseAddress(address);
  if (url.password === "") url.password = encodeURIComponent(host.environment?.(PASSWORD) ?? "");
  const bullmq = await loadPackage<typeof import("bullmq")>("bullmq");
  return /^rediss?:$/.test(url.protocol)
    ? await openRedis(bullmq, url, withoutPassword(address))
    : await openPostgres(bullmq, url, withoutPassword(address));
}

function parseAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url !== undefined && /^(rediss?|postgres(ql)?):$/.test(url.protocol)) return url;
  throw new PlimsollError("usage", {
    action: `reading ${option("queue")}`,
    wanted: "redis://host:6379, rediss://…, or postgres://user@host/database",
    found: JSON.stringify(withoutPassword(address)),
    remedy: `Name a server; its password may be in ${PASSWORD}`,
  });
}

async function openRedis(
  bullmq: typeof import("bullmq"),
  url: URL,
  place: string,
): Promise<Broker> {
  const { Redis } = await loadPackage<typeof import("ioredis")>("ioredis");
  await probeRedis(Redis, url, place);
  const connection = new Redis(url.href, {
    maxRetriesPerRequest: null,
    retryStrategy: (times: number) => Math.min(MOST_PAUSE_MS, 100 * times),
  });
  // It says so whenever the server is away; it comes back by itself.
  connection.on("error", () => {});
  return brokerOf(bullmq, {
    connection,
    place,
    end: () => Promise.resolve(connection.disconnect()),
  });
}

/** Connects once, to say at once what is wrong. */
async function probeRedis(Redis: typeof import("ioredis").Redis, url: URL, place: string) {
  const probe = new Redis(url.href, {
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let last: Error | undefined;
  probe.on("error", (error: Error) => last = error);
  try {
    await within(CONNECT_MS, probe.connect());
    await within(CONNECT_MS, refuseEviction(probe, place));
  } catch (error) {
    throw error instanceof PlimsollError ? error : unreachable(place, last ?? error);
  } finally {
    probe.disconnect();
  }
}

/** A server that is full must refuse jobs: it would throw away those that it has. */
async function refuseEviction(redis: Redis, place: string): Promise<void> {
  const info = await redis.info("memory");
  const [limit, policy] = [/^maxmemory:(\d+)/m, /^maxmemory_policy:(\S+)/m]
    .map((pattern) => pattern.exec(info)?.[1]);
  if (limit === undefined || limit === "0" || policy === "noeviction") return;
  throw new PlimsollError("usage", {
    action: `connecting to ${place}`,
    wanted: "a server that forgets no jobs: maxmemory-policy noeviction",
    found: `maxmemory-policy ${policy} at maxmemory ${limit}`,
    remedy: "Set it with CONFIG SET maxmemory-policy noeviction, and in the server's configuration",
  });
}

async function openPostgres(
  bullmq: typeof import("bullmq"),
  url: URL,
  place: string,
): Promise<Broker> {
  const { Pool } = await loadPackage<{ Pool: new (settings: object) => Pool }>("pg");
  const { createPostgresBackend, DEFAULT_SCHEMA, runMigrations, withBackend } = bullmq;
  const connection: Pool = new Pool({
    connectionString: url.href,
    options: `-c search_path="${DEFAULT_SCHEMA}"`,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    max: POOL,
  });
  connection.on("error", () => {});
  try {
    const client = await connection.connect();
    try {
      await runMigrations(client as never);
    } finally {
      client.release();
    }
  } catch (error) {
    await connection.end().catch(() => {});
    throw unreachable(place, error);
  }
  const bound = withBackend(createPostgresBackend);
  return brokerOf({ ...bullmq, ...bound } as unknown as typeof bullmq, {
    connection,
    place,
    end: () => connection.end(),
  });
}

function brokerOf(
  { Queue, Worker, FlowProducer, WaitingError, UnrecoverableError }: typeof import("bullmq"),
  { connection, place, end }: {
    readonly connection: Redis | Pool;
    readonly place: string;
    readonly end: () => Promise<void>;
  },
): Broker {
  // deno-lint-ignore no-explicit-any
  const options: any = { connection };
  const opened: { close(): Promise<void>; disconnect?(): Promise<void> }[] = [];
  const queues = new Map<string, Queue>();
  const keep = <
    T extends typeof opened[number] & { on(event: "error", listener: () => void): unknown },
  >(
    made: T,
  ): T => {
    // Whoever waits for an answer hears of it; nothing else is to be done.
    made.on("error", () => {});
    opened.push(made);
    return made;
  };
  let flow: FlowProducer | undefined;
  return {
    place,
    queue: (name) => {
      const known = queues.get(name);
      if (known !== undefined) return known;
      const queue = keep(new Queue(name, options));
      queues.set(name, queue);
      return queue;
    },
    get flow() {
      return flow ??= keep(new FlowProducer(options));
    },
    worker: (name, processor, own) =>
      keep(
        new Worker(name, processor as Processor, {
          ...own,
          ...options,
          name: own.name && plainName(own.name),
          ...(processor === undefined ? { autorun: false } : {}),
        }),
      ),
    errors: { WaitingError, UnrecoverableError },
    close: async () => {
      const closing = opened.map((each) => each.close().catch(() => {}));
      await within(CONNECT_MS / 5, Promise.all(closing)).catch(() => {});
      await within(CONNECT_MS / 5, end()).catch(() => {});
    },
  };
}

/** Names of clients have no spaces, or Redis doesn't take them. */
function plainName(name: string): string {
  return name.replace(/[^\w.-]+/g, "_");
}

/** A promise that is waited for so long. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1000} s`)), ms);
  });
  promise.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Codes of PostgreSQL for a wrong user or password. */
const REFUSED = ["28P01", "28000"];

/** What is wrong with a server that can't be used. */
function unreachable(place: string, cause: unknown): PlimsollError {
  const { message, code, errors } = cause as Error & { code?: string; errors?: Error[] };
  const text = message || errors?.map(({ message }) => message).join("; ") || String(code ?? cause);
  const isRefusal = /WRONGPASS|NOAUTH|NOPERM|invalid password|SASL|password/i.test(text) ||
    REFUSED.includes(code ?? "");
  return new PlimsollError(isRefusal ? "usage" : "runtime", {
    action: `connecting to ${place}`,
    wanted: isRefusal ? "a user and a password that it takes" : "a server that answers",
    found: text,
    remedy: isRefusal
      ? `Give them in the address, or the password in ${PASSWORD}`
      : "Check that it runs, its address, and whatever lies between",
    cause,
  });
}
