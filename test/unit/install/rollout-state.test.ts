import { describe, expect, test } from "vitest";
import { rolloutState } from "../../../src/install/rollout/state.ts";
import { daemonSet, deployment, isRolledOut, onNodes } from "./rollout-objects.ts";

const exceeded = {
  conditions: [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }],
};

describe("case 10: a Deployment", () => {
  test.for([
    [
      "that its controller has not seen",
      deployment({ ...isRolledOut, observedGeneration: 1 }),
      "waiting",
      0,
    ],
    ["without a status", deployment({ observedGeneration: undefined }), "waiting", 0],
    ["whose new pod is not made", deployment({ replicas: 1, availableReplicas: 1 }), "waiting", 0],
    ["whose old pod is not gone", deployment({ ...isRolledOut, replicas: 2 }), "waiting", 1],
    ["whose pod is not available", deployment({ replicas: 1, updatedReplicas: 1 }), "waiting", 0],
    ["that is rolled out", deployment(isRolledOut), "ready", 1],
    ["that names no replicas", deployment(isRolledOut, { replicas: undefined }), "ready", 1],
    ["that made no progress in time", deployment(exceeded), "failed", 0],
    ["that is scaled to 0", deployment({}, { replicas: 0 }), "failed", 0],
    ["that is paused on the way", deployment({ replicas: 1 }, { paused: true }), "failed", 0],
    ["that is paused when ready", deployment(isRolledOut, { paused: true }), "ready", 1],
    ["that is not there", undefined, "failed", 0],
  ] as const)("%s: %s", ([, object, state, ready]) => {
    const snapshot = { namespace: "x", deployment: object, proxies: undefined };
    expect([...rolloutState(snapshot)]).toEqual([
      ["registry", expect.objectContaining({ state, ready }) as object],
    ]);
  });
});

describe("case 10: a DaemonSet", () => {
  test.for([
    [
      "that its controller has not seen",
      daemonSet({ ...onNodes(2, 2, 2), observedGeneration: 1 }),
      "waiting",
      0,
      2,
    ],
    ["of which not all are updated", daemonSet(onNodes(3, 1, 3)), "waiting", 1, 3],
    ["of which not all are available", daemonSet(onNodes(3, 3, 2)), "waiting", 2, 3],
    ["that is rolled out", daemonSet(onNodes(3, 3, 3)), "ready", 3, 3],
    ["that no node is to run", daemonSet(onNodes(0, 0, 0)), "failed", 0, 0],
    ["that is not there", undefined, "failed", 0, 1],
  ] as const)("%s: %s", ([, object, state, ready, wanted]) => {
    const all = { namespace: "x", deployment: deployment(isRolledOut), proxies: { object } };
    expect(rolloutState(all).get("proxies")).toMatchObject({ state, ready, wanted });
  });
});
