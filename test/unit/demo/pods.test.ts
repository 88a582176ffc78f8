import { expect, test } from "vitest";
import { matchesSelector } from "../../../src/demo/pods.ts";

const labels = { "k8s-app": "kube-registry", version: "v0", "app.kubernetes.io/name": "registry" };

test.for<[selector: string, matches: boolean | undefined]>([
  ["", true],
  ["k8s-app=kube-registry", true],
  ["k8s-app == kube-registry", true],
  ["k8s-app=other", false],
  ["missing=", false],
  ["k8s-app!=other", true],
  ["missing!=x", true],
  ["version!=v0", false],
  ["app.kubernetes.io/name", true],
  ["missing", false],
  ["!missing", true],
  ["!version", false],
  ["version in (v0, v1)", true],
  ["version in (v1)", false],
  ["version notin (v0,v1)", false],
  ["missing notin (v0)", true],
  ["version in (v1,v0),k8s-app=kube-registry,!missing", true],
  ["version in (v1,v0),k8s-app=other", false],
  ["a===b", undefined],
  ["version in v0", undefined],
])("the selector %j matches: %j", ([selector, matches]) => {
  expect(matchesSelector(labels, selector)).toBe(matches);
});
