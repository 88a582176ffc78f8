declare const KPUSH_VERSION: string | undefined;

/** Version of the package; build.mjs writes it in. Straight from the sources it is not known. */
export const version: string = typeof KPUSH_VERSION === "string" ? KPUSH_VERSION : "0.0.0-source";
