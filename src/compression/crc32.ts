// The checksum of gzip (RFC 1952, section 8): of bytes, and of parts whose checksums are known.
import { type Zlib, zlib } from "./zlib.ts";

/** The polynomial of CRC-32, with the coefficient of x^31 in the lowest bit, as are all polynomials here. */
const polynomial = 0xedb88320;
/** The polynomial 1, and x^8: one byte. */
const one = 0x80000000;
const oneByte = 0x00800000;

/** The checksum of bytes that follow others with the checksum `before`. */
export function crc32(bytes: Uint8Array, before = 0): number {
  update ??= nativeUpdate(zlib()) ?? updateByTable;
  return update(bytes, before);
}

/** The checksum of two parts in sequence, from the checksum of each and the length of the second one in bytes. */
export function combineCrc32(first: number, second: number, secondLength: number): number {
  return (multiply(powerOfByte(secondLength), first) ^ second) >>> 0;
}

let update: ((bytes: Uint8Array, before: number) => number) | undefined;

/** Node has one since 20.15 and 22.2 (https://nodejs.org/api/zlib.html#zlibcrc32data-value). */
function nativeUpdate(module: Zlib | null): typeof update {
  const native = module?.crc32;
  return native === undefined ? undefined : (bytes, before) => native(bytes, before);
}

let table: Uint32Array | undefined;

/** The same without a platform's help. */
export function updateByTable(bytes: Uint8Array, before: number): number {
  table ??= makeTable();
  let crc = ~before;
  for (let index = 0; index < bytes.length; index++) {
    crc = (table[(crc ^ (bytes[index] as number)) & 255] as number) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = timesX(crc);
    return crc;
  });
}

/** x to the power of eight times a number of bytes, which may exceed 32 bits, modulo the polynomial. */
function powerOfByte(length: number): number {
  let power = one;
  let square = oneByte;
  for (let rest = length; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiply(square, power);
    square = multiply(square, square);
  }
  return power;
}

/** The product of two polynomials over GF(2), modulo the polynomial. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = one; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= shifted;
    shifted = timesX(shifted);
  }
  return product >>> 0;
}

function timesX(value: number): number {
  return (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ polynomial;
}
