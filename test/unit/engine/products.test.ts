import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { resolveEndpoints } from "../../../src/engine/endpoint.ts";

/** One product as it lies on a disk, and the engine that kpush then takes. */
interface Layout {
  platform: NodeJS.Platform;
  env?: Record<string, string>;
  /** Sockets that are there; pipes are found by asking them. */
  sockets?: string[];
  /** The current docker context that the product makes, and its address. */
  context?: [name: string, host: string];
  /** Those that are there, in order. */
  addresses: string[];
}

const homes: Partial<Record<NodeJS.Platform, string>> = {
  darwin: "/Users/dev",
  win32: String.raw`C:\Users\dev`,
};

/** Each from its product's own documentation or source, named beside it; none was tried on such a machine. */
const layouts: Record<string, Layout> = {
  // https://docs.docker.com/engine/install/linux-postinstall/; snap's daemon listens there too
  "Docker Engine on Linux": {
    platform: "linux",
    sockets: ["/var/run/docker.sock"],
    addresses: ["unix:///var/run/docker.sock"],
  },
  // https://docs.docker.com/engine/security/rootless/
  "rootless Docker": {
    platform: "linux",
    env: { XDG_RUNTIME_DIR: "/run/user/1000" },
    sockets: ["/run/user/1000/docker.sock"],
    context: ["rootless", "unix:///run/user/1000/docker.sock"],
    addresses: ["unix:///run/user/1000/docker.sock"],
  },
  // https://docs.docker.com/desktop/setup/install/linux/
  "Docker Desktop on Linux": {
    platform: "linux",
    sockets: ["/home/dev/.docker/desktop/docker.sock"],
    context: ["desktop-linux", "unix:///home/dev/.docker/desktop/docker.sock"],
    addresses: ["unix:///home/dev/.docker/desktop/docker.sock"],
  },
  // https://docs.docker.com/desktop/setup/install/mac-permission-requirements/
  "Docker Desktop on macOS, without the link in /var/run": {
    platform: "darwin",
    sockets: ["/Users/dev/.docker/run/docker.sock"],
    addresses: ["unix:///Users/dev/.docker/run/docker.sock"],
  },
  // https://github.com/docker/for-win/issues/15061 shows context and pipe
  "Docker Desktop on Windows": {
    platform: "win32",
    context: ["desktop-linux", "npipe:////./pipe/dockerDesktopLinuxEngine"],
    addresses: ["npipe:////./pipe/dockerDesktopLinuxEngine"],
  },
  // https://docs.docker.com/desktop/features/wsl/
  "Docker Desktop's integration in WSL": {
    platform: "linux",
    env: { WSL_DISTRO_NAME: "Ubuntu" },
    sockets: ["/var/run/docker.sock"],
    addresses: ["unix:///var/run/docker.sock"],
  },
  // https://github.com/docker/desktop-feedback/issues/423
  "Docker Desktop in WSL where its link is missing": {
    platform: "linux",
    env: { WSL_DISTRO_NAME: "Ubuntu" },
    sockets: ["/mnt/wsl/docker-desktop/shared-sockets/guest-services/docker.proxy.sock"],
    addresses: ["unix:///mnt/wsl/docker-desktop/shared-sockets/guest-services/docker.proxy.sock"],
  },
  // https://github.com/abiosoft/colima: config/files.go
  Colima: {
    platform: "darwin",
    sockets: ["/Users/dev/.colima/default/docker.sock"],
    addresses: ["unix:///Users/dev/.colima/default/docker.sock"],
  },
  "Colima in COLIMA_HOME": {
    platform: "darwin",
    env: { COLIMA_HOME: "/Volumes/vm/colima" },
    sockets: ["/Volumes/vm/colima/default/docker.sock"],
    addresses: ["unix:///Volumes/vm/colima/default/docker.sock"],
  },
  "Colima in XDG_CONFIG_HOME": {
    platform: "linux",
    env: { XDG_CONFIG_HOME: "/home/dev/conf" },
    sockets: ["/home/dev/conf/colima/default/docker.sock"],
    addresses: ["unix:///home/dev/conf/colima/default/docker.sock"],
  },
  // Colima makes a profile's context the current one.
  "Colima's profile work": {
    platform: "darwin",
    sockets: ["/Users/dev/.colima/default/docker.sock", "/Users/dev/.colima/work/docker.sock"],
    context: ["colima-work", "unix:///Users/dev/.colima/work/docker.sock"],
    addresses: ["unix:///Users/dev/.colima/work/docker.sock"],
  },
  // https://docs.rancherdesktop.io/ui/preferences/application/general/
  "Rancher Desktop without administrative access": {
    platform: "darwin",
    sockets: ["/Users/dev/.rd/docker.sock"],
    context: ["rancher-desktop", "unix:///Users/dev/.rd/docker.sock"],
    addresses: ["unix:///Users/dev/.rd/docker.sock"],
  },
  "Rancher Desktop with administrative access": {
    platform: "darwin",
    sockets: ["/var/run/docker.sock", "/Users/dev/.rd/docker.sock"],
    addresses: ["unix:///var/run/docker.sock", "unix:///Users/dev/.rd/docker.sock"],
  },
  // https://docs.orbstack.dev/docker/
  OrbStack: {
    platform: "darwin",
    sockets: ["/Users/dev/.orbstack/run/docker.sock"],
    context: ["orbstack", "unix:///Users/dev/.orbstack/run/docker.sock"],
    addresses: ["unix:///Users/dev/.orbstack/run/docker.sock"],
  },
  // https://github.com/lima-vm/lima: templates/docker.yaml
  "Lima's template docker": {
    platform: "darwin",
    sockets: ["/Users/dev/.lima/docker/sock/docker.sock"],
    addresses: ["unix:///Users/dev/.lima/docker/sock/docker.sock"],
  },
  // https://docs.podman.io/en/latest/markdown/podman-system-service.1.html
  "Podman on Linux, rootless and as root": {
    platform: "linux",
    env: { XDG_RUNTIME_DIR: "/run/user/1000" },
    sockets: ["/run/podman/podman.sock", "/run/user/1000/podman/podman.sock"],
    addresses: ["unix:///run/user/1000/podman/podman.sock", "unix:///run/podman/podman.sock"],
  },
  // https://github.com/containers/podman: pkg/machine/env/dir_darwin.go, and pull request 22028
  "Podman 5's machine on macOS": {
    platform: "darwin",
    env: { TMPDIR: "/var/folders/1c/h1n/T/" },
    sockets: ["/var/folders/1c/h1n/T/podman/podman-machine-default-api.sock"],
    addresses: ["unix:///var/folders/1c/h1n/T/podman/podman-machine-default-api.sock"],
  },
  "Podman 5's machine on macOS without TMPDIR": {
    platform: "darwin",
    sockets: ["/tmp/podman/podman-machine-default-api.sock"],
    addresses: ["unix:///tmp/podman/podman-machine-default-api.sock"],
  },
  "Podman 4's machine on macOS": {
    platform: "darwin",
    sockets: ["/Users/dev/.local/share/containers/podman/machine/podman.sock"],
    addresses: ["unix:///Users/dev/.local/share/containers/podman/machine/podman.sock"],
  },
  // https://github.com/containers/podman/pull/12916
  "Podman's machine on Windows, beside Docker's pipes": {
    platform: "win32",
    addresses: [
      "npipe:////./pipe/docker_engine",
      "npipe:////./pipe/dockerDesktopLinuxEngine",
      "npipe:////./pipe/podman-machine-default",
    ],
  },
};

test.for(Object.entries(layouts))("finds %s", ([, layout]) => {
  const { platform, env = {}, sockets = [], context, addresses } = layout;
  const home = homes[platform] ?? "/home/dev";
  const read = (path: string) => filesOf(context, home, platform)[path];
  const exists = (path: string) => sockets.includes(path);
  const { endpoints, chosenBy } = resolveEndpoints(
    {},
    { env, home, platform, files: { read, exists } },
  );
  expect(chosenBy === undefined).toBe(context === undefined);
  const there = endpoints.filter(
    ({ address }) => !address.startsWith("unix://") || exists(address.slice("unix://".length)),
  );
  expect(there.map(({ address }) => address)).toEqual(addresses);
});

/** What docker keeps of its current context. */
function filesOf(
  context: Layout["context"],
  home: string,
  platform: NodeJS.Platform,
): Record<string, string> {
  if (!context) return {};
  const [name, host] = context;
  const slash = platform === "win32" ? "\\" : "/";
  const id = createHash("sha256").update(name).digest("hex");
  const path = (...parts: string[]) => [home, ".docker", ...parts].join(slash);
  return {
    [path("config.json")]: JSON.stringify({ currentContext: name }),
    [path("contexts", "meta", id, "meta.json")]: JSON.stringify({
      Name: name,
      Endpoints: { docker: { Host: host, SkipTLSVerify: false } },
    }),
  };
}
