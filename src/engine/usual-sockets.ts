import { pathsOf, type EndpointFacts } from "./endpoint.ts";

/**
 * Where engines listen unless told otherwise, in the order in which kpush prefers them: Docker, rootless
 * Docker, Docker Desktop, Colima, Rancher Desktop, OrbStack, Lima, Podman, and in WSL what other
 * distributions share. The README lists them. Podman's own CONTAINER_HOST is not read: one order of
 * variables, docker's, is enough to tell which engine an image comes from.
 */
export function usualSockets(facts: EndpointFacts): string[] {
  if (facts.platform === "win32") return [...windowsPipes];
  const { env, home, platform } = facts;
  const { join, isAbsolute } = pathsOf(platform);
  const under = (directory: string | undefined, ...paths: string[]) =>
    directory !== undefined && isAbsolute(directory)
      ? paths.map((path) => join(directory, path))
      : [];
  const inHome = (...paths: string[]) => under(home, ...paths);
  const runtime = env["XDG_RUNTIME_DIR"];
  const colima = "default/docker.sock";
  const sockets = [
    "/var/run/docker.sock",
    ...under(runtime, "docker.sock"),
    ...inHome(".docker/run/docker.sock", ".docker/desktop/docker.sock"),
    ...under(env["COLIMA_HOME"], colima),
    ...inHome(`.colima/${colima}`),
    ...under(env["XDG_CONFIG_HOME"], `colima/${colima}`),
    ...inHome(`.config/colima/${colima}`, ".rd/docker.sock", ".orbstack/run/docker.sock"),
    ...under(env["LIMA_HOME"], lima),
    ...inHome(`.lima/${lima}`),
    ...under(runtime, "podman/podman.sock"),
    // Podman 5 keeps a machine's socket in its runtime directory, and links to it from the older place.
    ...under(platform === "darwin" ? env["TMPDIR"] || "/tmp" : runtime, podmanMachine),
    ...under(env["XDG_DATA_HOME"], "containers/podman/machine/podman.sock"),
    ...inHome(".local/share/containers/podman/machine/podman.sock"),
    "/run/podman/podman.sock",
    ...(env["WSL_DISTRO_NAME"] ? sharedInWsl : []),
  ];
  return [...new Set(sockets)];
}

/** Rancher Desktop and, where it is free, Podman take Docker's own pipe. */
const windowsPipes = ["docker_engine", "dockerDesktopLinuxEngine", "podman-machine-default"].map(
  (pipe) => `//./pipe/${pipe}`,
);

/** Of Lima's template `docker`, in an instance of that name. */
const lima = "docker/sock/docker.sock";

const podmanMachine = "podman/podman-machine-default-api.sock";

/** What a distribution sees that the product's integration does not know of. */
const sharedInWsl = [
  "/mnt/wsl/docker-desktop/shared-sockets/guest-services/docker.proxy.sock",
  "/mnt/wsl/rancher-desktop/run/docker.sock",
  "/mnt/wsl/podman-sockets/podman-machine-default/podman-root.sock",
  "/mnt/wsl/podman-sockets/podman-machine-default/podman-user.sock",
];
