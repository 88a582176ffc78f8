import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Surroundings } from "../../src/cluster/types.ts";
import { Interrupted } from "../../src/output/interrupted.ts";
import type { JsonDocument } from "../../src/output/json.ts";
import { fakeEngine } from "../fakes/engine.ts";
import { bareSurroundings, runMain } from "../unit/cli/run-main.ts";
import { cliCluster, type CliCluster } from "./cli-cluster.ts";

let cluster: CliCluster;
let surroundings: Surroundings;
beforeAll(async () => {
  cluster = await cliCluster();
  const { directory, kubeconfig } = cluster;
  surroundings = {
    ...bareSurroundings({ KUBECONFIG: kubeconfig }),
    home: directory,
    cwd: directory,
  };
});
afterAll(() => cluster[Symbol.asyncDispose]());

const kpush = (...argv: string[]) => runMain(argv, surroundings);
const reference = /^localhost:5000\/[a-z-]+:\w+@sha256:[0-9a-f]{64}\n$/;

describe("stdout is the reference, and stderr tells the way", () => {
  test("of a push", async () => {
    const { status, stdout, stderr } = await kpush("./hello.tar", "--name", "told:v1");
    expect(stdout).toMatch(reference);
    expect(stderr).toMatch(
      /^✔ registry {5}kpush-system\/kpush-registry-7d9fc in context test\n✔ \.\/hello\.tar {2}3 of 3 layers sent, [\d.]+ kB of [\d.]+ kB, [\d.]+ m?s\n$/,
    );
    expect(status).toBe(0);
  });

  test("of the same push again", async () => {
    const first = await kpush("./hello.tar", "--name", "again:v1");
    const second = await kpush("./hello.tar", "--name", "again:v1");
    expect(second.stdout).toBe(first.stdout);
    expect(second.stderr).toContain("unchanged, nothing sent");
  });

  test("and -q leaves the reference alone", async () => {
    const { stdout, stderr } = await kpush("-q", "./hello.tar", "--name", "quiet:v1");
    expect(stdout).toMatch(reference);
    expect(stderr).toBe("");
  });

  test("and -v says what was chosen and asked", async () => {
    const { stderr } = await kpush("-v", "./hello.tar", "--name", "verbose:v1");
    expect(stderr).toMatch(/· \d+\.\d{3} s {2}finding the registry\n/);
    expect(stderr).toMatch(/route direct: /);
  });
});

describe("--json", () => {
  const document = (stdout: string) => JSON.parse(stdout) as JsonDocument;

  test("is one document on stdout, and nothing on stderr", async () => {
    const { status, stdout, stderr } = await kpush("--json", "./hello.tar", "--tag", "latest");
    const { version, ok, images, registry } = document(stdout);
    expect({ status, stderr, version, ok }).toEqual({
      status: 0,
      stderr: "",
      version: 1,
      ok: true,
    });
    expect(registry?.context).toBe("test");
    expect(images).toMatchObject([
      { image: "./hello.tar", route: "direct", layersTotal: 3, tags: ["v1", "latest"] },
    ]);
  });

  test("has an error where the cluster is not found", async () => {
    const { status, stdout, stderr } = await kpush("--json", "--context", "no", "./hello.tar");
    expect(document(stdout)).toMatchObject({ ok: false, error: { code: "CONTEXT_NOT_FOUND" } });
    expect({ status, stderr }).toEqual({ status: 4, stderr: "" });
  });

  test("has each image's own end", async () => {
    const { status, stdout } = await kpush("--json", "./missing.tar", "./hello.tar");
    const { ok, images } = document(stdout);
    expect(images).toMatchObject([
      { image: "./missing.tar", error: { code: expect.any(String) as string } },
      { image: "./hello.tar", digest: expect.stringMatching(/^sha256:/) as string },
    ]);
    expect(ok).toBe(false);
    expect(status).toBe(3);
  });
});

describe("failures", () => {
  test("of one image are told by its name; the others' references are printed", async () => {
    const { status, stdout, stderr } = await kpush("./missing.tar", "./hello.tar");
    expect(stdout).toMatch(reference);
    expect(stderr).toMatch(/^✖ \.\/missing\.tar {2}failed$/m);
    expect(stderr).toMatch(/^error: \.\/missing\.tar: .*\n(hint: .*\n)?$/m);
    expect(status).toBe(3);
  });

  test("have the code with -v", async () => {
    const { stderr } = await kpush("-v", "--context", "no", "./hello.tar");
    expect(stderr).toMatch(/^error: .*\n(.*\n)*hint: .*\ncode: CONTEXT_NOT_FOUND\n {4}at /m);
  });

  test("of a mistyped command offer the command", async () => {
    await using engine = await fakeEngine();
    const { status, stderr } = await kpush("-H", engine.host, "instal");
    expect(stderr).toMatch(/^error: .*instal.*\nhint: kpush install, if the command is meant\n$/m);
    expect(status).toBe(3);
  });
});

describe("an interruption", () => {
  const interrupted = async (...argv: string[]) => {
    const signal = AbortSignal.abort(new Interrupted("SIGTERM", 15));
    return runMain(argv, surroundings, signal);
  };

  test("ends with 128 and the signal's number", async () => {
    expect(await interrupted("./hello.tar")).toEqual({
      status: 143,
      stdout: "",
      stderr: "interrupted by SIGTERM\n",
    });
  });

  test("has a document too", async () => {
    const { status, stdout, stderr } = await interrupted("--json", "./hello.tar");
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: "INTERRUPTED" } });
    expect({ status, stderr }).toEqual({ status: 143, stderr: "" });
  });

  test("says nothing with -q", async () => {
    expect((await interrupted("-q", "./hello.tar")).stderr).toBe("");
  });
});
