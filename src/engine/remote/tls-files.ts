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
 * @throws KpushError `ENGINE_UNSUPPORTED` where a file is missing that is needed
 */
export function readTls(
  directory: string,
  { verify, needsAuthority }: { verify: boolean; needsAuthority: boolean },
  { files, join }: { files: Files; join: (...parts: string[]) => string },
): EngineTls {
  const [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map((name) => {
    const path = join(directory, name);
    const text = files.read(path);
    if (text === undefined && files.exists(path)) throw unusable(path, "cannot be read");
    return text;
  });
  if (needsAuthority && ca === undefined) throw unusable(join(directory, "ca.pem"), "is missing");
  if ((cert === undefined) !== (key === undefined)) {
    throw unusable(join(directory, cert === undefined ? "cert.pem" : "key.pem"), "is missing");
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
