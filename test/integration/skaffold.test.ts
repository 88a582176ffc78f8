import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startWorld } from "../fakes/world.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");

/** The script for Skaffold, as it stands in docs/recipes.md. */
async function buildScript(): Promise<string> {
  const page = await readFile(join(root, "docs/recipes.md"), "utf8");
  const script = /^## Skaffold\n[^]*?^```sh\n([^]*?)^```/m.exec(page)?.[1];
  if (script === undefined) throw new Error("docs/recipes.md has no script for Skaffold");
  return script;
}

test.for(["graph", "containerd"] as const)(
  "Skaffold finds what its script pushed from a %s store by the tag that it deploys",
  async (kind) => {
    const name = "localhost:5000/myapp:v1-dirty";
    await using world = await startWorld({ kind, images: [{ names: [name], layers: ["layer"] }] });
    const [image] = world.engine.images;
    const id = image && world.engine.idOf(image);
    const file = (path: string) => join(world.home, path);
    const programs = {
      kpush: `exec '${process.execPath}' '${root}/bin/kpush.js' "$@"`,
      // Stands in for docker: the image is built, and has this id.
      docker: `echo "$*" >> '${file("asked")}'; [ "$1" != image ] || echo '${id ?? ""}'`,
    };
    await mkdir(file("bin"));
    for (const [program, lines] of Object.entries(programs)) {
      await writeFile(file(`bin/${program}`), `#!/bin/sh\n${lines}\n`);
      await chmod(file(`bin/${program}`), 0o755);
    }
    await writeFile(file("build.sh"), await buildScript());
    await chmod(file("build.sh"), 0o755);

    const ofSkaffold = { IMAGE: name, PUSH_IMAGE: "false", BUILD_CONTEXT: world.home };
    const PATH = `${file("bin")}:${process.env["PATH"] ?? ""}`;
    await run(file("build.sh"), [], {
      cwd: world.home,
      env: { ...world.env, HOME: world.home, PATH, ...ofSkaffold },
    });

    expect(await readFile(file("asked"), "utf8")).toBe(
      `build -q -t ${name} ${world.home}\nimage inspect --format {{.Id}} ${name}\n`,
    );
    const deployed = id?.replace("sha256:", "") ?? "none";
    const accept = [
      "application/vnd.docker.distribution.manifest.v2+json",
      "application/vnd.oci.image.index.v1+json",
    ].join();
    const url = `${world.registry.url}/v2/myapp/manifests`;
    const digests = [deployed, "v1-dirty"].map(async (tag) => {
      const answer = await fetch(`${url}/${tag}`, { headers: { accept } });
      return answer.headers.get("docker-content-digest");
    });
    const [byId, byTag] = await Promise.all(digests);
    expect(byId).toMatch(/^sha256:/);
    expect(byId).toBe(byTag);
  },
);
