import { persist } from "./transient.ts";
import { findLocation } from "./upload-session.ts";
import type { Wire } from "./wire.ts";

/**
 * Mounts a blob from another repository. A registry that does not begins an upload in place of it,
 * which is called off.
 *
 * @param path - `/v2/REPOSITORY/blobs/DIGEST` of where it is wanted
 */
export async function mountBlob(wire: Wire, path: string, from: string): Promise<boolean> {
  const digest = path.slice(path.lastIndexOf("/") + 1);
  const uploads = `${path.slice(0, -digest.length)}uploads/`;
  const query = new URLSearchParams({ mount: digest, from }).toString();
  return persist(wire.timings, wire.signal, async () => {
    const answer = await wire.send({ method: "POST", path: `${uploads}?${query}` });
    if (answer.status === 201) return true;
    const begun = answer.status === 202 ? findLocation(answer, uploads) : undefined;
    if (begun !== undefined) await wire.send({ method: "DELETE", path: begun });
    return false; // whatever it says: the blob can still be sent
  });
}
