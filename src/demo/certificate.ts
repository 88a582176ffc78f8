import { generateKeyPair, randomBytes, sign } from "node:crypto";
import { isIPv4 } from "node:net";
import { promisify } from "node:util";
import * as der from "./der.ts";

export interface CertificateOptions {
  /** DNS names and IPv4 addresses it is valid for. */
  hosts?: readonly string[];
  notBefore?: Date;
  notAfter?: Date;
}

const day = 24 * 60 * 60 * 1000;
const oid = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
};

/**
 * Makes a P-256 key and a certificate for it (RFC 5280) that is its own authority, so that a client
 * trusts it by having it as `ca`. Valid from yesterday until tomorrow, unless told otherwise.
 *
 * @returns PEM texts
 */
export async function selfSignedCertificate({
  hosts = ["localhost", "127.0.0.1"],
  notBefore = new Date(Date.now() - day),
  notAfter = new Date(Date.now() + day),
}: CertificateOptions = {}): Promise<{ key: string; cert: string }> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)("ec", { namedCurve: "P-256" });
  const algorithm = der.sequence(der.objectIdentifier(oid.ecdsaWithSha256));
  // Distinct names, so that no client takes one run's certificate for another's.
  const serial = randomBytes(8);
  const name = distinguishedName(`kpush demo ${serial.toString("hex")}`);
  const toBeSigned = der.sequence(
    der.element(0xa0, der.integer(Uint8Array.of(2))), // version 3
    der.integer(serial),
    algorithm,
    name,
    der.sequence(der.time(notBefore), der.time(notAfter)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der.element(0xa3, extensions(hosts)),
  );
  const signature = sign("sha256", toBeSigned, privateKey);
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: pem(der.sequence(toBeSigned, algorithm, der.bitString(signature))),
  };
}

function distinguishedName(commonName: string): Buffer {
  return der.sequence(
    der.set(der.sequence(der.objectIdentifier(oid.commonName), der.utf8String(commonName))),
  );
}

function extensions(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) =>
    isIPv4(host)
      ? der.element(0x87, Buffer.from(host.split(".").map(Number)))
      : der.element(0x82, Buffer.from(host)),
  );
  return der.sequence(
    der.sequence(
      der.objectIdentifier(oid.basicConstraints),
      der.boolean(true), // critical
      der.octetString(der.sequence(der.boolean(true))), // may sign: it signs itself
    ),
    der.sequence(der.objectIdentifier(oid.subjectAltName), der.octetString(der.sequence(...names))),
  );
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}
