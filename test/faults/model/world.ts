import "./clock.ts";
import { createHub, type Hub } from "../../../src/hub/hub.ts";
import type { Snapshot, SubscribeOptions } from "../../../src/hub/options.ts";
import type { PublishedEvent } from "../../../src/hub/publish.ts";
import { Client } from "./client.ts";
import { clock } from "./clock.ts";
import { isLeftOut } from "./dues.ts";
import type { CursorKind, History, Setup, Step } from "./history.ts";
import { Violation } from "./judge.ts";
import { ProcessLog, Unreachable } from "./process-log.ts";
import { Random } from "./random.ts";
import { ReaderWire } from "./reader-wire.ts";
import { Rights } from "./rights.ts";
import { Body, Socket } from "./socket.ts";
import { Storage } from "./storage.ts";

/** Longer than any answer of the log, any heartbeat and any deadline of the hub takes. */
const longEnough = 3_000;

/** Lets a history happen. Resolves with what must not have happened, or `null`. */
export async function run(history: History): Promise<Violation | null> {
  clock.restart(history.seed);
  const world = new World(history);
  try {
    for (const [index, step] of history.steps.entries()) await world.happen(step, index);
    await world.settle();
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return error;
  } finally {
    await world.end();
  }
  return null;
}

/** Processes with a hub each on one log, and their clients. */
class World {
  readonly #setup: Setup;
  readonly #random: Random;
  readonly #storage: Storage;
  readonly #rights: Rights;
  /** Those that clients can connect to. */
  readonly #hubs: Hub[];
  /** Those and the ones before them, which may not have ended yet. */
  readonly #everyHub: Hub[] = [];
  /** Where a client is connected. */
  readonly #serverOf = new Map<Client, Hub>();
  readonly #clients: Client[];
  #published = 0;
  /** The first thing that went wrong where no step waits for it. */
  #failure: unknown;

  constructor({ seed, setup }: History) {
    this.#setup = setup;
    this.#random = new Random(seed ^ 0x5eed);
    this.#storage = new Storage(setup);
    this.#rights = new Rights(this.#storage.record);
    this.#hubs = Array.from({ length: setup.hubs }, () => this.#makeHub());
    const [limits, fails, forgetsWitnesses] = [setup.replay < 1_000, setup.failing > 0, setup.log === "model"];
    const tolerance = { limits, fails, forgetsWitnesses };
    this.#clients = setup.clients.map((plan) => new Client(plan, this.#storage.record, this.#rights, tolerance));
  }

  async happen(step: Step, index: number): Promise<void> {
    try {
      await this.#do(step);
      if (step.sameTick !== true) await clock.tick();
      this.#assertSound();
    } catch (error) {
      throw located(error, `step ${index}`);
    }
  }

  /** Lets everything come to an end: who is connected has got everything, and so has who comes back. */
  async settle(): Promise<void> {
    this.#storage.reachable = true;
    try {
      await this.#comeToRest();
      for (const client of this.#clients) this.#assertServed(client);
      this.#disconnectAll();
      for (const client of this.#clients) await this.#comeBack(client);
      await this.#comeToRest();
      for (const hub of this.#everyHub) assertNobodyThere(hub);
    } catch (error) {
      throw located(error, "the end");
    }
  }

  async end(): Promise<void> {
    this.#disconnectAll();
    for (const hub of this.#everyHub) hub.close().catch(() => {});
    await clock.advance(longEnough);
    await clock.tick();
  }

  async #do(step: Step): Promise<void> {
    switch (step.do) {
      case "publish":
        return this.#publish(step);
      case "end":
        return this.#background(this.#hub(step.hub).channel(step.channel).end());
      case "connect":
        return this.#connect(this.#client(step.client), this.#hub(step.hub), step);
      case "read":
        this.#client(step.client).read(step.bytes);
        return;
      case "disconnect":
        return this.#client(step.client).disconnect();
      case "wait":
        return clock.advance(step.ms);
      case "lose":
        return this.#storage.lose(step.count);
      case "copy":
        return this.#storage.copy();
      case "restore":
        return this.#storage.restore();
      case "renew":
        return this.#storage.renew();
      case "restart":
        return this.#restart(step.hub, step.how);
      case "drain":
        return this.#drain(step.hub);
      case "forbid":
      case "allow":
        // The application itself may read everything.
        if (this.#client(step.client).plan.reader) return;
        return this.#permit(this.#client(step.client).plan.key, step.channel, step.do === "allow");
    }
  }

  #publish({ hub, channel, count, size, key, sender }: Step & { do: "publish" }): void {
    const events: PublishedEvent[] = Array.from({ length: count }, () => {
      const number = ++this.#published;
      // Two lines, and characters of two bytes: both can be cut in the middle.
      const data = `${number} ${"·".repeat(size / 2)}\n${"-".repeat(size / 2)}`;
      return {
        type: number % 3 === 0 ? "note" : "message",
        data,
        ...(key !== undefined && { key }),
        ...(sender !== undefined && { sender }),
      };
    });
    const published = this.#hub(hub).channel(channel).dispatchAll(events);
    const acknowledge = (cursors: string[]): void => {
      for (const [index, cursor] of cursors.entries()) {
        if (this.#storage.record.byCursor(cursor)?.data === events[index]?.data) continue;
        throw new Violation(`Acknowledged as ${cursor}, and not there: ${events[index]?.data}`);
      }
    };
    this.#background(published.then(acknowledge));
  }

  #connect(client: Client, hub: Hub, { cursor, pick }: { cursor: CursorKind; pick: number }): void {
    if (client.connected || client.asking) return;
    if (cursor !== "page") {
      const foreign = this.#clients.filter((other) => other !== client).map((other) => other.lastEventId);
      const lastEventId = client.cursorOf(cursor, pick, foreign);
      // A reader is not told a position before its first event, so it begins with one.
      if (lastEventId !== "" || !client.plan.reader) {
        this.#open(client, hub, lastEventId);
        return;
      }
    }
    client.asking = true;
    const asked = hub.cursor().then((page) => this.#open(client, hub, page));
    const forget = (): void => {
      client.asking = false;
    };
    this.#background(asked.finally(forget));
  }

  #open(client: Client, hub: Hub, lastEventId: string): void {
    const { channels, key, sender, rewind, without, label, reader } = client.plan;
    if (reader) {
      client.connect(new ReaderWire(hub, channels[0] as string, lastEventId), lastEventId);
      this.#serverOf.set(client, hub);
      return;
    }
    const headers = { get: (name: string) => (name === "last-event-id" && lastEventId !== "" ? lastEventId : null) };
    const options: SubscribeOptions = {
      channels,
      key,
      ...(without !== undefined && { filter: (event: { data: string }) => !isLeftOut(event, without) }),
      ...(sender !== undefined && { sender }),
      ...(rewind !== undefined && { rewind }),
      ...(label && { label }),
    };
    const abort = new AbortController();
    const request = { url: "http://localhost/events", method: "GET", headers, signal: abort.signal, key };
    const wire = this.#setup.sink === "web" ? new Body(abort) : new Socket(this.#setup.socketBytes);
    client.connect(wire, lastEventId);
    this.#serverOf.set(client, hub);
    const opened =
      wire instanceof Body
        ? hub.response(request, options).then((response) => wire.open(response))
        : hub.open({ request, sink: wire }, options);
    // A request that fails has its connection closed.
    const hangUp = (error: unknown): never => {
      if (client.wire === wire) client.disconnect();
      throw error;
    };
    this.#background(opened.catch(hangUp));
  }

  /** A process ends, well or not, and another takes its place. */
  #restart(index: number, how: "closed" | "killed"): void {
    const hub = this.#hub(index);
    this.#hubs[index % this.#hubs.length] = this.#makeHub();
    if (how === "killed") {
      for (const client of this.#clients) if (this.#serverOf.get(client) === hub) client.disconnect();
    }
    this.#background(hub.close());
  }

  /** A process hands its clients over to the next, and ends. */
  #drain(index: number): void {
    const hub = this.#hub(index);
    this.#hubs[index % this.#hubs.length] = this.#makeHub();
    const drained = hub.drain({ within: 50 }).then(() => {
      if (hub.stats().live + hub.stats().lagging > 0) throw new Violation("Drained, and a client is still connected");
      return hub.close();
    });
    this.#background(drained);
  }

  /** An application takes a permission away, or grants one: the clients concerned are authorized again. */
  #permit(key: string, channel: string, allowed: boolean): void {
    if (!this.#setup.authorize) return;
    this.#rights.change(key, channel, allowed);
    for (const hub of this.#everyHub) hub.revoke(key);
  }

  #makeHub(): Hub {
    const { ring, heartbeat, replay, stall, lifetime, connections, authorize, snapshot } = this.#setup;
    const hub: Hub = createHub({
      log: new ProcessLog(this.#storage, this.#setup, this.#random),
      closeOnSignal: false,
      keepAlive: heartbeat,
      ring: { maxEvents: ring },
      limits: {
        maxReplay: replay,
        stallTimeout: stall,
        connections,
        ...(lifetime !== undefined && { maxLifetime: lifetime }),
      },
      ...(authorize && { authorize: (question) => this.#authorize(question) }),
      ...(snapshot && { snapshot: () => takeSnapshot(hub) }),
      onError: (error) => this.#note(error),
    });
    this.#everyHub.push(hub);
    return hub;
  }

  async #authorize({ request, channel }: { request: object; channel: string }): Promise<boolean> {
    const { key } = request as { key: string };
    const answer = (): boolean => channel.endsWith("*") || this.#rights.allows(key, channel);
    const early = this.#random.chance(0.5) ? answer() : undefined;
    if (this.#setup.late > 0) await clock.sleep(this.#random.below(this.#setup.late));
    return early ?? answer();
  }

  /** Every client reads everything there is, until nothing more arrives. */
  async #comeToRest(): Promise<void> {
    for (let quiet = 0, rounds = 0; quiet < 6; rounds++) {
      if (rounds === 1_000) throw new Violation("There is no end to what comes");
      const hasRead = await this.#readAll();
      // A client does not stop reading while the hub reads for it: it would be closed as one that has stalled.
      quiet = hasRead || this.#storage.unanswered > 0 ? 0 : quiet + 1;
      await clock.advance(quiet < 5 ? 40 : longEnough);
      await clock.tick();
      this.#assertSound();
    }
  }

  /** A response gives one chunk after the other, and those of an idle time are keep-alives. */
  async #readAll(): Promise<boolean> {
    for (let hasHeard = false; ; ) {
      if (this.#clients.map((client) => client.read(Number.POSITIVE_INFINITY)).includes(true)) hasHeard = true;
      if (!this.#clients.some(({ hasTaken }) => hasTaken)) return hasHeard;
      await clock.tick();
    }
  }

  /** A client reconnects as often as it takes to have everything, as long as it is not told to stay away. */
  async #comeBack(client: Client): Promise<void> {
    for (let attempt = 0; attempt < 40 && !client.stopped && !client.isUpToDate; attempt++) {
      this.#connect(client, this.#hub(attempt), { cursor: "kept", pick: 0 });
      await this.#comeToRest();
    }
    if (!client.stopped) client.settle();
    client.disconnect();
  }

  #assertServed(client: Client): void {
    if (!client.connected) return;
    if (!this.#hubs.includes(this.#serverOf.get(client) as Hub)) throw new Violation("A stream outlives its hub");
    // That a log has lost its tail shows when it comes to the client's position again, or when the client comes back.
    if (!client.isAhead) client.settle();
  }

  #assertSound(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #disconnectAll(): void {
    for (const client of this.#clients) client.disconnect();
  }

  #background(promise: Promise<unknown>): void {
    promise.catch((error) => this.#note(error));
  }

  #note(error: unknown): void {
    const { code } = error as { code?: string };
    // A snapshot of a log that was replaced during it is useless, and is reported as such.
    const isExpected = code === "ERR_SSE_CLOSED" || (code === "ERR_SSE_CURSOR" && this.#setup.snapshot);
    if (!isExpected && !(error instanceof Unreachable)) this.#failure ??= error;
  }

  #hub(index: number): Hub {
    return this.#hubs[index % this.#hubs.length] as Hub;
  }

  #client(index: number): Client {
    return this.#clients[index % this.#clients.length] as Client;
  }
}

/** The state of the application, as far as it has one: how far it has got. */
async function takeSnapshot(hub: Hub): Promise<Snapshot> {
  const cursor = await hub.cursor();
  return { events: [{ type: "snapshot", data: cursor.split(".")[1] }], cursor };
}

/** Counts are right after every way in which a connection can end. */
function assertNobodyThere(hub: Hub): void {
  const { connections, live, lagging, channels } = hub.stats();
  if (connections === 0 && live === 0 && lagging === 0 && channels === 0) return;
  throw new Violation(`No client is there, but: ${JSON.stringify({ connections, live, lagging, channels })}`);
}

/** The failures and their places, including unexpected ones. */
function located(error: unknown, where: string): Violation {
  const { message, stack } = error as Error;
  return error instanceof Violation ? new Violation(`${message} (${where})`) : new Violation(`${stack} (${where})`);
}
