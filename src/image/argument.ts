/** What one argument of `kpush push` names. */
export type ImageArgument =
  /** A tar archive, of `docker save` or an OCI layout; possibly compressed. */
  | { kind: "archive"; path: string }
  /** A directory that is an OCI layout. */
  | { kind: "oci"; path: string }
  | { kind: "stdin" }
  /** A name or id that the engine is asked for; not validated yet. */
  | { kind: "image"; reference: string };

const archiveEnding = /\.(?:tar|tar\.gz|tgz|tar\.zst)$/;
const pathStart = /^(?:\.{0,2}[\\/]|[a-zA-Z]:[\\/])/;

/**
 * An argument is a file only if it looks like one (`/`, `./`, `../`, a drive letter, an archive's
 * ending, `oci:PATH` or `-`): whether a file of that name exists must not decide what is pushed.
 */
export function parseImageArgument(argument: string): ImageArgument {
  if (argument === "-") return { kind: "stdin" };
  if (argument.startsWith("oci:")) return { kind: "oci", path: argument.slice("oci:".length) };
  if (pathStart.test(argument) || archiveEnding.test(argument))
    return { kind: "archive", path: argument };
  return { kind: "image", reference: argument };
}
