import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createHub, type Hub } from "../../src/index.ts";
import type { Log } from "../../src/log/log.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import { presence } from "../../src/presence/index.ts";
import { read } from "../../src/testing/log/ask.ts";
import { Machine } from "../support/machine.ts";
import { BodyReader, tick } from "../support/web.ts";

/** More by hand: `PRESENCE_HISTORIES=1000 PRESENCE_SEED=7 npm test -- test/faults/presence-histories.test.ts` */
const histories = Number(process.env.PRESENCE_HISTORIES ?? 25);
const firstSeed = Number(process.env.PRESENCE_SEED ?? 1);
const [grace, lease] = [2_000, 9_000];
const people = ["ada", "bob", "carl", "dora"];

beforeEach(
  () =>
    void vi.useFakeTimers({
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"],
    }),
);
afterEach(() => void vi.useRealTimers());

interface Site {
  machine: Machine;
  hub: Hub;
  clients: { id: string; client: BodyReader }[];
  go: (() => void) | null;
}

// Machines with a slow network that lose answers, stop, crash, close and start; members who come and go at all of them.
test.each(Array.from({ length: histories }, (_, index) => firstSeed + index))(
  "history %i: each member joins and leaves in turn, and in the end all know who is there",
  async (seed) => {
    const random = generator(seed);
    const log = memoryLog();
    const sites = [openSite(log, random), openSite(log, random), openSite(log, random)];
    const dead: Site[] = [];
    for (let step = 0; step < 60; step++) {
      const index = Math.floor(random() * sites.length);
      await act(sites[index] as Site, random, (gone) => {
        dead.push(gone);
        sites[index] = openSite(log, random);
      });
      await vi.advanceTimersByTimeAsync(random() < 0.2 ? random() * lease : random() * 200);
    }
    for (const site of sites) site.go?.();
    // A live process must know about the dead one: a hub that has had no members knows of none until it is asked.
    await finish((sites[0] as Site).hub.channel("room").members());
    await vi.advanceTimersByTimeAsync(3 * lease);
    await tick();

    const told = await eventsOf(log);
    for (const id of people) {
      const kinds = told.filter((event) => event.id === id).map(({ type }) => type);
      expect(kinds, `the events about ${id}`).toEqual(kinds.map((_, at) => (at % 2 === 0 ? "join" : "leave")));
    }
    const here = [...new Set(sites.flatMap(({ clients }) => clients.map(({ id }) => id)))].sort();
    expect(present(told)).toEqual(here);
    for (const { hub } of sites) {
      const members = await finish(hub.channel("room").members());
      expect(members.map(({ id }) => id).sort()).toEqual(here);
    }
    await closeAll([...sites, ...dead]);
  },
);

function openSite(log: Log, random: () => number): Site {
  const machine = new Machine(log);
  machine.delay = () => {
    const milliseconds = Math.floor(random() * 40);
    return milliseconds < 10 ? undefined : new Promise((resolve) => setTimeout(resolve, milliseconds));
  };
  machine.loses = () => random() < 0.1;
  const hub = createHub({ log: machine, presence: presence({ grace, lease }), onError: () => {} });
  return { machine, hub, clients: [], go: null };
}

async function act(site: Site, random: () => number, onGone: (site: Site) => void): Promise<void> {
  const choice = random();
  if (choice < 0.5) {
    const id = people[Math.floor(random() * people.length)] as string;
    const request = new Request("http://localhost/");
    const response = await finish(site.hub.channel("room").response(request, { member: { id } }));
    const client = new BodyReader(response);
    void client.rest();
    site.clients.push({ id, client });
  } else if (choice < 0.85) {
    const [left] = site.clients.splice(Math.floor(random() * site.clients.length), 1);
    await left?.client.leave();
  } else if (choice < 0.92) {
    if (site.go === null) site.go = site.machine.freeze();
    else site.go();
    if (random() < 0.5) return;
    site.go();
    site.go = null;
  } else if (choice < 0.96) {
    site.go?.();
    site.machine.die();
    onGone(site);
  } else {
    site.go?.();
    await closeAll([site]);
    onGone(site);
  }
}

async function closeAll(sites: readonly Site[]): Promise<void> {
  await finish(Promise.all(sites.map(({ hub }) => hub.close())));
}

/** Calls that wait for the network advance with the clock. */
async function finish<T>(promise: Promise<T>): Promise<T> {
  let over = false;
  const end = () => {
    over = true;
  };
  promise.then(end, end);
  for (let turn = 0; turn < 1_000 && !over; turn++) await vi.advanceTimersByTimeAsync(10);
  return promise;
}

async function eventsOf(log: Log): Promise<{ type: string; id: string }[]> {
  const { entries } = await read(log, 0, 10_000, { channels: ["room"], prefixes: [] });
  return entries.map(({ type, data }) => ({ type, id: JSON.parse(data).id }));
}

function present(told: readonly { type: string; id: string }[]): string[] {
  const ids = new Set<string>();
  for (const { type, id } of told) type === "join" ? ids.add(id) : ids.delete(id);
  return [...ids].sort();
}

/** Mulberry32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
