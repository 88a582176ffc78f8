import type { RegistryTunnelOptions } from "../../push/tunnel-command.ts";
import { messageOf } from "../../errors.ts";
import type { Command, CommandResult, Scene } from "../command.ts";
import { clusterOptions } from "../options.ts";
import { clusterSettings } from "../settings.ts";

/** `kpush tunnel`. */
export const tunnelCommand: Command = {
  name: "tunnel",
  usage: ["kpush tunnel [OPTION]...", "kpush tunnel [OPTION]... -- COMMAND [ARG]..."],
  summary: "hold a tunnel to the registry open for other tools",
  description: [
    "Finds the registry as a push does, listens on 127.0.0.1, and lets whoever knows the password talk to it, until it is interrupted. Prints the address with the login in it.",
    "With COMMAND, runs it instead, and ends with its status. It finds the address as KPUSH_REGISTRY, and the login where docker, crane, skopeo, podman, helm and oras look for one: DOCKER_CONFIG, REGISTRY_AUTH_FILE and HELM_REGISTRY_CONFIG lead to copies of your own files that have it too.",
  ],
  examples: [
    ["kpush tunnel --port 5000", "prints http://kpush:PASSWORD@127.0.0.1:5000"],
    ["curl http://kpush:PASSWORD@127.0.0.1:5000/v2/_catalog", "in another terminal"],
    ["kpush tunnel -- sh -c 'crane catalog $KPUSH_REGISTRY'", "what the registry holds"],
  ],
  options: ["port", ...clusterOptions, "quiet", "verbose", "no-color", "help"],
  takesCommand: true,
  narrates: true,
  async run({ words: command, settings }, scene) {
    const options = { ...clusterSettings(settings), port: settings.port };
    if (command.length > 0) return await runInTunnel(command, options, scene);
    const { io, context } = scene;
    const { openRegistryTunnel } = await import("../../push/tunnel-command.ts");
    await using tunnel = await openRegistryTunnel(options, context);
    const { port, username, password } = tunnel;
    io.stdout.write(`http://${username}:${password}@127.0.0.1:${port}\n`);
    if (!settings.quiet) {
      io.stderr.write(`user ${username}, password ${password}; Ctrl-C closes the tunnel\n`);
    }
    const { signal } = context;
    signal.throwIfAborted();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    throw signal.reason;
  },
};

/** The tunnel stays until the command has ended, whatever signals come: it may have to clean up. */
async function runInTunnel(
  command: readonly string[],
  options: RegistryTunnelOptions,
  { io: { leaving }, context }: Scene,
): Promise<CommandResult> {
  const { openRegistryTunnel } = await import("../../push/tunnel-command.ts");
  const { openToolLogin } = await import("../../push/tool-login.ts");
  const { runChild } = await import("../child.ts");
  const { signal, surroundings, report } = context;
  const opening = new AbortController();
  const follow = () => opening.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener("abort", follow);
  await using tunnel = await openRegistryTunnel(options, { ...context, signal: opening.signal });
  await using login = await openToolLogin(tunnel, surroundings);
  leaving?.add(login.removeNow);
  signal.removeEventListener("abort", follow);
  signal.throwIfAborted();
  const { variables } = login;
  const { exitCode, error } = await runChild(command, variables, surroundings, signal, leaving);
  const lost = tunnel.takeError();
  if (lost !== undefined)
    report({ type: "warning", message: `the tunnel broke meanwhile: ${messageOf(lost)}` });
  return { text: "", document: {}, exitCode, ...(error && { error }) };
}
