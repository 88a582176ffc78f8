import type { Surroundings } from "../../cluster/types.ts";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { Files } from "../endpoint.ts";

/** What TLS towards an engine is made with; PEM texts. */
export interface EngineTls {
  /** Undefined: the authorities that this machine trusts. */
  ca: string | undefined;
  cert: string | undefined;
  key: string | undefined;
  /** False where docker, too, takes any certificate. */
  verify: boolean;
}

/**
 * Reads `ca.pem`, `cert.pem` and `key.pem`, which docker keeps under these names everywhere.
 *
 * @param needsAuthority - fail without ca.pem, as docker does under DOCKER_TLS_VERIFY
 * @param named - files that the user named in their place, which must be there
 * @throws KpushError `ENGINE_UNSUPPORTED` where a file is missing that is needed
 */
export function readTls(
  directory: string,
  { verify, needsAuthority }: { verify: boolean; needsAuthority: boolean },
  { files, join }: { files: Files; join: (...parts: string[]) => string },
  named: Surroundings["engineTls"] = {},
): EngineTls {
  const pathOf = (name: keyof typeof named) => named[name] ?? join(directory, `${name}.pem`);
  const read = (name: keyof typeof named) => {
    const path = pathOf(name);
    const text = files.read(path);
    if (text === undefined && files.exists(path)) throw unusable(path, "cannot be read");
    if (text === undefined && named[name] !== undefined) throw unusable(path, "is missing");
    return text;
  };
  const [ca, cert, key] = [read("ca"), read("cert"), read("key")];
  if (needsAuthority && ca === undefined) throw unusable(pathOf("ca"), "is missing");
  if ((cert === undefined) !== (key === undefined)) {
    throw unusable(pathOf(cert === undefined ? "cert" : "key"), "is missing");
  }
  return { ca, cert, key, verify };
}

function unusable(path: string, why: string): KpushError {
  return new KpushError(
    "ENGINE_UNSUPPORTED",
    `the engine's address needs TLS, and ${plain(path, 300)} ${why}`,
    {
      hint: "ca.pem, cert.pem and key.pem must be there; DOCKER_CERT_PATH names their directory",
    },
  );
}
