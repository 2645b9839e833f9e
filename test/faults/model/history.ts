import { Random } from "./random.ts";

/** The subscription of one client, and the events that it does not get. */
export interface ClientPlan {
  readonly channels: readonly string[];
  readonly key: string;
  readonly sender?: string;
  /** Its filter leaves out every event whose number is divided by this. */
  readonly without?: number;
  readonly rewind?: number;
  /** Its events carry their channels, and it may be rejected for some of them. */
  readonly label?: true;
  /** It is no connection but a reader of the application. */
  readonly reader?: true;
}

/** The setup of a history: how the log and the hubs are made. */
export interface Setup {
  readonly hubs: number;
  /** `"memory"` is the package's own; `"model"` is a plain one that can lose its tail. */
  readonly log: "memory" | "model";
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** Entries that one read of the log returns at most. */
  readonly page: number;
  /** Milliseconds that an answer of the log may take, and that its tail may be late. 0: at once. */
  readonly late: number;
  /** How many of the log's answers are errors. */
  readonly failing: number;
  readonly ring: number;
  readonly sink: "socket" | "web";
  /** Bytes that a socket takes without being read. */
  readonly socketBytes: number;
  readonly authorize: boolean;
  readonly snapshot: boolean;
  readonly heartbeat: number;
  readonly replay: number;
  readonly stall: number;
  readonly lifetime: number | undefined;
  readonly connections: number;
  readonly clients: readonly ClientPlan[];
}

/** With which cursor a client comes: the one it has, none, one it had before, one from somewhere else, a made up one … */
export type CursorKind = "kept" | "none" | "page" | "old" | "foreign" | "forged" | "cut" | "nonsense";

/** One thing that happens. Numbers that name a client or a hub are taken modulo how many there are. */
export type Step = { readonly sameTick?: boolean } & (
  | { do: "publish"; hub: number; channel: string; count: number; size: number; key?: string; sender?: string }
  | { do: "end"; hub: number; channel: string }
  | { do: "connect"; client: number; hub: number; cursor: CursorKind; pick: number }
  | { do: "read"; client: number; bytes: number }
  | { do: "disconnect"; client: number }
  | { do: "wait"; ms: number }
  | { do: "lose"; count: number }
  | { do: "copy" }
  | { do: "restore" }
  | { do: "renew" }
  | { do: "restart"; hub: number; how: "closed" | "killed" }
  | { do: "drain"; hub: number }
  | { do: "forbid"; client: number; channel: string }
  | { do: "allow"; client: number; channel: string }
);

export interface History {
  readonly seed: number;
  readonly setup: Setup;
  readonly steps: readonly Step[];
}

const channels = ["a", "b", "p/1", "p/2", "quiet"];
const selections = [["a"], ["b"], ["quiet"], ["a", "b"], ["p/*"], ["a", "p/*"], ["*"], ["quiet", "a"], ["p/1", "b"]];
const cursors: CursorKind[] = ["none", "page", "old", "foreign", "forged", "cut", "nonsense"];

/** The history of a seed: always the same. */
export function historyOf(seed: number): History {
  const random = new Random(seed);
  for (let warm = 0; warm < 4; warm++) random.next();
  const setup = setupOf(random);
  const length = 8 + random.below(50);
  const steps: Step[] = setup.clients.map((_, client) => connect(random, client));
  while (steps.length < length) steps.push(...stepsOf(random, setup));
  return { seed, setup, steps };
}

function setupOf(random: Random): Setup {
  const log = random.chance(0.5) ? "memory" : "model";
  const web = random.chance(0.03);
  const clients = Array.from({ length: 1 + random.below(4) }, (_, index) => clientOf(random, index));
  return {
    hubs: random.chance(0.4) ? 2 : 1,
    log,
    maxEvents: random.chance(0.6) ? 2 + random.below(12) : 1_000,
    maxBytes: random.chance(0.2) ? 150 + random.below(600) : 1_000_000,
    page: random.chance(0.5) ? 1 + random.below(4) : 256,
    late: random.chance(0.5) ? 1 + random.below(30) : 0,
    failing: random.chance(0.15) ? 0.05 : 0,
    ring: random.chance(0.6) ? 1 + random.below(6) : 4_096,
    sink: web ? "web" : "socket",
    socketBytes: random.chance(0.6) ? 60 + random.below(500) : 100_000,
    authorize: random.chance(0.4),
    snapshot: random.chance(0.15),
    heartbeat: random.chance(0.5) ? 20 + random.below(200) : 30_000,
    replay: random.chance(0.15) ? 1 + random.below(5) : 100_000,
    stall: random.chance(0.3) ? 40 + random.below(100) : 30_000,
    lifetime: random.chance(0.1) ? 100 + random.below(300) : undefined,
    connections: random.chance(0.1) ? Math.max(1, clients.length - 1) : 100,
    clients,
  };
}

function clientOf(random: Random, index: number): ClientPlan {
  // The end of a channel that is read by its name is the end of the iteration, which has no position.
  if (random.chance(0.15)) return { channels: [random.pick(["p/*", "*"])], key: `reader ${index}`, reader: true };
  return {
    channels: random.pick(selections),
    key: random.pick(["ada", "bob", `user ${index}`]),
    ...(random.chance(0.3) && { sender: random.pick(["ada", "bob"]) }),
    ...(random.chance(0.3) && { without: 2 + random.below(2) }),
    ...(random.chance(0.4) && { rewind: 1 + random.below(6) }),
    ...(random.chance(0.3) && { label: true }),
  };
}

function connect(random: Random, client: number): Step {
  const cursor = random.chance(0.75) ? "kept" : random.pick(cursors);
  return { do: "connect", client, hub: random.below(2), cursor, pick: random.below(1_000) };
}

function stepsOf(random: Random, setup: Setup): Step[] {
  const client = random.below(setup.clients.length);
  const hub = random.below(setup.hubs);
  const roll = random.below(100);
  const sameTick = random.chance(0.3) && { sameTick: true };
  if (roll < 34) return [{ ...publish(random, setup, hub), ...sameTick }];
  if (roll < 52)
    return [{ do: "read", client, bytes: random.chance(0.4) ? 100_000 : 1 + random.below(120), ...sameTick }];
  if (roll < 62) return [{ do: "disconnect", client, ...sameTick }];
  if (roll < 77) return [{ ...connect(random, client), ...sameTick }];
  if (roll < 86) return [{ do: "wait", ms: 1 + random.below(random.chance(0.2) ? 1_500 : 40) }];
  if (roll < 88) return [{ do: "end", hub, channel: random.pick(channels) }];
  if (roll < 90) return [lossOf(random, sameTick)];
  if (roll < 91) return [{ do: "renew", ...sameTick }];
  if (roll < 94) return [{ do: "restart", hub, how: random.chance(0.5) ? "closed" : "killed" }];
  if (roll < 95) return [{ do: "drain", hub }];
  if (roll < 96) return [{ do: "forbid", client, channel: random.pick(channels), ...sameTick }];
  if (roll < 97) return forbidWhileOpening(random, setup, client, hub);
  if (roll < 98) return [{ do: "allow", client, channel: random.pick(channels), ...sameTick }];
  // A crash of everything, with the end of the log.
  const crash: Step[] = Array.from({ length: setup.hubs }, (_, each) => ({ do: "restart", hub: each, how: "killed" }));
  return [{ do: "lose", count: 1 + random.below(6), sameTick: true }, ...crash];
}

/** The newest entries are lost, or all since a copy was made. */
function lossOf(random: Random, sameTick: { sameTick?: boolean } | false): Step {
  if (random.chance(0.5)) return { do: "lose", count: 1 + random.below(4), ...sameTick };
  return { do: random.chance(0.5) ? "copy" : "restore", ...sameTick };
}

/** A right is taken away from a client whose request is under way. */
function forbidWhileOpening(random: Random, setup: Setup, client: number, hub: number): Step[] {
  const channel = random.pick(channels);
  return [
    { do: "disconnect", client },
    { do: "allow", client, channel },
    { ...connect(random, client), sameTick: true },
    { do: "wait", ms: 1 + random.below(Math.max(1, setup.late)) },
    { do: "forbid", client, channel },
    { do: "wait", ms: 60 },
    { ...publish(random, setup, hub), channel } as Step,
  ];
}

function publish(random: Random, setup: Setup, hub: number): Step {
  const big = setup.sink === "web" && random.chance(0.5);
  return {
    do: "publish",
    hub,
    channel: random.pick(random.chance(0.9) ? channels.slice(0, 4) : channels),
    count: random.chance(0.25) ? 2 + random.below(6) : 1,
    size: big ? 20_000 + random.below(30_000) : random.below(40),
    ...(random.chance(0.3) && { key: random.pick(["x", "y"]) }),
    ...(random.chance(0.2) && { sender: random.pick(["ada", "bob"]) }),
  };
}
