import { createReadStream, createWriteStream } from "node:fs";
import { request, type IncomingMessage, type RequestOptions } from "node:http";
import { pipeline } from "node:stream/promises";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestEngine } from "./environment.ts";
import { writeImage, type ImageOptions } from "./images.ts";

/** Sends one request to an engine on a unix socket or loopback; resolves with the body. */
async function ask(
  engine: TestEngine,
  method: string,
  path: string,
  file?: string,
): Promise<string> {
  const where = whereOf(engine);
  return new Promise((resolve, reject) => {
    const call = request(
      {
        ...where,
        method,
        path,
        headers: file === undefined ? {} : { "Content-Type": "application/x-tar" },
      },
      (answer) => {
        let body = "";
        answer.on("data", (chunk: Buffer) => (body += chunk.toString()));
        answer.on("end", () => {
          const failed = (answer.statusCode ?? 500) >= 400 || body.includes('"errorDetail"');
          if (failed) reject(new Error(`${method} ${path}: ${answer.statusCode} ${body}`));
          else resolve(body);
        });
      },
    );
    call.on("error", reject);
    if (file === undefined) call.end();
    else pipeline(createReadStream(file), call).catch(reject);
  });
}

function whereOf(engine: TestEngine): RequestOptions {
  const url = new URL(engine.host);
  return url.protocol === "unix:"
    ? { socketPath: url.pathname }
    : { host: url.hostname, port: url.port };
}

/** Makes an image and has the engine load it, in place of the one of its name: that would stay without one. */
export async function load(engine: TestEngine, options: ImageOptions): Promise<void> {
  const file = join(
    tmpdir(),
    `kpush-e2e-${process.pid}-${Math.random().toString(36).slice(2)}.tar`,
  );
  try {
    await writeImage(file, options);
    const before = await imageId(engine, options.name).catch(() => undefined);
    await ask(engine, "POST", "/images/load?quiet=1", file);
    if (before !== undefined && before !== (await imageId(engine, options.name)))
      await ask(engine, "DELETE", `/images/${before}`).catch(() => undefined); // another name keeps it
  } finally {
    await rm(file, { force: true });
  }
}

/** Has the engine write images to a file, as `docker save` does. */
export async function save(engine: TestEngine, images: string[], file: string): Promise<void> {
  const query = images.map((name) => `names=${encodeURIComponent(name)}`).join("&");
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ ...whereOf(engine), path: `/images/get?${query}` }, resolve)
      .on("error", reject)
      .end();
  });
  if (answer.statusCode !== 200) throw new Error(`saving ${images.join()}: ${answer.statusCode}`);
  await pipeline(answer, createWriteStream(file));
}

export async function remove(engine: TestEngine, name: string): Promise<void> {
  await ask(engine, "DELETE", `/images/${name}?force=1`).catch(() => undefined);
}

/** Every name that any image of the engine has. */
export async function names(engine: TestEngine): Promise<string[]> {
  const images = JSON.parse(await ask(engine, "GET", "/images/json")) as {
    RepoTags: string[] | null;
  }[];
  return images.flatMap((image) => image.RepoTags ?? []);
}

export async function imageId(engine: TestEngine, name: string): Promise<string> {
  return (JSON.parse(await ask(engine, "GET", `/images/${name}/json`)) as { Id: string }).Id;
}

/** Whether the engine loads what BuildKit makes, an OCI index: Podman, and Docker from 25 on. */
export async function takesOci(engine: TestEngine): Promise<boolean> {
  const { Version: version, Components: parts = [] } = JSON.parse(
    await ask(engine, "GET", "/version"),
  ) as {
    Version: string;
    Components?: { Name: string }[];
  };
  return (
    parts.some(({ Name: name }) => name.startsWith("Podman")) || Number.parseInt(version, 10) >= 25
  );
}
