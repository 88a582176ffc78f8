import { load, loadAll } from "js-yaml";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { imagesText, jsonText, yamlText } from "../../../src/output/manifests.ts";

const pod = (...images: string[]) => ({
  kind: "Deployment",
  spec: { template: { spec: { containers: images.map((image) => ({ name: "c", image })) } } },
});

test("YAML is a stream of documents, in order", () => {
  const objects = [{ kind: "A", data: { text: "one\n\ntwo\n" } }, { kind: "B" }];
  const text = yamlText(objects);
  expect(text).toBe("kind: A\ndata:\n  text: |\n    one\n\n    two\n---\nkind: B\n");
  expect(loadAll(text)).toEqual(objects);
});

test("nothing is shortened by anchors, and no line is broken", () => {
  const shared = { app: "x" };
  const text = yamlText([{ a: shared, b: shared, long: "word ".repeat(50).trim() }]);
  expect(text).toBe(
    `a:\n  app: x\nb:\n  app: x\nlong: ${"word word word word word ".repeat(10).trim()}\n`,
  );
});

test.for([
  "yes",
  "no",
  "on",
  "y",
  "null",
  "~",
  "1_000",
  "0o7",
  "012",
  "0x1f",
  "1e3",
  "12:30",
  "=",
  "",
])("%s stays a text in both versions of YAML", (value) => {
  const text = yamlText([{ value }]);
  expect(load(text)).toEqual({ value });
  expect(parse(text, { version: "1.1" })).toEqual({ value });
  expect(parse(text, { version: "1.2" })).toEqual({ value });
});

test("JSON is one List, as kubectl takes it", () => {
  expect(JSON.parse(jsonText([{ kind: "A" }]))).toEqual({
    apiVersion: "v1",
    kind: "List",
    items: [{ kind: "A" }],
  });
});

test("images are listed once, in their order; texts that look like one are not", () => {
  const map = { kind: "ConfigMap", data: { "config.yml": "image: no:1\n" } };
  expect(imagesText([map, pod("registry:3", "b:1"), pod("haproxy:3", "registry:3")])).toBe(
    "registry:3\nb:1\nhaproxy:3\n",
  );
});
