import { expect, test } from "vitest";
import {
  sshArguments,
  sshEndpoint,
  type SshTarget,
} from "../../../src/engine/remote/ssh-address.ts";

const read = (rest: string) => {
  const { address, connection } = sshEndpoint(rest, "DOCKER_HOST");
  return { address, target: (connection as { ssh: SshTarget }).ssh };
};

test.for<[string, string, string[]]>([
  ["build", "ssh://build", ["--", "build", "docker"]],
  ["me@build", "ssh://me@build", ["-l", "me", "--", "build", "docker"]],
  ["me@build:2222", "ssh://me@build:2222", ["-l", "me", "-p", "2222", "--", "build", "docker"]],
  [
    "DOM\\me@corp@build",
    "ssh://DOM\\me@corp@build",
    ["-l", "DOM\\me@corp", "--", "build", "docker"],
  ],
  ["[fe80::1%eth0]:22", "ssh://[fe80::1%eth0]:22", ["-p", "22", "--", "fe80::1%eth0", "docker"]],
  ["build/", "ssh://build", ["--", "build", "docker"]],
  [
    "build/run/user/1000/docker.sock",
    "ssh://build/run/user/1000/docker.sock",
    ["--", "build", "docker", "--host", "unix:///run/user/1000/docker.sock"],
  ],
])("runs ssh as docker does for ssh://%s", ([rest, address, args]) => {
  const { address: shown, target } = read(rest);
  expect(shown).toBe(address);
  const always = ["-o", "ConnectTimeout=30", "-T"];
  expect(sshArguments(target, "docker")).toEqual([...always, ...args, "system", "dial-stdio"]);
});

test("podman takes the socket by another option", () => {
  const { target } = read("build/run/podman.sock");
  expect(sshArguments(target, "podman").slice(3)).toEqual([
    "--",
    "build",
    "podman",
    "--url",
    "unix:///run/podman.sock",
    "system",
    "dial-stdio",
  ]);
});

test.for([
  "",
  "/run/docker.sock",
  "-oProxyCommand=touch%20x",
  "-oProxyCommand=touch x/y",
  "-l@build",
  "@build",
  "me@-build",
  "me@build:-1",
  "me@build:0",
  "me@build:65536",
  "me:secret@build",
  "build/a b",
  "build/$(touch x)",
  "build/`touch x`",
  "build/a;touch x",
  "build/a'b",
  "build/a\nb",
  "build\n",
  "bu ild",
  "build?x",
  "build#x",
  "[build]",
  "[-v]",
])("refuses ssh://%s", (rest) => {
  expect(() => read(rest)).toThrow(expect.objectContaining({ code: "USAGE" }));
});

test("a password is not shown", () => {
  expect(() => read("me:secret@build")).toThrow(/"ssh:\/\/me:…@build"/);
});
