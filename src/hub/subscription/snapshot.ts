// A snapshot of the application on its way to a client: encoded in turns, in pages that clients with the same state share.
import type { CapturedContext } from "../../base/async-context.ts";
import { isPromise, withDeadline } from "../../base/deadline.ts";
import { quote, SourcecastTypeError } from "../../base/errors.ts";
import type { AnyContract } from "../../wire/contract.ts";
import { assertNotReserved, encodeEvent, serialize } from "../../wire/encode.ts";
import { Frame } from "../../wire/frame.ts";
import type { Snapshot } from "../options.ts";
import { encodeChecked } from "../publish.ts";
import type { ResolvedHubOptions } from "../resolve-options.ts";
import { type Slice, scheduler } from "./scheduler.ts";

/** A page ends with the event that reaches this length: as much as a socket takes at once, in characters. */
const pageLength = 64 * 1024;
/** Characters that cost as much to encode as one unit of a {@link Slice}. */
const charactersPerUnit = 1_024;

/**
 * The pages that are on their way, by their text, with the number of clients that have yet to get them.
 *
 * The application is asked for each client, since its answer may depend on the request or on the async context. After a
 * loss that concerns many clients, the answers are usually equal nevertheless. A page is found by its whole text, so it
 * is shared by clients with the same state, and by no others: 20 clients that do not read 20 MB take 20 MB.
 */
export const sharedPages: Map<string, Page> = new Map();

/**
 * The pages of a snapshot that one client has not got yet. A page is released when it is taken, because the sink keeps
 * what the socket has not taken, as for every other frame. Pages that are not sent have to be released, too.
 */
export class SnapshotPages {
  readonly #pages: Page[] = [];
  #next = 0;

  /** Joins the page of another client where the text is the same. */
  add(text: string): void {
    const page = sharedPages.get(text) ?? { text, frame: null, clients: 0 };
    sharedPages.set(text, page);
    page.clients++;
    this.#pages.push(page);
  }

  /** Takes the next page, which is encoded once for all; `null` after the last one. */
  take(): Frame | null {
    const page = this.#pages[this.#next];
    if (page === undefined) return null;
    page.frame ??= Frame.of(page.text);
    this.#letGo(page);
    return page.frame;
  }

  /** Releases the pages that are left. */
  release(): void {
    for (const page of this.#pages.slice(this.#next)) this.#letGo(page);
  }

  /** The last client takes the page out of the map: nothing of a snapshot stays after its clients. */
  #letGo(page: Page): void {
    this.#next++;
    if (--page.clients === 0) sharedPages.delete(page.text);
  }
}

/**
 * Answers that may be in memory as a whole at the same time, from the call of the application until they are encoded. Beyond that, clients
 * wait: after a loss that concerns all of them, a thousand answers of 20 MB would take 20 GB.
 */
const maxAnswers = 32;

let answers = 0;
const waiting: (() => void)[] = [];

/** Resolves when a client may ask for its snapshot, with the function that ends its turn. */
export async function snapshotTurn(): Promise<() => void> {
  if (answers < maxAnswers) answers++;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  return () => {
    // The place goes to the next one that waits.
    const next = waiting.shift();
    if (next === undefined) answers--;
    else next();
  };
}

/**
 * Encodes a whole snapshot before anything of it is sent: an event that cannot be encoded must not cut it in half. Its share
 * of the event loop is that of a replay. Pages end by their content alone, so that equal snapshots have equal pages.
 *
 * @param asyncContext Where the contract validates: that of the client.
 * @throws what the contract throws, and {@link SourcecastError} `ERR_SSE_TIMEOUT` when an asynchronous schema does not settle.
 */
export async function encodeSnapshot(
  events: readonly SnapshotEvent[],
  { contract, limits }: EncodingContext,
  asyncContext: CapturedContext,
): Promise<SnapshotPages> {
  const pages = new SnapshotPages();
  let open = "";
  const add = (text: string): void => {
    open += text;
    if (open.length < pageLength) return;
    pages.add(open);
    open = "";
  };
  try {
    for (let index = 0; index < events.length; ) {
      const encodeBatch = (slice: Slice) => {
        const batch: (string | Promise<string>)[] = [];
        do batch.push(encode(events[index++] as SnapshotEvent, contract));
        while (index < events.length && !slice.isOver(unitsOf(batch.at(-1))));
        return batch;
      };
      // A turn of the scheduler may begin in the request of another client, and schemas are the application's own.
      const texts = await scheduler.share((slice) => asyncContext.runInAsyncScope(encodeBatch, undefined, slice));
      const isReady = !texts.some(isPromise);
      const settled = isReady
        ? texts
        : withDeadline(Promise.all(texts), limits.callbackTimeout, "The contract", "limits.callbackTimeout");
      for (const text of await settled) add(text as string);
    }
  } catch (error) {
    pages.release();
    throw error;
  }
  if (open !== "") pages.add(open);
  return pages;
}

/** @throws {SourcecastTypeError} `ERR_SSE_DATA` for anything but a list. */
export function assertEvents(events: unknown): void {
  if (Array.isArray(events)) return;
  throw new SourcecastTypeError(
    "ERR_SSE_DATA",
    `The events of the snapshot are ${quote(events)}; return a list of objects with type and data`,
  );
}

/** The text of one event. A promise only where the schema is asynchronous, so that most snapshots are encoded without a wait. */
function encode({ type, data, channel }: SnapshotEvent, contract: AnyContract | undefined): string | Promise<string> {
  if (contract === undefined) {
    assertNotReserved(type);
    return encodeEvent({ type, data: serialize(data), channel });
  }
  const checked = encodeChecked(contract, type, data);
  if (!isPromise(checked)) return encodeEvent({ type, data: checked, channel });
  const encoded = checked.then((text) => encodeEvent({ type, data: text, channel }));
  // A later event of the same batch may throw, and then nothing waits for this one.
  encoded.catch(() => {});
  return encoded;
}

/** A large event is worth many small steps: the slice ends after it. */
function unitsOf(text: string | Promise<string> | undefined): number {
  return 1 + (typeof text === "string" ? text.length / charactersPerUnit : 0);
}

/** A part of a snapshot. */
interface Page {
  readonly text: string;
  /** Made for the first client that takes it. */
  frame: Frame | null;
  clients: number;
}

/** An event of a snapshot, with the channel that it is labeled with. */
export type SnapshotEvent = Snapshot["events"][number] & { readonly channel?: string | undefined };

/** The parts of the hub that are used to encode. */
type EncodingContext = Pick<ResolvedHubOptions, "contract" | "limits">;
