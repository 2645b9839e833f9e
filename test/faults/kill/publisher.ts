import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";

/** Posts one event after the other, several at a time, and goes on whatever happens to the server. */
export class Publisher implements AsyncDisposable {
  /** Every event that was posted, whether it was acknowledged or not. */
  readonly posted = new Set<string>();
  /** Cursors of the acknowledged ones. */
  readonly acknowledged = new Map<string, string>();
  /** Clients that were at the head when the server last answered. */
  live = 0;
  readonly #port: number;
  readonly #name: string;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #workers: Promise<void>[];
  /** Resolves when there is a server to post to. */
  #up = Promise.withResolvers<void>();
  #resting = false;
  #onAnswer: () => void = () => {};

  /** @param name Tells its events from those of another publisher. */
  constructor(port: number, workers: number, name = "") {
    this.#port = port;
    this.#name = name;
    this.#workers = Array.from({ length: workers }, (_, index) => this.#work(index));
  }

  serverIsUp(): void {
    this.live = 0;
    this.#up.resolve();
  }

  serverIsDown(): void {
    this.#up = Promise.withResolvers();
  }

  /** Resolves as soon as `condition` holds; it is checked after every answer. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#onAnswer = resolve;
      });
    }
  }

  async post(data: string): Promise<void> {
    this.posted.add(data);
    const answer = await this.#send(data).catch(() => null);
    // Not acknowledged: its outcome is unknown.
    if (answer === null) return;
    const { cursor, live } = JSON.parse(answer);
    this.acknowledged.set(data, cursor);
    this.live = live;
    this.#onAnswer();
  }

  /** Ends the workers, each after its present event. */
  async rest(): Promise<void> {
    this.#resting = true;
    this.#up.resolve();
    await Promise.all(this.#workers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rest();
    this.#agent.destroy();
  }

  async #work(index: number): Promise<void> {
    for (let n = 1; ; n++) {
      await this.#up.promise;
      if (this.#resting) return;
      await this.post(`${this.#name}${index}-${n}`);
    }
  }

  #send(data: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { port: this.#port, host: "127.0.0.1", path: "/publish", method: "POST", agent: this.#agent };
      const posting = request(options, (response) => {
        // The server could not store it, or does not know: not acknowledged.
        if (response.statusCode !== 200) reject(new Error(`${response.resume().statusCode}`));
        else text(response).then(resolve, reject);
      });
      posting.on("error", reject);
      posting.end(data);
    });
  }
}
