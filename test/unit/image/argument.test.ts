import { expect, test } from "vitest";
import { parseImageArgument } from "../../../src/image/argument.ts";

test.for([
  "/srv/app.img",
  "./app",
  "../app",
  "app.tar",
  "build/app.tar.gz",
  "app.tgz",
  "app.tar.zst",
  String.raw`C:\images\app`,
  "C:/images/app",
  String.raw`.\app`,
])("%s is an archive", (path) => {
  expect(parseImageArgument(path)).toEqual({ kind: "archive", path });
});

test.for([
  "myapp",
  "myapp:dev",
  "ghcr.io/acme/app.tarball",
  "app.tar:v1",
  "localhost:5000/x",
  ".hidden",
  "status",
])("%s is an image's name, whatever files there are", (reference) => {
  expect(parseImageArgument(reference)).toEqual({ kind: "image", reference });
});

test("oci:PATH is a layout, and - standard input", () => {
  expect(parseImageArgument("oci:build/out")).toEqual({ kind: "oci", path: "build/out" });
  expect(parseImageArgument("-")).toEqual({ kind: "stdin" });
});
