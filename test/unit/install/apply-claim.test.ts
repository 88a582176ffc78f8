import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../../src/cluster/objects.ts";
import { claimProblem } from "../../../src/install/apply/claim.ts";

const claim = (size: string, storageClassName?: string, phase = "Bound"): KubeObject => ({
  ...{ apiVersion: "v1", kind: "PersistentVolumeClaim" },
  metadata: { name: "data", namespace: "ns" },
  spec: { storageClassName, resources: { requests: { storage: size } } },
  status: { phase },
});
const answer = (status: number) => ({ status, json: {}, text: "" });

describe("case 7: a claim of 20Gi of class standard", () => {
  test.for([
    ["the same", claim("20Gi", "standard"), 200],
    ["the same in other words", claim("20480Mi"), 200],
    ["no class", claim("20Gi"), 200],
    ["more, where the class lets it", claim("30Gi"), 200],
    ["the same, refused for something else", claim("20Gi"), 422],
    ["more, refused for something else", claim("30Gi"), 422],
  ] as const)("may be asked for %s", ([, asked, status]) => {
    expect(claimProblem(asked, claim("20Gi", "standard"), answer(status))).toBeUndefined();
  });

  test.for([
    ["less", claim("20G"), 200, "20G were asked for: a claim cannot shrink"],
    ["more", claim("30Gi"), 403, "30Gi were asked for: its class does not let claims grow"],
    [
      "another class",
      claim("20Gi", "fast"),
      422,
      "class fast was asked for: the class of a claim cannot change",
    ],
  ] as const)("may not be asked for %s", ([, asked, status, why]) => {
    expect(claimProblem(asked, claim("20Gi", "standard"), answer(status))).toBe(
      `claim ns/data has 20Gi of class standard, and ${why}`,
    );
  });

  test("cannot grow before it is bound", () => {
    const live = claim("20Gi", undefined, "Pending");
    expect(claimProblem(claim("30Gi"), live, answer(422))).toBe(
      "claim ns/data has 20Gi, and 30Gi were asked for: it is not bound to a volume yet, and cannot grow before it is",
    );
  });
});
