import type { Command } from "../command.ts";
import { completionCommand } from "./completion.ts";
import { demoCommand } from "./demo.ts";
import { installCommand } from "./install.ts";
import { pushCommand } from "./push.ts";
import { reservedCommands } from "./reserved.ts";
import { statusCommand } from "./status.ts";
import { tunnelCommand } from "./tunnel.ts";
import { uninstallCommand } from "./uninstall.ts";

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  pushCommand,
  installCommand,
  statusCommand,
  uninstallCommand,
  tunnelCommand,
  demoCommand,
  completionCommand,
  ...reservedCommands,
];
