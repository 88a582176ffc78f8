import { readFile } from "node:fs/promises";
import { KpushError, messageOf } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { UserEntry } from "../kubeconfig/user-entry.ts";
import type { Login, LoginSource } from "./login.ts";

/** A token file may change at any time; client-go reads it once a minute too. */
const tokenFileAge = 60_000;

/**
 * Credentials that stand in the kubeconfig or in files it names: certificate, token, password.
 *
 * As in client-go what stands in the file goes before the file it names, but for the token file,
 * which goes before the token as long as it can be read.
 */
export function staticLogin(user: UserEntry): LoginSource {
  const { tokenFile } = user;
  return {
    help: "the kubeconfig's token or certificate for this cluster is no longer good: write the kubeconfig anew",
    renewable: tokenFile !== undefined,
    ...(tokenFile === undefined ? {} : { maxAge: tokenFileAge }),
    async get() {
      const [certificate, key, token] = await Promise.all([
        dataOrFile(user.certificateData, user.certificateFile),
        dataOrFile(user.keyData, user.keyFile),
        tokenFile === undefined ? user.token : tokenFrom(tokenFile, user.token),
      ]);
      return { certificate, key, token, username: user.username, password: user.password };
    },
  };
}

/**
 * The PEM of a certificate or key: decoded from the kubeconfig's base64, else read from the file.
 *
 * @throws KpushError `CREDENTIALS_FAILED` where the file cannot be read
 */
export async function dataOrFile(
  data: string | undefined,
  file: string | undefined,
): Promise<string | undefined> {
  if (data !== undefined) return Buffer.from(data, "base64").toString("utf8");
  if (file === undefined) return undefined;
  return readFile(file, "utf8").catch((error: unknown) => Promise.reject(unreadable(file, error)));
}

async function tokenFrom(file: string, otherwise: string | undefined): Promise<string | undefined> {
  try {
    const token = (await readFile(file, "utf8")).trim();
    if (token) return token;
    throw new Error("it is empty");
  } catch (error) {
    if (otherwise !== undefined) return otherwise;
    throw unreadable(file, error);
  }
}

function unreadable(file: string, cause: unknown): KpushError {
  const why = plain(messageOf(cause), 300);
  return new KpushError(
    "CREDENTIALS_FAILED",
    `the kubeconfig names ${plain(file, 500)}, which cannot be read: ${why}`,
    {
      hint: "write the kubeconfig anew with your cluster's tool",
      cause,
    },
  );
}

/** Whether nothing else has to be asked for a login: client-go then runs no plugin either. */
export const isComplete = ({ token, username }: Login): boolean =>
  token !== undefined || username !== undefined;
