/**
 * A parser of event streams, written straight from the HTML standard and from nothing else, so that it can judge what
 * the package writes. It takes bytes in any pieces.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */

/** What a client's listener gets to hear. */
export interface ParsedEvent {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

export class EventStreamParser {
  /** Every event dispatched so far. */
  readonly events: ParsedEvent[] = [];
  /** Every comment so far, without its colon. Clients ignore them. */
  readonly comments: string[] = [];
  /** The last event ID string of the event source, which a client sends back. */
  lastEventId: string;
  /** The reconnection time, once the stream has set it. */
  retry: number | undefined;

  // "Streams must be decoded using the UTF-8 decode algorithm", which strips one leading BOM if any. Deno's decoder would
  // strip one from the middle, too, where a piece begins with it.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #begun = false;
  #line = "";
  /** The line before ended with a CR: an LF that comes next belongs to the same line end. */
  #afterCr = false;
  #data = "";
  #type = "";
  #id: string;

  /** @param lastEventId What the client had before it reconnected: browsers go on with it. */
  constructor(lastEventId = "") {
    this.lastEventId = lastEventId;
    this.#id = lastEventId;
  }

  /** True when the last event was ended by its blank line: what follows would be thrown away at the end. */
  get complete(): boolean {
    return this.#line === "" && this.#data === "" && this.#type === "" && this.#id === this.lastEventId;
  }

  /** Takes the next bytes and returns the events that they completed. */
  push(bytes: Uint8Array): ParsedEvent[] {
    const before = this.events.length;
    const text = this.#decoder.decode(bytes, { stream: true });
    const hasBom = !this.#begun && text.startsWith("\uFEFF");
    this.#begun ||= text !== "";
    for (const character of hasBom ? text.slice(1) : text) this.#character(character);
    return this.events.slice(before);
  }

  // "Lines must be separated by either a CRLF character pair, a single LF, or a single CR."
  #character(character: string): void {
    const closesCrLf = this.#afterCr && character === "\n";
    this.#afterCr = character === "\r";
    if (closesCrLf) return;
    if (character !== "\r" && character !== "\n") {
      this.#line += character;
      return;
    }
    const line = this.#line;
    this.#line = "";
    this.#processLine(line);
  }

  #processLine(line: string): void {
    const colon = line.indexOf(":");
    const value = line.slice(colon + 1);
    if (line === "") this.#dispatch();
    else if (colon === 0) this.comments.push(value);
    else if (colon === -1) this.#processField(line, "");
    else this.#processField(line.slice(0, colon), value.startsWith(" ") ? value.slice(1) : value);
  }

  #processField(name: string, value: string): void {
    if (name === "event") this.#type = value;
    else if (name === "data") this.#data += `${value}\n`;
    else if (name === "id") {
      if (!value.includes("\0")) this.#id = value;
    } else if (name === "retry") {
      if (/^[0-9]+$/.test(value)) this.retry = Number.parseInt(value, 10);
    }
  }

  #dispatch(): void {
    this.lastEventId = this.#id;
    const [data, type] = [this.#data, this.#type];
    this.#data = "";
    this.#type = "";
    if (data === "") return;
    this.events.push({ type: type === "" ? "message" : type, data: data.slice(0, -1), lastEventId: this.lastEventId });
  }
}

/** Everything that a stream of these bytes, or of this text, says. */
export function parse(stream: Uint8Array | string): EventStreamParser {
  const parser = new EventStreamParser();
  parser.push(typeof stream === "string" ? new TextEncoder().encode(stream) : stream);
  return parser;
}
