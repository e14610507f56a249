/**
 * The interface's own description, OpenAPI 3.1, made from the operations.
 *
 * @module
 */
import * as z from "zod";
import { VERSION } from "../../core/version.ts";
import type { Limits } from "./limits.ts";
import type { Operation, PartSpec } from "./operation.ts";
import { optionName } from "../../core/option_words.ts";
import { PROBLEM_NAMES, PROBLEM_TYPE, statusOf } from "./problem.ts";

type Json = Record<string, unknown>;

const problemSchema = {
  type: "object",
  required: ["type", "title", "status", "detail"],
  properties: {
    type: { enum: PROBLEM_NAMES.map((name) => `urn:plimsoll:problem:${name}`) },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string", description: "What was being done, wanted, found, and what to do" },
  },
};

const eventSchema = {
  type: "object",
  required: ["event"],
  properties: {
    event: { enum: ["progress", "note", "file", "data", "done", "problem"] },
    stage: { type: "string", description: "progress: what is being done" },
    done: { type: "integer", description: "progress: samples done" },
    total: { type: "integer", description: "progress: samples in all, where known" },
    text: { type: "string", description: "note: what to know" },
    name: { type: "string", description: "file, data: which file" },
    type: { type: "string", description: "file: its media type" },
    bytes: { type: "integer", description: "file: its size" },
    base64: { type: "string", description: "data: a piece; all pieces as one text are its base64" },
    problem: { $ref: "#/components/schemas/Problem" },
  },
};

const healthSchema = {
  type: "object",
  required: ["status", "version", "active", "waiting"],
  properties: {
    status: { enum: ["ok", "lost"], description: "lost: restart the server" },
    version: { type: "string" },
    active: { type: "integer", description: "Requests at work" },
    waiting: { type: "integer", description: "Requests that wait" },
  },
};

const readinessSchema = {
  type: "object",
  required: ["status"],
  properties: {
    status: {
      enum: ["ready", "busy", "stopping", "lost"],
      description: "busy: the next request would be turned away",
    },
  },
};

/** Describes what a handler answers. */
export function openApiDocument(
  operations: readonly Operation[],
  limits: Limits,
  { hasToken, hasMetrics }: { readonly hasToken: boolean; readonly hasMetrics: boolean },
): Json {
  return {
    openapi: "3.1.0",
    info: {
      title: "Plimsoll",
      version: VERSION,
      description:
        "Post-training quantization of ONNX models. Bodies stream; nothing is kept between requests. " +
        `Limits of this server: ${limits.maxBodyBytes} bytes a body, ${limits.maxModelBytes} a model, ` +
        `${limits.maxSeconds} s, ${limits.maxActive} requests at work and ${limits.maxWaiting} waiting.`,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths: {
      "/health": {
        get: {
          operationId: "health",
          summary: "Whether the server works, and how busy it is; if not, restart it",
          responses: {
            200: answerOf("It can", "application/json", "Health"),
            503: answerOf("Its runtime is lost", "application/json", "Health"),
          },
        },
      },
      "/ready": {
        get: {
          operationId: "readiness",
          summary: "Whether the server takes another request now",
          responses: {
            200: answerOf("It does", "application/json", "Readiness"),
            503: answerOf("It doesn't", "application/json", "Readiness"),
          },
        },
      },
      ...(hasMetrics ? { "/metrics": { get: describeMetrics(hasToken) } } : {}),
      "/openapi.json": {
        get: {
          operationId: "description",
          summary: "This description",
          responses: {
            200: {
              description: "OpenAPI 3.1",
              content: { "application/json": { schema: { type: "object" } } },
            },
          },
        },
      },
      ...Object.fromEntries(
        operations.map((operation) => [operation.path, { post: describe(operation, hasToken) }]),
      ),
    },
    components: {
      schemas: {
        Problem: problemSchema,
        Event: eventSchema,
        Health: healthSchema,
        Readiness: readinessSchema,
      },
      ...(hasToken ? { securitySchemes: { token: { type: "http", scheme: "bearer" } } } : {}),
    },
  };
}

function answerOf(description: string, type: string, schema: string): Json {
  return {
    description,
    content: { [type]: { schema: { $ref: `#/components/schemas/${schema}` } } },
  };
}

function describeMetrics(hasToken: boolean): Json {
  const refused = hasToken ? { 401: "unauthorized" } : { 403: "forbidden" };
  return {
    operationId: "metrics",
    summary: "What the server has done and does, for Prometheus",
    ...(hasToken ? { security: [{ token: [] }] } : {}),
    responses: {
      200: {
        description: "Prometheus text format 0.0.4",
        content: { "text/plain": { schema: { type: "string" } } },
      },
      ...Object.fromEntries(
        Object.entries(refused).map((
          [status, name],
        ) => [status, answerOf(name, PROBLEM_TYPE, "Problem")]),
      ),
    },
  };
}

function describe({ path, summary, options, parts, results }: Operation, hasToken: boolean): Json {
  const files = [...new Set(results.map(({ type }) => type))];
  const events = { schema: { $ref: "#/components/schemas/Event" } };
  const content: Json = {
    ...Object.fromEntries(
      files.map((type) => [
        type,
        { schema: type === "application/json" ? { type: "object" } : binary },
      ]),
    ),
    ...(results.length > 1 ? { "application/x-tar": { schema: binary } } : {}),
    "text/event-stream": events,
    "application/x-ndjson": events,
  };
  const names = PROBLEM_NAMES.filter((name) =>
    !["not-found", "method"].includes(name) && name !== (hasToken ? "forbidden" : "unauthorized")
  );
  const statuses = [...new Set(names.map(statusOf))];
  return {
    operationId: path.split("/").at(-1),
    summary,
    ...(hasToken ? { security: [{ token: [] }] } : {}),
    parameters: Object.entries(options).map(([key, schema]) => ({
      name: optionName(key),
      in: "query",
      ...describeOption(schema),
    })),
    requestBody: { required: true, content: { "multipart/form-data": bodyOf(parts) } },
    responses: {
      200: {
        headers: {
          "x-request-id": {
            description: "The id that the request brought, or one that it got; logs have it",
            schema: { type: "string" },
          },
        },
        description: `${
          results.map(({ name }) => name).join(", ")
        }; events when Accept asks for them`,
        content,
      },
      ...Object.fromEntries(
        statuses.map((status) => [
          status,
          answerOf(
            names.filter((name) => statusOf(name) === status).join(", "),
            PROBLEM_TYPE,
            "Problem",
          ),
        ]),
      ),
    },
  };
}

const binary = { type: "string", format: "binary" };

function describeOption(schema: z.ZodType): Json {
  const { $schema: _, description, ...rest } = z.toJSONSchema(schema, { io: "output" }) as Json;
  return { description: description ?? "", schema: rest };
}

function bodyOf(parts: readonly PartSpec[]): Json {
  const required = parts.filter(({ isOptional, orElse }) => !isOptional && orElse === undefined);
  const either = parts.filter(({ orElse }) => orElse !== undefined);
  return {
    schema: {
      type: "object",
      required: required.map(({ name }) => name),
      ...(either.length === 0 ? {} : { oneOf: either.map(({ name }) => ({ required: [name] })) }),
      properties: {
        ...Object.fromEntries(
          parts.map(({ name, description }) => [name, { ...binary, description }]),
        ),
        options: {
          type: "object",
          description: "Options by the names of the query, in front of the samples",
        },
      },
    },
    encoding: { options: { contentType: "application/json" } },
  };
}
