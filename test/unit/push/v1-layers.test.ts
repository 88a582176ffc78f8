import { expect, test } from "vitest";
import { V1Layers } from "../../../src/push/archive/v1-layers.ts";

/** Of an image that Docker 20.10.24 saved. */
const diffIds = [
  "sha256:cb1973a2dd8c6e5bb1de00940a168a7bdcf3fc10290770f8aa5e08a02cb99383",
  "sha256:1833ef0ce12e539187cf9d8ff5350a41c2cd9f0adf22efeab2d736d6199fb980",
  "sha256:2cb47688c3cef1a64a3c5872bc0e274032a7c4e4f31ff7b165fa0861eacf0611",
];
const empty = `"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,"OpenStdin":false,"StdinOnce":false`;
const none = `"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":null`;
const container = `"container_config":{${empty},"Env":null,"Cmd":null,${none},"Labels":null}`;
const ids = [
  "0fea640a3fdc5b7541460e4e4bcd0cfded4907e8128d46a2717e2ada1fbd1e61",
  "6c01922cec83e4d95016add41e7859a2fcba7b98d5527022016004c1a3993a24",
  "8ad772834c5a1d699361a871652080241bf50329182f1499e0b3fb1b89fdeb53",
] as const;
const configs = [
  `{"id":"${ids[0]}","created":"1970-01-01T00:00:00Z",${container},"os":"linux"}`,
  `{"id":"${ids[1]}","parent":"${ids[0]}","created":"1970-01-01T00:00:00Z",${container},"os":"linux"}`,
  `{"id":"${ids[2]}","parent":"${ids[1]}","created":"2024-05-06T07:08:09.123Z",${container},"config":{${empty},"Env":["PATH=/"],"Cmd":["/bin/sh","-c","a \\u0026\\u0026 b \\u003c c \\u003e d"],${none},"Labels":{"org.example.name":"Größe \\u0026 \\u2028"}},"architecture":"amd64","os":"linux"}`,
];

function told(expected: readonly string[], change = (config: string) => config) {
  const layers = new V1Layers(expected);
  for (const [at, id] of ids.entries())
    layers.read(`${id}/json`, Buffer.from(change(configs[at] ?? "")));
  return ids.map((id) => layers.diffIdOf(`${id}/layer.tar`));
}

test("Docker's names of directories tell which layers are in them, whichever comes first", () => {
  expect(told(diffIds)).toEqual(diffIds);
  const layers = new V1Layers(diffIds);
  layers.read(`${ids[2]}/json`, Buffer.from(configs[2] ?? ""));
  expect(layers.diffIdOf(`${ids[2]}/layer.tar`)).toBe(diffIds[2]);
  expect(layers.diffIdOf(`${ids[0]}/layer.tar`)).toBeUndefined();
});

test.for([
  ["another image's", (config: string) => config, [diffIds[1] ?? "", diffIds[0] ?? ""]],
  ["a changed one", (config: string) => config.replace("created", "creatd"), diffIds],
  ["no configuration", () => "[]", diffIds],
  ["no JSON", () => "{", diffIds],
  ["null", () => "null", diffIds],
  [
    "what nests too deep to be written again",
    () => `{"a":${"[".repeat(2e5)}${"]".repeat(2e5)}}`,
    diffIds,
  ],
  ["of an image of which nothing is known", (config: string) => config, []],
] as const)("%s tells nothing", ([, change, expected]) => {
  expect(told(expected, change)).toEqual([undefined, undefined, undefined]);
});

test("other files tell nothing and are told by nothing", () => {
  const layers = new V1Layers(diffIds);
  layers.read(`${ids[0]}/VERSION`, Buffer.from("1.0"));
  layers.read("json", Buffer.from(configs[0] ?? ""));
  layers.read(`${ids[0]}/json`, Buffer.from(configs[0] ?? ""));
  for (const name of ["layer.tar", `x/${ids[0]}/layer.tar`, `${ids[0]}/json`, ids[0]])
    expect(layers.diffIdOf(name)).toBeUndefined();
  expect(layers.diffIdOf(`${ids[0]}/layer.tar`)).toBe(diffIds[0]);
});
