import { pathsOf, type EndpointFacts } from "./endpoint.ts";

/**
 * Where engines listen unless told otherwise, in the order in which kpush prefers them: Docker, rootless
 * Docker, Docker Desktop, Colima, Rancher Desktop, OrbStack, Podman. The README lists them.
 */
export function usualSockets({ env, home, platform }: EndpointFacts): string[] {
  if (platform === "win32") {
    return ["docker_engine", "dockerDesktopLinuxEngine", "podman-machine-default"].map(
      (pipe) => `//./pipe/${pipe}`,
    );
  }
  const { join, isAbsolute } = pathsOf(platform);
  const inHome = (path: string) => (isAbsolute(home) ? [join(home, path)] : []);
  const inRuntime = (path: string) =>
    env["XDG_RUNTIME_DIR"] ? [join(env["XDG_RUNTIME_DIR"], path)] : [];
  return [
    "/var/run/docker.sock",
    ...inRuntime("docker.sock"),
    ...inHome(".docker/run/docker.sock"),
    ...inHome(".docker/desktop/docker.sock"),
    ...inHome(".colima/default/docker.sock"),
    ...(env["XDG_CONFIG_HOME"] ? [join(env["XDG_CONFIG_HOME"], "colima/default/docker.sock")] : []),
    ...inHome(".config/colima/default/docker.sock"),
    ...inHome(".rd/docker.sock"),
    ...inHome(".orbstack/run/docker.sock"),
    ...inRuntime("podman/podman.sock"),
    ...inHome(".local/share/containers/podman/machine/podman.sock"),
    "/run/podman/podman.sock",
  ];
}
