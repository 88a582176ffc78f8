/** What the user types to run kpush: by itself, or as a plugin of kubectl or docker. */
export type Program = "kpush" | "kubectl kpush" | "docker kpush";

const command =
  /(?<![\w./-])kpush (?=\[OPTION\]|COMMAND|IMAGE|-|push\b|install\b|status\b|uninstall\b|tunnel\b|demo\b|completion\b|myapp:)/g;

/** The text with each command line in it as the user would type it. */
export function asTyped(text: string, program: Program): string {
  return program === "kpush" ? text : text.replace(command, `${program} `);
}
