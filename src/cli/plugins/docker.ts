import type { Surroundings } from "../../cluster/types.ts";
import { version } from "../version.ts";

/** What docker runs a plugin with to see whether it is one, and what it then is told. */
export const metadataWord = "docker-cli-plugin-metadata";

/** Of docker's own options those that say which engine; each with its value behind it or by `=`. */
const ours: Record<string, string> = {
  "-H": "--host",
  "--host": "--host",
  "-c": "--docker-context",
  "--context": "--docker-context",
};
const variables: Record<string, string> = {
  "--config": "DOCKER_CONFIG",
  "--tlsverify": "DOCKER_TLS_VERIFY",
  "--tls": "DOCKER_TLS",
};
const tlsFiles = { "--tlscacert": "ca", "--tlscert": "cert", "--tlskey": "key" } as const;
const otherValues = ["-l", "--log-level"];

/** The answer of docker's plugin protocol, version 0.1.0. */
export function metadata(): string {
  return `${JSON.stringify({
    SchemaVersion: "0.1.0",
    Vendor: "kpush",
    Version: version,
    ShortDescription: "Push images into a registry inside a Kubernetes cluster",
  })}\n`;
}

/**
 * Docker runs `docker-kpush [docker's options] kpush [ours]`, and `__complete` in place of the options to
 * complete. What docker's options say of the engine comes to ours, or to the variables that docker has; for
 * its files of TLS there is neither.
 */
export function fromDocker(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): { argv: string[] } & Pick<Surroundings, "env" | "engineTls"> {
  const engine: string[] = [];
  const engineTls: Surroundings["engineTls"] = {};
  const more: Record<string, string> = {};
  let completing = false;
  let index = 0;
  for (; index < argv.length && argv[index] !== "kpush"; index += 1) {
    const word = argv[index] ?? "";
    const [name, value] = splitAtEquals(word);
    if (/^__complete(NoDesc)?$/.test(word)) completing = true;
    const next = () => value ?? argv[(index += 1)] ?? "";
    if (ours[name]) engine.push(`${ours[name]}=${next()}`);
    else if (name === "--config") more["DOCKER_CONFIG"] = next();
    else if (variables[name]) more[variables[name]] = value === "false" ? "" : "1";
    else if (isTlsFile(name)) engineTls[tlsFiles[name]] = next();
    else if (otherValues.includes(name)) next();
    else if (name === "help") engine.push("--help");
  }
  const rest = argv.slice(index + 1);
  // The word to complete stays the last one, and `__complete` the first; the command line has its own order.
  const first = completing ? ["__complete"] : [];
  return { argv: [...first, ...engine, ...rest], env: { ...env, ...more }, engineTls };
}

const isTlsFile = (name: string): name is keyof typeof tlsFiles => name in tlsFiles;

function splitAtEquals(word: string): [string, string?] {
  const at = word.indexOf("=");
  return at < 0 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}
