import type { Command } from "../command.ts";
import { clusterOptions } from "../options.ts";
import { clusterSettings } from "../settings.ts";

/** `kpush tunnel`. */
export const tunnelCommand: Command = {
  name: "tunnel",
  usage: ["kpush tunnel [OPTION]..."],
  summary: "hold a tunnel to the registry open for other tools",
  description: [
    "Finds the registry as a push does, listens on 127.0.0.1, and lets whoever knows the password talk to it, until it is interrupted. Prints the address with the login in it.",
  ],
  examples: [
    ["kpush tunnel --port 5000", "prints http://kpush:PASSWORD@127.0.0.1:5000"],
    ["curl http://kpush:PASSWORD@127.0.0.1:5000/v2/_catalog", "in another terminal"],
  ],
  options: ["port", ...clusterOptions, "quiet", "verbose", "no-color", "help"],
  narrates: true,
  async run({ settings }, { io, context }) {
    const { openRegistryTunnel } = await import("../../push/tunnel-command.ts");
    const options = { ...clusterSettings(settings), port: settings.port };
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
