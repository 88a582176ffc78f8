import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fakeImage, platformObject, saveArchive } from "./engine-image.ts";
import type { FakeBlob, FakeImage, FakeImageOptions } from "./engine-image.ts";
import { pushTo } from "./engine-push.ts";

/** What a request is answered with in place of the truth. */
export type Fault =
  | { status: number; body: string }
  /** Never answers. */
  | "hang"
  /** Cuts the connection. */
  | "reset"
  /** Answers 200 and these bytes; then ends, cuts the connection, or leaves it open. */
  | { body: string | Buffer; cut?: boolean; open?: boolean };

export interface FakeEngineOptions {
  kind?: "graph" | "containerd" | "podman";
  images?: FakeImageOptions[];
  /** False: like an engine in a virtual machine, which has another loopback. */
  reachesHost?: boolean;
  /** Asked before each request is answered, with e.g. `POST /images/a/push?tag=b`. */
  fault?: (request: string) => Fault | undefined;
}

/** A container engine on a socket of its own; holds images, and really pushes them. */
export interface FakeEngine extends AsyncDisposable {
  /** As DOCKER_HOST: `unix://…`. */
  readonly host: string;
  readonly images: readonly FakeImage[];
  /** All requests so far, e.g. `GET /images/app:v1/json?manifests=1`. */
  readonly requests: string[];
  /** The X-Registry-Auth header of each push, decoded. */
  readonly logins: unknown[];
  /** Pushes that ended because the client left. */
  readonly interrupted: number;
  /** Id of an image in this engine's way: its config's digest, or its top manifest's. */
  idOf(image: FakeImage): string;
}

const servers = {
  graph: "Docker/20.10.24 (linux)",
  containerd: "Docker/28.5.2 (linux)",
  podman: "Libpod/4.3.1 (linux)",
};

export async function fakeEngine(options: FakeEngineOptions = {}): Promise<FakeEngine> {
  const { kind = "graph", reachesHost = true } = options;
  const images = (options.images ?? []).map(fakeImage);
  const requests: string[] = [];
  const logins: unknown[] = [];
  let interrupted = 0;

  const topOf = (image: FakeImage): FakeBlob => image.index ?? image.manifest;
  const idOf = (image: FakeImage) =>
    kind === "containerd" ? topOf(image).digest : image.config.digest;
  const find = (name: string) =>
    images.find((image) => idOf(image).startsWith(`sha256:${name.replace("sha256:", "")}`)) ??
    images.find(({ names }) =>
      names.some((one) => [one, `docker.io/library/${one}`].includes(name)),
    );

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "" } = request;
    requests.push(`${method} ${url}`);
    const fault = options.fault?.(`${method} ${url}`);
    response.setHeader("Server", servers[kind]);
    if (fault === "hang") return;
    if (fault === "reset") return void request.socket.destroy();
    if (fault && "status" in fault) return void response.writeHead(fault.status).end(fault.body);
    if (fault) {
      response.write(fault.body, () => {
        if (fault.cut) request.socket.destroy();
        else if (!fault.open) response.end();
      });
      return;
    }
    const { pathname, searchParams: query } = new URL(url, "http://engine");
    const probed = /^\/distribution\/127\.0\.0\.1:(\d+)\//.exec(pathname)?.[1];
    if (probed !== undefined) return knock(Number(probed), response);
    if (pathname === "/auth") {
      const { serveraddress } = JSON.parse(await textOf(request)) as { serveraddress: string };
      return knock(Number(serveraddress.split(":")[1]), response);
    }
    if (pathname === "/images/json") {
      json(
        response,
        200,
        images.map((image) => ({ Id: idOf(image), RepoTags: image.names })),
      );
      return;
    }
    const [, name = "", action = ""] =
      /^\/images\/(.+?)(?:\/(json|tag|push|get|history))?$/.exec(pathname) ?? [];
    const full = query.has("tag") && action === "push" ? `${name}:${query.get("tag")}` : name;
    const image = find(full);
    if (!image) {
      json(response, 404, { message: `No such image: ${full}` });
      return;
    }
    switch (`${method} ${action}`) {
      case "GET json": {
        describe(image, query, response);
        return;
      }
      case "GET history": {
        json(response, 200, image.history);
        return;
      }
      case "POST tag":
        image.names.push(`${query.get("repo")}:${query.get("tag")}`);
        {
          json(response, 201, {});
          return;
        }
      case "DELETE ":
        image.names.splice(image.names.indexOf(name), 1);
        if (image.names.length === 0) images.splice(images.indexOf(image), 1);
        {
          json(response, 200, [{ Untagged: name }]);
          return;
        }
      case "GET get":
        return void response.end(await saveArchive(image));
      case "POST push":
        return push(image, query.get("destination") ?? full, request, response);
      default: {
        json(response, 404, { message: "page not found" });
        return;
      }
    }
  }

  function describe(image: FakeImage, query: URLSearchParams, response: ServerResponse): void {
    if (query.has("manifests") && query.has("platform")) {
      json(response, 400, { message: "conflicting options" });
      return;
    }
    const top = query.has("platform") ? image.manifest : topOf(image);
    json(response, 200, {
      Id: kind === "podman" ? idOf(image).slice(7) : kind === "graph" ? idOf(image) : top.digest,
      RepoTags: image.names,
      Size: image.size ?? image.layers.reduce((sum, { bytes }) => sum + bytes.length, 0),
      RootFS: { Type: "layers", Layers: image.layers.map(({ digest }) => digest) },
      ...answerPlatform(image.platform),
      ...(kind === "containerd" && {
        Descriptor: { mediaType: top.mediaType, digest: top.digest },
        ...(query.has("manifests") && { Manifests: manifestsOf(image) }),
      }),
    });
  }

  async function push(
    image: FakeImage,
    target: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const [, address = "", repository = "", tag = ""] =
      /^([^/]+)\/(.+):([^:]+)$/.exec(target) ?? [];
    const header = request.headers["x-registry-auth"];
    // Docker ignores a header that lacks its padding.
    const login =
      typeof header === "string" && header.length % 4 === 0
        ? (JSON.parse(Buffer.from(header, "base64url").toString()) as Record<string, string>)
        : undefined;
    logins.push(login);
    const left = new AbortController();
    response.on("close", () => {
      if (!response.writableFinished) interrupted += 1;
      left.abort();
    });
    const tell = (line: object) => response.write(`${JSON.stringify(line)}\r\n`);
    tell({ status: `The push refers to repository [${address}/${repository}]` });
    const authorization =
      login &&
      `Basic ${Buffer.from(`${login["username"]}:${login["password"]}`).toString("base64")}`;
    const top = kind === "containerd" && image.missing.length === 0 ? topOf(image) : image.manifest;
    const registry = { address, repository, tag, authorization, signal: left.signal };
    try {
      const digest = await pushTo(registry, image, top, tell);
      if (top !== topOf(image) && kind === "containerd") {
        const selectedManifest = { digest, platform: platformObject(image.platform) };
        tell({ aux: { manifestPushedInsteadOfIndex: true, selectedManifest } });
      }
      tell({ status: `${tag}: digest: ${digest} size: ${top.bytes.length}` });
      if (kind === "graph") tell({ aux: { Tag: tag, Digest: digest, Size: top.bytes.length } });
      response.end();
    } catch (error) {
      const message = (error as Error).message;
      response.end(JSON.stringify({ errorDetail: { message }, error: message }));
    }
  }

  /** Opens a connection to the port, as an engine does that is asked about a registry. */
  async function knock(port: number, response: ServerResponse): Promise<void> {
    if (reachesHost) {
      const socket = connect(port, "127.0.0.1");
      await Promise.race([once(socket, "connect"), once(socket, "error")]).catch(() => undefined);
      socket.destroy();
    }
    json(response, 500, { message: "connection refused" });
  }

  const directory = await mkdtemp(join(tmpdir(), "kpush-engine-"));
  const windows = process.platform === "win32";
  const path = windows ? `//./pipe/${directory.split(/[\\/]/).at(-1)}` : join(directory, "sock");
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.destroy(error as Error);
    });
  }).listen(path);
  await once(server, "listening");
  return {
    host: `${windows ? "npipe" : "unix"}://${path}`,
    images,
    requests,
    logins,
    get interrupted() {
      return interrupted;
    },
    idOf,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function manifestsOf(image: FakeImage): object[] {
  const { manifest, platform, missing } = image;
  const entry = (digest: string, of: string, available: boolean) => ({
    Descriptor: { mediaType: manifest.mediaType, digest, platform: platformObject(of) },
    Available: available,
    Kind: "image",
    ImageData: { Platform: platformObject(of) },
  });
  return [
    entry(manifest.digest, platform, true),
    ...missing.map((one) => entry(one.digest, one.platform, false)),
  ];
}

function answerPlatform(platform: string): object {
  const [Os, Architecture, Variant] = platform.split("/");
  return { Os, Architecture, ...(Variant !== undefined && { Variant }) };
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
