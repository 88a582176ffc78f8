import { execFile } from "node:child_process";
import { dirname, delimiter } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { KpushError } from "../../src/errors.ts";
import { kubeconfig, kubectlPath } from "./support/environment.ts";
import { installScene, openTestCluster } from "./support/install.ts";
import { kubectl } from "./support/kubectl.ts";

const run = promisify(execFile);

/** Runs commands as an administrator pastes them into a shell. */
async function shell(commands: string): Promise<void> {
  const path = `${dirname(kubectlPath ?? "")}${delimiter}${process.env["PATH"] ?? ""}`;
  const env = { ...process.env, KUBECONFIG: kubeconfig, PATH: path };
  await run("sh", ["-ec", commands], { env });
}

const refusal = (error: unknown): KpushError => {
  if (error instanceof KpushError) return error;
  throw new Error("it was not refused", { cause: error });
};

describe("without the rights", () => {
  test.for([
    ["a user", "kpush-e2e-jane", "--user=kpush-e2e-jane"],
    ["a user with an odd name", "o'neill jr", `--user='o'\\''neill jr'`],
    [
      "a service account",
      "system:serviceaccount:default:kpush-e2e",
      "--serviceaccount=default:kpush-e2e",
    ],
  ] as const)("%s gets the commands that are enough", async ([, user, subject], { task }) => {
    using cluster = await openTestCluster({ as: user, asGroup: ["system:authenticated"] });
    await using scene = await installScene(cluster, `rights-${task.id.slice(-1)}`);
    const objects = scene.objects({ storage: "emptydir" });
    const error = refusal(await scene.plan(objects).catch((reason: unknown) => reason));
    expect(error).toMatchObject({ code: "CLUSTER_FORBIDDEN" });
    expect(error.message).toContain("you may not patch namespaces, nor patch ");
    expect(error.message).toContain(
      `deployments, daemonsets, networkpolicies in namespace ${scene.namespace},`,
    );
    expect(error.message).toContain(`as ${user}`);
    expect(error.hint).toContain(subject);

    const [, ...commands] = error.hint?.split("\n") ?? [];
    await shell(commands.join("\n"));
    const outcome = await scene.apply(objects);
    expect(outcome).toMatchObject({
      "Deployment/kpush-registry": "created",
      "DaemonSet/kpush-node-proxy": "created",
      "Secret/kpush-registry-http": "created",
      "Role/kpush-push": "created",
    });
    expect(new Set(Object.values(await scene.apply(objects)))).toEqual(new Set(["unchanged"]));
  });

  test("who may edit a namespace installs what can be, without the Role", async () => {
    const user = "kpush-e2e-editor";
    using cluster = await openTestCluster({ as: user, asGroup: ["system:authenticated"] });
    await using scene = await installScene(cluster, "rights-edit");
    await kubectl(["create", "namespace", scene.namespace]);
    await scene.kubectl("create", "rolebinding", user, "--clusterrole=edit", `--user=${user}`);
    const objects = scene.objects({ nodeAccess: "none", storage: "emptydir" });
    expect(await scene.apply(objects)).toEqual({
      "ConfigMap/kpush-registry-config": "created",
      "Service/kpush-registry": "created",
      "Secret/kpush-registry-http": "created",
      "Deployment/kpush-registry": "created",
      "NetworkPolicy/kpush-registry": "created",
      "Role/kpush-push": "kept",
    });
    // Whom somebody names is to be bound, or told that it cannot be.
    const bound = scene.objects({ nodeAccess: "none", allowPush: ["user:jane"] });
    await expect(scene.plan(bound)).rejects.toMatchObject({
      code: "CLUSTER_FORBIDDEN",
      message: expect.stringMatching(/patch roles, rolebindings in namespace /) as string,
    });
  });

  test("who administers a namespace installs all of it, bindings too", async () => {
    const user = "kpush-e2e-admin";
    using cluster = await openTestCluster({ as: user, asGroup: ["system:authenticated"] });
    await using scene = await installScene(cluster, "rights-admin");
    await kubectl(["create", "namespace", scene.namespace]);
    await scene.kubectl("create", "rolebinding", user, "--clusterrole=admin", `--user=${user}`);
    const objects = scene.objects({ nodeAccess: "none", allowPush: ["user:jane"] });
    expect(new Set(Object.values(await scene.apply(objects)))).toEqual(new Set(["created"]));
    expect(await scene.apply(scene.objects({ nodeAccess: "none" }))).toMatchObject({
      "RoleBinding/kpush-push": "removed",
      "Role/kpush-push": "unchanged",
    });
  });
});
