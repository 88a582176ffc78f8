import { mkdtemp, open, rm } from "node:fs/promises";
import { platform, tmpdir } from "node:os";
import { join } from "node:path";
import { KpushError, messageOf } from "../../errors.ts";
import type { OpenFile } from "./file.ts";

/** Where the user wants temporary files, if anywhere: an empty TMPDIR says nothing, and is no name of the current directory. */
export function temporaryParent(env: NodeJS.ProcessEnv): string | undefined {
  return env["TMPDIR"] || undefined;
}

/**
 * Makes a temporary file in a private directory (mode 0700). Both lose their names at once, so that nothing is
 * left behind even when the process is killed; where the system does not allow that (Windows), they go when the file
 * is closed.
 *
 * @param parent - unless given /var/tmp, as /tmp is often memory, or else the system's temporary directory
 * @throws KpushError `LOCAL_DISK`
 */
export async function openTemporaryFile(parent?: string): Promise<OpenFile> {
  const directory = await makeDirectory(parent);
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const handle = await open(join(directory, "layer"), "wx+", 0o600);
    const gone = await remove().then(
      () => true,
      () => false,
    );
    return {
      handle,
      async [Symbol.asyncDispose]() {
        await handle.close();
        if (!gone) await remove();
      },
    };
  } catch (error) {
    await remove();
    throw diskError(error, directory);
  }
}

/** What the user reads when a temporary file cannot be made or written. */
export function diskError(error: unknown, where = "the temporary directory"): KpushError {
  const full = isErrno(error) && ["ENOSPC", "EDQUOT", "EFBIG"].includes(error.code ?? "");
  return new KpushError(
    "LOCAL_DISK",
    full
      ? `the local disk is full: no space for a temporary file in ${where}`
      : `a temporary file failed: ${messageOf(error)}`,
    {
      hint: "free some space, or set TMPDIR to a directory that has room for the image",
      cause: error,
    },
  );
}

async function makeDirectory(parent: string | undefined): Promise<string> {
  let failure: unknown;
  // On Windows /var/tmp would be one that anybody made on the current drive.
  const usual = platform() === "win32" ? [tmpdir()] : ["/var/tmp", tmpdir()];
  for (const place of parent === undefined ? usual : [parent]) {
    try {
      return await mkdtemp(join(place, "kpush-"));
    } catch (error) {
      failure = error;
    }
  }
  throw diskError(failure, parent);
}

function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error;
}
