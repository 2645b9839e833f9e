// Whether a stream is compressed: decided when the header of its response is made, and fixed from then on.
import type { CompressionGroup } from "../compression/group.ts";
import { GzipCoding } from "../compression/gzip.ts";
import { mayCompress } from "../compression/options.ts";
import { streamHeaders, varyByEncoding } from "../http/early-response.ts";
import type { HeaderFields, HeaderOverrides } from "../http/headers.ts";
import type { RequestLike } from "../http/request.ts";
import type { Sink } from "../sinks/sink.ts";
import type { Frame } from "../wire/frame.ts";
import type { ResolvedOptions } from "./options.ts";

const gzipHeaders = { ...varyByEncoding, "content-encoding": "gzip" };

let hasCompressedSets = false;

/** From now on, a source may be added to a set that compresses, in the tick in which it is opened. */
export function expectCompressedSets(): void {
  hasCompressedSets = true;
}

/**
 * Whether the header of a stream has to wait for the end of the tick, because the source may still be added to a set
 * that compresses.
 */
export function isHeaderLate({ options }: CompressibleStream): boolean {
  return options.compress === undefined && hasCompressedSets;
}

/** The header of a stream. From here on it is known whether the stream is compressed. */
export function headersOf(stream: CompressibleStream, preset: HeaderOverrides | undefined): HeaderFields {
  const { request, options, sink } = stream;
  const groupOf = stream.compression ?? options.compress;
  // A stream is in no set that could have changed this.
  if (typeof groupOf !== "function") return streamHeaders(request, options, preset);
  stream.compression = null;
  const plain = streamHeaders(request, options, preset, varyByEncoding);
  if (!sink.canBeCoded || plain.has("content-encoding") || !mayCompress(request)) return plain;
  const encoded = streamHeaders(request, options, preset, gzipHeaders);
  // The application can remove a header of any response, and so keep it from being compressed.
  if (encoded.get("content-encoding") !== "gzip") return encoded;
  const coding = new GzipCoding();
  coding.join(groupOf());
  sink.coding = coding;
  stream.compression = coding;
  return encoded;
}

/** Makes a stream part of a group, if it is compressed or can still be. */
export function joinGroup(stream: CompressibleStream, group: CompressionGroup): void {
  if (stream.compression instanceof GzipCoding) stream.compression.join(group);
  else if (stream.sink.canBeCoded && stream.options.compress === undefined) stream.compression ??= () => group;
}

/** Ends what {@link joinGroup} did. The encoding of a response that has begun stays. */
export function leaveGroup(stream: CompressibleStream, group: CompressionGroup): void {
  const { compression } = stream;
  if (!(compression instanceof GzipCoding)) {
    if (compression?.() === group) stream.compression = null;
  } else if (compression.group === group) compression.leave();
}

/** Announces that all streams of the group of this one get a frame in this tick. Of the calls for one frame, the first counts. */
export function writeToGroup({ compression }: CompressibleStream, frame: Frame): void {
  if (compression instanceof GzipCoding) compression.group?.write(frame);
}

/** The stream ends: its last bytes are its own. */
export function endCompression({ compression }: CompressibleStream): void {
  if (compression instanceof GzipCoding) compression.leave();
}

/** The coding of a response that has begun, or the group that it will be compressed in. */
export type StreamCompression = GzipCoding | (() => CompressionGroup);

/** A stream, as far as its compression goes. */
interface CompressibleStream {
  readonly request: RequestLike;
  readonly options: ResolvedOptions;
  readonly sink: Sink;
  compression: StreamCompression | null;
}
