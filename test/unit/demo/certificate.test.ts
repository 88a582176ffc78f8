import { createPrivateKey, X509Certificate } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { selfSignedCertificate } from "../../../src/demo/certificate.ts";
import { integer, objectIdentifier, octetString, time } from "../../../src/demo/der.ts";

test("a certificate fits its key, signs itself, and names the hosts", async () => {
  const { key, cert } = await selfSignedCertificate({ hosts: ["api.example", "10.0.0.1"] });
  const certificate = new X509Certificate(cert);
  expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.checkHost("api.example")).toBe("api.example");
  expect(certificate.checkIP("10.0.0.1")).toBe("10.0.0.1");
  expect(certificate.checkIP("10.0.0.2")).toBeUndefined();
});

test.for(["2001-02-03T04:05:06Z", "2049-12-31T23:59:59Z", "2050-01-01T00:00:00Z"])(
  "a certificate can end at %s",
  async (end) => {
    const notAfter = new Date(end);
    const { cert } = await selfSignedCertificate({ notBefore: new Date(0), notAfter });
    expect(Date.parse(new X509Certificate(cert).validTo)).toBe(notAfter.getTime());
  },
);

test("integers are minimal and never negative", () => {
  expect(integer(Uint8Array.of(0, 0, 0x7f)).toString("hex")).toBe("02017f");
  expect(integer(Uint8Array.of(0x80)).toString("hex")).toBe("02020080");
  expect(integer(Uint8Array.of()).toString("hex")).toBe("020100");
});

test("object identifiers and times are encoded as X.690 shows", () => {
  expect(objectIdentifier("1.2.840.113549").toString("hex")).toBe("06062a864886f70d");
  expect(time(new Date("2024-05-06T07:08:09Z")).toString("latin1", 2)).toBe("240506070809Z");
  expect(time(new Date("2050-05-06T07:08:09Z")).toString("latin1", 2)).toBe("20500506070809Z");
});

test("lengths are short below 128 and as long as they need above", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 70_000 }), (length) => {
      const encoded = octetString(Buffer.alloc(length));
      const first = encoded[1] ?? 0;
      const octets = first < 0x80 ? 0 : first & 0x7f;
      const stated = octets === 0 ? first : encoded.readUIntBE(2, octets);
      expect(stated).toBe(length);
      expect(encoded.length).toBe(2 + octets + length);
      expect(octets).toBe(length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : 3);
    }),
  );
});
