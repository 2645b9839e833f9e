import { createHub, type Hub } from "../../../src/hub/hub.ts";
import type { SubscribeOptions } from "../../../src/hub/options.ts";
import type { PublishedEvent } from "../../../src/hub/publish.ts";
import { Client } from "../../faults/model/client.ts";
import { isLeftOut } from "../../faults/model/dues.ts";
import type { CursorKind, History, Setup, Step } from "../../faults/model/history.ts";
import { Violation } from "../../faults/model/judge.ts";
import { Random } from "../../faults/model/random.ts";
import { Rights } from "../../faults/model/rights.ts";
import { Socket } from "../../faults/model/socket.ts";
import { Oracle } from "./oracle.ts";
import type { Machine, ModelStore } from "./store.ts";

/** Longest wait of a step, and longest fault, in milliseconds. The model's own clock takes no time; this one does. */
const longestWait = 15;
const longestFault = 40;
/** Time after which clients have everything, once there are no more faults. */
const settleTimeout = 20_000;
/** How many of the steps are followed by a fault. */
const faultRate = 0.08;

/** How a history ended: with what must not have happened, without anything, or in a way that cannot be judged. */
export type Outcome = Violation | "sound" | "unjudged";

/** Lets a history happen on a log of its own. */
export async function runOn(store: ModelStore, group: Group, history: History, name: string): Promise<Outcome> {
  const { setup } = history;
  const retention = { maxEvents: setup.maxEvents, maxBytes: setup.maxBytes };
  const oracle = await Oracle.start(group.observer.open(name, retention));
  const world = new World({ store, group, history, name, oracle });
  try {
    for (const [index, step] of history.steps.entries()) await world.happen(step, index);
    await world.settle();
  } catch (error) {
    if (oracle.isIncomplete) return "unjudged";
    return error instanceof Violation ? error : new Violation((error as Error).stack);
  } finally {
    await world.end();
    await oracle.close();
    await store.renew(name);
  }
  return oracle.isIncomplete ? "unjudged" : "sound";
}

/** The processes of histories that happen one after the other. */
export interface Group {
  /** Without faults. */
  readonly observer: Machine;
  readonly machines: readonly Machine[];
}

interface WorldContext {
  readonly store: ModelStore;
  readonly group: Group;
  readonly history: History;
  readonly name: string;
  readonly oracle: Oracle;
}

/**
 * The world of the model, with a real log, real connections and real time: what the store does is decided by the store, and
 * faults are those of the network between it and each process.
 */
class World {
  readonly #context: WorldContext;
  readonly #setup: Setup;
  readonly #random: Random;
  readonly #rights: Rights;
  readonly #clients: Client[];
  /** Those that clients can connect to, one for each process. */
  readonly #hubs: Hub[];
  readonly #everyHub: Hub[] = [];
  readonly #serverOf = new Map<Client, Hub>();
  readonly #wires = new Map<Client, FrozenSocket>();
  /** Publishes without an outcome, and faults that have not ended. */
  readonly #pending = new Set<Promise<unknown>>();
  readonly #endings: Promise<unknown>[] = [];
  readonly #accepted: { cursor: string; data: string; version: number }[] = [];
  #published = 0;
  #failure: unknown;

  constructor(context: WorldContext) {
    const { history, oracle, store, group } = context;
    this.#context = context;
    this.#setup = history.setup;
    this.#random = new Random(history.seed ^ 0xfa17);
    this.#rights = new Rights(oracle.record);
    const tolerance = { limits: false, fails: true, forgetsWitnesses: true, trimsAll: store.trimsAll };
    // Readers of the application have no connection that could be judged by its bytes: here, all are connections.
    const plans = this.#setup.clients.map(({ reader: _, ...plan }) => plan);
    this.#clients = plans.map((plan) => new Client(plan, oracle.record, this.#rights, tolerance));
    this.#hubs = group.machines.map((machine) => this.#makeHub(machine));
  }

  async happen(step: Step, index: number): Promise<void> {
    try {
      await this.#do(step);
      if (this.#random.chance(faultRate)) this.#breakNetwork();
      if (step.sameTick !== true) await pause(0);
      if (this.#failure !== undefined) throw this.#failure;
    } catch (error) {
      throw located(error, `step ${index}`);
    }
  }

  /** The network is healed: clients that are connected get everything, and so do those that come back. */
  async settle(): Promise<void> {
    try {
      await this.#quiesce();
      if (this.#context.oracle.violation !== null) throw this.#context.oracle.violation;
      this.#assertAccepted();
      const deadline = performance.now() + settleTimeout;
      for (const client of this.#clients) await this.#bringUpToDate(client, deadline);
      for (const client of this.#clients) client.disconnect();
      if (this.#failure !== undefined) throw this.#failure;
    } catch (error) {
      throw located(error, "the end");
    }
  }

  async end(): Promise<void> {
    for (const { proxy } of this.#context.group.machines) proxy.heal();
    for (const client of this.#clients) client.disconnect();
    await Promise.all(this.#everyHub.map((hub) => hub.close().catch(() => {})));
    await Promise.allSettled([...this.#pending, ...this.#endings]);
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
        await this.#read(this.#client(step.client), step.bytes);
        return;
      case "disconnect":
        return this.#client(step.client).disconnect();
      case "wait":
        return pause(Math.min(step.ms, longestWait));
      case "renew":
        return this.#renew();
      case "restart":
        return this.#restart(step.hub, step.how);
      case "drain":
        return this.#drain(step.hub);
      default:
        // Losses of a part are tested for each log; rights are those of the hub, which the model with its own clock tests.
        return this.#breakNetwork();
    }
  }

  #publish({ hub, channel, count, size, key, sender }: Step & { do: "publish" }): void {
    const events: PublishedEvent[] = Array.from({ length: count }, () => {
      const number = ++this.#published;
      return {
        type: number % 3 === 0 ? "note" : "message",
        data: `${number} ${"·".repeat(size / 2)}\n${"-".repeat(size / 2)}`,
        ...(key !== undefined && { key }),
        ...(sender !== undefined && { sender }),
      };
    });
    const { version } = this.#context.oracle.record;
    const published = this.#hub(hub).channel(channel).dispatchAll(events);
    const accept = (cursors: string[]): void => {
      for (const [index, cursor] of cursors.entries()) {
        this.#accepted.push({ cursor, data: events[index]?.data as string, version });
      }
    };
    this.#background(published.then(accept));
  }

  #connect(client: Client, hub: Hub, { cursor, pick }: { cursor: CursorKind; pick: number }): void {
    if (client.connected) return;
    const kind = cursor === "page" ? "kept" : cursor;
    const foreign = this.#clients.filter((other) => other !== client).map((other) => other.lastEventId);
    this.#open(client, hub, client.cursorOf(kind, pick, foreign));
  }

  #open(client: Client, hub: Hub, lastEventId: string): void {
    const { channels, key, sender, rewind, without, label } = client.plan;
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
    const wire = new FrozenSocket(this.#setup.socketBytes);
    client.connect(wire, lastEventId);
    this.#wires.set(client, wire);
    this.#serverOf.set(client, hub);
    const opened = hub.open({ request, sink: wire }, options);
    const hangUp = (error: unknown): never => {
      if (client.wire === wire) client.disconnect();
      throw error;
    };
    this.#background(opened.catch(hangUp));
  }

  /** Only bytes that have arrived are read: the record has at least as much as they do. */
  async #read(client: Client, bytes: number): Promise<boolean> {
    if (client.wire === null) return false;
    this.#wires.get(client)?.freeze();
    await this.#context.oracle.catchUp();
    return client.read(bytes);
  }

  /** An operator deletes the log. Entries that are just being stored would be neither there nor recorded. */
  async #renew(): Promise<void> {
    await this.#quiesce();
    for (const client of this.#clients) await this.#read(client, Number.POSITIVE_INFINITY);
    await this.#context.store.renew(this.#context.name);
  }

  #restart(index: number, how: "closed" | "killed"): void {
    const hub = this.#replace(index);
    if (how === "killed") this.#disconnectFrom(hub);
    this.#leave(hub.close());
  }

  #drain(index: number): void {
    const hub = this.#replace(index);
    this.#leave(hub.drain({ within: 10 }).then(() => hub.close()));
  }

  /** A hub ends when its clients have read everything, which they may do only at the end. */
  #leave(ending: Promise<unknown>): void {
    this.#endings.push(ending.catch((error) => this.#note(error)));
  }

  /** Another hub takes the place of one, on the same machine. */
  #replace(index: number): Hub {
    const { machines } = this.#context.group;
    const at = index % machines.length;
    const hub = this.#hubs[at] as Hub;
    this.#hubs[at] = this.#makeHub(machines[at] as Machine);
    return hub;
  }

  #disconnectFrom(hub: Hub): void {
    for (const client of this.#clients) if (this.#serverOf.get(client) === hub) client.disconnect();
  }

  #breakNetwork(): void {
    const { proxy } = this.#random.pick(this.#context.group.machines);
    const time = 1 + this.#random.below(longestFault);
    const fault = this.#random.pick(["cut", "refuse", "requests", "answers", "both", "delay", "halfClose"] as const);
    if (fault === "cut") proxy.cut();
    else if (fault === "halfClose") proxy.halfClose();
    else if (fault === "refuse") proxy.refuse();
    else if (fault === "delay") proxy.delay(1 + this.#random.below(10));
    else proxy.swallow(fault);
    this.#track(pause(time).then(() => proxy.heal()));
  }

  /** The network is healed, and every publish has its outcome. */
  async #quiesce(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
    for (const { proxy } of this.#context.group.machines) proxy.heal();
    await this.#context.oracle.catchUp();
  }

  /** Every event that a publisher was told is stored is in the log. */
  #assertAccepted(): void {
    const { record } = this.#context.oracle;
    for (const { cursor, data, version } of this.#accepted) {
      if (record.byCursor(cursor)?.data === data) continue;
      // The log was deleted when the event had just been stored in the next one.
      if (version !== record.version && !cursor.startsWith(`${record.epoch}.`)) continue;
      throw new Violation(`Acknowledged as ${cursor}, and not there: ${data.slice(0, 20)}`);
    }
  }

  async #bringUpToDate(client: Client, deadline: number): Promise<void> {
    for (let attempt = 0; !client.stopped; attempt++) {
      if (!client.connected) this.#connect(client, this.#hub(attempt), { cursor: "kept", pick: 0 });
      await this.#read(client, Number.POSITIVE_INFINITY);
      if (this.#failure !== undefined) throw this.#failure;
      if (client.isUpToDate) return;
      if (performance.now() > deadline) return client.settle();
      await pause(2);
    }
  }

  #makeHub({ open }: Machine): Hub {
    const { ring, heartbeat } = this.#setup;
    const { name } = this.#context;
    const { maxEvents, maxBytes } = this.#setup;
    const hub = createHub({
      log: open(name, { maxEvents, maxBytes }),
      closeOnSignal: false,
      keepAlive: Math.max(100, heartbeat),
      ring: { maxEvents: ring },
      onError: (error) => this.#note(error),
    });
    this.#everyHub.push(hub);
    return hub;
  }

  #background(promise: Promise<unknown>): void {
    this.#track(promise.catch((error) => this.#note(error)));
  }

  #track(promise: Promise<unknown>): void {
    this.#pending.add(promise);
    void promise.finally(() => this.#pending.delete(promise));
  }

  #note(error: unknown): void {
    const { code } = error as { code?: string };
    const isOutage = code === "ERR_SSE_LOG" || code === "ERR_SSE_TIMEOUT";
    if (code !== "ERR_SSE_CLOSED" && !isOutage) this.#failure ??= error;
  }

  #hub(index: number): Hub {
    return this.#hubs[index % this.#hubs.length] as Hub;
  }

  #client(index: number): Client {
    return this.#clients[index % this.#clients.length] as Client;
  }
}

/** A socket of which only that can be read which had arrived at some moment. */
class FrozenSocket extends Socket {
  #readable = 0;
  #isOver = false;

  freeze(): void {
    this.#readable = this.queued;
    this.#isOver = super.ended;
  }

  override get ended(): boolean {
    return this.#isOver || (this.#readable === 0 && super.ended && this.status !== 204);
  }

  override take(bytes: number): Uint8Array {
    const taken = super.take(Math.min(bytes, this.#readable));
    this.#readable -= taken.length;
    return taken;
  }
}

function located(error: unknown, where: string): Violation {
  const { message, stack } = error as Error;
  return new Violation(`${error instanceof Violation ? message : stack} (${where})`);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
