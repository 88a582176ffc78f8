import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/image/digest.ts";
import { registryClient } from "../../src/registry/client.ts";
import type { RegistryClient } from "../../src/registry/types.ts";
import { blobOf, clientOf } from "../fakes/registry-client.ts";
import { answers, hangsUp, refuses, startFaultyRegistry, type Fault } from "../fakes/registry.ts";

const MiB = 1024 * 1024;
const blob = blobOf(Buffer.from("a layer"));
const long = blobOf(Buffer.alloc(3 * MiB));

describe("a registry in trouble", () => {
  test.for([
    [
      "a web page",
      answers(200, "<!doctype html><title>Shop</title>"),
      "REGISTRY_UNHEALTHY",
      "web page",
    ],
    [
      "a web page without a type",
      answers(200, " <html>", { "content-type": "text/plain" }),
      "REGISTRY_UNHEALTHY",
      "web page",
    ],
    ["a page that is not found", answers(404, "<html>"), "REGISTRY_UNHEALTHY", "web page"],
    ["another service's 404", answers(404, "404 page not found"), "REGISTRY_UNHEALTHY", "no /v2/"],
    [
      "a redirect",
      answers(302, "", { location: "http://evil.example/" }),
      "REGISTRY_UNHEALTHY",
      "does not follow",
    ],
    ["a login", refuses(401, "UNAUTHORIZED", "authentication required"), "REGISTRY_AUTH", "login"],
    [
      "TLS wanted, by Go",
      answers(400, "Client sent an HTTP request to an HTTPS server."),
      "REGISTRY_TLS",
      "TLS",
    ],
    [
      "TLS wanted, by nginx",
      answers(400, "<html>The plain HTTP request was sent to HTTPS port"),
      "REGISTRY_TLS",
      "TLS",
    ],
    [
      "a denial",
      refuses(403, "DENIED", "requested access is denied"),
      "PUSH_REJECTED",
      "requested access is denied",
    ],
    ["bytes of TLS", raw(Buffer.from([0x15, 3, 1, 0, 2, 2, 70])), "REGISTRY_TLS", "TLS"],
    [
      "another protocol",
      raw(Buffer.from("SSH-2.0-OpenSSH_9.2\r\n")),
      "REGISTRY_UNHEALTHY",
      "does not speak HTTP",
    ],
    ["a failure", answers(500, "boom \u001b[2J"), "REGISTRY_UNHEALTHY", "(status 500): boom [2J"],
  ] as const)("%s has its own message", async ([, fault, code, words]) => {
    await using faulty = await startFaultyRegistry();
    await using client = clientOf(faulty);
    faulty.fault(/./, fault);
    await expect(client.ping()).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words) as string,
      hint: expect.any(String) as string,
    });
  });

  test.for([
    ["read-only", answers(405, "Method not allowed"), "REGISTRY_READ_ONLY"],
    ["a full disk, by status", answers(507), "REGISTRY_FULL"],
    [
      "a full disk, by distribution 3",
      refuses(500, "UNKNOWN", "unknown error", "write /x: no space left on device"),
      "REGISTRY_FULL",
    ],
    [
      "a full disk, by distribution 2",
      refuses(500, "UNKNOWN", "unknown error", {
        DriverName: "filesystem",
        Enclosed: { Op: "write", Err: 28 },
      }),
      "REGISTRY_FULL",
    ],
    ["a denial", refuses(403, "DENIED", "not yours"), "PUSH_REJECTED"],
    [
      "a limit of nginx before it",
      answers(413, "<html>\r\n<head><title>413 Request Entity Too Large</title></head>"),
      "PUSH_REJECTED",
    ],
    [
      "a name it does not take",
      refuses(400, "NAME_INVALID", "invalid repository name"),
      "PUSH_REJECTED",
    ],
  ] as const)("%s is told at an upload, and not tried again", async ([, fault, code]) => {
    await using faulty = await startFaultyRegistry();
    await using client = clientOf(faulty);
    for (const method of ["POST", "PUT"]) {
      faulty.fault(new RegExp(`^${method}`), fault);
      await expect(client.uploadBlob("app", blobOf(randomBytes(MiB)))).rejects.toMatchObject({
        code,
      });
    }
    expect(faulty.takeRequests()).toHaveLength(3);
  });

  test("an error's body is read up to 64 KiB", async () => {
    await using faulty = await startFaultyRegistry();
    await using client = clientOf(faulty);
    faulty.fault(/./, (_request, response) => {
      const more = (error?: Error | null) => {
        if (!error) response.write("x".repeat(65536), more);
      };
      response.writeHead(500);
      more();
    });
    await expect(client.ping()).rejects.toMatchObject({ code: "REGISTRY_UNHEALTHY" });
  });

  test.for([
    ["a detail without end", `{"errors":[{"message":"no","detail":${deep(30_000)}}]}`, "no"],
    ["a code that is no text", '{"errors":[{"code":{"toString":1,"valueOf":1}}]}', "status 500"],
    ["a code without end", `{"errors":[{"code":${deep(30_000)}}]}`, "status 500"],
  ] as const)("an error with %s is told all the same", async ([, body, words]) => {
    await using faulty = await startFaultyRegistry();
    await using client = clientOf(faulty);
    faulty.fault(/./, answers(500, body));
    await expect(client.ping()).rejects.toMatchObject({
      code: "REGISTRY_UNHEALTHY",
      message: expect.stringContaining(words) as string,
    });
  });

  test("that is busy is asked again when it said", async () => {
    await using faulty = await startFaultyRegistry();
    await using client = clientOf(faulty);
    faulty.fault(/./, answers(429, "", { "retry-after": "0" }));
    faulty.fault(/./, answers(503));
    await client.ping();
    expect(faulty.registry.requests).toHaveLength(3);
  });

  test.for([
    [429, "takes no more requests"],
    [502, "failed to answer (status 502): status 502"],
    [503, "failed to answer (status 503): status 503"],
    [504, "failed to answer (status 504): status 504"],
  ] as const)(
    "whose proxy says %i by a page is a registry all the same",
    async ([status, words]) => {
      await using faulty = await startFaultyRegistry();
      await using client = clientOf(faulty);
      faulty.fault(/./, answers(status, "<html><head><title>nginx"), Infinity);
      await expect(client.ping()).rejects.toMatchObject({
        code: "REGISTRY_UNHEALTHY",
        message: expect.stringContaining(words) as string,
      });
    },
  );

  test("that asks for more patience than there is, is an error at once", async () => {
    await using faulty = await startFaultyRegistry();
    await using client = clientOf(faulty);
    faulty.fault(/./, answers(429, "", { "retry-after": "3600" }));
    await expect(client.ping()).rejects.toMatchObject({
      message: expect.stringContaining("429") as string,
    });
    expect(faulty.registry.requests).toHaveLength(1);
  });

  test("that hangs up is asked again on a new connection, up to the limit", async () => {
    await using faulty = await startFaultyRegistry();
    await using client = clientOf(faulty);
    faulty.fault(/./, hangsUp, 2);
    await client.ping();
    expect(faulty.connections).toBe(3);

    faulty.fault(/./, hangsUp, 3);
    await expect(client.ping()).rejects.toMatchObject({
      code: "REGISTRY_UNHEALTHY",
      message: expect.stringContaining("lost 3 times") as string,
    });
  });

  const request = {
    "GET a manifest": (client) => client.getManifest("app", "v1"),
    "HEAD a manifest": (client) => client.headManifest("app", "v1"),
    "PUT a manifest": (client) =>
      client.putManifest("app", "v1", { mediaType: "x", bytes: Buffer.from("{}") }),
    "HEAD a blob": (client) => client.hasBlob("app", blob.digest),
    "GET a blob": (client) => client.getBlob("app", blob.digest),
    "POST and PUT a blob": (client) => client.uploadBlob("app", blob),
    "POST and PATCH a blob": (client) =>
      client.uploadStream("app", { ...long, result: () => long }),
  } satisfies Record<string, (client: RegistryClient) => Promise<unknown>>;
  const never = {
    "is busy": answers(503),
    "takes no more requests": answers(429, "", { "retry-after": "0" }),
    "hangs up": hangsUp,
    "breaks off its answers": raw(Buffer.from("HTTP/1.1 201 Created\r\ncontent-len")),
  } satisfies Record<string, Fault>;

  test.for(Object.entries(never))("that %s each time is given up", async ([, fault]) => {
    for (const [what, ask] of Object.entries(request)) {
      await using faulty = await startFaultyRegistry();
      await using client = clientOf(faulty);
      const last = what.split(" ").at(-3) ?? "";
      faulty.fault(new RegExp(`^${last}`), fault, Infinity);
      await expect(ask(client), what).rejects.toMatchObject({
        code: "REGISTRY_UNHEALTHY",
        hint: expect.any(String) as string,
      });
      const asked = faulty.takeRequests().filter((line) => line.startsWith(last));
      expect(asked).toHaveLength(3);
    }
  });

  test.for(["PATCH", "PUT"] as const)(
    "that knows no upload at its %s each time is given up",
    async (method) => {
      await using faulty = await startFaultyRegistry();
      await using client = clientOf(faulty);
      faulty.fault(
        new RegExp(`^${method}`),
        refuses(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown"),
        3,
      );
      const upload = request[`POST and ${method} a blob`];
      await expect(upload(client)).rejects.toMatchObject({
        code: "PUSH_REJECTED",
        message: expect.stringContaining("upload unknown") as string,
      });
      await upload(client);
    },
  );

  test("that never answers is given up", async () => {
    await using faulty = await startFaultyRegistry();
    const timings = { answer: 20, attempts: 1 };
    await using client = registryClient({
      connect: faulty.connect,
      signal: new AbortController().signal,
      timings,
    });
    faulty.fault(/./, () => undefined);
    await expect(client.ping()).rejects.toMatchObject({
      message: expect.stringContaining("no answer") as string,
    });
  });
});

describe("the client", () => {
  test("passes on what connect() threw, once", async () => {
    const refused = new Error("pods is forbidden");
    let asked = 0;
    await using client = registryClient({
      connect: () => (asked++, Promise.reject(refused)),
      signal: new AbortController().signal,
    });
    await expect(client.ping()).rejects.toBe(refused);
    expect(asked).toBe(1);
  });

  test("ends an upload with the signal's reason", async () => {
    await using faulty = await startFaultyRegistry();
    const controller = new AbortController();
    await using client = clientOf(faulty, controller.signal);
    const reason = new Error("interrupted");
    const blob = blobOf(randomBytes(8 * MiB));
    const upload = client.uploadBlob("app", blob, (sent) => sent > MiB && controller.abort(reason));
    await expect(upload).rejects.toBe(reason);
    await expect(client.ping()).rejects.toBe(reason);
  });

  test("ends at the signal while a connection is still being opened", async () => {
    const controller = new AbortController();
    await using client = registryClient({
      connect: () => new Promise(() => controller.abort(new Error("interrupted"))),
      signal: controller.signal,
    });
    await expect(client.ping()).rejects.toThrow("interrupted");
  });

  test("uses a connection again, and never more at once than it may", async () => {
    await using faulty = await startFaultyRegistry();
    await using client = registryClient({
      connect: faulty.connect,
      signal: new AbortController().signal,
      maxSockets: 2,
    });
    const digest = digestOf(Buffer.from("x"));
    await Promise.all(Array.from({ length: 30 }, () => client.hasBlob("app", digest)));
    expect(faulty.registry.requests).toHaveLength(30);
    expect(faulty.connections).toBe(2);
  });

  test("tells each request without its query", async () => {
    await using faulty = await startFaultyRegistry();
    const told: string[] = [];
    await using client = registryClient({
      connect: faulty.connect,
      signal: new AbortController().signal,
      report: (event) => event.type === "debug" && told.push(event.message),
    });
    await client.uploadBlob("app", blobOf(Buffer.from("x")));
    expect(told[1]).toMatch(/^PUT \/v2\/app\/blobs\/uploads\/[\w-]+ 201 after \d+ ms$/);
  });
});

/** Lists in lists. */
function deep(levels: number): string {
  return "[".repeat(levels) + "]".repeat(levels);
}

/** Answers with bytes that are no HTTP. */
function raw(bytes: Buffer): Fault {
  return (request) => request.socket.end(bytes);
}
