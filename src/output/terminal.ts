/** Where text goes: `process.stdout` and `process.stderr` are such, and a test's list of strings. */
export interface OutputStream {
  write(chunk: string | Uint8Array): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Whether lines may be redrawn: a terminal of a known width that understands cursor movements and
 * that nobody records.
 */
export function isInteractive(stream: OutputStream, env: Env): boolean {
  if (stream.isTTY !== true || !stream.columns) return false;
  // CI=false is how some set-ups switch it off.
  const recorded = env["CI"] !== undefined && env["CI"] !== "" && env["CI"] !== "false";
  return env["TERM"] !== "dumb" && !recorded;
}

/** The rules of no-color.org and force-color.org; `--no-color` is above both. */
export function useColor(stream: OutputStream, env: Env, noColor: boolean): boolean {
  if (noColor || env["NO_COLOR"]) return false;
  if (env["FORCE_COLOR"]) return env["FORCE_COLOR"] !== "0";
  return stream.isTTY === true && env["TERM"] !== "dumb";
}

/** How words are set off. Each leaves the text as it is where colour is off. */
export interface Style {
  good: (text: string) => string;
  bad: (text: string) => string;
  warn: (text: string) => string;
  faint: (text: string) => string;
  strong: (text: string) => string;
}

/** @param color - whether to write SGR sequences at all */
export function styleFor(color: boolean): Style {
  const sgr = (on: number, off: number) => (text: string) =>
    color ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return {
    good: sgr(32, 39),
    bad: sgr(31, 39),
    warn: sgr(33, 39),
    faint: sgr(2, 22),
    strong: sgr(1, 22),
  };
}

/** The signs in front of lines. Words always say the same, so that losing them loses nothing. */
export interface Symbols {
  done: string;
  failed: string;
  running: string;
  debug: string;
  frames: string[];
}

/** Plain ASCII for the Linux console and the old Windows one, whose fonts lack the others. */
export function symbolsFor(env: Env, platform: string): Symbols {
  const modern =
    platform === "win32"
      ? Boolean(env["WT_SESSION"] ?? env["TERM_PROGRAM"] ?? env["ConEmuTask"] ?? env["TERM"])
      : env["TERM"] !== "linux";
  return modern
    ? { done: "✔", failed: "✖", running: "•", debug: "·", frames: "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏".split("") }
    : { done: "+", failed: "x", running: "*", debug: "-", frames: ["-", "\\", "|", "/"] };
}
