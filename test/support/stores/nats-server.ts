/** NATS servers of tests, with JetStream, and connections to them. */
import { randomUUID } from "node:crypto";
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type NatsConnection, type NodeConnectionOptions } from "@nats-io/transport-node";
import { freePort } from "../server-process.ts";
import { type StoreKind, StoreServer } from "./store-server.ts";

/** Blocks of the configuration, in addition to those that every test has. */
export interface NatsOptions {
  /** Within the block `jetstream`: `sync_interval: always`. */
  readonly jetStream?: string;
  /** At the top level: `max_payload: 1KB`. */
  readonly server?: string;
  /** Without the block `jetstream`. @default true */
  readonly hasJetStream?: boolean;
}

/** Starts a server. */
export function startNats(options: NatsOptions = {}): Promise<StoreServer> {
  return StoreServer.start(nats(options));
}

/** A cluster of three servers, whose streams may have three replicas. Their names are those of the API: `n1` to `n3`. */
export async function startNatsCluster(): Promise<StoreServer[]> {
  const names = ["n1", "n2", "n3"];
  const routes = await Promise.all(names.map(() => freePort()));
  const urls = routes.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const options = names.map((name, i) => ({
    server: `server_name: ${name}\ncluster { name: tests, listen: "127.0.0.1:${routes[i]}", routes: [${urls}] }`,
  }));
  return Promise.all(options.map((each) => startNats(each)));
}

/** A connection that reconnects at once and forever, as applications have it, except that it does not wait. */
export function connectNats(
  { port }: { readonly port: number },
  options: NodeConnectionOptions = {},
): Promise<NatsConnection> {
  return connect({
    servers: `127.0.0.1:${port}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 20,
    ...options,
  });
}

function nats({ jetStream = "", server = "", hasJetStream = true }: NatsOptions): StoreKind {
  return {
    name: "nats-server",
    args: ({ port, folder }) => {
      const config = join(folder, "nats.conf");
      const block = hasJetStream
        ? `jetstream {\n  store_dir: ${JSON.stringify(join(folder, "data"))}\n  ${jetStream}\n}`
        : "";
      writeFileSync(config, `listen: 127.0.0.1:${port}\n${server}\n${block}\n`);
      return ["-c", config];
    },
  };
}

/**
 * The newest entries of a stream are gone, as after a loss of power before they had reached the disk: the server is killed,
 * the ends of its files are cut off, and it is started again.
 */
export async function loseNewest(server: StoreServer, stream: string, count: number): Promise<void> {
  await server.kill();
  const folder = join(server.folder, "data", "jetstream", "$G", "streams", stream, "msgs");
  rmSync(join(folder, "index.db"), { force: true });
  const blocks = readdirSync(folder).filter((name) => name.endsWith(".blk"));
  blocks.sort((a, b) => Number.parseInt(b, 10) - Number.parseInt(a, 10));
  let rest = count;
  for (const name of blocks) {
    const path = join(folder, name);
    const records = recordsOf(readFileSync(path));
    const kept = Math.max(0, records.length - rest);
    rest -= records.length - kept;
    truncateSync(path, records[kept] ?? statSync(path).size);
    if (rest <= 0) break;
  }
  await server.restart();
}

/** Where the records of a block begin. Each starts with its length, of which the highest bit says that it has headers. */
function recordsOf(block: Buffer): number[] {
  const found: number[] = [];
  for (let position = 0; position + 4 <= block.length; ) {
    found.push(position);
    position += block.readUInt32LE(position) & 0x7fff_ffff;
  }
  return found;
}

/**
 * Copies the files of a server. The function that is returned puts the copy in their place, or that of some streams: one of
 * them may have been synced later than another.
 */
export async function copyData(server: StoreServer): Promise<(streams?: readonly string[]) => Promise<void>> {
  const copy = join(server.folder, `copy-${randomUUID()}`);
  await server.kill();
  cpSync(join(server.folder, "data"), copy, { recursive: true });
  await server.restart();
  return async (streams) => {
    const parts = streams?.map((stream) => join("jetstream", "$G", "streams", stream)) ?? [""];
    await server.kill();
    for (const part of parts) {
      rmSync(join(server.folder, "data", part), { recursive: true });
      cpSync(join(copy, part), join(server.folder, "data", part), { recursive: true });
    }
    await server.restart();
  };
}

/** Asks JetStream a question, past the log. */
export async function requestNats<Answer>(
  connection: NatsConnection,
  question: string,
  body?: object,
): Promise<Answer> {
  const message = await connection.request(`$JS.API.${question}`, body === undefined ? "" : JSON.stringify(body));
  const answer = message.json<Answer & { error?: { description: string } }>();
  if (answer.error !== undefined) throw new Error(`${question}: ${answer.error.description}`);
  return answer;
}
