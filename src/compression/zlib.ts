// The runtime's zlib, if it can compress events one by one in the context of those before them.
import { builtinModule, isWorkers } from "../base/runtime.ts";

/** The part of `node:zlib` that is used. */
export interface Zlib {
  deflateRawSync(bytes: Uint8Array, options: { dictionary?: Uint8Array; finishFlush: number }): Uint8Array;
  inflateRawSync(bytes: Uint8Array): Uint8Array;
  /** Absent before Node 20.15 and 22.2. */
  crc32?(bytes: Uint8Array, before: number): number;
  readonly constants: { readonly Z_SYNC_FLUSH: number };
}

let loaded: Zlib | null | undefined;

/** The module, loaded at the first call; `null` where streams cannot be compressed. */
export function zlib(): Zlib | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

/** Loads nothing on Workers, which would compress a body of that encoding once more. */
function load(): Zlib | null {
  const module = isWorkers ? undefined : builtinModule<Zlib>("node:zlib");
  try {
    return module !== undefined && continues(module) ? module : null;
  } catch {
    return null;
  }
}

/** Two texts, the second one in the context of the first, must read as one: not every imitation of zlib gets that right. */
function continues(module: Zlib): boolean {
  const text = new TextEncoder().encode("event: message\ndata: in context\n\n");
  const finishFlush = module.constants.Z_SYNC_FLUSH;
  const first = module.deflateRawSync(text, { finishFlush });
  const second = module.deflateRawSync(text, { finishFlush, dictionary: text });
  const read = module.inflateRawSync(Uint8Array.from([...first, ...second, ...finalBlock]));
  return second.length < first.length && read.join() === [...text, ...text].join();
}

/** An empty block that ends a deflate stream (RFC 1951, section 3.2.6). */
export const finalBlock: readonly number[] = [0x03, 0x00];

/** Replaces the module; `undefined` has it loaded again. For tests. @internal */
export function useZlib(module: Zlib | null | undefined): void {
  loaded = module;
}
