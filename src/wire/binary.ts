// Binary values, recognized whatever realm they come from: under Jest and jsdom `instanceof` fails for Node's own buffers.

/** The name of a value's type if JSON would write it as `{}` or as an object of numbers, else `null`. */
export function binaryType(value: unknown): string | null {
  if (typeof value !== "object" || value === null) return null;
  const tag = tagOf(value);
  return ArrayBuffer.isView(value) || binaryTags.has(tag) ? tag : null;
}

/** The bytes of a buffer or of a view of one; `null` for any other value. A `Blob` can only be read asynchronously. */
export function bytesOf(value: unknown): Uint8Array | null {
  if (typeof value !== "object" || value === null) return null;
  if (ArrayBuffer.isView(value)) return copyIfShared(value.buffer, value.byteOffset, value.byteLength);
  const tag = tagOf(value);
  if (tag !== "ArrayBuffer" && tag !== "SharedArrayBuffer") return null;
  return copyIfShared(value as ArrayBufferLike, 0, (value as ArrayBufferLike).byteLength);
}

/** The name that a built-in type gives itself, such as `Map` or `Uint8Array`; `Object` for most classes of applications. */
export function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

const binaryTags: ReadonlySet<string> = new Set([
  "ArrayBuffer",
  "SharedArrayBuffer",
  "Blob",
  "File",
  "FormData",
  "Headers",
  "ReadableStream",
  "Request",
  "Response",
  "URLSearchParams",
]);

/** Browsers refuse to decode memory that another thread may change. */
function copyIfShared(buffer: ArrayBufferLike, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(buffer, offset, length);
  return tagOf(buffer) === "SharedArrayBuffer" ? new Uint8Array(bytes) : bytes;
}
