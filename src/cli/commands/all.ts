import type { Command } from "../command.ts";
import { demoCommand } from "./demo.ts";
import { pushCommand } from "./push.ts";
import { reservedCommands } from "./reserved.ts";
import { tunnelCommand } from "./tunnel.ts";

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  pushCommand,
  tunnelCommand,
  demoCommand,
  ...reservedCommands,
];
