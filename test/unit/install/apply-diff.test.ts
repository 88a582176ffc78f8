import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../../src/cluster/objects.ts";
import { diffText } from "../../../src/install/apply/diff.ts";
import { compareLines, hunks } from "../../../src/install/apply/line-diff.ts";
import type { PlannedObject } from "../../../src/install/types.ts";

const object = (data: Record<string, string>, metadata: object = {}): KubeObject => ({
  ...{ apiVersion: "v1", kind: "ConfigMap" },
  metadata: { name: "settings", namespace: "ns", ...metadata },
  data,
});
const planned = (more: Partial<PlannedObject>): PlannedObject => ({
  ...{ object: object({}), live: undefined, next: undefined, action: "change", ...more },
});

describe("the diff of a plan", () => {
  test("shows what changes, with the lines around it", () => {
    const live = object({ a: "1", b: "2", c: "3", d: "4", e: "5", f: "6" });
    const next = object({ a: "1", b: "2", c: "3", d: "4", e: "five", f: "6" });
    expect(diffText([planned({ live, next })])).toBe(
      [
        "# configmap ns/settings: changed",
        "  …",
        '    b: "2"',
        '    c: "3"',
        '    d: "4"',
        '-   e: "5"',
        "+   e: five",
        '    f: "6"',
        "",
      ].join("\n"),
    );
  });

  test("shows new objects whole, and those that go", () => {
    const fresh = planned({ action: "create", object: object({ a: "1" }) });
    const old = object({ a: "1" }, { name: "old" });
    const gone = planned({ action: "remove", object: old, live: old });
    expect(diffText([fresh, gone])).toBe(
      [
        "# configmap ns/settings: new",
        ...["+ apiVersion: v1", "+ kind: ConfigMap", "+ metadata:", "+   name: settings"],
        ...["+   namespace: ns", "+ data:", '+   a: "1"'],
        "# configmap ns/old: removed",
        ...["- apiVersion: v1", "- kind: ConfigMap", "- metadata:", "-   name: old"],
        ...["-   namespace: ns", "- data:", '-   a: "1"', ""],
      ].join("\n"),
    );
  });

  test("is empty where nothing changes", () => {
    const same = object({ a: "1" });
    expect(diffText([planned({ action: "keep", live: same, next: same })])).toBe("");
    expect(diffText([planned({ action: "skip", note: "not allowed" })])).toBe("");
  });

  test("leaves out what the server and its controllers write", () => {
    const live = object(
      { a: "1" },
      { resourceVersion: "7", uid: "u", generation: 3, managedFields: [], creationTimestamp: "t" },
    );
    const text = diffText([
      planned({ live: { ...live, status: { x: 1 } }, next: object({ a: "2" }) }),
    ]);
    expect(text.split("\n").filter((line) => /^[-+]/.test(line))).toEqual([
      '-   a: "1"',
      '+   a: "2"',
    ]);
  });

  test("shows no value of a Secret", () => {
    const secret = {
      ...object({ key: "c2VjcmV0" }),
      kind: "Secret",
      stringData: { more: "secret" },
    };
    const text = diffText([planned({ action: "create", object: secret })]);
    expect(text).toContain("+   key: (hidden)");
    expect(text).toContain("+   more: (hidden)");
    expect(text).not.toMatch(/c2VjcmV0|: secret/);
  });

  test("says why an object is made anew", () => {
    const text = diffText([
      planned({ action: "recreate", live: object({}), note: "spec.selector cannot be changed" }),
    ]);
    expect(text).toContain("deleted and made anew (spec.selector cannot be changed)");
  });
});

describe("comparing lines", () => {
  const lines = fc.array(fc.constantFrom<string>("a", "b", "c", "d"), { maxLength: 12 });

  test("keeps both texts", () => {
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const compared = compareLines(before, after);
        const without = (mark: string) =>
          compared.filter((line) => line.mark !== mark).map(({ text }) => text);
        expect(without("+")).toEqual(before);
        expect(without("-")).toEqual(after);
      }),
    );
  });

  test("finds all that one text has of the other", () => {
    fc.assert(
      fc.property(lines, fc.array(fc.nat(12), { maxLength: 4 }), (text, places) => {
        const more = places.reduce((grown, at) => grown.toSpliced(at, 0, "new"), text);
        expect(compareLines(text, more).filter(({ mark }) => mark === "-")).toEqual([]);
      }),
    );
  });

  test("shows nothing of what is the same", () => {
    expect(hunks(compareLines(["a", "b"], ["a", "b"]))).toEqual([]);
  });
});
