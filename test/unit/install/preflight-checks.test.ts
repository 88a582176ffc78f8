import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../../src/cluster/objects.ts";
import { otherRegistryWarning } from "../../../src/install/preflight/other-registries.ts";
import { podSecurityTrouble } from "../../../src/install/preflight/pod-security.ts";
import { claimTrouble, classTrouble } from "../../../src/install/preflight/storage.ts";
import { namespace, settings, storageClass } from "./preflight-objects.ts";

const isDefault = { "storageclass.kubernetes.io/is-default-class": "true" };
const wasDefault = { "storageclass.beta.kubernetes.io/is-default-class": "true" };
const notDefault = { "storageclass.kubernetes.io/is-default-class": "false" };

describe("case 12: StorageClasses", () => {
  test.for([
    ["a default one", [storageClass("fast", isDefault)], undefined, undefined],
    ["a default one of old", [storageClass("fast", wasDefault)], undefined, undefined],
    [
      "no default one",
      [storageClass("fast", notDefault), storageClass("slow")],
      undefined,
      "fast, slow",
    ],
    ["none", [], undefined, "there is none at all"],
    ["the named one", [storageClass("fast")], "fast", undefined],
    [
      "another than the named one",
      [storageClass("fast")],
      "slow",
      "slow is not there (there are fast)",
    ],
    ["volumes made by hand", [], "", undefined],
  ] as const)("%s", ([, classes, named, said]) => {
    const trouble = classTrouble(classes, named);
    if (said === undefined) expect(trouble).toBeUndefined();
    else
      expect(trouble).toMatchObject({
        code: "INSTALL_REFUSED",
        message: expect.stringContaining(said) as string,
        hint: expect.stringContaining("--storage emptydir") as string,
      });
  });
});

describe("a claim of the user's", () => {
  const claim = (spec: object, more: object = {}): KubeObject => ({
    ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "data" }, spec },
    ...more,
  });
  const deleting = { metadata: { name: "data", deletionTimestamp: "2026-01-01T00:00:00Z" } };
  const once = { accessModes: ["ReadWriteOnce"] };

  test.for([
    ["is taken", claim(once, { status: { phase: "Bound" } }), undefined],
    ["may wait for its pod", claim(once, { status: { phase: "Pending" } }), undefined],
    ["is missing", undefined, "there is no claim data in namespace images"],
    ["is being deleted", claim(once, deleting), "is being deleted"],
    ["can only be read", claim({ accessModes: ["ReadOnlyMany"] }), "can only be read"],
    ["is a block device", claim({ ...once, volumeMode: "Block" }), "is a block device"],
    ["has lost its volume", claim(once, { status: { phase: "Lost" } }), "is gone"],
  ] as const)("%s", ([, object, said]) => {
    const trouble = claimTrouble(object, { namespace: "images", name: "data" });
    if (said === undefined) expect(trouble).toBeUndefined();
    else expect(trouble?.message).toContain(said);
  });
});

describe("Pod Security labels", () => {
  const enforce = "pod-security.kubernetes.io/enforce";
  const labelled = (level: string, manager?: string): KubeObject => {
    const object = namespace("images", { [enforce]: level });
    const fieldsV1 = { "f:metadata": { "f:labels": { [`f:${enforce}`]: {} } } };
    if (manager !== undefined) object.metadata["managedFields"] = [{ manager, fieldsV1 }];
    return object;
  };

  test.for([
    ["baseline refuses a hostPort", labelled("baseline"), {}, "hostPort 5000"],
    ["restricted refuses a hostPort", labelled("restricted"), {}, "hostPort 5000"],
    [
      "baseline refuses hostNetwork",
      labelled("baseline"),
      { nodeAccess: "hostnetwork" },
      "hostNetwork",
    ],
    ["privileged refuses nothing", labelled("privileged"), {}, undefined],
    ["no label refuses nothing", namespace("images"), {}, undefined],
    ["no namespace refuses nothing", undefined, {}, undefined],
    [
      "restricted takes a registry alone",
      labelled("restricted"),
      { nodeAccess: "none" },
      undefined,
    ],
    [
      "restricted refuses root",
      labelled("restricted"),
      { nodeAccess: "none", runAsUser: 0 },
      "runs as root",
    ],
    ["baseline takes root", labelled("baseline"), { nodeAccess: "none", runAsUser: 0 }, undefined],
    ["kpush's own label gives way", labelled("restricted", "kpush"), {}, undefined],
    ["another's label stays", labelled("restricted", "kubectl-label"), {}, "hostPort 5000"],
    [
      "a label of kpush's in a namespace that is not stays",
      labelled("restricted", "kpush"),
      { makesNamespace: false },
      "hostPort 5000",
    ],
  ] as const)("%s", ([, object, facts, said]) => {
    const trouble = podSecurityTrouble(object, settings(facts));
    if (said === undefined) expect(trouble).toBeUndefined();
    else expect(trouble?.message).toContain(said);
  });

  test("are named with the command that changes them", () => {
    expect(podSecurityTrouble(labelled("baseline"), settings())).toMatchObject({
      code: "INSTALL_REFUSED",
      message: expect.stringContaining(`${enforce}=baseline`) as string,
      hint: `kubectl label --overwrite namespace images ${enforce}=privileged; or install with -n kube-system, or without node proxies (--node-access none)`,
    });
  });
});

describe("another registry of kpush's", () => {
  const registry = (inside: string): KubeObject => ({
    ...{ apiVersion: "apps/v1", kind: "Deployment" },
    metadata: { name: "kpush-registry", namespace: inside },
  });

  test("in front gets the pushes", () =>
    expect(otherRegistryWarning([registry("kube-system")], "images")).toEqual({
      message:
        "there is a kpush registry in namespace kube-system already: pushes without -n go there",
      hint: "kpush -n images IMAGE pushes to the new one",
    }));
  test("behind loses them", () =>
    expect(otherRegistryWarning([registry("kube-system")], "kpush-system")?.message).toContain(
      "from now on, pushes without -n go to the new one in kpush-system",
    ));
  test("elsewhere is of no concern", () =>
    expect(otherRegistryWarning([registry("images")], "images")).toBeUndefined());
});
