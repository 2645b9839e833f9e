/** A TCP proxy between a client and the server of a store, with the faults of a network. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Where the bytes go wrong: on their way to the server, on their way back, or both. */
export type Direction = "requests" | "answers" | "both";

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Whether the client has asked for an event stream on it. */
  isStream: boolean;
}

export class FaultProxy implements AsyncDisposable {
  #targetPort: number;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #isRefusing = false;
  #delayMs = 0;
  #swallowed: Direction | null = null;
  #answered = 0;

  /** Starts one on a free port. */
  static async start(targetPort: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /**
   * How many connections have an event stream. A browser and a server keep others for seconds or minutes: idle ones that were
   * used for a file, and those that the browser was opening for a request when the request was cancelled.
   */
  get streams(): number {
    return [...this.#links].filter(({ isStream }) => isStream).length;
  }

  /** How many bytes have come from the server. */
  get answered(): number {
    return this.#answered;
  }

  /** Resets all connections. New ones are accepted. */
  cut(): void {
    for (const { client, server } of this.#links) {
      reset(client);
      reset(server);
    }
  }

  /** Resets all connections, and every new one until `heal()`. */
  refuse(): void {
    this.#isRefusing = true;
    this.cut();
  }

  /** Connects clients to another server from now on, and resets those of the one before: an address that fails over. */
  retarget(port: number): void {
    this.#targetPort = port;
    this.cut();
  }

  /** Everything takes so much longer from now on, in each direction. */
  delay(milliseconds: number): void {
    this.#delayMs = milliseconds;
  }

  /** Bytes disappear, and connections stay open. With `"answers"`, the server does all that it is told, and the client does not learn of it. */
  swallow(direction: Direction = "both"): void {
    this.#swallowed = direction;
  }

  /** Tells every client that the server has nothing more to say, and goes on reading from it. */
  halfClose(): void {
    for (const { client } of this.#links) client.end();
  }

  /** Nothing is refused, delayed or swallowed any longer. Swallowed bytes stay lost, so connections that lost some are reset. */
  heal(): void {
    if (this.#swallowed !== null) this.cut();
    this.#isRefusing = false;
    this.#delayMs = 0;
    this.#swallowed = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    if (this.#isRefusing) {
      reset(client.on("error", () => {}));
      return;
    }
    const server = connect({ port: this.#targetPort, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    client.setNoDelay();
    const link = { client, server, isStream: false };
    client.on("data", (bytes) => {
      link.isStream ||= bytes.includes("text/event-stream");
    });
    this.#links.add(link);
    this.#forward(client, server, "requests");
    this.#forward(server, client, "answers");
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      // The server is down, or one of them is gone: the other one learns of it.
      one.on("error", () => reset(other));
      one.on("close", () => {
        this.#links.delete(link);
        other.destroy();
      });
    }
  }

  #forward(from: Socket, to: Socket, direction: Direction): void {
    // In order, also while the delay changes: bytes that come when it has just ended wait for those before them.
    const waiting: (() => void)[] = [];
    const later = (act: () => void): void => {
      if (waiting.length === 0 && this.#delayMs === 0) {
        act();
        return;
      }
      waiting.push(act);
      setTimeout(() => waiting.shift()?.(), this.#delayMs);
    };
    from.on("data", (bytes) => {
      if (direction === "answers") this.#answered += bytes.length;
      if (this.#swallowed === direction || this.#swallowed === "both") return;
      later(() => to.writable && to.write(bytes));
    });
    from.on("end", () => later(() => to.end()));
  }
}

/** Neither a socket that is connecting nor one that is being shut down can be reset: it would keep its handle (Node 24). */
function reset(socket: Socket): void {
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else if (!socket.destroyed) socket.resetAndDestroy();
}
