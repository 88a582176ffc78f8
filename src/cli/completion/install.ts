import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Surroundings } from "../../cluster/types.ts";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import { scripts, type Shell } from "./scripts.ts";

/**
 * Writes the script to where the shell finds it by itself; zsh has no such place, and its `.zshrc` is left
 * to the user.
 *
 * @returns what was written and what is left to do, a line each
 * @throws KpushError `USAGE` where it cannot be written
 */
export async function installScript(
  shell: Shell,
  { env, home }: Pick<Surroundings, "env" | "home">,
): Promise<string> {
  const data = env["XDG_DATA_HOME"] || join(home, ".local", "share");
  const config = env["XDG_CONFIG_HOME"] || join(home, ".config");
  const functions = join(data, "zsh", "site-functions");
  const { file, next } = {
    bash: {
      file: join(data, "bash-completion", "completions", "kpush"),
      next: "the package bash-completion reads it in each new shell",
    },
    zsh: {
      file: join(functions, "_kpush"),
      next: `in ~/.zshrc, before compinit, unless it is there: fpath=(${plain(functions, 500)} $fpath)`,
    },
    fish: {
      file: join(config, "fish", "completions", "kpush.fish"),
      next: "fish reads it by itself",
    },
  }[shell];
  const done = await writeScript(file, scripts[shell]);
  return `${done} ${plain(file, 500)}\n${next}\n`;
}

async function writeScript(file: string, script: string): Promise<"wrote" | "unchanged"> {
  try {
    const before = await readFile(file, "utf8").catch(() => undefined);
    if (before === script) return "unchanged";
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, script);
    return "wrote";
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    throw new KpushError("USAGE", `${plain(file, 500)} cannot be written (${plain(code)})`, {
      hint: "make its directory writable, or put what kpush completion prints where you like",
      cause,
    });
  }
}
